"""Labels painted as classes: what they say, and what there is to learn from.

The number that is painted is the class: 1 to N, and 0 the background where it is known. Unlike nuclei, separate parts of one class have one
number, and their outlines mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.annotations import Annotation, Summary
from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Labels

PIECE = 64
"""Edge of the pieces, in pixels, into which a class is cut: patches are centred on them, and of them a part is kept out of training."""
LEAST = 100
"""Pixels of a class under which it can hardly be learned."""
BACKGROUND = "background"


@dataclass(frozen=True)
class ClassSummary(Summary):
    """What there is to learn from; `nuclei` counts the classes that are painted."""

    @property
    def few(self) -> bool:
        """Classes are measured by their pixels, of which there are never too few."""
        return False


def painted_classes(labels: npt.NDArray[Any], ground: Any = None) -> Annotation:
    """Take painted classes, and no more than that, as annotated: what is not painted is unknown.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        Numbers of the classes.
    ground : ndarray of bool or int, shape (Y, X), optional
        Painted background: not 0 where there is none of the classes, which have precedence.

    Returns
    -------
    Annotation

    Raises
    ------
    InputError
        If `labels` are no plane of whole numbers from 0 on, or `ground` has another shape.
    """
    labels = np.asarray(labels)
    known = labels > 0
    return Annotation(labels, known if ground is None else known | _fitting(ground, labels))


def pieces(labels: npt.NDArray[Any]) -> Labels:
    """Give a number to the parts of each class in each square of 64 pixels.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        Numbers of the classes, 0 the background.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        From 1 on without gaps, 0 the background.
    """
    rows, columns = (np.arange(size) // PIECE for size in labels.shape)
    squares = rows[:, None] * (len(columns) // PIECE + 1) + columns
    _, numbers = np.unique(np.where(labels > 0, labels.astype(np.int64) * (squares.size + 1) + squares + 1, 0), return_inverse=True)
    numbered: Labels = (numbers.reshape(labels.shape) + bool((labels > 0).all())).astype(np.int32)
    return numbered


def class_summary(annotations: Sequence[Annotation], names: Sequence[str]) -> ClassSummary:
    """Say what there is to learn from, and what speaks against it.

    Parameters
    ----------
    annotations : sequence of Annotation
        One a plane; labels are numbers of classes.
    names : sequence of str
        Of the classes 1, 2, ...

    Returns
    -------
    ClassSummary

    Raises
    ------
    InputError
        If a number is none of a class.
    """
    used = [annotation for annotation in annotations if annotation.known.any()]
    counts = np.zeros(len(names) + 1, np.int64)
    for annotation in used:
        check_numbers(annotation, names)
        counts += np.bincount(annotation.labels[annotation.known], minlength=len(counts))
    pixels, known = sum(annotation.known.size for annotation in used), int(counts.sum())
    unknown = 1 - known / pixels if pixels else 1.0
    shown = [f"{name} {count:,} px" for name, count in zip((BACKGROUND, *names), counts, strict=True) if count]
    planes = f"{len(used):,} plane{'' if len(used) == 1 else 's'}"
    sentence = f"{', '.join(shown) or 'no class'}, {planes}, unknown {100 * unknown:.0f} %"
    return ClassSummary(int((counts[1:] > 0).sum()), int(counts[0]), len(used), unknown, sentence, tuple(_warnings(counts, names)))


def _warnings(counts: npt.NDArray[np.int64], names: Sequence[str]) -> list[str]:
    if not counts[1:].any():
        return ["No class is painted: paint each class with a number of its own, 1, 2 and so on."]
    if (counts > 0).sum() == 1:
        return ["Only one class is painted: paint another one too, or some background."]
    absent = [name for name, count in zip(names, counts[1:], strict=True) if not count]
    rare = [name for name, count in zip(names, counts[1:], strict=True) if 0 < count < LEAST]
    found = [f"Nothing is painted as {', '.join(absent)}: the model will never find that."] if absent else []
    return found + ([f"Only some pixels are painted as {', '.join(rare)}: paint more of that."] if rare else [])


def check_numbers(annotation: Annotation, names: Sequence[str]) -> None:
    """Raise `InputError` if a number is painted that is none of the classes 1, 2, ..."""
    highest = int(annotation.labels[annotation.known].max(initial=0))
    if highest > len(names):
        raise InputError(
            f"The number {highest} is painted, and the classes go up to {len(names)} ({names[-1]}); say how many classes there are, or "
            "paint no higher number."
        )


def _fitting(ground: Any, labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = np.asarray(ground) != 0
    if mask.shape != labels.shape:
        raise InputError(f"`ground` has shape {mask.shape} and the labels {labels.shape}; they must be equal.")
    return mask

"""A few pictures to look at: what was annotated, what the base found there and what the new model finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.classes import pieces
from napari_unet_seg.core.normalize import within_limits
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.segment import segment
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Annotation, Labels
    from napari_unet_seg.core.checkpoint import Model

MOST = 6
"""Pictures; more are not looked at."""
EDGE = 384
"""Edge of a picture, in pixels."""


@dataclass(frozen=True, eq=False)
class Example:
    """A part of an annotated plane.

    Parameters
    ----------
    image : ndarray
        Raw pixels, (Y, X), or (Y, X, S) for colour.
    annotated : ndarray of int32, shape (Y, X)
        What was painted, where it is known.
    before : ndarray of int32, shape (Y, X), or None
        What the base finds; None without a base.
    after : ndarray of int32, shape (Y, X)
        What the model finds.
    """

    image: npt.NDArray[Any]
    annotated: Labels
    before: Labels | None
    after: Labels


def iter_examples(
    images: Sequence[Any], annotations: Sequence[Annotation], model: Model, base: Model | None = None, device: str = "auto"
) -> Steps[list[Example]]:
    """Make pictures of what a training brought.

    Parameters
    ----------
    images : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour.
    annotations : sequence of Annotation
    model : Model
        What came of it.
    base : Model, optional
        Where it started.
    device : {"auto", "cuda", "mps", "cpu"}

    Yields
    ------
    Progress
        Before each picture.

    Returns
    -------
    list of Example
        Six at most: of as many planes as possible, and of different places on them.

    Raises
    ------
    InputError
        If there are not as many images as annotations.
    DeviceError, OutOfMemoryError, ComputeError
        As `segment`.
    """
    if len(images) != len(annotations):
        raise InputError(f"There are {len(images)} images and {len(annotations)} annotations; give as many of each.")
    base = base if base is not None and base.settings.classes == model.settings.classes else None  # else it answers another question
    places = choose_places(annotations, classes=model.settings.is_semantic)
    found = []
    for done, (index, box) in enumerate(places):
        yield Progress("Making pictures", done, len(places))
        image, annotation = np.asarray(images[index]), annotations[index]
        axes = "YXS" if image.ndim == 3 else "YX"
        made = [
            segment(image[box], which, device, axes, settings=within_limits(image, which.defaults))
            for which in (base, model)
            if which is not None
        ]
        painted = np.where(annotation.known, annotation.labels, 0)[box]
        found.append(Example(image[box], painted, made[0] if base is not None else None, made[-1]))
    return found


def choose_places(annotations: Sequence[Annotation], classes: bool = False) -> list[tuple[int, tuple[slice, slice]]]:
    """Choose what is shown.

    Parameters
    ----------
    annotations : sequence of Annotation
    classes : bool
        Whether numbers are classes, of which one may cover a plane, and no nuclei.

    Returns
    -------
    list of (int, (slice, slice))
        Number of the plane, and box on it: `MOST` at most, planes in turn.
    """
    if classes:
        annotations = [replace(annotation, labels=pieces(annotation.labels)) for annotation in annotations]
    boxes = {index: _boxes(annotation) for index, annotation in enumerate(annotations)}
    planes = [index for index, found in boxes.items() if found]
    if len(planes) > MOST:
        planes = [planes[place * len(planes) // MOST] for place in range(MOST)]
    turns = [(index, boxes[index][turn]) for turn in range(MOST) for index in planes if turn < len(boxes[index])]
    return turns[:MOST]


def _boxes(annotation: Annotation) -> list[tuple[slice, slice]]:
    """Cover the nuclei of a plane with boxes, the fullest first."""
    numbers, places = compact(np.where(annotation.known, annotation.labels, 0))
    centres = np.array(ndimage.center_of_mass(places > 0, places, np.arange(1, len(numbers) + 1))).reshape(-1, 2)
    boxes: list[tuple[slice, slice]] = []
    while len(centres) and len(boxes) < MOST:
        near = np.abs(centres[:, None] - centres[None]).max(axis=2) < EDGE / 2
        centre = centres[near[near.sum(axis=1).argmax()]].mean(axis=0)
        rows, columns = (_side(middle, size) for middle, size in zip(centre, places.shape, strict=True))
        shown = [(centres[:, axis] >= side.start) & (centres[:, axis] < side.stop) for axis, side in enumerate((rows, columns))]
        boxes.append((rows, columns))
        centres = centres[~(shown[0] & shown[1])]
    return boxes


def _side(middle: float, size: int) -> slice:
    start = int(np.clip(round(middle - EDGE / 2), 0, max(size - EDGE, 0)))
    return slice(start, min(start + EDGE, size))

"""What counts as annotated: painted nuclei, regions or whole planes, each as labels and where these can be believed.

Painting everything is what nobody wants to do. A few painted nuclei teach by themselves: their pixels are known, a narrow ring around each
is known ground, and all else is unknown and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.numbering import as_int32, compact
from napari_unet_seg.errors import InputError

RING = 2
"""Pixels of ground around a painted nucleus; as wide as the outline inside it, and narrow enough to reach no neighbour."""
SAME = 0.5
"""A nucleus that the base sees is a painted one if at least this share of it is painted."""
PLAUSIBLE = 4.0
"""What the base sees is no nucleus if it is this many times larger or smaller than those that are painted: a base that fails may take
the ground itself for one."""
FEW = 20
"""Fewer nuclei than this are too few to measure a model on."""
SMALLEST = 20
"""A median area below this many px2 is that of dots, not of nuclei."""
GIANT = 0.3
"""A nucleus that fills more than this share of its plane is probably tissue, painted as one class."""
LARGE_PLANE = 10_000
"""Pixels of the smallest plane of which that can be said."""

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Annotation:
    """Labels of a plane, and where they can be believed.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        0 is the ground, each nucleus has its own number.
    known : ndarray of bool, shape (Y, X)
        Where `labels` can be believed; the rest teaches nothing.
    group : str
        Planes of one group (a stack, a field, a slide) are never on both sides of a validation; an empty one is a group by itself.
    """

    labels: Labels
    known: Mask
    group: str = ""

    def __post_init__(self) -> None:
        """Raise `InputError` if the labels are no whole numbers from 0 on, or the mask has another shape."""
        labels, known = np.asarray(self.labels), np.asarray(self.known)
        if known.shape != labels.shape:
            raise InputError(f"`known` has shape {known.shape} and the labels {labels.shape}; they must be equal.")
        object.__setattr__(self, "labels", _checked(labels))
        object.__setattr__(self, "known", known.astype(bool, copy=False))

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The numbers of the nuclei that are known, in ascending order."""
        return compact(np.where(self.known, self.labels, 0))[0]


def whole(labels: npt.NDArray[Any]) -> Annotation:
    """Take a plane as annotated everywhere: what has no label is ground.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)

    Returns
    -------
    Annotation

    Raises
    ------
    InputError
        If `labels` are no plane of whole numbers from 0 on.
    """
    return Annotation(labels, np.ones(np.shape(labels), bool))


def inside(labels: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Annotation:
    """Take a plane as annotated everywhere inside regions.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    mask : ndarray of bool, shape (Y, X)
        Inside the regions.

    Returns
    -------
    Annotation
        A nucleus that was painted up to the edge of a region and not beyond may go on there: it is unknown, since its outline is not at
        the edge.

    Raises
    ------
    InputError
        If `labels` are no plane of whole numbers from 0 on, or the mask has another shape.
    """
    annotation = Annotation(labels, mask)
    beyond = ~annotation.known & (annotation.labels == 0)
    cut = np.unique(annotation.labels[annotation.known & ndimage.binary_dilation(beyond)])
    return Annotation(annotation.labels, annotation.known & ~np.isin(annotation.labels, cut[cut > 0]))


def sparse(labels: npt.NDArray[Any], ground: Any = None, seen: npt.NDArray[Any] | None = None, ring: int = RING) -> Annotation:
    """Take painted nuclei, and no more than that, as annotated.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        Some nuclei, each painted whole.
    ground : ndarray of bool or int, shape (Y, X), optional
        Painted ground: not 0 where there is no nucleus. Painted nuclei have precedence. Without any, a ring around each nucleus is ground.
    seen : ndarray of int, shape (Y, X), optional
        What the base model finds: the ring is unknown where that sees another nucleus.
    ring : int
        Width of the ring, in pixels.

    Returns
    -------
    Annotation

    Raises
    ------
    InputError
        If `labels` are no plane of whole numbers from 0 on, or `ground` or `seen` have another shape.
    """
    labels = _checked(np.asarray(labels))
    for name, other in (("`ground`", ground), ("`seen`", seen)):
        if other is not None and np.shape(other) != labels.shape:
            raise InputError(f"{name} has shape {np.shape(other)} and the labels {labels.shape}; they must be equal.")
    painted = labels > 0
    scribble = np.zeros(labels.shape, bool) if ground is None else np.asarray(ground) != 0
    if not scribble.any():
        scribble = _near(painted, ring)
        scribble &= ~_others(seen, labels) if seen is not None else True
    return Annotation(labels, painted | scribble)


def _near(mask: Mask, reach: float) -> Mask:
    """Return where the nearest pixel of a mask is at most `reach` away."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    near: Mask = ndimage.distance_transform_edt(~mask) <= reach
    return near


def _others(seen: npt.NDArray[Any], labels: Labels) -> Mask:
    """Return where the base sees nuclei that are not painted: most of their area is not, and they are about as large as those that are."""
    _, places = compact(np.asarray(seen))
    area = np.bincount(places.ravel())
    shared = np.bincount(places[labels > 0], minlength=area.size)
    typical = np.median(_areas(whole(labels))) if labels.any() else 0
    other = (shared < SAME * area) & (area <= PLAUSIBLE * typical) & (PLAUSIBLE * area >= typical)
    other[0] = False
    return other[places]


def hide(annotation: Annotation, numbers: npt.NDArray[Any], reach: float = RING) -> Annotation:
    """Make nuclei and what surrounds them unknown, to measure on them what the others teach.

    Parameters
    ----------
    annotation : Annotation
    numbers : ndarray of int
        The nuclei to hide.
    reach : float
        Pixels around them that are hidden too; other nuclei stay.

    Returns
    -------
    Annotation
    """
    hidden = np.isin(annotation.labels, numbers) & (annotation.labels > 0)
    around = _near(hidden, reach) & ((annotation.labels == 0) | hidden)
    return Annotation(annotation.labels, annotation.known & ~around, annotation.group)


@dataclass(frozen=True)
class Summary:
    """What there is to learn from.

    Parameters
    ----------
    nuclei : int
        Painted nuclei.
    ground_pixels : int
        Pixels that are known to be ground.
    planes : int
        Planes on which something is known.
    unknown : float
        Share of these planes that is not known, 0 to 1.
    sentence : str
        All that in one line.
    warnings : tuple of str
        Sentences on why training cannot work, or not well; empty when nothing speaks against it.
    """

    nuclei: int
    ground_pixels: int
    planes: int
    unknown: float
    sentence: str
    warnings: tuple[str, ...] = ()

    @property
    def few(self) -> bool:
        """Whether the nuclei are too few to measure a model on."""
        return self.nuclei < FEW


def summary(annotations: Sequence[Annotation]) -> Summary:
    """Say what there is to learn from, and what speaks against it.

    Parameters
    ----------
    annotations : sequence of Annotation
        One a plane.

    Returns
    -------
    Summary
    """
    used = [annotation for annotation in annotations if annotation.known.any()]
    areas = np.concatenate([np.zeros(0, np.int64), *map(_areas, used)])
    ground = sum(int((annotation.known & (annotation.labels == 0)).sum()) for annotation in used)
    pixels = sum(annotation.known.size for annotation in used)
    known = sum(int(annotation.known.sum()) for annotation in used)
    unknown = 1 - known / pixels if pixels else 1.0
    parts = (_count(areas.size, "nucleus", "nuclei"), _count(ground, "background pixel"), _count(len(used), "plane"))
    sentence = f"{', '.join(parts)}, unknown {_percent(unknown)}"
    return Summary(areas.size, ground, len(used), unknown, sentence, tuple(_warnings(used, areas, ground)))


def _areas(annotation: Annotation) -> npt.NDArray[np.int64]:
    _, places = compact(np.where(annotation.known, annotation.labels, 0))
    return np.bincount(places.ravel())[1:].astype(np.int64)


def _warnings(used: list[Annotation], areas: npt.NDArray[np.int64], ground: int) -> list[str]:
    if not areas.size:
        return ["Nothing is painted: paint some nuclei, each with a number of its own."]
    found = []
    if not ground:
        found.append("No background is known: leave some space around the nuclei, or paint some background.")
    if np.median(areas) < SMALLEST:
        found.append(f"The nuclei have {np.median(areas):.0f} px² in the middle: paint each nucleus whole, not as a dot.")
    if any((_areas(plane) > GIANT * plane.labels.size).any() for plane in used if plane.labels.size >= LARGE_PLANE):
        found.append(f"One label covers more than {round(100 * GIANT)} % of its plane: give each nucleus a number of its own.")
    apart = sum(_is_apart(annotation) for annotation in used)
    if apart:
        found.append(f"On {_count(apart, 'plane')} one number stands for several separate parts: give each nucleus a number of its own.")
    return found


def _is_apart(annotation: Annotation) -> bool:
    """Whether a number has several parts, each as large as a nucleus: specks of the brush do no harm."""
    labels = compact(annotation.labels)[1]
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        parts, count = ndimage.label(labels[box] == label, np.ones((3, 3)))
        if count > 1 and (np.bincount(parts.ravel())[1:] >= SMALLEST).sum() > 1:
            return True
    return False


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _percent(share: float) -> str:
    """Round, but never to nothing or all what is not."""
    return "0 %" if share == 0 else "100 %" if share == 1 else f"{min(max(round(100 * share), 1), 99)} %"


def _checked(labels: npt.NDArray[Any]) -> Labels:
    if labels.ndim != 2:
        raise InputError(f"The labels have shape {labels.shape}; they must be one plane, (Y, X).")
    if labels.dtype.kind not in "iu":
        raise InputError(f"The labels have dtype {labels.dtype}; they must be integers, one for each nucleus.")
    if labels.size and labels.min() < 0:
        raise InputError(f"The labels have a negative value, {labels.min()}; 0 is the ground and nuclei are positive.")
    return as_int32(labels)

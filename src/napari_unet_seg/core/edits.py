"""Corrections by hand as pure functions: each takes the labels of a plane and says which pixels get which number.

Only the box around the nuclei that are touched is computed with, so that a click costs the same on a plane of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.errors import InputError

WHOLE_PIXELS = 2**22
"""Planes up to this many pixels are searched whole for a number, which also finds pieces that lie apart."""
REACH = 64
"""Pixels by which the search goes beyond what is known, on larger planes."""
BRIDGE = 2
"""Gaps up to twice this many pixels between two nuclei that become one are closed."""
LEAST_PART, LEAST_SHARE = 4, 0.02
"""Smaller parts (px2, and share of the nucleus) are crumbs of an unsteady line, no nuclei."""
STEADY = 3
"""Pixels of a line that tell in which direction it ends: the last ones of a line drawn by hand have any."""

Box = tuple[slice, slice]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Edit:
    """Pixels of a plane that get other numbers.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (pixels,)
        Where.
    values : ndarray of int64, shape (pixels,)
        The new number of each pixel, 0 for background.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]

    @property
    def box(self) -> Box:
        """The smallest box around the pixels."""
        return slice(int(self.rows.min()), int(self.rows.max()) + 1), slice(int(self.columns.min()), int(self.columns.max()) + 1)


def box_of(labels: npt.NDArray[Any], number: int, around: Box) -> Box | None:
    """Find the box around a nucleus.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    number : int
        Of the nucleus.
    around : tuple of slice
        Where it is, or what it touches. Beyond `WHOLE_PIXELS`, pieces that do not reach as far as `REACH` from here are not seen.

    Returns
    -------
    tuple of slice or None
        None when the number does not occur.
    """
    window = grown(around, REACH, labels.shape) if labels.size > WHOLE_PIXELS else grown(around, max(labels.shape), labels.shape)
    while True:
        mask = labels[window] == number
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return None
        top, left = window[0].start, window[1].start
        found = slice(top + int(rows[0]), top + int(rows[-1]) + 1), slice(left + int(columns[0]), left + int(columns[-1]) + 1)
        wider = grown(joined(found, window), REACH, labels.shape)
        if not _cut(found, window, labels.shape) or wider == window:
            return found
        window = wider


def grown(box: Box, by: int, shape: Sequence[int]) -> Box:
    """Return a box with `by` more pixels on each side, as far as there are any."""
    y, x = (slice(max(0, side.start - by), min(size, side.stop + by)) for side, size in zip(box, shape, strict=True))
    return y, x


def at(point: tuple[int, int]) -> Box:
    """Return the box of one pixel."""
    y, x = point
    return slice(y, y + 1), slice(x, x + 1)


def joined(*boxes: Box) -> Box:
    """Return the smallest box in which all of some boxes are."""
    y, x = (slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True))
    return y, x


def delete(labels: npt.NDArray[Any], number: int, around: Box) -> Edit:
    """Make a nucleus background.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    number : int
        Of the nucleus.
    around : tuple of slice
        Where it is; see `box_of`.

    Returns
    -------
    Edit

    Raises
    ------
    InputError
        If there is no such nucleus.
    """
    box = _box(labels, number, around)
    return _edit(box, labels[box] == number, 0)


def merge(labels: npt.NDArray[Any], first: int, second: int, around: Box) -> Edit:
    """Make two nuclei one.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    first, second : int
        Numbers of the nuclei; the first one stays.
    around : tuple of slice
        A box in which both are, at least in part.

    Returns
    -------
    Edit
        The second nucleus, and background that closes a narrow gap between the two.

    Raises
    ------
    InputError
        If they are the same, or one is not there.
    """
    if first == second:
        raise InputError(f"Both clicks are on nucleus {first}; click two different ones.")
    box = grown(joined(_box(labels, first, around), _box(labels, second, around)), 2 * BRIDGE, labels.shape)
    window = labels[box]
    both = (window == first) | (window == second)
    changed = window == second
    if ndimage.label(both)[1] > 1:
        closed = ndimage.binary_closing(both, iterations=BRIDGE)
        changed |= closed & (window == 0)
    return _edit(box, changed, first)


def split_along(labels: npt.NDArray[Any], path: npt.NDArray[Any], new: int) -> Edit:
    """Divide a nucleus along a line.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    path : ndarray of float, shape (points, 2)
        The line (y, x). It divides the nucleus on which most of it lies; an end inside that nucleus goes straight on to its border.
    new : int
        Number of the first part that gets another one; further parts count on. The largest part keeps its number.

    Returns
    -------
    Edit

    Raises
    ------
    InputError
        If the line is on no nucleus, or does not divide it.
    """
    number, around = _crossed(labels, path)
    box = _box(labels, number, around)
    inside = labels[box] == number
    line = _lengthened(np.asarray(path, float) - [box[0].start, box[1].start], inside)
    cut = np.zeros_like(inside)
    cut[_drawn(line, inside.shape)] = True
    parts, count = ndimage.label(inside & ~cut)  # a line of pixels that touch at corners separates what touches at edges
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    large = np.flatnonzero(sizes >= max(LEAST_PART, LEAST_SHARE * inside.sum()))
    if large.size < 2 or count <= ndimage.label(inside)[1]:
        raise InputError(f"The line does not divide nucleus {number}; draw it from one side right across to the other.")
    numbers = np.zeros(count + 1, np.int64)
    numbers[large[np.argsort(-sizes[large], kind="stable")]] = [number, *range(new, new + large.size - 1)]
    named = numbers[parts]
    nearest = ndimage.distance_transform_edt(named == 0, return_distances=False, return_indices=True)
    values = named[tuple(nearest)]
    return _edit(box, inside & (values != number), values)


def add(mask: Mask, corner: tuple[int, int], number: int) -> Edit:
    """Make pixels a nucleus.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        Its pixels.
    corner : tuple of int
        Where in the plane the first pixel of the mask is.
    number : int
        Of the new nucleus.

    Returns
    -------
    Edit
    """
    y, x = corner
    return _edit((slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])), mask, number)


def _crossed(labels: npt.NDArray[Any], path: npt.NDArray[Any]) -> tuple[int, Box]:
    """Return the nucleus on which most of a line lies, and the box of one of its pixels there."""
    rows, columns = _drawn(np.asarray(path, float), labels.shape)
    numbers, counts = np.unique(labels[rows, columns], return_counts=True)
    counts[numbers == 0] = 0
    if not counts.any():
        raise InputError("The line crosses no nucleus; draw it across the one to split.")
    number = int(numbers[counts.argmax()])
    place = int(np.flatnonzero(labels[rows, columns] == number)[0])
    return number, at((int(rows[place]), int(columns[place])))


def _drawn(path: npt.NDArray[Any], shape: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pixels of a line, those in the plane."""
    from skimage.draw import line

    corners = np.round(path).astype(np.int64)
    parts = [np.stack(line(*start, *end)) for start, end in pairwise(corners)] or [corners.T]
    rows, columns = np.concatenate(parts, axis=1)
    seen = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    return rows[seen], columns[seen]


def _lengthened(path: npt.NDArray[Any], inside: Mask) -> npt.NDArray[Any]:
    """Let a line whose ends are inside go straight on until they are outside."""
    ahead = _end(path, inside)
    behind = _end(path[::-1], inside)
    return np.concatenate([behind[None], path, ahead[None]])


def _end(path: npt.NDArray[Any], inside: Mask) -> npt.NDArray[Any]:
    end = path[-1]
    far = path[np.linalg.norm(path - end, axis=1) >= STEADY]
    step = end - (far[-1] if len(far) else path[0])
    length = np.linalg.norm(step)
    while length and _holds(inside, end):
        end = end + step / length
    return np.asarray(end)


def _holds(inside: Mask, point: npt.NDArray[Any]) -> bool:
    y, x = (round(float(value)) for value in point)
    return 0 <= y < inside.shape[0] and 0 <= x < inside.shape[1] and bool(inside[y, x])


def _box(labels: npt.NDArray[Any], number: int, around: Box) -> Box:
    box = box_of(labels, number, around) if number else None
    if box is None:
        raise InputError(f"There is no nucleus {number} here; click inside one.")
    return box


def _edit(box: Box, mask: Mask, values: npt.NDArray[Any] | int) -> Edit:
    rows, columns = np.nonzero(mask)
    chosen = values[rows, columns] if isinstance(values, np.ndarray) else np.full(rows.size, values)
    return Edit(rows + box[0].start, columns + box[1].start, chosen.astype(np.int64))


def _cut(box: Box, window: Box, shape: Sequence[int]) -> bool:
    """Say whether what was found goes on beyond the window."""
    sides = zip(box, window, shape, strict=True)
    return any((b.start == w.start and w.start > 0) or (b.stop == w.stop and w.stop < size) for b, w, size in sides)

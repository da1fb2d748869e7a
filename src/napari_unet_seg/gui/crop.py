"""A part of labels that napari cannot edit (a pyramid, or pixels on the disk) as a layer that it can, and back again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.edits import Box, grown, joined
from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_unet_seg.gui.kept_maps import Index

READING, WRITING = "Opening this part", "Writing it back"
MOST_PIXELS = 4096 * 4096
"""Of a crop: what napari edits at once, and what a person can look over."""
MARGIN = 64
"""Pixels around the view in which nuclei may go on."""


@dataclass(frozen=True)
class Crop:
    """A part of a plane.

    Parameters
    ----------
    index : tuple of int
        Of the plane.
    box : tuple of slice
        In pixels of the largest level.
    labels : ndarray of int32, shape of the box
        The nuclei that are whole in the box.
    hidden : ndarray of bool, shape of the box
        Pixels of nuclei that the box cuts: they are left out, and stay as they are.
    highest : int
        Of all numbers of the whole labels.
    """

    index: Index
    box: Box
    labels: npt.NDArray[np.int32]
    hidden: npt.NDArray[np.bool_]
    highest: int


def crop_steps(level: Any, index: Index, view: Box, highest: int = 0) -> Steps[Crop]:
    """Read a part of labels, so far around the view that every nucleus in it is whole.

    Parameters
    ----------
    level : array-like of int, shape (..., Y, X)
        The largest level: NumPy, dask or zarr.
    index : tuple of int
        Of the plane.
    view : tuple of slice
        What is in view.
    highest : int
        A number that the labels are known to have.

    Yields
    ------
    Progress
        After each row of blocks in which the highest number is looked for.

    Returns
    -------
    Crop

    Raises
    ------
    InputError
        If the view is too large, or a number does not fit into int32.
    """
    shape: tuple[int, int] = (int(level.shape[-2]), int(level.shape[-1]))
    if _size(view) > MOST_PIXELS:
        raise InputError(f"{_size(view) / 1e6:,.0f} megapixels are in view; zoom in to {MOST_PIXELS / 1e6:.0f} or less to correct them.")
    yield Progress(READING, 0, 0)
    window = grown(view, MARGIN, shape)
    labels = np.asarray(level[(*index, *window)])
    inner = tuple(slice(side.start - outer.start, side.stop - outer.start) for side, outer in zip(view, window, strict=True))
    wanted = np.unique(labels[inner])
    cut = np.intersect1d(wanted, _at_edges(labels, window, shape))
    while cut.any() and _size(window) <= MOST_PIXELS:
        window = grown(window, MARGIN, shape)
        labels = np.asarray(level[(*index, *window)])
        cut = np.intersect1d(wanted, _at_edges(labels, window, shape))
    for done, height in enumerate(range(0, shape[0], 1024), start=1):
        highest = max(highest, int(np.asarray(level[..., height : height + 1024, :]).max(initial=0)))
        yield Progress(READING, done, -(-shape[0] // 1024))
    if highest > np.iinfo(np.int32).max:
        raise InputError(f"These labels have the number {highest:,}; napari edits numbers up to {np.iinfo(np.int32).max:,}.")
    hidden = np.isin(labels, _at_edges(labels, window, shape)) & (labels > 0)
    return Crop(index, window, np.where(hidden, 0, labels).astype(np.int32), hidden, highest)


@dataclass(frozen=True)
class Written:
    """What was written into the labels that a crop is from.

    Parameters
    ----------
    labels : ndarray of int, shape of the box
        The corrected labels.
    table : pandas.DataFrame
        The nuclei that changed, from `corrected_rows`.
    numbers : set of int
        Of them, and of those that are gone.
    """

    labels: npt.NDArray[Any]
    table: pd.DataFrame
    numbers: set[int]


def write_steps(levels: Sequence[Any], crop: Crop, labels: npt.NDArray[Any]) -> Steps[Written]:
    """Write corrected labels into every level; once begun, nothing ends it between two of them, not even the end of napari.

    Parameters
    ----------
    levels : sequence of array-like
        Largest first: NumPy, zarr, or dask, of which the array in memory changes and no file.
    crop : Crop
        What was opened.
    labels : ndarray of int, shape of the box
        What it is now.

    Yields
    ------
    Progress
        Once, before it writes.

    Returns
    -------
    Written

    Raises
    ------
    WriteError
        If a level cannot be written to.
    """
    yield Progress(WRITING, 0, 0)
    largest = levels[0]
    where = (*crop.index, *crop.box)
    try:
        present = np.asarray(largest[where])
        largest[where] = np.where(crop.hidden, present, labels).astype(largest.dtype)
        for level in levels[1:]:
            _refresh(largest, level, crop)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise WriteError(f"These labels cannot be written to ({error}); save the corrected part as a file of its own.") from error
    return Written(labels, *corrected_rows(crop, labels, (int(largest.shape[-2]), int(largest.shape[-1]))))


def corrected_rows(crop: Crop, labels: npt.NDArray[Any], shape: tuple[int, int]) -> tuple[pd.DataFrame, set[int]]:
    """Measure the nuclei of a crop that changed.

    Parameters
    ----------
    crop : Crop
    labels : ndarray of int, shape of the box
        What it is now.
    shape : tuple of int
        (Y, X) of the whole plane.

    Returns
    -------
    table : pandas.DataFrame
        As `napari_unet_seg.core.measure.measure_plane`, in pixels of the whole plane.
    numbers : set of int
        Of all nuclei that changed, also of those that are gone.
    """
    from napari_unet_seg.core.measure import measure_plane

    different = crop.labels != labels
    numbers = {int(number) for number in np.unique([*crop.labels[different], *labels[different]])} - {0}
    # A frame of background, but where the plane ends: only there a nucleus touches its border.
    frame = [(int(side.start > 0), int(side.stop < size)) for side, size in zip(crop.box, shape, strict=True)]
    table = measure_plane(np.pad(np.where(np.isin(labels, list(numbers)), labels, 0), frame))
    for name, side, (before, _) in zip(("centroid_y", "centroid_x"), crop.box, frame, strict=True):
        table[name] += side.start - before
    return table, numbers


def _refresh(largest: Any, level: Any, crop: Crop) -> None:
    """Take the part of a smaller level anew from the pixels in the middle of its own."""
    *_, height, width = largest.shape
    sides, sources = [], []
    for side, size, small in zip(crop.box, (height, width), level.shape[-2:], strict=True):
        factor = size / small
        target = slice(int(side.start // factor), min(small, -int(-side.stop // factor)))
        middles = ((np.arange(target.start, target.stop) + 0.5) * factor).astype(int)
        sides.append(target)
        sources.append(np.minimum(middles, size - 1))
    rows, columns = sources
    if not rows.size or not columns.size:
        return
    read = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    window = np.asarray(largest[(*crop.index, *read)])
    level[(*crop.index, *sides)] = window[np.ix_(rows - rows[0], columns - columns[0])].astype(level.dtype)


def _at_edges(labels: npt.NDArray[Any], window: Box, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return the numbers at those edges of a window at which the plane goes on."""
    rows, columns = window
    edges = [
        labels[0] if rows.start else None,
        labels[-1] if rows.stop < shape[0] else None,
        labels[:, 0] if columns.start else None,
        labels[:, -1] if columns.stop < shape[1] else None,
    ]
    found = np.unique(np.concatenate([edge for edge in edges if edge is not None] or [labels[:0, 0]]))
    return found[found > 0]


def _size(box: Box) -> int:
    return int(box[0].stop - box[0].start) * int(box[1].stop - box[1].start)


def view_box(corners: npt.NDArray[Any], shape: tuple[int, int]) -> Box:
    """Return the part of a plane that is in view.

    Parameters
    ----------
    corners : ndarray of float, shape (points, 2)
        Corners of the view (y, x), in pixels.
    shape : tuple of int
        (Y, X) of the plane.

    Raises
    ------
    InputError
        If nothing of the plane is in view.
    """
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, shape)
    if (high <= low).any():
        raise InputError("Nothing of these labels is in view; move them into view.")
    return joined((slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))))

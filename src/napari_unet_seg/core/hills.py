"""The hills of a plane, found block by block.

`napari_unet_seg.core.basins` parts a mask into hills and joins those that are one nucleus. A hill is no larger than a nucleus, so that each
block finds those that touch it exactly, given a margin around it; `napari_unet_seg.core.joining` then joins those of all blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.basins import find_basins
from napari_unet_seg.core.blur import blurred
from napari_unet_seg.core.decoding import SMOOTHING
from napari_unet_seg.core.lattice import grown, within

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import SegmentSettings

MARGIN, WIDER, WIDEST = 48, 3, 1296
"""Pixels around a block in which its hills are looked for: at first, times how much when one reaches further, and at the most."""
SEAM = 8
"""Pixels of known maps beyond a hill with which all its pixels are found: more than the smoothing sees (5) and one neighbour."""

Integers = npt.NDArray[np.int64]
Maps = npt.NDArray[np.float16]
Read = Callable[["Box"], Maps]


@dataclass(frozen=True)
class Hills:
    """The hills that touch a block, or those of a whole plane.

    Parameters
    ----------
    summits : ndarray of int64, shape (hills,)
        Raster index of each summit in the plane, ascending.
    peaks : ndarray of float32, shape (hills,)
        Heights of the summits.
    boxes : ndarray of int64, shape (hills, 4)
        Top, left, bottom and right of the pixels in the block, the last two being the first beyond.
    pairs : ndarray of int64, shape (passes, 2)
        Summits of hills that touch in the block, the lower raster index first.
    passes : ndarray of float32, shape (passes,)
        Height of the pass between them.
    """

    summits: Integers
    peaks: npt.NDArray[np.float32]
    boxes: Integers
    pairs: Integers
    passes: npt.NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A part of the plane with its hills.

    Parameters
    ----------
    box : tuple of slice
        (Y, X) in the plane.
    labels : ndarray of int32, shape (Y, X)
        Number of the hill of each pixel from 1, 0 outside the mask.
    heights : ndarray of float32, shape (Y, X)
        The smoothed distance.
    summits : ndarray of int64, shape (hills + 1,)
        Raster index in the plane of each summit; the first means nothing.
    peaks : ndarray of float32, shape (hills + 1,)
        Their heights.
    """

    box: Box
    labels: npt.NDArray[np.int32]
    heights: npt.NDArray[np.float32]
    summits: Integers
    peaks: npt.NDArray[np.float32]


def look(read: Read, box: Box, width: int, settings: SegmentSettings) -> View:
    """Find the hills of a part of a plane; those near its edge are not those of the plane.

    Parameters
    ----------
    read : callable
        Returns background and distance of a box: float16, shape (2, Y, X).
    box : tuple of slice
        The part.
    width : int
        Of the plane.
    settings : SegmentSettings
        `probability` is used.

    Returns
    -------
    View
    """
    background, distance = read(box)
    # As in `instances`, of which this must find the very same hills.
    mask = background <= np.float16(1 - settings.probability)
    heights = distance.astype(np.float32)
    if mask.any():  # much of a slide is empty
        heights = blurred(heights, SMOOTHING)
    basins = find_basins(mask, heights)
    rows, columns = np.divmod(basins.summits, max(mask.shape[1], 1))
    return View(box, basins.labels, heights, (rows + box[0].start) * width + columns + box[1].start, basins.peaks)


def find_hills(read: Read, core: Box, shape: tuple[int, int], settings: SegmentSettings) -> Hills:
    """Find the hills that touch a block, and the passes between them that lie in it.

    Parameters
    ----------
    read : callable
        As of `look`.
    core : tuple of slice
        The block.
    shape : tuple of int
        (Y, X) of the plane.
    settings : SegmentSettings
        `probability` is used.

    Returns
    -------
    Hills
    """
    margin = MARGIN
    view = look(read, grown(core, margin, shape), shape[1], settings)
    while margin < WIDEST and _is_cut(view, core, shape):
        margin *= WIDER
        view = look(read, grown(core, margin, shape), shape[1], settings)
    return _hills_of(view, core, shape)


def _is_cut(view: View, core: Box, shape: tuple[int, int]) -> bool:
    """Say whether a hill that touches the block, or the pixels beside it, reaches where maps are not known well enough."""
    doubt: npt.NDArray[np.bool_] = np.zeros(view.labels.shape, bool)
    for axis, (side, size) in enumerate(zip(view.box, shape, strict=True)):
        along = np.moveaxis(doubt, axis, 0)
        along[: SEAM * (side.start > 0)] = True
        along[along.shape[0] - SEAM * (side.stop < size) :] = True
    near = np.zeros(view.peaks.size, bool)
    near[view.labels[within(grown(core, 1, shape), view.box)]] = True
    near[0] = False
    return bool(near[view.labels[doubt]].any())


def _hills_of(view: View, core: Box, shape: tuple[int, int]) -> Hills:
    labels = view.labels[within(core, view.box)]
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns]
    touching, place = np.unique(owner, return_inverse=True)
    rows, columns = rows + core[0].start, columns + core[1].start
    boxes = np.empty((touching.size, 4), np.int64)
    for side, (values, beyond, choose) in enumerate(
        ((rows, 0, np.minimum), (columns, 0, np.minimum), (rows, 1, np.maximum), (columns, 1, np.maximum))
    ):
        boxes[:, side] = np.iinfo(np.int64).max if choose is np.minimum else 0
        choose.at(boxes[:, side], place, values + beyond)
    pairs, passes = _passes(view, core, shape)
    order = np.argsort(view.summits[touching])
    return Hills(view.summits[touching][order], view.peaks[touching][order], boxes[order], pairs, passes)


def _passes(view: View, core: Box, shape: tuple[int, int]) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Return the passes from each pixel of the block to the one on its right and the one below."""
    pairs, heights = [], []
    for step in ((0, 1), (1, 0)):
        y, x = (slice(side.start, min(side.stop, size - by)) for side, size, by in zip(core, shape, step, strict=True))
        here = within((y, x), view.box)
        there = within((slice(y.start + step[0], y.stop + step[0]), slice(x.start + step[1], x.stop + step[1])), view.box)
        one, other = view.labels[here], view.labels[there]
        border = (one > 0) & (other > 0) & (one != other)
        pairs.append(view.summits[np.stack([one[border], other[border]], axis=1)])
        heights.append(np.minimum(view.heights[here][border], view.heights[there][border]))
    return highest_passes(np.sort(np.concatenate(pairs), axis=1), np.concatenate(heights))


def highest_passes(pairs: Integers, passes: npt.NDArray[np.float32]) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Keep the highest pass of each pair, highest first, and of equal ones the first in raster order.

    Parameters
    ----------
    pairs : ndarray of int64, shape (passes, 2)
        Summits of hills that touch, the lower raster index first.
    passes : ndarray of float32, shape (passes,)
        Heights.

    Returns
    -------
    pairs : ndarray of int64, shape (kept, 2)
    passes : ndarray of float32, shape (kept,)
    """
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -passes))
    pairs, passes = pairs[order], passes[order]
    _, first = np.unique(pairs, axis=0, return_index=True)
    first.sort()
    return pairs[first], passes[first]

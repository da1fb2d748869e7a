"""The nuclei of one block of a plane: the same pixels as if the whole plane had been decoded at once.

A nucleus belongs to the block that holds its first pixel in raster order, the same in every block that sees the nucleus. Its number
is the rank of that pixel among all of the plane, as in `napari_unet_seg.core.instances.select`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.holes import fill_beyond_specks, fill_holes
from napari_unet_seg.core.instances import first_pixels
from napari_unet_seg.core.joining import Share, nuclei_of
from napari_unet_seg.core.lattice import extent, within
from napari_unet_seg.core.regions import Regions, centroids, find_regions

if TYPE_CHECKING:
    from napari_unet_seg.core.hills import Read
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import SegmentSettings

Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class BlockNuclei:
    """What a block knows of its nuclei.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        Of the block: 0, or one more than the index into `keys`.
    keys : ndarray of int64, shape (seen,)
        For each nucleus seen in the block, the raster index of the summit that stands for it in the plane.
    owned : ndarray of int64, shape (owned,)
        The keys of those that belong to the block.
    first : ndarray of int64, shape (owned,)
        Raster index of their first pixel in the plane.
    area : ndarray of int64, shape (owned,)
        Their pixels.
    boxes : ndarray of int64, shape (owned, 4)
        Top, left, bottom and right of each in the plane, the last two being the first beyond.
    """

    labels: Labels
    keys: Integers
    owned: Integers
    first: Integers
    area: Integers
    boxes: Integers


def decode_block(read: Read, share: Share, core: Box, shape: tuple[int, int], settings: SegmentSettings) -> BlockNuclei:
    """Draw the nuclei of a block.

    Parameters
    ----------
    read : callable
        Returns background and distance of a box: float16, shape (2, Y, X).
    share : Share
        From `napari_unet_seg.core.joining.join_hills`.
    core : tuple of slice
        The block.
    shape : tuple of int
        (Y, X) of the plane.
    settings : SegmentSettings
        What concerns the decoder, and the region.

    Returns
    -------
    BlockNuclei
    """
    labels, nuclei, window = nuclei_of(read, share, shape, settings)
    if settings.fill_holes and nuclei.size:
        labels = fill_beyond_specks(fill_holes(labels), settings.min_area)
    regions = placed(find_regions(labels), window, shape)
    keep = _kept(regions, settings)
    number = np.zeros(nuclei.size + 1, np.int32)
    number[regions.numbers[keep]] = regions.numbers[keep]
    labels = number[labels]
    here = labels[within(core, window)]
    seen = np.unique(here)
    seen = seen[seen > 0]
    compact = np.zeros(nuclei.size + 1, np.int32)
    compact[seen] = np.arange(1, seen.size + 1)
    keys = nuclei[seen - 1]
    first = _first_in_plane(labels, nuclei.size + 1, window, shape[1])[seen]
    mine = _lies_in(first, core, shape[1])
    place = np.searchsorted(regions.numbers, seen[mine])
    area, boxes = regions.total().astype(np.int64)[place], boxes_of(regions)[place]
    return BlockNuclei(compact[here], keys, keys[mine], first[mine], area, boxes)


def placed(regions: Regions, window: Box, shape: tuple[int, int]) -> Regions:
    """Return the regions of a window in pixels of the plane.

    Parameters
    ----------
    regions : Regions
        In pixels of the window.
    window : tuple of slice
        Where it lies.
    shape : tuple of int
        (Y, X) of the plane.

    Returns
    -------
    Regions
    """
    rows, columns = regions.rows + window[0].start, regions.columns + window[1].start
    return Regions(regions.numbers, regions.places, rows, columns, shape)


def boxes_of(regions: Regions) -> Integers:
    """Return the box of each nucleus.

    Parameters
    ----------
    regions : Regions
        The nuclei.

    Returns
    -------
    ndarray of int64, shape (nuclei, 4)
        Top, left, bottom and right, the last two being the first beyond.
    """
    start = np.searchsorted(regions.places, np.arange(regions.numbers.size))
    sides = (np.minimum, regions.rows, 0), (np.minimum, regions.columns, 0), (np.maximum, regions.rows, 1), (np.maximum, regions.columns, 1)
    if not start.size:
        return np.zeros((0, 4), np.int64)
    return np.stack([choose.reduceat(values, start) + beyond for choose, values, beyond in sides], axis=1)


def _kept(regions: Regions, settings: SegmentSettings) -> npt.NDArray[np.bool_]:
    """Say which nuclei are wanted, by area and place."""
    area = regions.total()
    keep = area >= max(settings.min_area, 1)
    if settings.max_area:
        keep &= area <= settings.max_area
    if settings.exclude_border:
        keep &= ~regions.touch_border()
    if settings.region:
        middle = centroids(regions)
        keep &= AreaOfInterest.of(settings.region).contains(middle["centroid_y"], middle["centroid_x"])
    return keep


def _first_in_plane(labels: Labels, size: int, window: Box, width: int) -> Integers:
    rows, columns = np.divmod(first_pixels(labels, size), max(extent(window)[1], 1))
    found: Integers = (rows + window[0].start) * width + columns + window[1].start
    return found


def _lies_in(pixels: Integers, core: Box, width: int) -> npt.NDArray[np.bool_]:
    """Say which pixels, by their raster index in the plane, lie in a block."""
    y, x = np.divmod(pixels, width)
    inside: npt.NDArray[np.bool_] = (y >= core[0].start) & (y < core[0].stop) & (x >= core[1].start) & (x < core[1].stop)
    return inside


def rank(first: Integers) -> Integers:
    """Return the number of each nucleus: the rank of its first pixel, from 1."""
    number = np.empty(first.size, np.int64)
    number[np.argsort(first)] = np.arange(1, first.size + 1)
    return number

"""Maps to labels: one integer a nucleus, touching nuclei split.

The nucleus mask is where the background is unlikely. Within it, nuclei are the hills of the smoothed distance map that rise high enough
above the passes to their neighbours, see `napari_unet_seg.core.basins`. Every connected part of the mask is decoded by its own pixels, so
labels do not depend on what else is in view, as they must not when a plane comes in blocks. Compared with other decoders in
``benchmarks/decoders.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import filled, looked_up
from napari_unet_seg.core.basins import find_basins
from napari_unet_seg.core.class_maps import refuse_class_maps
from napari_unet_seg.core.decoding import LEAST_PEAK, MOST_RISE, SMOOTHING, decode, in_order, of_size
from napari_unet_seg.core.relief import Relief
from napari_unet_seg.core.tally import tally
from napari_unet_seg.settings import SegmentSettings

Labels = npt.NDArray[np.int32]
FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def instances(maps: npt.NDArray[Any], settings: SegmentSettings | None = None) -> Labels:
    """Decode maps into labels.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        The first map is the background's probability, the last the relative distance to the nucleus' border.
    settings : SegmentSettings, optional
        `probability`, `splitting`, `min_area`, `max_area`, `fill_holes` and `exclude_border` are used.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        0 is background; nuclei are numbered 1, 2, 3 ... in raster order of their first pixel.

    Raises
    ------
    InputError
        If `maps` has not three dimensions, at least two maps and a pixel, is not of numbers, holds NaN or infinities, or is that of a model
        which tells classes apart.
    """
    refuse_class_maps(maps)
    return decode(maps, settings or SegmentSettings()).labels


def split(mask: npt.NDArray[np.bool_], distance: FloatMap, splitting: float, least: float = LEAST_PEAK) -> Labels:
    """Split a mask into nuclei.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        Where nuclei are.
    distance : ndarray of float32, shape (Y, X)
        Relative distance to the border, 0 to 1.
    splitting : float
        0 to 1; higher splits more.
    least : float
        Hills whose smoothed distance stays below this are background.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        A number for each nucleus, not consecutive.
    """
    return find_basins(mask, Relief(distance, SMOOTHING)).merged(MOST_RISE * (1 - splitting), least)


def select(labels: Labels, settings: SegmentSettings) -> Labels:
    """Drop nuclei by area and position, and number the rest in raster order.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
    settings : SegmentSettings
        `min_area`, `max_area` in px2, and `exclude_border`.

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    found = tally(labels)
    keep = of_size(found.area, settings)
    if settings.exclude_border:
        keep[border_labels(labels)] = False
    return looked_up(in_order(keep, found.first)[0], labels)


def first_pixels(labels: Labels, size: int) -> Integers:
    """Return the raster index of the first pixel of each label.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
    size : int
        Largest label and one.

    Returns
    -------
    ndarray of int64, shape (size,)
        0 for labels that do not occur.
    """
    first = tally(labels).first
    return np.pad(first, (0, size - first.size))


def border_labels(labels: Labels) -> npt.NDArray[np.int32]:
    """Return the labels that touch the edge of the plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)

    Returns
    -------
    ndarray of int
        Without 0, sorted.
    """
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return edge[edge > 0]


def classes(maps: npt.NDArray[Any], count: int = 3) -> npt.NDArray[np.uint8]:
    """Return the most likely class of each pixel.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        The first `count` maps are class probabilities.
    count : int
        Number of classes.

    Returns
    -------
    ndarray of uint8, shape (Y, X)
        For the bundled model 0 background, 1 foreground, 2 outline.
    """
    # The bits of numbers that are not negative are in their order, and compare many at a time, which floats of 16 bits do not.
    values = maps[:count].view(np.int16) if maps.dtype == np.float16 else maps[:count]

    def _likeliest(rows: slice) -> npt.NDArray[np.uint8]:
        best, found = values[0, rows].copy(), np.zeros(values[0, rows].shape, np.uint8)
        for number in range(1, count):
            np.copyto(found, number, where=values[number, rows] > best)
            np.maximum(best, values[number, rows], out=best)
        return found

    return filled(maps.shape[1:], np.uint8, _likeliest)

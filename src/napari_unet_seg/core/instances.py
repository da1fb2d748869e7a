"""Maps to labels: one integer a nucleus, touching nuclei split.

The nucleus mask is where the background is unlikely. Each connected part of the relative distance map above the splitting level is the core of
one nucleus, and a watershed of that map grows the cores to the mask (Vincent and Soille 1991; scikit-image). Every connected part of
the mask is decoded by itself, so labels do not depend on what else is in view. Compared with other decoders in ``benchmarks/decoders.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings

SMOOTHING = 0.5
"""Pixels of Gaussian blur of the distance map: takes away single-pixel peaks, keeps small nuclei."""

Labels = npt.NDArray[np.int32]
FloatMap = npt.NDArray[np.float32]


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
        If `maps` has not three dimensions and at least two maps.
    """
    settings = settings or SegmentSettings()
    if maps.ndim != 3 or maps.shape[0] < 2:
        raise InputError(f"The maps have shape {maps.shape}; they must be (C, Y, X), the background first and the distance last.")
    # float16 always: maps kept for the sliders are float16, and decoding them again must change nothing.
    background, distance = maps[0].astype(np.float16), maps[-1].astype(np.float16).astype(np.float32)
    mask = background <= np.float16(1 - settings.probability)
    labels = split(mask, distance, settings.splitting)
    if settings.fill_holes:
        labels = fill_holes(labels)
    return select(labels, settings)


def split(mask: npt.NDArray[np.bool_], distance: FloatMap, level: float) -> Labels:
    """Grow the cores of the distance map to the whole mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        Where nuclei are.
    distance : ndarray of float32, shape (Y, X)
        Relative distance to the border, 0 to 1.
    level : float
        A core is a connected part of the smoothed distance above this.

    Returns
    -------
    ndarray of int32, shape (Y, X)
        A part of the mask without any core is one nucleus.
    """
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(distance, SMOOTHING)
    cores, count = ndimage.label(mask & (smooth > level))
    parts, part_count = ndimage.label(mask)
    found = np.zeros(part_count + 1, bool)
    found[parts[cores > 0]] = True
    coreless = mask & ~found[parts]
    cores[coreless] = parts[coreless] + count
    labels: Labels = watershed(-smooth, cores, mask=mask).astype(np.int32, copy=False)
    return labels


def fill_holes(labels: Labels) -> Labels:
    """Give background that one nucleus encloses alone to that nucleus.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    holes, count = ndimage.label(labels == 0)
    edge = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    enclosed = np.setdiff1d(np.arange(1, count + 1), edge)
    if enclosed.size == 0:
        return labels
    low, high = _neighbours(labels, holes, count)
    owner = np.where(low == high, high, 0).astype(np.int32)
    fill = np.zeros(count + 1, np.int32)
    fill[enclosed] = owner[enclosed]
    return np.where(labels == 0, fill[holes], labels)


def _neighbours(labels: Labels, holes: npt.NDArray[Any], count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the smallest and largest label beside each hole, by its number."""
    low, high = np.full(count + 1, np.iinfo(np.int64).max), np.zeros(count + 1, np.int64)
    before, after = np.s_[:-1], np.s_[1:]
    for here, there in (((before, ...), (after, ...)), ((after, ...), (before, ...)), ((..., before), (..., after)), ((..., after), (..., before))):
        beside = (holes[here] > 0) & (labels[there] > 0)
        hole, label = holes[here][beside], labels[there][beside]
        np.minimum.at(low, hole, label)
        np.maximum.at(high, hole, label)
    return low, high


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
    area = np.bincount(labels.ravel())
    keep = area >= max(settings.min_area, 1)
    if settings.max_area:
        keep &= area <= settings.max_area
    if settings.exclude_border:
        keep[border_labels(labels)] = False
    keep[0] = False
    found = np.flatnonzero(keep)
    number = np.zeros(area.size, np.int32)
    number[found[np.argsort(first_pixels(labels, area.size)[found])]] = np.arange(1, found.size + 1)
    return number[labels]


def first_pixels(labels: Labels, size: int) -> npt.NDArray[np.int64]:
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
    pixels = np.flatnonzero(labels)[::-1]
    first = np.zeros(size, np.int64)
    first[labels.ravel()[pixels]] = pixels  # of repeated indices NumPy keeps the last, here the first pixel in raster order
    return first


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
    return maps[:count].argmax(axis=0).astype(np.uint8)

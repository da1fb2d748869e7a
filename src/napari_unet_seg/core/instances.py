"""Maps to labels: one integer a nucleus, touching nuclei split.

The nucleus mask is where the background is unlikely. Within it, nuclei are the hills of the smoothed distance map that rise high enough
above the passes to their neighbours, see `napari_unet_seg.core.basins`. Every connected part of the mask is decoded by its own pixels, so
labels do not depend on what else is in view, as they must not when a plane comes in blocks. Compared with other decoders in
``benchmarks/decoders.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each, filled, looked_up
from napari_unet_seg.core.basins import Basins, Relief, find_basins
from napari_unet_seg.core.class_maps import refuse_class_maps
from napari_unet_seg.core.holes import fill_beyond_specks, fill_holes
from napari_unet_seg.core.tally import Tally, tally
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings

SMOOTHING = 1.0
"""Pixels of Gaussian blur of the distance map: takes away single-pixel peaks, keeps small nuclei (chosen on fold 0 of DSB 2018)."""
LEAST_PEAK = 0.3
"""A hill whose smoothed distance stays below this is no nucleus, but a smear of doubt (likewise)."""
MOST_RISE = 0.8
"""Share of its height by which a hill must rise above its pass to be a nucleus where `splitting` is 0; at 1 the slightest hill is one."""

_INFINITE = np.float16(np.inf).view(np.uint16)

Labels = npt.NDArray[np.int32]
FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Made = TypeVar("Made")


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
    return Decoding(maps).labels(settings or SegmentSettings())


class Decoding:
    """Maps that are decoded again and again, as a slider moves: what the changed setting does not concern is not done anew.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        As for `instances`, which raises the same error.
    """

    def __init__(self, maps: npt.NDArray[Any]) -> None:
        """Do what depends on no setting."""
        self._background, distance = _background_and_distance(maps)
        self._relief = Relief.of(distance, SMOOTHING)
        self._known: dict[str, tuple[tuple[float, ...], Any]] = {}

    def labels(self, settings: SegmentSettings) -> Labels:
        """Decode; the same pixels as `instances`, which does no other.

        Parameters
        ----------
        settings : SegmentSettings
            As for `instances`.

        Returns
        -------
        ndarray of int32, shape (Y, X)
        """
        labels, found = self._filled(settings) if settings.fill_holes else self._counted(settings)
        return select(labels, settings, found)

    def _basins(self, settings: SegmentSettings) -> Basins:
        def _find() -> Basins:
            most = np.float16(1 - settings.probability).view(np.int16)
            return find_basins(self._background.view(np.int16) <= most, self._relief)  # bits are in the order of what is not negative

        return self._once("basins", (settings.probability,), _find)

    def _split(self, settings: SegmentSettings) -> Labels:
        key = (settings.probability, settings.splitting)
        return self._once("split", key, lambda: _nuclei(self._basins(settings), settings.splitting))

    def _counted(self, settings: SegmentSettings) -> tuple[Labels, Tally]:
        key = (settings.probability, settings.splitting)
        return self._once("counted", key, lambda: _with_tally(self._split(settings)))

    def _filled(self, settings: SegmentSettings) -> tuple[Labels, Tally]:
        """Fill holes, first of all, so that a ring counts with its hole, and then those that a speck inside had kept open."""
        key = (settings.probability, settings.splitting)
        filled, found = self._once("filled", key, lambda: _with_tally(fill_holes(self._split(settings))))

        def _clear() -> tuple[Labels, Tally]:
            cleared = fill_beyond_specks(filled, settings.min_area, found)
            return (filled, found) if cleared is filled else _with_tally(cleared)

        return self._once("cleared", (*key, settings.min_area), _clear)

    def _once(self, stage: str, key: tuple[float, ...], make: Callable[[], Made]) -> Made:
        """Return what a stage gave for this key the last time, else make it."""
        if stage not in self._known or self._known[stage][0] != key:
            self._known[stage] = (key, make())
        made: Made = self._known[stage][1]
        return made


def _background_and_distance(maps: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    if maps.ndim != 3 or maps.shape[0] < 2 or 0 in maps.shape:
        raise InputError(f"The maps have shape {maps.shape}; they must be (C, Y, X), the background first and the distance last.")
    if maps.dtype.kind not in "buif":
        raise InputError(f"The maps have dtype {maps.dtype}; use real numbers, 0 to 1.")
    # float16 always: maps kept for the sliders are float16, and decoding them again must change nothing.
    with np.errstate(over="ignore"):
        background, distance = maps[0].astype(np.float16, copy=False), maps[-1].astype(np.float16, copy=False)

    def _count_broken(rows: slice) -> int:
        return int(np.count_nonzero(_is_broken(background[rows]) | _is_broken(distance[rows])))

    broken = sum(each(_count_broken, bands(background.shape)))
    if broken:
        raise InputError(f"The maps hold NaN or infinity at {broken} pixels; let the network run in float32, or take another model.")
    return background, distance


def _is_broken(values: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """Say where values are NaN or infinite: by their bits, since NumPy goes through numbers of 16 bits one by one."""
    broken: npt.NDArray[np.bool_] = (values.view(np.uint16) & _INFINITE) == _INFINITE
    return broken


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
    return _nuclei(find_basins(mask, Relief.of(distance, SMOOTHING)), splitting, least)


def _with_tally(labels: Labels) -> tuple[Labels, Tally]:
    return labels, tally(labels)


def _nuclei(basins: Basins, splitting: float, least: float = LEAST_PEAK) -> Labels:
    return basins.merged(MOST_RISE * (1 - splitting), least)


def select(labels: Labels, settings: SegmentSettings, found: Tally | None = None) -> Labels:
    """Drop nuclei by area and position, and number the rest in raster order.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
    settings : SegmentSettings
        `min_area`, `max_area` in px2, and `exclude_border`.
    found : Tally, optional
        That of the labels, if it is known.

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    found = found or tally(labels)
    keep = found.area >= max(settings.min_area, 1)
    if settings.max_area:
        keep &= found.area <= settings.max_area
    if settings.exclude_border:
        keep[border_labels(labels)] = False
    keep[0] = False
    kept = np.flatnonzero(keep)
    number = np.zeros(keep.size, np.int32)
    number[kept[np.argsort(found.first[kept])]] = np.arange(1, kept.size + 1)
    return looked_up(number, labels)


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

"""Maps decoded into labels, once, or again and again as a slider moves.

The nucleus mask is where the background is unlikely. What its hills are, `napari_unet_seg.core.basins` says, and which of them are one
nucleus, `napari_unet_seg.core.summits`. All that follows is done with runs of pixels, and the pixels of the labels are written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import each
from napari_unet_seg.core.basins import Basins, find_basins
from napari_unet_seg.core.broken import count_broken
from napari_unet_seg.core.holes import find_holes
from napari_unet_seg.core.relief import Relief
from napari_unet_seg.core.runs import Runs, counted, drawn
from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

SMOOTHING = 1.0
"""Pixels of Gaussian blur of the distance map: takes away single-pixel peaks, keeps small nuclei (chosen on fold 0 of DSB 2018)."""
LEAST_PEAK = 0.3
"""A hill whose smoothed distance stays below this is no nucleus, but a smear of doubt (likewise)."""
MOST_RISE = 0.8
"""Share of its height by which a hill must rise above its pass to be a nucleus where `splitting` is 0; at 1 the slightest hill is one."""

Labels = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]
Made = TypeVar("Made")


class Decoded(NamedTuple):
    """What was decoded of maps.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        Numbered 1, 2, 3 ...
    area : ndarray of int64, shape (nuclei,)
        Pixels of each.
    """

    labels: Labels
    area: Integers


def decode(maps: npt.NDArray[Any], settings: SegmentSettings) -> Decoded:
    """Decode maps into labels, and say how large the nuclei are; as `instances`, but what maps they are is known."""
    return Decoding(maps, kept=False).decoded(settings)


class Decoding:
    """Maps that are decoded again and again, as a slider moves: what the changed setting does not concern is not done anew.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        As for `instances`, which raises the same error.
    kept : bool
        Whether they are decoded more than once.
    """

    def __init__(self, maps: npt.NDArray[Any], kept: bool = True) -> None:
        """Do what depends on no setting."""
        self._background, distance = _background_and_distance(maps)
        self._relief = Relief.of(distance, SMOOTHING) if kept else Relief(distance, SMOOTHING)
        self._shape = (distance.shape[0], distance.shape[1])
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
        return self.decoded(settings).labels

    def decoded(self, settings: SegmentSettings) -> Decoded:
        """Decode as `labels`, and say how large the nuclei are.

        Returns
        -------
        Decoded
        """
        found = self._filled(settings) if settings.fill_holes else self._split(settings)
        keep = of_size(found.area, settings)
        if settings.exclude_border:
            keep[_at_border(found.runs, self._shape)] = False
        number, kept = in_order(keep, found.first)
        more = found.holes.renumbered(number)
        runs = each(lambda part: part.renumbered(number), found.runs)
        return Decoded(drawn(self._shape, runs, more), found.area[kept])

    def _basins(self, settings: SegmentSettings) -> Basins:
        def _find() -> Basins:
            bits, most = self._background.view(np.int16), np.float16(1 - settings.probability).view(np.int16)
            return find_basins(lambda rows: bits[rows] <= most, self._relief)  # bits are in the order of what is not negative

        return self._once("basins", (settings.probability,), _find)

    def _split(self, settings: SegmentSettings) -> _Nuclei:
        def _join() -> _Nuclei:
            basins = self._basins(settings)
            table = basins.joined(MOST_RISE * (1 - settings.splitting), LEAST_PEAK)
            return _Nuclei.of(each(lambda part: part.renumbered(table), basins.runs), table.size)

        return self._once("split", (settings.probability, settings.splitting), _join)

    def _filled(self, settings: SegmentSettings) -> _Nuclei:
        """Fill holes, first of all, so that a ring counts with its hole, and then those that a speck inside had kept open."""
        key = (settings.probability, settings.splitting)
        filled = self._once("filled", key, lambda: self._split(settings).filled(self._shape))

        def _clear() -> _Nuclei:
            specks = (filled.area > 0) & (filled.area < settings.min_area)
            return filled.without(specks).filled(self._shape) if specks.any() else filled

        return self._once("cleared", (*key, settings.min_area), _clear)

    def _once(self, stage: str, key: tuple[float, ...], make: Callable[[], Made]) -> Made:
        """Return what a stage gave for this key the last time, else make it."""
        if stage not in self._known or self._known[stage][0] != key:
            self._known[stage] = (key, make())
        made: Made = self._known[stage][1]
        return made


@dataclass(frozen=True)
class _Nuclei:
    """Nuclei as runs, not numbered in order."""

    runs: list[Runs]
    area: Integers  # with their holes
    first: Integers
    holes: Runs

    @classmethod
    def of(cls, runs: list[Runs], size: int) -> _Nuclei:
        """Count runs whose numbers are below `size`."""
        found = counted(runs, size)
        return cls(runs, found.area, found.first, Runs.none())

    def filled(self, shape: tuple[int, int]) -> _Nuclei:
        """Return the same with the holes that they have."""
        holes = find_holes(self.runs, shape)
        area = self.area + np.bincount(holes.values, holes.stops - holes.starts, self.area.size).astype(np.int64)
        return replace(self, holes=holes, area=area)

    def without(self, dropped: npt.NDArray[np.bool_]) -> _Nuclei:
        """Return those that are not dropped, without holes."""
        number = np.where(dropped, 0, np.arange(dropped.size, dtype=np.int32))
        return _Nuclei.of(each(lambda part: part.renumbered(number), self.runs), dropped.size)


def of_size(area: Integers, settings: SegmentSettings) -> npt.NDArray[np.bool_]:
    """Say which nuclei are of the size that is wanted.

    Parameters
    ----------
    area : ndarray of int64, shape (n,)
        In px2; of 0 pixels there is no nucleus.
    settings : SegmentSettings
        `min_area` and `max_area`.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    keep: npt.NDArray[np.bool_] = area >= max(settings.min_area, 1)
    if settings.max_area:
        keep &= area <= settings.max_area
    return keep


def in_order(keep: npt.NDArray[np.bool_], first: Integers) -> tuple[npt.NDArray[np.int32], Integers]:
    """Give nuclei numbers in the raster order of their first pixels.

    Parameters
    ----------
    keep : ndarray of bool, shape (n,)
        Which are kept; the first, of the background, never is.
    first : ndarray of int64, shape (n,)
        Raster index of the first pixel of each.

    Returns
    -------
    number : ndarray of int32, shape (n,)
        From 1; 0 of what is dropped.
    kept : ndarray of int64
        What is kept, in that order.
    """
    keep[0] = False
    kept = np.flatnonzero(keep)
    kept = kept[np.argsort(first[kept])]
    number = np.zeros(keep.size, np.int32)
    number[kept] = np.arange(1, kept.size + 1)
    return number, kept


def _at_border(runs: list[Runs], shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return the numbers of runs that touch the edge of the plane, some more than once."""
    last = (shape[0] - 1) * shape[1]

    def _touching(part: Runs) -> npt.NDArray[np.int32]:
        beside = (part.starts % shape[1] == 0) | (part.stops % shape[1] == 0)
        touching: Labels = part.values[beside | (part.starts < shape[1]) | (part.starts >= last)]
        return touching

    return np.concatenate(each(_touching, runs))


def _background_and_distance(maps: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    if maps.ndim != 3 or maps.shape[0] < 2 or 0 in maps.shape:
        raise InputError(f"The maps have shape {maps.shape}; they must be (C, Y, X), the background first and the distance last.")
    if maps.dtype.kind not in "buif":
        raise InputError(f"The maps have dtype {maps.dtype}; use real numbers, 0 to 1.")
    # float16 always: maps kept for the sliders are float16, and decoding them again must change nothing.
    with np.errstate(over="ignore"):
        background, distance = maps[0].astype(np.float16, copy=False), maps[-1].astype(np.float16, copy=False)
    broken = count_broken(background, distance)
    if broken:
        raise InputError(f"The maps hold NaN or infinity at {broken} pixels; let the network run in float32, or take another model.")
    return background, distance

"""Nuclei as hills of the distance map, told apart by how deep the pass between them lies.

Every pixel of the mask points to its highest neighbour, and following the pointers leads to a summit: the pixels that share one are a
basin. Two basins that touch have a pass, the highest place where one can cross; a basin whose summit rises above its highest pass by
less than a share of its height belongs to the neighbour over that pass (the persistence of a peak: Edelsbrunner, Letscher and Zomorodian,
"Topological persistence and simplification", 2002; the same nuclei as a watershed from h-maxima of the logarithm, Soille 2003, without a
flood). Basins depend on the mask alone, so another share costs next to nothing; and each part of the mask is decided by its own pixels,
in whatever order and in whichever block it comes.

A share, since small nuclei and those on others are low hills: with a share, AP at IoU 0.5 on fold 0 of DSB 2018 is 0.830, with one rise for
all hills 0.822; among touching parts the share tells two nuclei from one with 130 errors, the rise with 149 (of 1,018).

Pixels are looked at in bands of rows, on all cores, once: what is left of a band are its runs, its summits and the passes in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each
from napari_unet_seg.core.passes import Ways, highest, together
from napari_unet_seg.core.relief import Relief, Slope
from napari_unet_seg.core.runs import Runs, drawn
from napari_unet_seg.core.summits import joined_summits

FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Basins:
    """The hills of a map and the passes between them.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the map.
    runs : list of Runs
        The pixels, for each of `napari_unet_seg.core.bands.bands`: numbers of basins, in raster order of their summits.
    summits : ndarray of int64, shape (basins + 1,)
        Raster index of each summit, the first of the highest pixels; that of 0 means nothing.
    peaks : ndarray of float32, shape (basins + 1,)
        Height of each summit; that of 0 means nothing.
    pairs : ndarray of int64, shape (passes, 2)
        Basins that touch, the lower number first.
    passes : ndarray of float32, shape (passes,)
        Height of the pass of each pair, highest first.
    """

    shape: tuple[int, int]
    runs: list[Runs]
    summits: Integers
    peaks: FloatMap
    pairs: Integers
    passes: FloatMap

    @property
    def labels(self) -> Labels:
        """Number of each pixel's basin, 0 outside the mask: int32, shape (Y, X)."""
        return drawn(self.shape, self.runs)

    def joined(self, share: float, least: float) -> npt.NDArray[np.int32]:
        """Join basins that are one nucleus.

        Parameters
        ----------
        share, least : float
            As of `napari_unet_seg.core.summits.joined_summits`.

        Returns
        -------
        ndarray of int32, shape (basins + 1,)
            For each basin the one that stands for its nucleus, 0 for background.
        """
        return joined_summits(self.peaks, self.pairs, self.passes, share, least)

    def merged(self, share: float, least: float) -> Labels:
        """Return what `joined` gives for each pixel: int32, shape (Y, X)."""
        table = self.joined(share, least)
        return drawn(self.shape, each(lambda runs: runs.renumbered(table), self.runs))


def find_basins(mask: Mask | Callable[[slice], Mask], heights: npt.NDArray[np.floating] | Relief) -> Basins:
    """Find the hills of a map within a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X), or callable
        Or what returns some rows of it.
    heights : ndarray of float, shape (Y, X), or Relief
        Of equal heights the earlier pixel in raster order is the higher.

    Returns
    -------
    Basins
    """
    relief = heights if isinstance(heights, Relief) else Relief(heights)
    shape = (relief.plane.shape[0], relief.plane.shape[1])
    rows_of = mask if callable(mask) else mask.__getitem__
    rows = bands(shape)
    climbs = each(lambda which: _climb(relief.slope(which), _framed(rows_of, rows[which], shape)), range(len(rows)))
    numbers = _numbers(climbs)
    count = sum(climb.roots.size for climb in climbs) + 1
    peaks, summits = np.zeros(count, np.float32), np.zeros(count, np.int64)
    for climb, number, band in zip(climbs, numbers, rows, strict=True):
        own = number[: climb.roots.size]
        peaks[own], summits[own] = climb.peaks, climb.roots + band.start * shape[1]
    seams = each(partial(_over_seam, climbs, numbers), list(pairwise(range(len(climbs)))))
    found = [climb.ways.renumbered(number) for climb, number in zip(climbs, numbers, strict=True)]
    pairs, passes = together([*found, *seams]).ordered()

    def _numbered(which: int) -> Runs:
        runs, start = climbs[which].runs, rows[which].start * shape[1]
        return Runs(runs.starts + start, runs.stops + start, numbers[which][runs.values])

    return Basins(shape, each(_numbered, range(len(climbs))), summits, peaks, pairs, passes)


@dataclass(frozen=True)
class _Edge:
    """A row at the edge of a band: where the way up from each pixel ends, -1 outside the mask; heights. Shape (X,)."""

    ends: Integers
    heights: FloatMap


@dataclass(frozen=True)
class _Climb:
    """What is known of a band by itself. Ends of ways are numbered: the summits first, then where ways leave the band."""

    runs: Runs  # pixels with the same end; raster indices of the band
    roots: Integers  # the summits, likewise
    peaks: FloatMap
    beyond: Integers  # columns of the pixels where the ways go on that leave, above the band where negative: -1 - column
    ways: Ways
    edges: tuple[_Edge, _Edge]  # its first row and its last


def _framed(rows_of: Callable[[slice], Mask], rows: slice, shape: tuple[int, int]) -> Mask:
    """Return the mask of a band and of a row on each side, in a frame outside of it: (rows + 2, X + 2)."""
    low, high = max(rows.start - 1, 0), min(rows.stop + 1, shape[0])
    inside = np.zeros((rows.stop - rows.start + 2, shape[1] + 2), bool)
    inside[low - rows.start + 1 : high - rows.start + 1, 1:-1] = rows_of(slice(low, high))
    return inside


def _climb(slope: Slope, inside: Mask) -> _Climb:
    """Follow the ways up in a band."""
    width = inside.shape[1]
    pixels = np.flatnonzero(inside[1:-1]) + width
    goal = _steepest(slope, inside.ravel(), pixels)
    place = np.full(inside.size, -1, np.int32)  # of each pixel among those of the mask in the band
    place[pixels] = np.arange(pixels.size, dtype=np.int32)
    target = place[goal].astype(np.int64)
    exits = np.flatnonzero(target < 0)
    target[exits] = exits
    roots = np.flatnonzero(goal == pixels)
    number = np.zeros(pixels.size, np.int32)
    number[roots] = np.arange(roots.size)
    number[exits] = np.arange(exits.size) + roots.size
    ends = number[_follow(target)]
    heights = slope.heights.ravel()[pixels]
    runs = _runs(pixels, ends, width)
    there = goal[exits]
    beyond = np.where(there < width, -there, there % width - 1)  # -1 - (there - 1)
    ways = _passes(pixels, ends, heights, place, width)
    return _Climb(runs, _unframed(pixels[roots], width), heights[roots], beyond, ways, _edges(pixels, ends, heights, inside.shape))


def _unframed(places: Integers, width: int) -> Integers:
    """Return raster indices in the band of places in its frame."""
    rows, columns = np.divmod(places, width)
    raster: Integers = (rows - 1) * (width - 2) + columns - 1
    return raster


def _runs(pixels: Integers, ends: npt.NDArray[np.int32], width: int) -> Runs:
    begins = np.empty(pixels.size, bool)
    begins[:1] = True
    np.not_equal(ends[1:], ends[:-1], out=begins[1:])
    begins[1:] |= np.diff(pixels) != 1
    first = np.flatnonzero(begins)
    starts = _unframed(pixels[first], width)
    lengths = np.diff(np.append(first, pixels.size))
    return Runs(starts, starts + lengths, ends[first])


def _edges(pixels: Integers, ends: npt.NDArray[np.int32], heights: FloatMap, framed: tuple[int, ...]) -> tuple[_Edge, _Edge]:
    rows, width = framed
    low, high = np.searchsorted(pixels, [2 * width, (rows - 2) * width]).tolist()
    edges = []
    for row, chosen in ((1, slice(0, low)), (rows - 2, slice(high, None))):
        edge = _Edge(np.full(width - 2, -1, np.int64), np.zeros(width - 2, np.float32))
        columns = pixels[chosen] - (row * width + 1)
        edge.ends[columns], edge.heights[columns] = ends[chosen], heights[chosen]
        edges.append(edge)
    return edges[0], edges[1]


def _numbers(climbs: list[_Climb]) -> list[npt.NDArray[np.int32]]:
    """Return for each band the number of the summit above each end of a way, from 1 in raster order."""
    roots = np.cumsum([0, *(climb.roots.size for climb in climbs)])
    exits = np.cumsum([0, *(climb.beyond.size for climb in climbs)])
    numbers = []
    for which, climb in enumerate(climbs):
        own = np.arange(climb.roots.size) + 1 + roots[which]
        numbers.append(np.concatenate([own, -1 - np.arange(climb.beyond.size) - exits[which]]).astype(np.int32))
    onward = np.concatenate([_onward(climbs, numbers, which) for which in range(len(climbs))])
    while (open_ := np.flatnonzero(onward < 0)).size:  # a way may leave several bands: twice as far each time
        onward[open_] = onward[-1 - onward[open_]]
    for which, (climb, number) in enumerate(zip(climbs, numbers, strict=True)):
        number[climb.roots.size :] = onward[exits[which] : exits[which + 1]]
    return numbers


def _onward(climbs: list[_Climb], numbers: list[npt.NDArray[np.int32]], which: int) -> npt.NDArray[np.int32]:
    """Return what stands where the ways that leave a band end in the next: the number of a summit, or of a further exit."""
    beyond = climbs[which].beyond
    found = np.zeros(beyond.size, np.int32)
    for side, mine, edge in ((which - 1, beyond < 0, 1), (which + 1, beyond >= 0, 0)):
        if mine.any():
            columns = np.where(beyond < 0, -1 - beyond, beyond)[mine]
            found[mine] = numbers[side][climbs[side].edges[edge].ends[columns]]
    return found


def _steepest(slope: Slope, inside: Mask, pixels: Integers) -> Integers:
    """Return the highest of each pixel and its four neighbours within the mask."""
    width = slope.heights.shape[1]
    target: Integers = pixels + slope.steps[slope.up.ravel()[pixels - width]]
    astray = np.flatnonzero(~inside[target])  # the highest of all is not of the mask: near its edge
    start, flat = pixels[astray], slope.heights.ravel()
    best, found = np.full(start.size, -np.inf, np.float32), start.copy()
    for step in slope.steps:  # in raster order, so that only a higher one takes the place of an earlier one
        beside = flat[start + step]
        higher = (beside > best) & inside[start + step]
        best[higher] = beside[higher]
        found[higher] = start[higher] + step
    target[astray] = found
    return target


def _follow(pointer: Integers) -> Integers:
    """Follow pointers to their ends, twice as far each time."""
    while True:
        further = pointer[pointer]
        if np.array_equal(further, pointer):
            return pointer
        pointer = further


def _passes(pixels: Integers, ends: npt.NDArray[np.int32], heights: FloatMap, place: npt.NDArray[np.int32], width: int) -> Ways:
    """Return the passes between ways with other ends, from each pixel of a band to the one on its right and the one below."""
    beside = np.flatnonzero((np.diff(pixels) == 1) & (ends[1:] != ends[:-1]))
    below = place[pixels + width]
    steep = np.flatnonzero((below >= 0) & (ends[below] != ends))
    here, there = np.concatenate([beside, steep]), np.concatenate([beside + 1, below[steep]])
    return highest(ends[here], ends[there], np.minimum(heights[here], heights[there]))


def _over_seam(climbs: list[_Climb], numbers: list[npt.NDArray[np.int32]], sides: tuple[int, int]) -> Ways:
    """Return the passes from the last row of a band to the first of the next."""
    above, below = climbs[sides[0]].edges[1], climbs[sides[1]].edges[0]
    both = np.flatnonzero((above.ends >= 0) & (below.ends >= 0))
    here, there = numbers[sides[0]][above.ends[both]], numbers[sides[1]][below.ends[both]]
    apart = here != there
    return highest(here[apart], there[apart], np.minimum(above.heights[both], below.heights[both])[apart])

"""Labels as runs: pixels of a row, one after the other, that have the same number.

A plane has about one run for thirty pixels. What is asked of nuclei as a whole, their areas, their holes, which of them are one, is
answered from runs, and pixels are written once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each

Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Runs:
    """Runs of some rows.

    Parameters
    ----------
    starts, stops : ndarray of int64, shape (runs,)
        Raster index in the plane of the first pixel of each and of the first one beyond, ascending; no run goes on into the next row.
    values : ndarray of int32, shape (runs,)
        Their numbers.
    """

    starts: Integers
    stops: Integers
    values: Labels

    @classmethod
    def none(cls) -> Runs:
        """Return no runs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32))

    @property
    def size(self) -> int:
        """How many there are."""
        return self.starts.size

    def renumbered(self, table: npt.NDArray[np.int32]) -> Runs:
        """Return the same runs with the number that a table has for each; those with 0 are left out."""
        values = table[self.values]
        return self.chosen(values > 0, values)

    def chosen(self, keep: npt.NDArray[np.bool_], values: Labels | None = None) -> Runs:
        """Return some of the runs, with other values if they are given."""
        values = self.values if values is None else values
        return self if keep.all() and values is self.values else Runs(self.starts[keep], self.stops[keep], values[keep])

    def between(self, start: int, stop: int) -> Runs:
        """Return those that begin at a raster index or after, and before another."""
        low, high = np.searchsorted(self.starts, [start, stop]).tolist()
        return Runs(self.starts[low:high], self.stops[low:high], self.values[low:high])


def joined_runs(parts: list[Runs]) -> Runs:
    """Return runs of several parts as one."""
    if not parts:
        return Runs.none()
    return Runs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("starts", "stops", "values")))


def runs_of(labels: npt.NDArray[Any]) -> list[Runs]:
    """Return the runs of labels.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        0 is background.

    Returns
    -------
    list of Runs
        One for each of `bands`.
    """

    def _find(rows: slice) -> Runs:
        flat = labels[rows].ravel()
        begins = np.empty(flat.size, bool)
        np.not_equal(flat[1:], flat[:-1], out=begins[1:])
        begins[:: labels.shape[1]] = True
        starts = np.flatnonzero(begins)
        values = flat[starts].astype(np.int32, copy=False)
        return moved(Runs(starts, np.append(starts[1:], flat.size), values).chosen(values > 0), rows.start * labels.shape[1])

    return each(_find, bands(labels.shape))


def moved(runs: Runs, by: int) -> Runs:
    """Return runs at other raster indices."""
    return Runs(runs.starts + by, runs.stops + by, runs.values)


def drawn(shape: tuple[int, int], parts: list[Runs], more: Runs | None = None) -> Labels:
    """Draw runs.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the plane.
    parts : list of Runs
        One for each of `bands`.
    more : Runs, optional
        Of any rows, beside the others.

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    labels = np.empty(shape, np.int32)
    rows = bands(shape)
    more = more or Runs.none()

    def _draw(which: int) -> None:
        start, stop = rows[which].start * shape[1], rows[which].stop * shape[1]
        rises = np.zeros(stop - start + 1, np.int32)
        for runs in (parts[which], more.between(start, stop)):
            rises[runs.starts - start] += runs.values  # each index is there once
            rises[runs.stops - start] -= runs.values
        np.cumsum(rises[:-1], out=labels[rows[which]].reshape(-1))  # `repeat` would keep other threads waiting

    each(_draw, range(len(rows)))
    return labels


@dataclass(frozen=True)
class Extent:
    """What is counted of numbered runs.

    Parameters
    ----------
    area : ndarray of int64, shape (numbers,)
        Pixels of each; 0 for those that do not occur.
    first : ndarray of int64, shape (numbers,)
        Raster index of the first pixel of each; 0 for those that do not occur.
    """

    area: Integers
    first: Integers


def counted(parts: list[Runs], size: int) -> Extent:
    """Count the pixels of each number.

    Parameters
    ----------
    parts : list of Runs
        In raster order.
    size : int
        Largest number and one.

    Returns
    -------
    Extent
    """
    whole = Extent(np.zeros(size, np.int64), np.zeros(size, np.int64))
    for runs, (low, area, first) in zip(parts, each(_count, parts), strict=True):
        if runs.size:
            here = np.flatnonzero(area)
            new = here[whole.area[low + here] == 0]
            whole.first[low + new] = first[new]
            whole.area[low : low + area.size] += area
    return whole


def _count(runs: Runs) -> tuple[int, Integers, Integers]:
    """Count in some rows, which have few of all numbers: the least, and from there on what is known of each."""
    if not runs.size:
        return 0, runs.starts, runs.starts
    low = int(runs.values.min())
    values = runs.values.astype(np.int64) - low
    area = np.bincount(values, runs.stops - runs.starts).astype(np.int64)
    first = np.zeros(area.size, np.int64)
    first[values[::-1].copy()] = runs.starts[::-1].copy()  # of repeated indices NumPy keeps the last
    return low, area, first

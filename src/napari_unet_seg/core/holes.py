"""Holes of nuclei: background that one nucleus encloses alone.

In each row of a hole there is the same nucleus on both sides, and above and below each of its gaps there is that nucleus again, or another
gap of it. So holes are found from the runs of nuclei, and background itself is never looked at.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each, looked_up
from napari_unet_seg.core.runs import Runs, joined_runs, runs_of
from napari_unet_seg.core.tally import tally

Labels = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


def fill_beyond_specks(filled: Labels, min_area: int) -> Labels:
    """Drop specks, and fill the holes that they had kept open.

    Parameters
    ----------
    filled : ndarray of int32, shape (Y, X)
        From `fill_holes`.
    min_area : int
        Pixels below which a nucleus is a speck.

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    area = tally(filled).area
    specks = np.flatnonzero((area > 0) & (area < min_area))
    if not specks.size:
        return filled
    number = np.arange(area.size, dtype=np.int32)
    number[specks] = 0
    return fill_holes(looked_up(number, filled))


def fill_holes(labels: Labels) -> Labels:
    """Give background that one nucleus encloses alone to that nucleus.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    holes = find_holes(runs_of(labels), (labels.shape[0], labels.shape[1]))
    filled: Labels = labels.copy()
    lengths = holes.stops - holes.starts
    ends = np.cumsum(lengths)
    pixels = np.arange(ends[-1] if ends.size else 0) + np.repeat(holes.starts - ends + lengths, lengths)
    filled.ravel()[pixels] = np.repeat(holes.values, lengths)
    return filled


def find_holes(nuclei: list[Runs], shape: tuple[int, int]) -> Runs:
    """Find the holes of nuclei.

    Parameters
    ----------
    nuclei : list of Runs
        One for each of `bands`, without 0.
    shape : tuple of int
        (Y, X) of the plane.

    Returns
    -------
    Runs
        The pixels of the holes, with the number of the nucleus around.
    """
    lines = each(partial(_spans_and_gaps, shape[1]), nuclei)
    spans = [span for span, _ in lines]
    gaps = joined_runs([gap for _, gap in lines])
    if not gaps.size:
        return gaps
    edges = [band.start * shape[1] for band in bands(shape)[1:]]
    cuts = [0, *np.searchsorted(gaps.starts, edges).tolist(), gaps.size]

    def _check(which: int) -> npt.NDArray[np.bool_]:
        mine = slice(cuts[which], cuts[which + 1])
        around = joined_runs(spans[max(which - 1, 0) : which + 2])
        return _is_covered(Runs(gaps.starts[mine], gaps.stops[mine], gaps.values[mine]), around, shape[1])

    closed = np.concatenate(each(_check, range(len(spans))))
    return gaps.chosen(_closed_as_a_whole(gaps, closed, shape[1])) if closed.any() else Runs.none()


def _spans_and_gaps(width: int, runs: Runs) -> tuple[Runs, Runs]:
    """Return what each row has of one nucleus from end to end, with nothing but background between, and that background."""
    if not runs.size:
        return runs, runs
    row = runs.starts // width
    begins = np.ones(runs.size, bool)
    begins[1:] = (runs.values[1:] != runs.values[:-1]) | (row[1:] != row[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], runs.size) - 1
    before = np.flatnonzero(~begins[1:] & (runs.starts[1:] > runs.stops[:-1]))
    gaps = Runs(runs.stops[before], runs.starts[before + 1], runs.values[before])
    return Runs(runs.starts[first], runs.stops[last], runs.values[first]), gaps


def _is_covered(gaps: Runs, spans: Runs, width: int) -> npt.NDArray[np.bool_]:
    """Say which gaps have a span of their nucleus above and below, as long as they are at least."""
    covered = np.full(gaps.size, spans.size > 0)
    if not spans.size:
        return covered
    for step in (-width, width):
        at = np.searchsorted(spans.starts, gaps.starts + step, side="right") - 1
        covered &= (at >= 0) & (spans.values[at] == gaps.values) & (spans.stops[at] >= gaps.stops + step)
    return covered


def _closed_as_a_whole(gaps: Runs, closed: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Say which gaps belong to a hole: all that hang together with them must be closed."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.searchsorted(gaps.stops, gaps.starts + width, side="right")  # of those in the next row that overlap
    counts = np.maximum(np.searchsorted(gaps.starts, gaps.stops + width) - first, 0)
    upper = np.repeat(np.arange(gaps.size), counts)
    lower = np.arange(upper.size) + np.repeat(first - np.cumsum(counts) + counts, counts)
    graph = coo_array((np.ones(upper.size, bool), (upper, lower)), shape=(gaps.size, gaps.size))
    count, hole = connected_components(graph, directed=False)
    open_ = np.zeros(count, bool)
    open_[hole[~closed]] = True
    whole: npt.NDArray[np.bool_] = ~open_[hole]
    return whole

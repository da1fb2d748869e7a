"""Nuclei followed through time by how much they overlap from one time to the next, and where one becomes two.

Links are one to one, those whose IoUs add up to the most, as in the overlap tracker of TrackMate (Ershov et al. 2022, *Nature Methods*
19, 829). A nucleus that is missed at one time is found again at the next. It suits movies whose nuclei move by less than about their
radius from one time to the next; for faster ones there is `napari_unet_seg.core.lap`.

Daughters drift apart quickly, so that they may hardly overlap their mother: they are two nuclei of about one size, of which one at least
begins, on opposite sides of where one was that ends, or goes on as one of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.overlap import Overlap, added_up, find_overlap, iter_parts, sizes_in

LEAST_IOU = 0.1
"""Of a nucleus with itself at the next time."""
MISSED = 1
"""Times one after the other at which a nucleus may have been missed."""
DAUGHTER_REACH = 1.5
"""How far a daughter may be from where its mother was, in typical diameters."""
BETWEEN = 0.5
"""How far the middle between two daughters may be from there, in typical diameters."""
SMALLER, LARGER = 0.85, 1.3
"""Size of a daughter over that of its mother, at most: of one that overlaps her so well that it might be herself, and of others."""
ALIKE = 0.5
"""Size of the smaller daughter over that of the other, at least."""

FLAT = 2
"""Dimensions of labels without planes."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Which nuclei are one through time.

    Parameters
    ----------
    track : ndarray of int64, shape (largest number + 1,)
        For each number of a nucleus that of its track, from 1 on in the order of their first times; 0 for numbers that do not occur.
    parent : ndarray of int64, shape (tracks + 1,)
        For each track that of its mother; 0 when it has none.
    """

    track: Numbers
    parent: Numbers

    @property
    def count(self) -> int:
        """Number of tracks."""
        return self.parent.size - 1


class Links:
    """Links between nuclei of different times, as they are found.

    Parameters
    ----------
    count : int
        Numbers of nuclei are below it.
    """

    def __init__(self, count: int) -> None:
        """Start without a link; 0 stands for none."""
        self.following, self.before, self.mother = (np.zeros(count, np.int64) for _ in range(3))

    def join(self, first: Numbers, second: Numbers) -> None:
        """Say that nuclei are the same at a later time."""
        self.following[first], self.before[second] = second, first

    def divide(self, mother: int, daughters: tuple[int, int]) -> None:
        """Say that a nucleus became two."""
        self.following[mother] = 0
        for daughter in daughters:
            self.before[daughter], self.mother[daughter] = 0, mother

    def tracks(self, times: Sequence[Numbers]) -> Tracks:
        """Return the tracks, numbered.

        Parameters
        ----------
        times : sequence of ndarray of int64
            The numbers of the nuclei at each time.

        Returns
        -------
        Tracks
        """
        track = np.zeros(self.following.size, np.int64)
        parents = [0]
        for numbers in times:
            for number in numbers:
                if self.before[number]:
                    track[number] = track[self.before[number]]
                else:
                    track[number] = len(parents)
                    parents.append(int(track[self.mother[number]]))
        return Tracks(track, np.array(parents, np.int64))


def follow(movie: Sequence[npt.NDArray[Any]], spacing: float = 0.0) -> Tracks:
    """Follow nuclei through time.

    Parameters
    ----------
    movie : sequence of array-like of int, each of shape (Y, X) or (Z, Y, X)
        Labels at each time, 0 is background; numbers differ from time to time. Arrays on the disk are read in parts.
    spacing : float
        Distance of two planes over the size of a pixel; 0 when it is not known.

    Returns
    -------
    Tracks
    """
    times = numbers_at(movie)
    links = Links(max((int(numbers.max(initial=0)) for numbers in times), default=0) + 1)
    across: list[Overlap] = [find_overlap(now, then) for now, then in zip(movie[:-2], movie[2:], strict=True)]
    for now, then, over in zip(movie[:-1], movie[1:], [None, *across], strict=False):
        _join(links, find_overlap(now, then), over)
    for over in across:
        _join(links, over)
    shapes = _Shapes(movie, links.following.size, spacing or 1.0)
    for now, then in pairwise(times):  # now that it is known which nuclei were only missed
        _divide(links, (now, then), shapes)
    return links.tracks(times)


def numbers_at(movie: Sequence[npt.NDArray[Any]]) -> list[Numbers]:
    """Return the numbers of the nuclei at each time, in ascending order.

    Parameters
    ----------
    movie : sequence of ndarray of int
        As of `follow`.
    """
    return [added_up([sizes_in(part) for _, part in iter_parts(labels)])[0] for labels in movie]


def _join(links: Links, pairs: Overlap, across: Overlap | None = None) -> None:
    free = (links.following[pairs.first] == 0) & (links.before[pairs.second] == 0)
    near = pairs.where(free & (pairs.iou >= LEAST_IOU))
    best = near.best(0.0 if across is None else near.steadiness(links.before, across))
    links.join(best.first, best.second)


class _Shapes:
    """Where nuclei are, and how large.

    Parameters
    ----------
    movie : sequence of ndarray of int
    count : int
        Numbers of nuclei are below it.
    depth : float
        Distance of two planes over the size of a pixel.
    """

    def __init__(self, movie: Sequence[npt.NDArray[Any]], count: int, depth: float) -> None:
        """Measure them."""
        self.size, self.centre = np.zeros(count), np.zeros((count, 3))
        for labels in movie:
            for (*plane, rows, columns), part in iter_parts(labels):
                self._add(part, (columns.start, rows.start, sum(plane) * depth))
        self.centre /= np.maximum(self.size, 1)[:, None]
        sizes = self.size[self.size > 0]
        flat = len(movie) > 0 and movie[0].ndim == FLAT
        typical = float(np.median(sizes)) if sizes.size else 0.0
        self.diameter = 2 * (typical / np.pi) ** 0.5 if flat else (typical * depth * 6 / np.pi) ** (1 / 3)

    def _add(self, part: npt.NDArray[Any], corner: tuple[float, float, float]) -> None:
        """Add up pixels and their coordinates (x, y, z) in a part of a plane that lies at a corner."""
        numbers, places = compact(part)
        rows, columns = np.nonzero(places)
        which = places[rows, columns] - 1
        pixels = np.bincount(which, minlength=numbers.size)
        self.size[numbers] += pixels
        for axis, (start, place) in enumerate(zip(corner, (columns, rows), strict=False)):
            self.centre[numbers, axis] += np.bincount(which, place, minlength=numbers.size) + start * pixels
        self.centre[numbers, 2] += corner[2] * pixels


def _divide(links: Links, times: tuple[Numbers, Numbers], shapes: _Shapes) -> None:
    """Find mothers at a time and their daughters at the next; those that fit best come first."""
    now, then = times
    begins = then[(links.before[then] == 0)]
    if not now.size or not begins.size:
        return
    near = cKDTree(shapes.centre[begins]).query_ball_point(shapes.centre[now], DAUGHTER_REACH * shapes.diameter)
    found: list[tuple[float, int, tuple[int, int]]] = []
    for mother, places in zip(now.tolist(), near, strict=True):
        heir = int(links.following[mother])
        own = [heir] if heir in then and shapes.size[heir] <= SMALLER * shapes.size[mother] else []
        others = [int(number) for number in begins[places] if shapes.size[number] <= LARGER * shapes.size[mother]]
        pairs = product(own, others) if heir else combinations(others, 2)
        found += [(off, mother, pair) for pair in pairs if (off := _off(mother, pair, shapes)) <= BETWEEN]
    taken: set[int] = set()
    for _, mother, pair in sorted(found):
        if not taken & {mother, *pair}:
            links.divide(mother, pair)
            taken |= {mother, *pair}


def _off(mother: int, pair: tuple[int, int], shapes: _Shapes) -> float:
    """Return how far a mother is from the middle between two nuclei, in diameters; much when they cannot be her daughters."""
    small, large = sorted(shapes.size[list(pair)])
    middle = shapes.centre[list(pair)].mean(axis=0)
    return float(np.linalg.norm(middle - shapes.centre[mother])) / shapes.diameter if small >= ALIKE * large else np.inf

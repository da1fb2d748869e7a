"""Which nuclei of two pictures of the same place lie on one another: what linking planes and following through time go by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.assignment import assign
from napari_unet_seg.core.numbering import compact

PART = 2048
"""Edge in pixels of what is read at a time of labels that may be larger than memory."""

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HALF = 32
_MASK = 2**_HALF - 1


@dataclass(frozen=True)
class Overlap:
    """The pairs that have pixels in common.

    Parameters
    ----------
    first, second : ndarray of int64, shape (pairs,)
        Numbers of the nuclei.
    shared : ndarray of float64, shape (pairs,)
        Pixels in common.
    first_size, second_size : ndarray of float64, shape (pairs,)
        Pixels of each of the two.
    """

    first: Numbers
    second: Numbers
    shared: Floats
    first_size: Floats
    second_size: Floats

    @property
    def iou(self) -> Floats:
        """Pixels in common of those that either has."""
        return self.shared / (self.first_size + self.second_size - self.shared)

    @property
    def containment(self) -> Floats:
        """Pixels in common of those of the smaller one: 1 for a cap that lies wholly on the nucleus below."""
        return self.shared / np.minimum(self.first_size, self.second_size)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Overlap:
        """Return some of the pairs."""
        sizes = self.shared[chosen], self.first_size[chosen], self.second_size[chosen]
        return Overlap(self.first[chosen], self.second[chosen], *sizes)

    def best(self, more: Floats | float = 0.0) -> Overlap:
        """Return the pairs one to one whose IoUs, with what more speaks for a pair, add up to the most."""
        return self.where(assign(self.first, self.second, self.iou + more))

    def steadiness(self, before: Numbers, across: Overlap) -> Floats:
        """Say how well each second nucleus fits what came before the first: where two were taken for one, each goes on as itself.

        Parameters
        ----------
        before : ndarray of int64
            For each number that of the nucleus before it, 0 for none.
        across : Overlap
            Of the pictures before the first one and after it.

        Returns
        -------
        ndarray of float64, shape (pairs,)
            IoU; 0 when there is none.
        """
        known = dict(zip(zip(across.first.tolist(), across.second.tolist(), strict=True), across.iou.tolist(), strict=True))
        pairs = zip(before[self.first].tolist(), self.second.tolist(), strict=True)
        return np.array([known.get(pair, 0.0) for pair in pairs])


def find_overlap(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Overlap:
    """Find the pairs of nuclei that have pixels in common.

    Parameters
    ----------
    first, second : array-like of int, equal shapes (..., Y, X)
        0 is background, and numbers are below 2 ** 31. Arrays on the disk are read in parts.

    Returns
    -------
    Overlap
        In the order of the numbers.
    """
    alone: list[list[tuple[Numbers, Numbers]]] = [[], []]
    together: list[tuple[Numbers, Numbers]] = []
    for box, one in iter_parts(first):
        other = np.asarray(second[box])
        for found, part in zip(alone, (one, other), strict=True):
            found.append(sizes_in(part))
        both = (one > 0) & (other > 0)
        together.append(np.unique(one[both].astype(np.int64) << _HALF | other[both].astype(np.int64), return_counts=True))
    pairs, shared = added_up(together)
    names, sizes = (pairs >> _HALF, pairs & _MASK), []
    for name, found in zip(names, alone, strict=True):
        numbers, count = added_up(found)
        sizes.append(count[np.searchsorted(numbers, name)].astype(float))
    return Overlap(*names, shared.astype(float), *sizes)


def iter_parts(labels: Any) -> Iterator[tuple[tuple[Any, ...], npt.NDArray[Any]]]:
    """Go through labels part by part of a plane, as far as memory goes.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        Read when it is sliced.

    Yields
    ------
    box : tuple
        Where the part lies: numbers along the leading axes, and two slices.
    part : ndarray of int, shape (Y, X)
        At most `PART` pixels on each side.
    """
    *leading, height, width = labels.shape
    for index in np.ndindex(*leading):
        for y in range(0, height, PART):
            for x in range(0, width, PART):
                box = (*index, slice(y, y + PART), slice(x, x + PART))
                yield box, np.asarray(labels[box])


def sizes_in(part: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    """Return the numbers that occur in labels, ascending and without 0, and the pixels of each."""
    numbers, places = compact(part)
    return numbers, np.bincount(places.ravel(), minlength=1)[1:]


def added_up(parts: Sequence[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """Add up what was counted of the same numbers in several parts.

    Parameters
    ----------
    parts : sequence of (ndarray of int64, ndarray of int64)
        Numbers and counts.

    Returns
    -------
    numbers, counts : ndarray of int64
        Each number once, ascending.
    """
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    numbers, places = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.zeros(numbers.size, np.int64)
    np.add.at(counts, places, np.concatenate([part[1] for part in parts]))
    return numbers, counts

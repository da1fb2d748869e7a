"""Which nuclei of two pictures of the same place lie on one another: what linking planes and following through time go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.assignment import assign
from napari_unet_seg.core.metrics import shared_pixels

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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
    first, second : ndarray of int, equal shapes
        0 is background.

    Returns
    -------
    Overlap
    """
    shared, first_size, second_size = shared_pixels(first, second)
    row, column = shared.coords
    names = (_numbers(first)[row], _numbers(second)[column])
    return Overlap(*names, shared.data, first_size[row].astype(float), second_size[column].astype(float))


def _numbers(labels: npt.NDArray[Any]) -> Numbers:
    found = np.unique(labels).astype(np.int64)
    return found[found > 0]

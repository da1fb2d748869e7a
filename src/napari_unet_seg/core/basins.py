"""Nuclei as hills of the distance map, told apart by how deep the pass between them lies.

Every pixel of the mask points to its highest neighbour, and following the pointers leads to a summit: the pixels that share one are a
basin. Two basins that touch have a pass, the highest place where one can cross; a basin whose summit rises above its highest pass by
less than the splitting level belongs to the neighbour over that pass (the persistence of a peak: Edelsbrunner, Letscher and Zomorodian,
"Topological persistence and simplification", 2002; the same nuclei as a watershed from h-maxima, Soille 2003, without a flood). Basins
depend on the mask alone, so another level costs next to nothing; and each part of the mask is decided by its own pixels, in whatever
order and in whichever block it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Basins:
    """The hills of a map and the passes between them.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        Number of each pixel's basin in raster order of their summits; 0 outside the mask.
    peaks : ndarray of float32, shape (basins + 1,)
        Height of each summit; that of 0 means nothing.
    pairs : ndarray of int64, shape (passes, 2)
        Basins that touch, the lower number first.
    passes : ndarray of float32, shape (passes,)
        Height of the pass of each pair, highest first.
    """

    labels: npt.NDArray[np.int32]
    peaks: FloatMap
    pairs: Integers
    passes: FloatMap

    def merged(self, rise: float, least: float) -> npt.NDArray[np.int32]:
        """Join basins that are one nucleus.

        Parameters
        ----------
        rise : float
            A summit this far above its highest pass is a nucleus of its own.
        least : float
            Nuclei whose summit is lower become background.

        Returns
        -------
        ndarray of int32, shape (Y, X)
            Numbers of basins, not consecutive.
        """
        summit = self._summits(rise)
        summit[self.peaks[summit] < least] = 0
        summit[0] = 0
        merged: npt.NDArray[np.int32] = summit.astype(np.int32)[self.labels]
        return merged

    def _summits(self, rise: float) -> Integers:
        """Return for each basin the one that it belongs to: passes from the highest down, the lower of two hills joins the higher."""
        parent = list(range(len(self.peaks)))
        peaks = self.peaks.tolist()
        for (first, second), height in zip(self.pairs.tolist(), self.passes.tolist(), strict=True):
            high, low = _root(parent, first), _root(parent, second)
            if high != low:
                if (peaks[low], -low) > (peaks[high], -high):
                    high, low = low, high
                if peaks[low] - height < rise:
                    parent[low] = high
        return np.array([_root(parent, basin) for basin in range(len(parent))], np.int64)


def _root(parent: list[int], basin: int) -> int:
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin


def find_basins(mask: npt.NDArray[np.bool_], heights: FloatMap) -> Basins:
    """Find the hills of a map within a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
    heights : ndarray of float32, shape (Y, X)
        Of equal heights the earlier pixel in raster order is the higher.

    Returns
    -------
    Basins
    """
    width = mask.shape[1] + 2
    padded = np.full((mask.shape[0] + 2, width), -np.inf, np.float32)
    padded[1:-1, 1:-1][mask] = heights[mask]
    flat = padded.ravel()
    pixels = np.flatnonzero(flat > -np.inf)
    summit = _follow(_steepest(flat, pixels, width), pixels)
    roots, basin = np.unique(summit, return_inverse=True)
    labels = np.zeros(flat.size, np.int32)
    labels[pixels] = basin + 1
    peaks = np.concatenate([np.zeros(1, np.float32), flat[roots]])
    pairs, passes = _passes(labels, flat, pixels, width)
    return Basins(labels.reshape(padded.shape)[1:-1, 1:-1], peaks, pairs, passes)


def _steepest(flat: FloatMap, pixels: Integers, width: int) -> Integers:
    """Return the highest of each pixel and its four neighbours."""
    best, target = np.full(pixels.size, -np.inf, np.float32), pixels.copy()
    for step in (-width, -1, 0, 1, width):  # in raster order, so that only a higher one takes the place of an earlier one
        beside = flat[pixels + step]
        higher = beside > best
        best[higher] = beside[higher]
        target[higher] = pixels[higher] + step
    return target


def _follow(target: Integers, pixels: Integers) -> Integers:
    """Follow the pointers to their ends, twice as far each time."""
    pointer = np.zeros(int(pixels[-1]) + 1 if pixels.size else 0, np.int64)
    pointer[pixels] = target
    while True:
        further = pointer[target]
        if np.array_equal(further, target):
            return target
        pointer[pixels] = target = further


def _passes(labels: npt.NDArray[Any], flat: FloatMap, pixels: Integers, width: int) -> tuple[Integers, FloatMap]:
    """Return the pairs of basins that touch, and the height of the pass of each, highest first."""
    codes, heights = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for step in (1, width):
        here, there = labels[pixels], labels[pixels + step]
        border = (there > 0) & (here != there)
        low, high = np.minimum(here, there)[border], np.maximum(here, there)[border]
        codes.append(low.astype(np.int64) << 32 | high)
        heights.append(np.minimum(flat[pixels], flat[pixels + step])[border])
    code, height = np.concatenate(codes), np.concatenate(heights)
    order = np.lexsort((code, -height))
    code, height = code[order], height[order]
    _, first = np.unique(code, return_index=True)
    first.sort()
    return np.stack([code[first] >> 32, code[first] & 0xFFFFFFFF], axis=1), height[first]

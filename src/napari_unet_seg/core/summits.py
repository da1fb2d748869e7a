"""Which hills are one nucleus: passes are gone through from the highest down, and the lower of two hills joins the higher."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

LOW = 0.5
"""Hills lower than this need the rise of one as high: the network is not sure of them, and their bumps may be noise."""
_ROUNDING = 1e-6
_FEW = 64


def joined_summits(peaks: FloatMap, pairs: Integers, passes: FloatMap, share: float, least: float) -> npt.NDArray[np.int32]:
    """Join hills that are one nucleus.

    Parameters
    ----------
    peaks : ndarray of float32, shape (hills + 1,)
        Height of each summit; that of 0 means nothing.
    pairs : ndarray of int64, shape (passes, 2)
        Hills that touch.
    passes : ndarray of float32, shape (passes,)
        Height of the pass of each pair, highest first.
    share : float
        A summit that rises above its highest pass by this share of its height is a nucleus of its own; of `LOW` if it is lower. Below 1.
    least : float
        Nuclei whose summit is lower become background.

    Returns
    -------
    ndarray of int32, shape (hills + 1,)
        For each hill the one that stands for its nucleus, 0 for background.
    """
    near = _may_join(peaks, pairs, passes, share)
    parent, left = _side_by_side(peaks.astype(np.float64), pairs[near], passes[near].astype(np.float64), share)
    tops = _one_by_one(peaks, pairs[near][left], passes[near][left], share, parent)
    parent[list(tops)] = list(tops.values())
    while not np.array_equal(further := parent[parent], parent):
        parent = further
    parent[peaks[parent] < least] = 0
    parent[0] = 0
    return parent.astype(np.int32)


def _may_join(peaks: FloatMap, pairs: Integers, passes: FloatMap, share: float) -> npt.NDArray[np.bool_]:
    """Say which passes may join hills: what a hill has joined is no lower than itself, and rises no less above the pass."""
    tops = peaks[pairs].astype(np.float64)
    rises = tops - passes[:, None] - share * np.maximum(tops, LOW)
    near: npt.NDArray[np.bool_] = np.logical_or(rises[:, 0] < _ROUNDING, rises[:, 1] < _ROUNDING)
    return near


def _side_by_side(
    peaks: npt.NDArray[np.float64], pairs: Integers, passes: npt.NDArray[np.float64], share: float
) -> tuple[Integers, Integers]:
    """Go through passes many at a time: those that are the next in turn for both of their hills have nothing to do with each other.

    Returns
    -------
    parent : ndarray of int64, shape (hills + 1,)
        For each hill itself, or one that it has joined, which may have joined another.
    left : ndarray of int64
        Which passes are still to be gone through, in turn: too few at a time for this to be worth while.
    """
    parent, left = np.arange(peaks.size), np.arange(len(pairs))
    turn = np.empty(peaks.size, np.int64)
    while left.size:
        # Of repeated indices in one dimension NumPy keeps the last, here the first in turn.
        turn[pairs[::-1].ravel()] = np.arange(left.size)[::-1].repeat(2)
        ready = (turn[pairs] == np.arange(left.size)[:, None]).all(axis=1)
        if np.count_nonzero(ready) < _FEW:
            break
        one, other = pairs[ready].T
        swap = (peaks[other] > peaks[one]) | ((peaks[other] == peaks[one]) & (other < one))
        high, low = np.where(swap, other, one), np.where(swap, one, other)
        joins = peaks[low] - passes[ready] < share * np.maximum(peaks[low], LOW)
        parent[low[joins]] = high[joins]
        pairs, passes, left = parent[pairs[~ready]], passes[~ready], left[~ready]
        apart = pairs[:, 0] != pairs[:, 1]
        pairs, passes, left = pairs[apart], passes[apart], left[apart]
    return parent, left


def _one_by_one(peaks: FloatMap, pairs: Integers, passes: FloatMap, share: float, joined: Integers) -> dict[int, int]:
    """Go through passes in turn; return for each hill of theirs one that it has joined, which may have joined another, or itself."""
    while not np.array_equal(tops := joined[pairs], pairs):  # where hills have come by now
        pairs = tops
    hills = np.unique(pairs)
    parent = {hill: hill for hill in hills.tolist()}
    height = dict(zip(hills.tolist(), peaks[hills].tolist(), strict=True))
    for (first, second), level in zip(pairs.tolist(), passes.tolist(), strict=True):
        high, low = _root(parent, first), _root(parent, second)
        if high != low:
            if (height[low], -low) > (height[high], -high):
                high, low = low, high
            if height[low] - level < share * max(height[low], LOW):
                parent[low] = high
    return parent


def _root(parent: dict[int, int], hill: int) -> int:
    while parent[hill] != hill:
        parent[hill] = parent[parent[hill]]
        hill = parent[hill]
    return hill

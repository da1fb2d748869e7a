"""Passes between the hills of a map: of each pair that touches, the highest place where one can cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_LOWER = 0xFFFFFFFF


@dataclass(frozen=True)
class Ways:
    """Pairs of hills that touch, each once.

    Parameters
    ----------
    codes : ndarray of int64, shape (passes,)
        Both numbers in one, the lower in the upper half; ascending.
    heights : ndarray of float32, shape (passes,)
        Of the passes.
    """

    codes: Integers
    heights: FloatMap

    def renumbered(self, number: npt.NDArray[np.int32]) -> Ways:
        """Return the passes between the hills that have other numbers, of which some may be the same: those have none."""
        here, there = number[self.codes >> 32], number[self.codes & _LOWER]
        apart = here != there
        return highest(here[apart], there[apart], self.heights[apart])

    def ordered(self) -> tuple[Integers, FloatMap]:
        """Return the pairs, shape (passes, 2), and heights; the highest first, and of equal ones in the order of the pairs."""
        order = np.argsort(-self.heights, kind="stable")
        codes = self.codes[order]
        return np.stack([codes >> 32, codes & _LOWER], axis=1), self.heights[order]


def highest(one: npt.NDArray[np.integer], other: npt.NDArray[np.integer], heights: FloatMap) -> Ways:
    """Keep the highest pass of each pair.

    Parameters
    ----------
    one, other : ndarray of int, shape (n,)
        Numbers of hills, below 2**31.
    heights : ndarray of float32, shape (n,)
        Of places where one can cross from the one to the other.

    Returns
    -------
    Ways
    """
    codes = np.minimum(one, other).astype(np.int64) << 32 | np.maximum(one, other)
    order = np.argsort(codes)
    codes, heights = codes[order], heights[order]
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    return Ways(codes[first], np.maximum.reduceat(heights, first) if first.size else heights)


def together(parts: list[Ways]) -> Ways:
    """Return the passes of several parts of a map: of a pair that touches in several, the highest."""
    codes, heights = (np.concatenate([getattr(part, name) for part in parts]) for name in ("codes", "heights"))
    return highest(codes >> 32, codes & _LOWER, heights)

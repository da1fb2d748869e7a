"""A map and the way up from each of its pixels, band by band: what of its hills does not depend on the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each
from napari_unet_seg.core.blur import blurred, reach

FloatMap = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class Slope(NamedTuple):
    """A band of a map.

    Parameters
    ----------
    heights : ndarray of float32, shape (rows + 2, X + 2)
        The map and what lies around the band, in a frame lower than everything.
    up : ndarray of int8, shape (rows, X + 2)
        Which of a pixel and its four neighbours is the highest, of equal ones the earliest in raster order: 0 above, 1 left, 2 the pixel
        itself, 3 right, 4 below.
    """

    heights: FloatMap
    up: npt.NDArray[np.int8]

    @property
    def steps(self) -> Integers:
        """What is added to a pixel's place in the flat heights to go where `up` says, shape (5,)."""
        width = self.heights.shape[1]
        return np.array([-width, -1, 0, 1, width])


@dataclass(frozen=True)
class Relief:
    """A map whose hills are looked for.

    Parameters
    ----------
    plane : ndarray of float, shape (Y, X)
        The map.
    blur : float
        Standard deviation in pixels of a Gaussian by which it is smoothed first.
    known : tuple of Slope
        All bands in turn, where they are kept for more than one mask; else none, and each is made when it is asked for, so that it need not
        leave the cache.
    """

    plane: npt.NDArray[Any]
    blur: float = 0.0
    known: tuple[Slope, ...] = ()

    @classmethod
    def of(cls, plane: npt.NDArray[Any], blur: float = 0.0) -> Relief:
        """Look at a map for good: for masks that follow one another.

        Parameters
        ----------
        plane : ndarray of float, shape (Y, X)
        blur : float
            As of the class.

        Returns
        -------
        Relief
        """
        passing = cls(plane, blur)
        return cls(plane, blur, tuple(each(passing.look, bands(plane.shape))))

    def slope(self, number: int) -> Slope:
        """Return a band, by its number among those of the plane."""
        return self.known[number] if self.known else self.look(bands(self.plane.shape)[number])

    def look(self, rows: slice) -> Slope:
        """Find the ways up in some rows.

        Parameters
        ----------
        rows : slice

        Returns
        -------
        Slope
        """
        margin = reach(self.blur) + 1
        low, high = max(rows.start - margin, 0), min(rows.stop + margin, len(self.plane))
        smooth = self.plane[low:high].astype(np.float32)
        if self.blur:
            smooth = blurred(smooth, self.blur)
        heights = np.empty((rows.stop - rows.start + 2, self.plane.shape[1] + 2), np.float32)
        heights[:, [0, -1]] = -np.inf
        heights[[0, -1]] = -np.inf
        first, last = max(rows.start - 1, 0), min(rows.stop + 1, len(self.plane))
        heights[first - rows.start + 1 : last - rows.start + 1, 1:-1] = smooth[first - low : last - low]
        return Slope(heights, _upward(heights))


def _upward(heights: FloatMap) -> npt.NDArray[np.int8]:
    """Say where the highest neighbour of each pixel is; see `Slope`."""
    best = heights[:-2, 1:-1].copy()
    up = np.zeros((len(best), heights.shape[1]), np.int8)
    inner, higher, number_there = up[:, 1:-1], np.empty(best.shape, bool), np.empty(best.shape, np.int8)
    for number, beside in enumerate((heights[1:-1, :-2], heights[1:-1, 1:-1], heights[1:-1, 2:], heights[2:, 1:-1]), start=1):
        np.greater(beside, best, out=higher)
        np.multiply(higher.view(np.int8), np.int8(number), out=number_there)
        np.maximum(inner, number_there, out=inner)  # numbers rise, so that the greater is the later: no branch for each pixel
        np.maximum(best, beside, out=best)
    return up

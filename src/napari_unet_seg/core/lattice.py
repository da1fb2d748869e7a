"""A plane in cells: which cell a pixel belongs to, and a box of pixels put together from the cells that it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lattice:
    """Cells that cover a plane without overlap, numbered in raster order.

    Parameters
    ----------
    rows, columns : tuple of int
        Where cells begin along Y and X, and where the last one ends.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def regular(cls, shape: tuple[int, int], edge: int) -> Lattice:
        """Cut a plane into squares; those at its end are smaller.

        Parameters
        ----------
        shape : tuple of int
            (Y, X) of the plane.
        edge : int
            Pixels.

        Returns
        -------
        Lattice
        """
        rows, columns = ((*range(0, size, edge), size) for size in shape)
        return cls(rows, columns)

    @classmethod
    def of(cls, cores: Iterable[Box]) -> Lattice:
        """Return the lattice of boxes that are one, such as the cores of all tiles of a plane."""
        cores = list(cores)
        rows, columns = (tuple(sorted({edge for core in cores for edge in (core[axis].start, core[axis].stop)})) for axis in (0, 1))
        return cls(rows, columns)

    def __len__(self) -> int:
        """Return the number of cells."""
        return (len(self.rows) - 1) * self.across

    @property
    def across(self) -> int:
        """Number of cells in a row."""
        return len(self.columns) - 1

    def cell(self, number: int) -> Box:
        """Return the pixels of a cell: (Y, X)."""
        y, x = divmod(number, self.across)
        return slice(self.rows[y], self.rows[y + 1]), slice(self.columns[x], self.columns[x + 1])

    def touched(self, boxes: Array) -> Array:
        """Return the first and last row and column of cells that boxes touch.

        Parameters
        ----------
        boxes : ndarray of int, shape (n, 4)
            Top, left, bottom and right, the last two being the first pixels beyond.

        Returns
        -------
        ndarray of int64, shape (n, 4)
            First row, first column, last row, last column.
        """
        edges = (self.rows, self.columns, self.rows, self.columns)
        beyond = (0, 0, 1, 1)
        found = [np.searchsorted(edge, boxes[:, i] - beyond[i], side="right") - 1 for i, edge in enumerate(edges)]
        return np.stack(found, axis=1)

    def read(self, box: Box, load: Callable[[int], Array]) -> Array:
        """Put a box together from its cells.

        Parameters
        ----------
        box : tuple of slice
            (Y, X), not empty and inside the plane.
        load : callable
            Returns the pixels of a cell, shape (..., Y, X).

        Returns
        -------
        ndarray, shape (..., *box)
        """
        y, x = box
        first_row, first, last_row, last = self.touched(np.array([[y.start, x.start, y.stop, x.stop]]))[0].tolist()
        whole: Array | None = None
        for row in range(first_row, last_row + 1):
            for column in range(first, last + 1):
                number = row * self.across + column
                part, cell = load(number), self.cell(number)
                common = intersection(cell, box)
                if whole is None:
                    whole = np.empty((*part.shape[:-2], *extent(box)), part.dtype)
                whole[..., *within(common, box)] = part[..., *within(common, cell)]
        assert whole is not None  # a box that is not empty touches a cell
        return whole


def grown(box: Box, margin: int, shape: tuple[int, int]) -> Box:
    """Return a box with a margin on each side, inside the plane."""
    y, x = (slice(max(side.start - margin, 0), min(side.stop + margin, size)) for side, size in zip(box, shape, strict=True))
    return y, x


def intersection(one: Box, other: Box) -> Box:
    """Return what two boxes have in common; empty sides stop where they start."""
    sides = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)]
    y, x = (slice(start, max(stop, start)) for start, stop in sides)
    return y, x


def within(inner: Box, outer: Box) -> Box:
    """Return a box in pixels of another one around it."""
    y, x = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
    return y, x


def extent(box: Box) -> tuple[int, int]:
    """Return the (Y, X) shape of a box."""
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def box_of(sides: Any) -> Box:
    """Return the box of (top, left, bottom, right)."""
    top, left, bottom, right = (int(side) for side in sides)
    return slice(top, bottom), slice(left, right)

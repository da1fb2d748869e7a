"""The tile plan: which part of a plane the network sees at a time, and which part of its answer is kept.

The cores of the tiles cover the plane without overlap. Each window is its core and a halo of at least the receptive radius, cut at the
plane's edge, where the convolutions pad just as they do for the whole plane; so a tile's core is what the whole plane would have given.
Cores start at multiples of `NetworkSettings.multiple`, since pooling works on that grid. NumPy alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """One step of the plan, in pixels of the padded plane.

    Parameters
    ----------
    core : tuple of slice
        What is kept: (Y, X).
    window : tuple of slice
        What the network sees: (Y, X).
    """

    core: Box
    window: Box

    @property
    def inner(self) -> Box:
        """The core, in pixels of the window."""
        return _within(self.core, self.window)

    def inside(self, box: Box) -> Box:
        """Return the core in pixels of a box around it."""
        return _within(self.core, box)


def plan_tiles(shape: tuple[int, int], tile: int, halo: int, multiple: int, box: Box | None = None) -> list[Tile]:
    """Cover a plane, or a part of it, with tiles.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the padded plane: multiples of `multiple`.
    tile : int
        Longest edge of a core; rounded up to a multiple of `multiple`.
    halo : int
        Pixels around the core, at least the receptive radius; rounded up likewise.
    multiple : int
        `NetworkSettings.multiple`.
    box : tuple of slice, optional
        What the cores cover; its edges are multiples of `multiple`. The whole plane if not given.

    Returns
    -------
    list of Tile
        In raster order; cores of nearly equal size.
    """
    halo = round_up(halo, multiple)
    sides = box or (slice(0, shape[0]), slice(0, shape[1]))
    spans = [_spans(side, round_up(tile, multiple), multiple) for side in sides]
    return [_tile(y, x, shape, halo) for y, x in itertools.product(*spans)]


def padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the smallest shape of multiples that holds a plane.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the plane.
    multiple : int
        `NetworkSettings.multiple`.

    Returns
    -------
    tuple of int
        (Y, X).
    """
    return round_up(shape[0], multiple), round_up(shape[1], multiple)


def read_window(read: Callable[[Box], npt.NDArray[Any]], window: Box, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Read a window of the padded plane: beyond the plane's edge, the plane is mirrored.

    Parameters
    ----------
    read : callable
        Returns the pixels of a box inside the plane.
    window : tuple of slice
        From the plan.
    shape : tuple of int
        (Y, X) of the plane without padding.

    Returns
    -------
    ndarray
        Shape of the window.
    """
    y, x = (slice(side.start, min(side.stop, size)) for side, size in zip(window, shape, strict=True))
    missing = [(0, side.stop - inside.stop) for side, inside in zip(window, (y, x), strict=True)]
    pixels = read((y, x))
    return np.pad(pixels, missing, mode="symmetric") if any(more for _, more in missing) else pixels


def aligned(box: Box, multiple: int, shape: tuple[int, int]) -> Box:
    """Return the smallest box of multiples around another one.

    Parameters
    ----------
    box : tuple of slice
        (Y, X) in pixels.
    multiple : int
        `NetworkSettings.multiple`.
    shape : tuple of int
        (Y, X) of the padded plane, which it does not leave.

    Returns
    -------
    tuple of slice
    """
    y, x = (slice(s.start // multiple * multiple, min(round_up(s.stop, multiple), size)) for s, size in zip(box, shape, strict=True))
    return y, x


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple that is not below a value."""
    return math.ceil(value / multiple) * multiple


def _within(inner: Box, outer: Box) -> Box:
    y, x = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
    return y, x


def _spans(side: slice, tile: int, multiple: int) -> list[tuple[int, int]]:
    size = side.stop - side.start
    count = math.ceil(size / tile)
    edge = round_up(math.ceil(size / count), multiple)
    return [(start, min(start + edge, side.stop)) for start in range(side.start, side.stop, edge)]


def _tile(y: tuple[int, int], x: tuple[int, int], shape: tuple[int, int], halo: int) -> Tile:
    window_y, window_x = (slice(max(low - halo, 0), min(high + halo, size)) for (low, high), size in zip((y, x), shape, strict=True))
    return Tile((slice(*y), slice(*x)), (window_y, window_x))

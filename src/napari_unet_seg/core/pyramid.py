"""One plane in several sizes, as slides are stored, and which of them a network should read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_unet_seg.core.axes import as_array

if TYPE_CHECKING:
    from napari_unet_seg.core.axes import Layout

ENLARGED = 1.1
"""A level is used as long as it need not be enlarged by more than this: what is not in its pixels does not come back."""
SLANT = 0.02
"""A level whose size is this near to a whole fraction of the largest one is that fraction; levels are cut to whole pixels or tiles."""


@dataclass(frozen=True)
class Level:
    """One size of a plane.

    Parameters
    ----------
    pixels : array-like
        Shape (Y, X), or (Y, X, S); read lazily.
    step : int
        Pixels of the full size along one of its pixels.
    """

    pixels: Any
    step: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])


@dataclass(frozen=True)
class Pyramid:
    """A plane.

    Parameters
    ----------
    levels : tuple of Level
        Largest first, of step 1; alone, unless the image is a pyramid.
    """

    levels: tuple[Level, ...]

    @property
    def full(self) -> Any:
        """The pixels at full size."""
        return self.levels[0].pixels

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) at full size."""
        return self.levels[0].shape

    def nearest(self, factor: float) -> Level:
        """Return the smallest level that holds what a size needs.

        Parameters
        ----------
        factor : float
            Size that is needed over full size.

        Returns
        -------
        Level
        """
        return next(level for level in reversed(self.levels) if level.step == 1 or factor * level.step <= ENLARGED)


def levels_of(image: Any, layout: Layout) -> tuple[Any, ...]:
    """Return the arrays of an image that show the same planes in several sizes.

    Parameters
    ----------
    image : array-like or sequence of array-like
        As `napari_unet_seg.core.axes.as_array` takes it.
    layout : Layout
        Of its largest level.

    Returns
    -------
    tuple of array-like
        Largest first. A level that leaves out planes too, or is no whole fraction of the largest, is not among them.
    """
    several = isinstance(image, Sequence) and len(image) > 1 and hasattr(image[0], "shape")
    smaller = [as_array(level) for level in image[1:]] if several else []
    return (as_array(image), *(level for level in smaller if _step(level.shape, layout) is not None))


def take_plane(levels: Sequence[Any], layout: Layout, index: tuple[int, ...]) -> Pyramid:
    """Take one plane of all levels without reading it.

    Parameters
    ----------
    levels : sequence of array-like
        From `levels_of`.
    layout : Layout
        Of the largest.
    index : tuple of int
        One of its `indices`.

    Returns
    -------
    Pyramid
    """
    return Pyramid(tuple(Level(layout.plane(level, index), _step(level.shape, layout) or 1) for level in levels))


def _step(shape: Sequence[int], layout: Layout) -> int | None:
    """Return how many pixels of the largest level lie along one of another; None when that is no whole number."""
    ratios = dict(zip(layout.axes, (full / size for full, size in zip(layout.shape, shape, strict=True)), strict=True))
    step = round(ratios["Y"])
    level_alone = all(ratio == 1 for axis, ratio in ratios.items() if axis not in "YX")
    fits = all(
        abs(full / step - size) <= max(1.0, SLANT * size)
        for full, size, axis in zip(layout.shape, shape, layout.axes, strict=True)
        if axis in "YX"
    )
    return step if level_alone and fits and step >= 1 else None

"""A plane as the network sees it, at the size at which nuclei have the diameter that it knows, and the way back to its own pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import filled
from napari_unet_seg.core.normalize import Limits, normalize
from napari_unet_seg.core.resample import needed, resample, resampled_shape, simple_ratio

if TYPE_CHECKING:
    from napari_unet_seg.core.area_of_interest import AreaOfInterest
    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.tiling import Box, Tile
    from napari_unet_seg.core.tissue import Tissue

SAME_SCALE = 0.05
"""A plane is not rescaled for less than this relative difference in diameter."""
UNKNOWN, GLASS = 2.0, 1.0
"""What stands for the probability of background where the network did not look: more than 1, unless there is known to be nothing."""

Maps = npt.NDArray[np.float16]
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """What of a plane is asked for.

    Parameters
    ----------
    box : tuple of slice
        Where maps are wanted: (Y, X) in pixels of their grid.
    step : int
        Pixels of the plane along one of the grid.
    area : AreaOfInterest, optional
        In pixels of the plane: farther from it than `margin`, the network need not look.
    margin : float
        In pixels of the plane.
    tissue : Tissue, optional
        Where there is any, in pixels of the plane.
    """

    box: Box
    step: int = 1
    area: AreaOfInterest | None = None
    margin: float = 0.0
    tissue: Tissue | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the maps."""
        return self.box[0].stop - self.box[0].start, self.box[1].stop - self.box[1].start

    def blank(self, box: Box) -> float | None:
        """Say what stands for a box that the network need not see.

        Parameters
        ----------
        box : tuple of slice
            (Y, X) in pixels of the plane.

        Returns
        -------
        float or None
            `UNKNOWN`, `GLASS`, or None when the network must look.
        """
        if self.area is not None and not self.area.touches(box, self.margin):
            return UNKNOWN
        return GLASS if self.tissue is not None and not self.tissue.touches(box) else None


class ScaledPlane:
    """A plane at another size, normalised, read box by box.

    Parameters
    ----------
    plane : Pyramid
        The level that is nearest to the size is read.
    limits : Limits
        Of the whole plane.
    factor : float
        Size over full size.
    """

    def __init__(self, plane: Pyramid, limits: Limits, factor: float) -> None:
        """Choose the level; nothing is read."""
        self._limits = limits
        self._level = plane.nearest(factor)
        wanted = factor * self._level.step
        self._inner = Fraction(1) if abs(wanted - 1) < SAME_SCALE else simple_ratio(wanted)
        self.ratio = self._inner / self._level.step
        self.shape = resampled_shape(self._level.shape, self._inner)

    def read(self, box: Box) -> Pixels:
        """Return the pixels of a box: float32, shape (Y, X)."""
        if self._inner == 1:
            whole: Pixels = self._normalized(box)[0]
            return whole
        scaled: Pixels = resample(self._normalized, self._level.shape, self._inner, box)[0]
        return scaled

    def full(self, box: Box) -> Box:
        """Return the pixels of the plane that a box covers."""
        y, x = (slice(math.floor(side.start / self.ratio), math.ceil(side.stop / self.ratio)) for side in box)
        return y, x

    def blanked(self, maps: Maps, origin: Box, part: Part, tiles: list[Tile]) -> list[Tile]:
        """Fill in the tiles that the network need not see.

        Parameters
        ----------
        maps : ndarray of float16, shape (C, *origin)
            Are written.
        origin : tuple of slice
            Where they lie, in pixels of this size.
        part : Part
            What is wanted.
        tiles : list of Tile
            That cover the maps.

        Returns
        -------
        list of Tile
            Those that the network must see.
        """
        left = []
        for tile in tiles:
            blank = part.blank(self.full(tile.core))
            if blank is None:
                left.append(tile)
            else:
                maps[:, *tile.inside(origin)] = 0
                maps[0, *tile.inside(origin)] = blank
        return left

    def needed(self, part: Part) -> Box:
        """Return the box in which maps must be known to bring those of a part back."""
        return needed(part.box, self.shape, self._back(part))

    def bring_back(self, maps: Maps, origin: Box, part: Part) -> Maps:
        """Return maps on the grid of the part.

        Parameters
        ----------
        maps : ndarray of float16, shape (C, *origin)
            In pixels of this size.
        origin : tuple of slice
            Where they lie; at least what is `needed`.
        part : Part
            What is wanted.

        Returns
        -------
        ndarray of float16, shape (C, *part.shape)
        """

        def _read(box: Box) -> npt.NDArray[Any]:
            y, x = (slice(side.start - start.start, side.stop - start.start) for side, start in zip(box, origin, strict=True))
            return maps[:, y, x]

        back = self._back(part)
        if back == 1 and all(side.stop <= size for side, size in zip(part.box, self.shape, strict=True)):
            return _read(part.box)
        return resample(lambda box: _read(box).astype(np.float32), self.shape, back, part.box).astype(np.float16)

    def _back(self, part: Part) -> Fraction:
        return 1 / (self.ratio * part.step)

    def _normalized(self, box: Box) -> Pixels:
        pixels = np.asarray(self._level.pixels[box])
        return filled(pixels.shape[:2], np.float32, lambda rows: normalize(pixels[rows], self._limits))[None]

"""A plane larger than memory: the tiles that the network sees, and its maps read back box by box from wherever they were put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.flight import in_turn
from napari_unet_seg.core.lattice import Lattice, extent
from napari_unet_seg.core.predict import SMALLEST_TILE, Predictor
from napari_unet_seg.core.processor import release_memory
from napari_unet_seg.core.scaled_plane import Part, ScaledPlane
from napari_unet_seg.core.tiling import Tile, padded_shape, plan_tiles, read_window
from napari_unet_seg.core.tissue import find_tissue
from napari_unet_seg.errors import OutOfMemoryError, SettingsError

if TYPE_CHECKING:
    from napari_unet_seg.core.normalize import Limits
    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.tiling import Box

BLOCK = 2048
"""Edge of a block: decoding it takes about 300 MB."""
REGION_MARGIN = 256
"""Pixels around a region in which the network looks: how a nucleus at its edge is parted may depend on its neighbours."""
MOST_ENLARGED = 8
"""A plane is not enlarged more than this many times along each side: such a diameter is a slip."""

Maps = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Look:
    """How a plane is looked at.

    Parameters
    ----------
    limits : Limits
        Of the whole plane.
    diameter : float
        Of the nuclei, in pixels, when the plane is rescaled for it; 0 takes that of the settings.
    block : int
        Edge of a block in pixels; 0 is automatic.
    every : bool
        Whether all maps are kept, for a class map, and not background and distance alone.
    """

    limits: Limits
    diameter: float = 0.0
    block: int = 0
    every: bool = False


class BlockPlane:
    """A plane that is segmented in blocks.

    A pixel of the maps is the same in a tile of any size, so that they are those of the whole plane in memory to the last bit, where it is
    not rescaled. A block is a part of the labels, and need not fit the tiles.

    Parameters
    ----------
    predictor : Predictor
        The model on its device, with the settings.
    plane : Pyramid
        The plane.
    seen : Look
        How it is looked at.
    """

    def __init__(self, predictor: Predictor, plane: Pyramid, seen: Look) -> None:
        """Plan; of the plane at most its smallest level is read."""
        self.predictor = predictor
        self.shape = plane.shape
        self.settings = settings = predictor.settings
        factor = predictor.factor_for(seen.diameter) if seen.diameter else predictor.factor
        self._scaled = ScaledPlane(plane, seen.limits, factor)
        if self._scaled.ratio > MOST_ENLARGED:
            raise SettingsError(f"With this diameter the plane would be enlarged {float(self._scaled.ratio):.0f} times; give a larger one.")
        self.kept: tuple[int, ...] = tuple(range(len(predictor.model.settings.maps))) if seen.every else (0, -1)
        self._multiple = predictor.model.settings.multiple
        self._padded = padded_shape(self._scaled.shape, self._multiple)
        tile = predictor.tile
        self._tiles = plan_tiles(self._padded, tile, predictor.halo, self._multiple)
        self.tiles = Lattice.of(step.core for step in self._tiles)
        self.blocks = Lattice.regular(self.shape, seen.block or BLOCK)
        tissue = find_tissue(plane) if settings.skip_glass and seen.limits.polarity == "dark" else None
        area = AreaOfInterest.of(settings.region) if settings.region else None
        self._part = Part((slice(0, self.shape[0]), slice(0, self.shape[1])), 1, area, REGION_MARGIN, tissue)

    def blank(self, number: int) -> float | None:
        """Return what stands for the background's probability in a tile that the network need not see; None when it must."""
        return self._part.blank(self._scaled.full(self._tiles[number].core))

    def run(self, number: int) -> Maps:
        """Let the network see a tile.

        Parameters
        ----------
        number : int
            Of the tile.

        Returns
        -------
        ndarray of float16, shape (C, Y, X)
            What is kept of its core: background and distance, or every map.

        Raises
        ------
        OutOfMemoryError
            If even the smallest tile does not fit.
        ComputeError
            If the network fails.
        """
        return self._run(self._tiles[number])

    def empty(self, number: int, background: float) -> Maps:
        """Return the maps of a tile that the network did not see: float16, shape (C, Y, X)."""
        maps = np.zeros((len(self.kept), *extent(self._tiles[number].core)), np.float16)
        maps[0] = background
        return maps

    def read(self, box: Box, load: Callable[[int], Maps]) -> Maps:
        """Return the maps of a box of the labels.

        Parameters
        ----------
        box : tuple of slice
            (Y, X) in pixels of the plane.
        load : callable
            Returns the maps of a tile by its number, as `run` or `empty` gave them.

        Returns
        -------
        ndarray of float16, shape (C, *box)
        """
        part = Part(box)
        needed = self._scaled.needed(part)
        with compute_errors("Rescaling the maps"):
            return self._scaled.bring_back(self.tiles.read(needed, load), needed, part)

    def _run(self, tile: Tile) -> Maps:
        """Run the network, in smaller tiles when memory does not suffice: they give the same but for rounding."""
        try:
            with compute_errors("Reading the image"):
                window = read_window(self._scaled.read, tile.window, self._scaled.shape)
            maps: Maps = in_turn(partial(self.predictor.run_safely, window))[list(self.kept)][:, *tile.inner]
        except OutOfMemoryError:
            smaller = max(extent(tile.core)) // 2
            if smaller < SMALLEST_TILE:
                raise
            release_memory()
            steps = plan_tiles(self._padded, smaller, self.predictor.halo, self._multiple, tile.core)
            maps = np.empty((len(self.kept), *extent(tile.core)), np.float16)
            for step in steps:
                maps[:, *step.inside(tile.core)] = self._run(step)
        return maps

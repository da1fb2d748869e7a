"""Which pixels labels have: those of the image, unless the image is too large for that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.measure import LENGTHS
from napari_unet_seg.errors import OutOfMemoryError

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.pyramid import Level
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import Polygons, SegmentSettings

MOST_PIXELS = 2**28
"""Planes up to this many pixels have labels of their own size, which take 1 GiB; those of larger ones are of a part or a level."""
MARGIN = 512
"""Pixels around a region that labels of a part show: the nuclei at its edge lie partly outside."""


@dataclass(frozen=True)
class Grid:
    """Where the pixels of labels lie.

    Parameters
    ----------
    box : tuple of slice
        (Y, X), in pixels of the labels' size.
    step : int
        Pixels of the image along one of the labels.
    whole : bool
        Whether the box is all of the plane.
    """

    box: Box
    step: int = 1
    whole: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the labels."""
        return self.box[0].stop - self.box[0].start, self.box[1].stop - self.box[1].start

    @property
    def origin(self) -> tuple[float, float]:
        """Where the middle of the labels' first pixel lies: (y, x) in pixels of the image."""
        y, x = (side.start * self.step + (self.step - 1) / 2 for side in self.box)
        return y, x

    @property
    def is_full(self) -> bool:
        """Whether the labels have the pixels of the image."""
        return self.step == 1 and self.whole

    @property
    def notice(self) -> str:
        """A sentence on labels that do not have the pixels of the image; else empty."""
        if self.step > 1:
            return f"The image is so large that its labels have pixels {self.step} times as long as its own."
        return "" if self.whole else "The image is so large that the labels cover the region alone."

    def place(self, region: Polygons) -> Polygons:
        """Return polygons of the image in pixels of the labels.

        Parameters
        ----------
        region : tuple of tuple of (float, float)
            Corners (y, x) in pixels of the image.

        Returns
        -------
        tuple of tuple of (float, float)
        """
        (top, left), step = self.origin, self.step
        return tuple(tuple(((y - top) / step, (x - left) / step) for y, x in polygon) for polygon in region)

    def to_dict(self) -> dict[str, Any]:
        """Return the grid as a mapping that JSON can hold: first pixel (y, x) of the image, and step."""
        return {"origin": [side.start * self.step for side in self.box], "step": self.step}


def choose_grid(level: Level, shape: tuple[int, int], settings: SegmentSettings) -> Grid:
    """Choose the pixels of the labels of an image.

    Parameters
    ----------
    level : Level
        The level of its pyramid that is nearest to the model's scale.
    shape : tuple of int
        (Y, X) at full size.
    settings : SegmentSettings
        With a region, or without.

    Returns
    -------
    Grid
    """
    whole = (slice(0, shape[0]), slice(0, shape[1]))
    if math.prod(shape) <= MOST_PIXELS:
        return Grid(whole)
    box = AreaOfInterest.of(settings.region).box(shape, MARGIN)
    if box is not None and math.prod(side.stop - side.start for side in box) <= MOST_PIXELS:
        return Grid(box, whole=False)
    return Grid((slice(0, level.shape[0]), slice(0, level.shape[1])), level.step)


def enlarged(labels: npt.NDArray[Any], grid: Grid, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return labels of a grid in the pixels of the image.

    Parameters
    ----------
    labels : ndarray, shape (..., *grid.shape)
        On the grid.
    grid : Grid
        Where they lie.
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ndarray, shape (..., Y, X)
        0 beyond the grid.

    Raises
    ------
    OutOfMemoryError
        If they do not fit into memory.
    """
    try:
        full = np.zeros((*labels.shape[:-2], *shape), labels.dtype)
        for y, row in enumerate(range(grid.box[0].start, grid.box[0].stop)):  # one row at a time: no second copy of that size
            start = grid.box[1].start * grid.step
            pixels = np.repeat(labels[..., y, :], grid.step, axis=-1)[..., : shape[1] - start]
            full[..., row * grid.step : (row + 1) * grid.step, start : start + pixels.shape[-1]] = pixels[..., None, :]
    except MemoryError as error:
        size = " × ".join(f"{length:,}" for length in reversed(shape))
        raise OutOfMemoryError(f"Labels of {size} pixels do not fit into memory; segment a region of the image.") from error
    return full


def in_full_pixels(table: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Return measurements of a grid in the pixels of the image.

    Parameters
    ----------
    table : pandas.DataFrame
        From `napari_unet_seg.core.measure.measure_plane`, or of nuclei in 3D.
    grid : Grid
        Whose pixels it is in.

    Returns
    -------
    pandas.DataFrame
    """
    y, x = grid.origin
    lengths = {name: table[name] * grid.step for name in LENGTHS if name in table}
    areas = {name: table[name] * grid.step**2 for name in ("area", "largest_area", "volume") if name in table}
    centroids = {"centroid_y": table["centroid_y"] * grid.step + y, "centroid_x": table["centroid_x"] * grid.step + x}
    return table.assign(**areas, **lengths, **centroids)

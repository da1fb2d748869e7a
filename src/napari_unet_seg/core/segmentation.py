"""The result of a segmentation. In a file of its own, without torch, so that it can be received where torch does not start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.grid import Grid, enlarged, in_full_pixels

if TYPE_CHECKING:
    import pandas as pd

CLASSES_KEY = "classes"
"""In the provenance of a class map: the names of the classes 0, 1, ...; not there when labels are nuclei."""
CUT_KEY = "reaches_out"
"""In the provenance of a region: with the probability that a slider chose, nuclei hang together with others out of reach of its maps."""


@dataclass(frozen=True)
class Segmentation:
    """The result of a segmentation.

    Parameters
    ----------
    labels : ndarray of int32, shape (..., Y, X)
        0 is background; numbers are unique over all planes.
    features : pandas.DataFrame
        One row a nucleus, as `napari_unet_seg.measure` gives it, in pixels.
    provenance : dict
        Version, model, its hash, settings, limits of each plane, device; equal runs give equal provenance.
    classes : ndarray of uint8, shape (..., Y, X)
        The most likely class of each pixel: for the bundled model 0 background, 1 foreground, 2 outline.
    grid : Grid, optional
        Where the pixels of the labels lie when they are not those of the image, which then is larger than 2 ** 28 pixels.
    """

    labels: npt.NDArray[np.int32]
    features: pd.DataFrame
    provenance: Mapping[str, Any]
    classes: npt.NDArray[np.uint8]
    grid: Grid | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes when the labels are a class map; empty when they are nuclei."""
        return tuple(self.provenance.get(CLASSES_KEY, ()))

    @property
    def count(self) -> int:
        """Number of nuclei (outlines, in a stack whose planes are not linked)."""
        return len(self.features)

    def full(self, shape: tuple[int, ...]) -> Segmentation:
        """Return the same nuclei in the pixels of the image.

        Parameters
        ----------
        shape : tuple of int
            (..., Y, X) of the image.

        Returns
        -------
        Segmentation

        Raises
        ------
        OutOfMemoryError
            If labels of that size do not fit into memory.
        """
        if self.grid is None:
            return self
        labels, class_map = (enlarged(array, self.grid, shape[-2:]) for array in (self.labels, self.classes))
        provenance = {name: value for name, value in self.provenance.items() if name != "grid"}
        return Segmentation(labels, in_full_pixels(self.features, self.grid), provenance, class_map)


def class_shares(table: pd.DataFrame) -> dict[str, float]:
    """Return how much of a class map each class takes, besides the background.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a class map, one row a class and plane.

    Returns
    -------
    dict of str to float
        Share of what is of any class, 0 to 1, in the order of the classes' numbers.
    """
    areas = table.sort_values("label").groupby("class", sort=False)["area"].sum()
    return {str(name): float(area / areas.sum()) for name, area in areas.items()}

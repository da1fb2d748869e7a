"""Measurements of the nuclei of one block: the same numbers as if the whole plane had been measured at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.block_nuclei import placed
from napari_unet_seg.core.intensities import Columns, intensities, ring_intensities
from napari_unet_seg.core.regions import Regions, axes, centroids, convex_areas, find_regions, perimeters
from napari_unet_seg.core.rings import GAP, find_rings
from napari_unet_seg.core.score import Knots, calibrated

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box


@dataclass(frozen=True)
class Sight:
    """What is known of a window of a plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        Every nucleus there.
    background : ndarray of float16, shape (Y, X)
        Its probability.
    window : tuple of slice
        Where it lies in the plane: around all nuclei that are measured, and `reach_of` beyond.
    shape : tuple of int
        (Y, X) of the plane.
    channels : mapping of str to ndarray, shape (Y, X)
        Raw intensities by the channel's name.
    """

    labels: npt.NDArray[Any]
    background: npt.NDArray[Any]
    window: Box
    shape: tuple[int, int]
    channels: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def reach_of(ring: float) -> int:
    """Return how many pixels around nuclei must be known to measure rings of a width; 0 without rings.

    Up to there lie the pixels of a ring, and once more as far the nuclei that may claim them.
    """
    return int(np.ceil(2 * (ring + GAP))) + 1 if ring else 0


def measure_block(sight: Sight, owned: npt.NDArray[Any], knots: Knots = (), ring: float = 0.0) -> Columns:
    """Measure nuclei of a plane of which only a part is in memory.

    Parameters
    ----------
    sight : Sight
        That part.
    owned : ndarray of int, shape (nuclei,)
        The labels that are measured, ascending; they lie in the window.
    knots : tuple of (float, float)
        Curve from the mean probability to the score.
    ring : float
        Width in pixels of a ring around each nucleus; 0 for none.

    Returns
    -------
    dict of ndarray, shape (nuclei,)
        The columns of `napari_unet_seg.core.measure.measure_plane` and then those of `measure_intensities`, without ``index``.
    """
    regions = find_regions(np.where(np.isin(sight.labels, owned), sight.labels, 0))
    there = placed(regions, sight.window, sight.shape)
    area = regions.total()
    columns: Columns = {"label": regions.numbers, "area": area, **centroids(there), **axes(there)}
    columns |= {"solidity": area / convex_areas(regions), "perimeter": perimeters(regions), "touches_border": there.touch_border()}
    probability = 1 - sight.background
    columns["score"] = calibrated(regions.mean(probability[regions.rows, regions.columns]), knots)
    return columns | _intensities(sight, regions, ring)


def _intensities(sight: Sight, regions: Regions, ring: float) -> Columns:
    columns: Columns = {}
    if ring and sight.channels:
        rings = find_rings(sight.labels, ring)
        mine = np.searchsorted(rings.numbers, regions.numbers)
        columns["ring_area"] = rings.total()[mine]
    for name, pixels in sight.channels.items():
        measured = intensities(regions, pixels, name)
        columns |= measured
        if ring:
            means = np.zeros(rings.numbers.size)
            means[mine] = measured[f"mean_{name}"]
            columns |= {column: values[mine] for column, values in ring_intensities(rings, pixels, name, means).items()}
    return columns

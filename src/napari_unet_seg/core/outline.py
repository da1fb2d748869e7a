"""The outline of a nucleus that a person points at and the usual thresholds missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.edits import LEAST_PART, Mask, at, grown
from napari_unet_seg.core.holes import fill_holes
from napari_unet_seg.core.instances import split
from napari_unet_seg.core.measure import measure_plane

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

NEAR = 3
"""Pixels around a click in which the most likely pixel is taken."""
FAINTEST = 0.08
"""Where the map shows less than this probability around a click, there is nothing to outline."""
SHARES = (0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25)
"""Outlines that are tried: where the probability is this share of that in the middle."""
SOLID, LARGEST = 0.75, 6.0
"""Least solidity of an outline that is offered, and its greatest area as a multiple of the typical one."""


def outline_from_maps(
    maps: npt.NDArray[Any], taken: Mask, point: tuple[int, int], settings: SegmentSettings, typical: float = 0.0
) -> Mask | None:
    """Outline the nucleus at a point that the usual thresholds missed.

    Of the outlines at several shares of the probability in its middle, the one where the map is steepest is taken: what is faint is
    outlined where a person would draw it, not where a fixed probability happens to lie.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        The background's probability first, the relative distance last; a window of a plane.
    taken : ndarray of bool, shape (Y, X)
        Pixels of other nuclei, which stay theirs.
    point : tuple of int
        (y, x) in the window.
    settings : SegmentSettings
        Its `probability` is the highest that is asked for.
    typical : float
        Typical area of nuclei in px2, 0 if not known.

    Returns
    -------
    ndarray of bool, shape (Y, X), or None
        None when the maps show nothing here.
    """
    likely = ndimage.gaussian_filter(1 - maps[0].astype(np.float32), 1.0)
    distance = maps[-1].astype(np.float32)
    near = grown(at(point), NEAR, taken.shape)
    heights = np.where(taken[near], 0, likely[near])
    peak = float(heights.max())
    if peak < FAINTEST:
        return None
    y, x = np.unravel_index(int(heights.argmax()), heights.shape)
    seed = (near[0].start + int(y), near[1].start + int(x))
    thresholds = sorted({min(share * peak, settings.probability) for share in SHARES}, reverse=True)
    found = [_region(split((likely >= threshold) & ~taken, distance, settings.splitting, least=0), taken, seed) for threshold in thresholds]
    largest = LARGEST * typical or taken.size / 4
    offered = [mask for mask in found if mask is not None and _plausible(mask, largest)]
    slope = ndimage.gaussian_gradient_magnitude(likely, 1.0)
    return max(offered, key=lambda mask: _steepness(mask, slope), default=None)


def _region(parts: npt.NDArray[np.int32], taken: Mask, seed: tuple[int, int]) -> Mask | None:
    if not parts[seed]:
        return None
    alone = np.where(parts == parts[seed], 1, np.where(taken, 2, 0)).astype(np.int32)
    region: Mask = fill_holes(alone) == 1
    return region


def _plausible(mask: Mask, largest: float) -> bool:
    area = int(mask.sum())
    return 2 * LEAST_PART <= area <= largest and float(measure_plane(mask.astype(np.int32))["solidity"].iloc[0]) >= SOLID


def _steepness(mask: Mask, slope: npt.NDArray[np.float32]) -> float:
    return float(slope[mask & ~ndimage.binary_erosion(mask)].mean())

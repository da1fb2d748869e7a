"""Where on a stained slide there is tissue: found at a small level of its pyramid, so that empty glass is not searched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

if TYPE_CHECKING:
    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.tiling import Box

LEAST_PIXELS = 64_000_000
"""Smaller planes are searched whole: it takes seconds, and no mask is ever perfect."""
MOST_MASK_PIXELS = 4_000_000
"""The mask is made of the first level that is not larger than this."""
PALE = 0.85
"""Glass is nearly as bright as the brightest of the slide: at least this share of it in its darkest colour."""
COLOURLESS = 0.1
"""Glass has at most this saturation, whatever Otsu's threshold: pale connective tissue has more."""
MARGIN = 128
"""Pixels around tissue that are searched too: no nucleus of tissue reaches over so far."""
_BRIGHTEST = 99.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tissue:
    """A coarse picture of where there is tissue.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        At a small size.
    step : int
        Pixels of the plane along one of its pixels.
    """

    mask: Mask
    step: int

    def touches(self, box: Box) -> bool:
        """Say whether there is tissue in a box, or near it.

        Parameters
        ----------
        box : tuple of slice
            (Y, X) in pixels of the plane.

        Returns
        -------
        bool
        """
        y, x = (slice(max(side.start - MARGIN, 0) // self.step, math.ceil((side.stop + MARGIN) / self.step)) for side in box)
        return bool(self.mask[y, x].any())


def find_tissue(plane: Pyramid) -> Tissue | None:
    """Find the tissue of a slide.

    Parameters
    ----------
    plane : Pyramid
        Its pixels in colour.

    Returns
    -------
    Tissue or None
        None when the plane is not in colour, small, or has no small level, or when nothing on it looks like glass.
    """
    small = next((level for level in plane.levels if math.prod(level.shape) <= MOST_MASK_PIXELS), None)
    if plane.full.ndim != 3 or math.prod(plane.shape) < LEAST_PIXELS or small is None:
        return None
    tissue = ~is_glass(np.asarray(small.pixels))
    return None if tissue.all() else Tissue(ndimage.binary_dilation(tissue, iterations=2), small.step)


def is_glass(pixels: npt.NDArray[Any]) -> Mask:
    """Mark what is pale and without colour.

    Parameters
    ----------
    pixels : ndarray, shape (Y, X, 3 or 4)
        Red, green, blue.

    Returns
    -------
    ndarray of bool, shape (Y, X)

    Notes
    -----
    The saturation below which there is no colour is that of Otsu (1979), which parts the pixels into two kinds. It does so even where there
    is one kind only; hence glass must be bright too, as no stained nucleus is, and nearly without colour.
    """
    from skimage.filters import threshold_otsu

    colors = pixels[..., :3].astype(np.float32)
    darkest, brightest = colors.min(axis=2), colors.max(axis=2)
    saturation = (brightest - darkest) / np.maximum(brightest, 1e-6)
    if saturation.max() == saturation.min():
        return np.zeros(saturation.shape, bool)
    pale = darkest >= PALE * np.percentile(darkest, _BRIGHTEST)
    glass: Mask = pale & (saturation <= min(threshold_otsu(saturation), COLOURLESS))
    return glass

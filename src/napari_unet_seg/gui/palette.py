"""The colours of nuclei."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

_COLORS = 34
_GOLDEN = 0.618034
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def palette(dark_ground: bool) -> npt.NDArray[np.float32]:
    """Return colours that stand out from the ground of the image; among napari's own, some are nearly black.

    Parameters
    ----------
    dark_ground : bool
        Whether nuclei are brighter than the ground.

    Returns
    -------
    ndarray of float32, shape (colours and the transparent background, 4)
        Neighbours in the list, which often are neighbours in the image, have very different hues.
    """
    turns = (0.1 + _GOLDEN * np.arange(_COLORS)) % 1
    hues = turns if dark_ground else 0.62 * turns  # without violet and pink, the colours of stained tissue
    colors = np.array([colorsys.hsv_to_rgb(hue, 1.0 - 0.35 * (dark_ground and i % 2), 1.0) for i, hue in enumerate(hues)])
    luminance = colors @ _LUMINANCE
    if dark_ground:
        share = np.clip((0.55 - luminance) / (1 - luminance), 0, 1)[:, None]
        colors = colors + share * (1 - colors)
    else:
        colors = colors * np.minimum(1, 0.45 / luminance)[:, None]
    opaque = np.hstack([colors, np.ones((_COLORS, 1))])
    return np.vstack([np.zeros((1, 4)), opaque]).astype(np.float32)

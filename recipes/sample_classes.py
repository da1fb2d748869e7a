"""The sample image of tissue types: four classes of pixels with exact borders, stained as by H&E."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from recipes.drawing import Kind, Labels, Plane, chromatin, per_nucleus, smooth_noise, strew

CLASSES = ("glass", "stroma", "epithelium", "blood")
"""Names of the numbers 1 to 4."""
EDGE = 320
_STAINS = np.array([[0.78, 0.80, 0.36], [0.07, 0.62, 0.20]])  # optical density of red, green and blue for hematoxylin and eosin


def tissue_types(seed: int = 4) -> tuple[NDArray[np.uint8], Labels]:
    """Return an H&E-like image (Y, X, 3), and the class of each pixel (Y, X), 1 to 4 as `CLASSES` has them."""
    rng = np.random.default_rng(seed)
    fields = np.stack([smooth_noise(rng, 24, EDGE) for _ in CLASSES])  # (classes, Y, X)
    classes = (1 + fields.argmax(axis=0)).astype(np.uint16)
    glands = _nuclei(rng, classes == 3, Kind(count=220, radius=(5.0, 7.5), elongation=1.4, crowding=0.8))
    spindles = _nuclei(rng, classes == 2, Kind(count=26, radius=(3.5, 5.0), elongation=3.0, crowding=0.0))
    cells = strew(rng, Kind(count=420, radius=(3.9, 4.9), elongation=1.15, crowding=0.6), classes == 4) > 0
    grain = 1 + 0.08 * smooth_noise(rng, 2, EDGE)
    eosin = np.select([classes == 2, classes == 3, classes == 4], [_fibres(rng), 0.34 * grain, 0.25 + 0.65 * cells * grain], 0.0)
    hematoxylin = np.select([classes == 2, classes == 3], [0.05 + spindles, 0.16 + glands], 0.0)
    stains = np.stack([ndimage.gaussian_filter(stain, 0.8) for stain in (hematoxylin, eosin)], axis=-1)  # (Y, X, 2)
    colour = 244.0 * np.exp(-stains @ _STAINS) + 2.0 * rng.standard_normal((EDGE, EDGE, 3))
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), classes


def _nuclei(rng: np.random.Generator, where: NDArray[np.bool_], kind: Kind) -> Plane:
    """Return hematoxylin (Y, X) of nuclei in a part of the image."""
    labels = strew(rng, kind, where)
    return np.asarray(chromatin(rng, labels) * per_nucleus(rng, labels, low=0.5, spread=0.25) * where)


def _fibres(rng: np.random.Generator) -> Plane:
    """Return eosin (Y, X) of wavy bundles."""
    y, x = np.mgrid[:EDGE, :EDGE].astype(float)
    phase = (0.6 * x + 0.8 * y) / 5.5 + 2.2 * smooth_noise(rng, 26, EDGE) + 0.4 * smooth_noise(rng, 7, EDGE)
    return np.asarray(np.clip(0.36 + 0.16 * np.sin(phase) + 0.05 * smooth_noise(rng, 1.5, EDGE), 0.05, None))

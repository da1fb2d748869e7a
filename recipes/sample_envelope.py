"""The sample that the bundled model does not know: the envelopes of nuclei, as antibodies against lamins show them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from recipes.drawing import Kind, Labels, camera, per_nucleus, smooth_noise, strew, uneven_light

SIZE = 320


def envelopes(seed: int = 11) -> tuple[NDArray[np.uint16], Labels]:
    """Return nuclei of which only the rim is bright, with a fold in some, and their labels, (Y, X)."""
    rng = np.random.default_rng(seed)
    labels = strew(rng, Kind(count=64, radius=(9.5, 13.5), elongation=1.4, crowding=0.15), np.ones((SIZE, SIZE), bool))
    depth = np.zeros((SIZE, SIZE))
    for number in range(1, int(labels.max()) + 1):  # of each by itself: neighbours that touch have a rim between them
        depth = np.maximum(depth, ndimage.distance_transform_edt(labels == number))
    rim = np.exp(-(((depth - 1.6) / 1.1) ** 2)) * (labels > 0)
    folds = np.clip(smooth_noise(rng, 2.2, SIZE) - 1.7, 0, None) * (depth > 3)
    uneven = np.clip(1 + 0.25 * smooth_noise(rng, 2, SIZE), 0.3, None)
    signal = (rim * uneven + 0.5 * folds) * per_nucleus(rng, labels, low=0.45, spread=0.3)
    glow = ndimage.gaussian_filter(signal, 0.8) + 0.10 * ndimage.gaussian_filter(signal, 18) + 0.012
    return camera(rng, uneven_light(0.2, SIZE) * glow, full=1500.0), labels

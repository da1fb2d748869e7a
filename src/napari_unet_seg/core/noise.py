"""Planes without nuclei: nothing but noise or haze, or glass without stain.

Percentiles stretch whatever there is to the full range, and a network then sees nuclei in the blobs of out-of-focus haze. But haze, the
noise of a camera and that of light are sums of many small contributions, so that intensities, and the differences between neighbours, are
spread like a bell. Nuclei make a second hill or a long tail of intensities, and every sharp border makes a few large differences among many
small ones (Field 1987). Measured as below, the 508 grey images of DSB 2018 are at least 0.18 away from a bell, and their differences have a
kurtosis of at least 6; for stained tissue, which may be like a bell itself, it is at least 4; a bell has 3. See ``benchmarks/noise.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each

BELL = 0.11
"""Share of the range by which intensities are off a bell at the most when there is nothing but noise."""
KURTOSIS = 3.3
"""Of the differences between neighbours, at the most; a bell has 3."""
TAIL = 6.0
"""Standard deviations: noise does not reach it, and a few nuclei in an empty field do."""
BLOCK, DARK_BLOCK = 4, 16
"""Pixels: means over blocks of 4 x 4 tell nuclei that are fainter than the noise of single pixels; where most pixels saw no light at all,
only means over larger blocks are spread like a bell."""
LEAST_PIXELS = 200_000
"""Smaller planes are a few nuclei wide: there chance can make a bell of them."""
FAINT = 0.15
"""Share of the light of the glass that the darkest of a stained section takes away at least (DSB 2018: 0.40)."""
_MOST_BLOCKS, _ROW = 2**20, 512
_RANKS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.998)

Array = npt.NDArray[Any]


def is_noise(gray: Array) -> bool:
    """Say whether a plane holds nothing but noise or haze.

    Parameters
    ----------
    gray : ndarray of float, shape (Y, X)
        Raw intensities.

    Returns
    -------
    bool
        False for planes too small to tell.
    """
    if gray.size < LEAST_PIXELS:
        return False
    block = DARK_BLOCK if np.count_nonzero(gray == gray.min()) > gray.size / 2 else BLOCK
    blocks = _block_means(gray, block)
    means = np.sort(blocks[np.isfinite(blocks)])
    if means.size < LEAST_PIXELS // block**2 // 2 or not means[0] < means[-1]:  # most of it is no number, or all of it one
        return False
    values = means[[int(rank * means.size) for rank in _RANKS]]
    spread, middle, off = _fit_bell(values)
    tail = max(means[-2] - middle, middle - means[1])
    return bool(off < BELL * (values[-1] - values[0]) and tail < TAIL * spread and _kurtosis(np.diff(blocks, axis=1)) < KURTOSIS)


def is_unstained(low: float, high: float) -> bool:
    """Say whether nothing in a section takes light away.

    Parameters
    ----------
    low, high : float
        Intensities of the darkest and of the glass, 0 being no light.

    Returns
    -------
    bool
    """
    return high - low < FAINT * high


def _fit_bell(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Fit a normal distribution to percentiles: standard deviation, mean, and the largest difference."""
    from scipy.special import ndtri

    steps = ndtri(_RANKS)
    # The least squares of a straight line over the steps.
    spread = float(np.sum((steps - steps.mean()) * values) / np.sum((steps - steps.mean()) ** 2))
    middle = float(values.mean() - spread * steps.mean())
    return spread, middle, float(np.abs(middle + spread * steps - values).max())


def _kurtosis(differences: npt.NDArray[np.float64]) -> float:
    """Return how much the rare large differences weigh: 3 for a normal distribution, infinity where there are none at all."""
    known = differences[np.isfinite(differences)]
    square = (known - known.mean()) ** 2 if known.size else np.zeros(1)
    variance = square.mean()
    return float((square**2).mean() / variance**2) if variance > 0 else float("inf")


def _block_means(gray: Array, block: int) -> npt.NDArray[np.float64]:
    """Return the means of blocks: shape (Y, X) in blocks; of a large plane every so many rows of them."""
    if gray.shape[1] == 1:  # a sample of a large plane: one pixel after the other along its rows
        gray = gray[: gray.size // _ROW * _ROW].reshape(-1, _ROW)
    height, width = (size // block for size in gray.shape)
    blocks = gray[: height * block, : width * block].reshape(height, block, width, block)[:: max(1, height * width // _MOST_BLOCKS)]
    means: npt.NDArray[np.float64] = np.empty((len(blocks), width))

    def _mean(rows: slice) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            blocks[rows].mean(axis=(1, 3), dtype=np.float64, out=means[rows])

    each(_mean, bands((len(blocks), width * block**2)))
    return means

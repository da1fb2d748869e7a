"""A part of a plane at another size, equal to that part of the whole plane at that size.

The ratio of the sizes is a fraction of small whole numbers p / q: then blocks of q pixels become blocks of p, and whatever is cut along
blocks is interpolated at the same places as the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box

Pixels = npt.NDArray[np.float32]
LARGEST_TERM = 24
"""The smaller number of a ratio is at most this: no diameter is then off by more than 2 %, and blocks are small."""


def simple_ratio(factor: float) -> Fraction:
    """Return a fraction of small numbers near a factor.

    Parameters
    ----------
    factor : float
        New size over old size, positive.

    Returns
    -------
    Fraction
        Its smaller term is at most `LARGEST_TERM`.

    Examples
    --------
    >>> simple_ratio(0.2501), simple_ratio(2.5)
    (Fraction(1, 4), Fraction(5, 2))
    """
    if factor >= 1:
        return Fraction(factor).limit_denominator(LARGEST_TERM)
    return 1 / Fraction(1 / factor).limit_denominator(LARGEST_TERM)


def resampled_shape(shape: tuple[int, int], ratio: Fraction) -> tuple[int, int]:
    """Return the size of a plane at another scale, of which no pixel may be missing at its end.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    ratio : Fraction
        New size over old size.

    Returns
    -------
    tuple of int
        (Y, X).
    """
    return math.ceil(shape[0] * ratio), math.ceil(shape[1] * ratio)


def resample(read: Callable[[Box], Pixels], shape: tuple[int, int], ratio: Fraction, box: Box) -> Pixels:
    """Interpolate a part linearly at another size, smoothing before shrinking.

    Parameters
    ----------
    read : callable
        Returns the pixels (C, Y, X) of a box, in float32.
    shape : tuple of int
        (Y, X) of what is read.
    ratio : Fraction
        New size over old size.
    box : tuple of slice
        The part, in pixels of the new size.

    Returns
    -------
    ndarray of float32, shape (C, *box)
        Beyond the end of the plane its last pixels are repeated.
    """
    p, q = ratio.numerator, ratio.denominator
    blocks = [_blocks(side, size, p, q) for side, size in zip(box, shape, strict=True)]
    inside = needed(box, shape, ratio)
    missing = [(0, 0)] + [(0, high * q - side.stop) for (_, high), side in zip(blocks, inside, strict=True)]
    pixels = np.pad(read(inside), missing, mode="edge")
    size = tuple((high - low) * p for low, high in blocks)
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))[None]
    scaled: Pixels = F.interpolate(tensor, size=size, mode="bilinear", antialias=True)[0].numpy()
    rows, columns = (slice(side.start - low * p, side.stop - low * p) for side, (low, _) in zip(box, blocks, strict=True))
    return scaled[:, rows, columns]


def needed(box: Box, shape: tuple[int, int], ratio: Fraction) -> Box:
    """Return what `resample` reads for a part.

    Parameters
    ----------
    box : tuple of slice
        The part, in pixels of the new size.
    shape : tuple of int
        (Y, X) of what is read.
    ratio : Fraction
        New size over old size.

    Returns
    -------
    tuple of slice
        In pixels of the old size.
    """
    q = ratio.denominator
    blocks = [_blocks(side, size, ratio.numerator, q) for side, size in zip(box, shape, strict=True)]
    y, x = (slice(low * q, min(high * q, size)) for (low, high), size in zip(blocks, shape, strict=True))
    return y, x


def _blocks(side: slice, size: int, p: int, q: int) -> tuple[int, int]:
    """Return the first and last block that a side needs, with what the interpolation reaches for beside it."""
    reach = math.ceil(max(q / p, 1.0)) + 1
    low = math.floor((side.start * q / p - reach) / q)
    high = math.ceil((side.stop * q / p + reach) / q)
    return max(low, 0), min(high, math.ceil(size / q))

"""A part of a plane at another size, equal to that part of the whole plane at that size, to the last bit.

The ratio of the sizes is a fraction of small whole numbers p / q: then blocks of q pixels become blocks of p, and the pixels of all blocks
have the same p sets of weights. They are found in whole numbers, and what they weigh is added up in the same order wherever a part begins.
torch's own interpolation computes places from the edge of what it is given, in single precision: near a seam nuclei were then others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box

Integers = npt.NDArray[np.int64]
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
        Weighted by triangles, as wide as those of `torch.nn.functional.interpolate` with ``antialias``. Beyond the edges of the plane its
        outermost pixels are repeated.
    """
    inside = needed(box, shape, ratio)
    pixels = read(inside)
    height, width = (side.stop - side.start for side in box)
    scaled = np.empty((len(pixels), height, width), np.float32)

    def _fill(rows: slice) -> None:
        side = slice(box[0].start + rows.start, box[0].start + rows.stop)
        held = _held(side, shape[0], ratio)
        band = pixels[:, held.start - inside[0].start : held.stop - inside[0].start]
        ways = [(1, held, side), (2, inside[1], box[1])]
        for axis, known, wanted in ways if ratio < 1 else ways[::-1]:  # columns, which are slower, when there are fewer rows
            band = _weighted(band, axis, known, wanted, ratio)
        scaled[:, rows] = band

    each(_fill, bands((height, width * len(pixels))))
    return scaled


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
        In pixels of the old size; at least one, also for a part that lies beyond them.
    """
    y, x = (_held(side, size, ratio) for side, size in zip(box, shape, strict=True))
    return y, x


@lru_cache(maxsize=64)
def _kernel(ratio: Fraction) -> tuple[Integers, Pixels]:
    """Return what each of the p new pixels of the first block sees: its first old pixel, shape (p,), and weights, shape (p, seen)."""
    p, q = ratio.numerator, ratio.denominator
    wide = 2 * max(p, q)  # half a triangle; one old pixel is 2 p wide, one new pixel 2 q
    middle = (2 * np.arange(p, dtype=np.int64) + 1) * q
    first = (middle - wide - p) // (2 * p) + 1
    seen = first[:, None] + np.arange(math.ceil(wide / p))
    weights = np.maximum(wide - abs((2 * seen + 1) * p - middle[:, None]), 0)
    weights = weights[:, weights.any(axis=0)]
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _span(side: slice, ratio: Fraction) -> slice:
    """Return the old pixels that a side of new ones sees, also those beyond the plane."""
    first, weights = _kernel(ratio)
    (low, start), (high, last) = (divmod(pixel, ratio.numerator) for pixel in (side.start, side.stop - 1))
    q = ratio.denominator
    return slice(low * q + int(first[start]), high * q + int(first[last]) + weights.shape[1])


def _held(side: slice, size: int, ratio: Fraction) -> slice:
    """Return those of a span that the plane has; at least one, also for a side that lies beyond it."""
    span = _span(side, ratio)
    return slice(min(max(span.start, 0), size - 1), max(min(span.stop, size), 1))


def _weighted(pixels: Pixels, axis: int, held: slice, side: slice, ratio: Fraction) -> Pixels:
    """Return the new pixels of a side, along an axis on which some old ones are held."""
    first, weights = _kernel(ratio)
    p, q, length, span = ratio.numerator, ratio.denominator, side.stop - side.start, _span(side, ratio)
    old = _extended(pixels, axis, held, span).swapaxes(0, axis)
    new = np.empty((*pixels.shape[:axis], length, *pixels.shape[axis + 1 :]), np.float32)
    target = new.swapaxes(0, axis)
    total, one = (np.empty_like(target[::p]) for _ in range(2))  # used again and again: fresh memory is slow
    for offset in range(min(p, length)):
        block, place = divmod(side.start + offset, p)
        start = block * q + int(first[place]) - span.start
        count = len(range(offset, length, p))
        reach = (count - 1) * q + 1
        np.multiply(old[start : start + reach : q], weights[place, 0], out=total[:count])
        for step, weight in enumerate(weights[place, 1:], start=start + 1):
            total[:count] += np.multiply(old[step : step + reach : q], weight, out=one[:count])
        target[offset::p] = total[:count]
    return new


def _extended(pixels: Pixels, axis: int, held: slice, span: slice) -> Pixels:
    """Repeat the outermost of the pixels that are held, up to the ends of a span."""
    before = max(held.start - span.start, 0)
    after = span.stop - span.start - (held.stop - held.start) - before
    if not before and not after:
        return pixels
    missing = [(0, 0)] * 3
    missing[axis] = (before, after)
    return np.pad(pixels, missing, mode="edge")

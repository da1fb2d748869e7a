"""From raw intensities to what the network sees: one channel, nuclei bright, about 0 to 1.

The limits and the polarity are fixed on the whole plane *before* tiling, so that no tile can choose its own.
How colour becomes one channel was chosen by measurement: ``benchmarks/colour.py``.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.bands import bands, each
from napari_unet_seg.core.noise import is_noise, is_unstained
from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.8
"""The darkest hundredth of a plane is ground; nuclei fill two thousandths of it at least."""
EXACT_PIXELS = 64_000_000
"""Planes up to this many pixels give exact percentiles, larger ones those of a sample."""
SAMPLE_BLOCKS, SAMPLE_EDGE = 8, 512
"""The sample: a grid of 8 x 8 blocks of 512 x 512 pixels, 16.8 megapixels."""
CLIP = (-0.5, 3.0)
"""Values far outside the limits (a hot pixel, a dust grain) are clipped to this."""
GROUND = 0.3
"""Share of the way between the limits up to which a median is that of a dark ground."""
HALF = 0.5
"""The same for gray planes that have as many parts over as under the middle."""
PART_BLUR, PART_AREA = 0.5, 20
"""Pixels of Gaussian blur before parts are counted, and px2 of the smallest that counts."""
_BAND = 2**23
_COUNTED = 2
"""Bytes of integers of which each value is counted."""
STAIN_MIX = (0.6, 0.4)
"""Red and green in a stained section: haematoxylin absorbs both; blue, which separates nuclei least, is left out."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Limits:
    """How a plane becomes the network's input.

    Parameters
    ----------
    low, high : float
        Raw intensities that become 0 and 1 (1 and 0 when the nuclei are dark).
    polarity : {"bright", "dark"}
        Whether nuclei are brighter or darker than what surrounds them.
    """

    low: float
    high: float
    polarity: str

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as a mapping that JSON can hold."""
        return asdict(self)


def estimate_limits(plane: Any, settings: SegmentSettings) -> Limits:
    """Choose the intensity limits and the polarity of a whole plane.

    Parameters
    ----------
    plane : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour; any real dtype; read lazily when it is large.
    settings : SegmentSettings
        Its `low`, `high` and `polarity` are used where they are not automatic.

    Returns
    -------
    Limits
        The 1st and 99.8th percentiles, mirrored for dark nuclei. Equal limits, with which a plane is all ground, where there is nothing:
        one value alone, noise or haze, glass without stain (see `napari_unet_seg.core.noise`); both 0 when no value is finite.

    Raises
    ------
    InputError
        If the dtype is not of real numbers, or the shape is not that of a plane.

    Notes
    -----
    Ground fills most of an image: where the median lies below three tenths between the limits, it is dark and nuclei are bright. Otherwise
    nuclei are dark in colour, since stained sections without glass have a ground of a middle tone; and a gray plane, which may be crowded
    with nuclei, has nuclei where it has more parts, over or under the middle. This is right for all 615 images of DSB 2018's stage 1 (the
    medians of fluorescence lie below 0.14, those of stained sections above 0.42).
    """
    _check(plane)
    fixed = settings.high > settings.low
    if fixed and settings.polarity != "auto":
        return Limits(float(settings.low), float(settings.high), settings.polarity)
    sample = _sample(plane)
    polarity = _polarity(sample) if settings.polarity == "auto" else settings.polarity
    if fixed:
        return Limits(float(settings.low), float(settings.high), polarity)
    ranks = (LOW_PERCENTILE, HIGH_PERCENTILE) if polarity == "bright" else (100 - HIGH_PERCENTILE, 100 - LOW_PERCENTILE)
    gray = to_gray(sample, polarity)
    low, high = percentiles(sample if sample.ndim == 2 else gray, ranks)
    if not low < high:
        return _sparse_limits(gray, low, polarity)
    stained = sample.ndim == 3 and polarity == "dark"
    blank = is_unstained(low, high) if stained else is_noise(gray)
    return Limits(high if blank else low, high, polarity)


def within_limits(plane: Any, settings: SegmentSettings) -> SegmentSettings:
    """Return settings that segment a part of a plane as if it were the whole: with its limits and polarity.

    Parameters
    ----------
    plane : array-like
        All of it, (Y, X), or (Y, X, 3 or 4) for colour.
    settings : SegmentSettings
        Other than limits and polarity.

    Returns
    -------
    SegmentSettings
    """
    return replace(settings, **estimate_limits(plane, settings).to_dict())


def normalize(plane: Array, limits: Limits) -> npt.NDArray[np.float32]:
    """Apply limits to a plane or to a part of it.

    Parameters
    ----------
    plane : ndarray
        Shape (Y, X), or (Y, X, 3 or 4) for colour; any real dtype.
    limits : Limits
        From `estimate_limits` on the whole plane.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        0 at the ground's limit, 1 at the nuclei's, clipped to [-0.5, 3]; NaN becomes 0 (ground); all 0 if the limits are equal.
    """
    gray = to_gray(plane, limits.polarity)
    if not limits.high > limits.low:
        return np.zeros(gray.shape, np.float32)
    known = np.finfo(gray.dtype)
    if not float(known.tiny) <= limits.high - limits.low <= float(known.max) / 4:  # this dtype cannot hold the differences
        shrink = 4.0 if limits.high - limits.low > 1 else 1.0
        gray, limits = gray.astype(np.float64) / shrink, replace(limits, low=limits.low / shrink, high=limits.high / shrink)
    ground, span = (limits.low, limits.high - limits.low) if limits.polarity == "bright" else (limits.high, limits.low - limits.high)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # infinities are clipped below
        scaled = (gray - gray.dtype.type(ground)) / gray.dtype.type(span)
    scaled = np.nan_to_num(scaled, copy=False, nan=0.0, posinf=CLIP[1], neginf=CLIP[0])
    clipped: npt.NDArray[np.float32] = np.clip(scaled, *CLIP, out=scaled).astype(np.float32, copy=False)
    return clipped


def to_gray(plane: Array, polarity: str) -> Array:
    """Make one floating-point channel of a plane.

    Parameters
    ----------
    plane : ndarray
        Shape (Y, X), or (Y, X, 3 or 4): red, green, blue, and alpha, which is ignored.
    polarity : {"bright", "dark"}
        Bright nuclei (fluorescence drawn in a colour) give the largest of the channels, dark ones (a stained section) 0.6 red + 0.4 green.

    Returns
    -------
    ndarray of float32 or float64, shape (Y, X)
        float64 where float32 cannot hold the values (32- and 64-bit integers, float64).

    Raises
    ------
    InputError
        If the dtype is not of real numbers, or the shape is not that of a plane.
    """
    _check(plane)
    size = plane.dtype.itemsize
    dtype = np.dtype(np.float32 if size <= 2 or (size == 4 and plane.dtype.kind == "f") else np.float64)
    if plane.ndim == 2:
        return plane.astype(dtype)
    if polarity == "bright":
        brightest: Array = plane[..., :3].max(axis=2).astype(dtype)
        return brightest
    # Element by element: a matrix product rounds by the shape and layout of its operands, and so by the tile.
    red, green = (plane[..., sample].astype(dtype) * weight for sample, weight in enumerate(STAIN_MIX))
    with np.errstate(over="ignore", invalid="ignore"):  # infinities of both signs make NaN, which is ground
        mixed: Array = red + green
    return mixed


def percentiles(values: Array, ranks: tuple[float, ...]) -> tuple[float, ...]:
    """Return percentiles of the finite values, as values that occur.

    Parameters
    ----------
    values : ndarray
        Any shape, real numbers.
    ranks : tuple of float
        Percent, 0 to 100.

    Returns
    -------
    tuple of float
        All 0 when no value is finite.
    """
    if values.dtype.kind in "bui" and values.dtype.itemsize <= _COUNTED and values.size:
        return _counted_percentiles(values, ranks)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return (0.0,) * len(ranks)
    return tuple(float(value) for value in np.percentile(finite, ranks, method="inverted_cdf", overwrite_input=True))


def _counted_percentiles(values: Array, ranks: tuple[float, ...]) -> tuple[float, ...]:
    """Count each value instead of sorting them: the same percentiles, sooner."""
    low = int(values.min())
    flat = values.reshape(-1, 1)

    def _count(part: slice) -> npt.NDArray[np.int64]:
        return np.bincount(flat[part, 0].astype(np.int64) - low)

    counts = each(_count, bands(flat.shape))
    total = np.zeros(max(count.size for count in counts), np.int64)
    for count in counts:
        total[: count.size] += count
    # The smallest value that no less than this share of all values does not exceed, as NumPy computes its place.
    places = np.ceil(values.size * (np.array(ranks) / 100) - 1).clip(0)
    return tuple(float(value + low) for value in np.searchsorted(np.cumsum(total), places, side="right"))


def _check(plane: Any) -> None:
    if plane.dtype.kind not in "buif":
        raise InputError(f"The image has dtype {plane.dtype}; use real numbers (bool, integers or floats).")
    if plane.ndim not in (2, 3) or 0 in plane.shape or (plane.ndim == 3 and plane.shape[2] not in (3, 4)):
        raise InputError(f"A plane has shape {plane.shape}; it must be (Y, X), or (Y, X, 3 or 4) for colour, and hold a pixel.")


def _sparse_limits(gray: Array, ground: float, polarity: str) -> Limits:
    """Return the limits of a plane that is one value nearly everywhere, as denoised ones are: from that value to most of the others."""
    bright = polarity == "bright"
    others = gray[np.isfinite(gray) & ((gray > ground) if bright else (gray < ground))]
    if not others.size:
        return Limits(ground, ground, polarity)
    (far,) = percentiles(others, (HIGH_PERCENTILE if bright else 100 - HIGH_PERCENTILE,))
    return Limits(min(ground, far), max(ground, far), polarity)


def _polarity(sample: Array) -> str:
    """Compare the median with the limits: ground fills most of an image; where that is not clear, ground is what hangs together."""
    with np.errstate(invalid="ignore"):
        gray = (sample[..., :3] / 4).mean(axis=2) if sample.ndim == 3 else sample  # a quarter, so that three huge values have a sum
    low, median, high = percentiles(gray, (LOW_PERCENTILE, 50.0, HIGH_PERCENTILE))
    if low == high:
        return "dark" if np.count_nonzero(gray < median) > np.count_nonzero(gray > median) else "bright"
    share = (median / 2 - low / 2) / (high / 2 - low / 2)
    if share <= GROUND:
        return "bright"
    excess = _excess_of_bright_parts(gray, low / 2 + high / 2) if sample.ndim == 2 and min(gray.shape) > 1 else 0
    half = "bright" if share <= HALF and sample.ndim == 2 else "dark"
    return half if excess == 0 else "bright" if excess > 0 else "dark"


def _excess_of_bright_parts(gray: Array, middle: float) -> int:
    """Count the connected parts over the middle, less those under it: nuclei are many parts in a ground of few."""
    # In place: of 64 megapixels each copy takes half a gigabyte.
    smooth = np.nan_to_num(gray.astype(np.float64), copy=False, nan=middle, posinf=middle, neginf=middle)
    ndimage.gaussian_filter(smooth, PART_BLUR, output=smooth)
    over = smooth > middle
    del smooth
    return _count_parts(over) - _count_parts(~over)


def _count_parts(mask: npt.NDArray[np.bool_]) -> int:
    parts, count = ndimage.label(mask)
    area = np.zeros(count + 1, np.int64)
    for band in np.array_split(parts, 1 + parts.size // _BAND):  # counting makes eight bytes of each pixel
        area += np.bincount(band.ravel(), minlength=area.size)
    return int(np.count_nonzero(area[1:] >= PART_AREA))


def _sample(plane: Any) -> Array:
    """Return the whole plane, or blocks on a regular grid when it is large: shape (Y, X) or (Y, X, S) either way."""
    height, width = plane.shape[:2]
    if height * width <= EXACT_PIXELS:
        return np.asarray(plane)
    # A plane that is narrower than the sample has fewer places: none is read twice.
    starts = [np.unique(np.linspace(0, max(size - SAMPLE_EDGE, 0), SAMPLE_BLOCKS).astype(int)) for size in (height, width)]
    blocks = [np.asarray(plane[y : y + SAMPLE_EDGE, x : x + SAMPLE_EDGE]) for y, x in itertools.product(*starts)]
    return np.concatenate([block.reshape(-1, 1, *block.shape[2:]) for block in blocks])

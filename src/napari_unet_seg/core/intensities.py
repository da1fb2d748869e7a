"""What the pixels of a channel say about each nucleus, and about the ring around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.regions import Regions

STATISTICS = ("mean", "median", "min", "max", "sum", "std")
_PREFIXES = (*(f"{statistic}_" for statistic in STATISTICS), "ring_", "ratio_")
_ENDINGS = ("_um", "_um2", "_um3")

Columns = dict[str, npt.NDArray[Any]]


def intensities(regions: Regions, image: npt.NDArray[Any], name: str) -> Columns:
    """Measure one channel in the nuclei of a plane.

    Parameters
    ----------
    regions : Regions
        The nuclei.
    image : ndarray, shape (Y, X)
        Raw values; they are measured in float64, without NaN and infinities.
    name : str
        Of the channel.

    Returns
    -------
    dict of ndarray of float64, shape (nuclei,)
        ``mean_``, ``median_``, ``min_``, ``max_``, ``sum_`` and ``std_<name>``; NaN for a nucleus without a finite pixel.
    """
    places, values, count = _finite(regions, image)
    ends = np.cumsum(count)
    for start, end in zip(ends - count, ends, strict=True):
        values[start:end].sort()  # each nucleus by itself: smallest, middle and largest can then be picked
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = _total(places, values, count)
        mean = total / count
        spread = np.sqrt(np.bincount(places, (values - mean[places]) ** 2, minlength=count.size) / count)
    smallest, largest, below, above = (
        _picked(values, ends - count + step, count) for step in (0 * count, count - 1, (count - 1) // 2, count // 2)
    )
    columns = {"mean": mean, "median": below / 2 + above / 2, "min": smallest, "max": largest, "sum": total, "std": spread}
    return {f"{statistic}_{name}": column for statistic, column in columns.items()}


def ring_intensities(rings: Regions, image: npt.NDArray[Any], name: str, means: npt.NDArray[np.float64]) -> Columns:
    """Measure one channel in the rings of a plane.

    Parameters
    ----------
    rings : Regions
        From `napari_unet_seg.core.rings.find_rings`, one for each nucleus.
    image : ndarray, shape (Y, X)
        Raw values.
    name : str
        Of the channel.
    means : ndarray of float64, shape (nuclei,)
        Mean of the channel in each nucleus.

    Returns
    -------
    dict of ndarray of float64, shape (nuclei,)
        ``ring_mean_<name>``, and ``ratio_<name>``, the mean of the nucleus divided by that of its ring; NaN without a ring, or where the
        ring's mean is 0. Nothing is subtracted: an offset of the camera draws the ratio towards 1.
    """
    places, values, count = _finite(rings, image)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ring = _total(places, values, count) / count
        ratio = np.where(ring == 0, np.nan, means / ring)
    return {f"ring_mean_{name}": ring, f"ratio_{name}": ratio}


def is_intensity(name: str) -> bool:
    """Whether a column of a table, by its name, was measured in the pixels of a channel or of a ring."""
    return name.startswith(_PREFIXES)


def is_physical(name: str) -> bool:
    """Whether a column of a table, by its name, is in micrometres."""
    return name.endswith(_ENDINGS)


def physical_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that are columns in pixels times the size of a pixel: not those that somebody else gave such a name."""
    return [str(name) for name in table if is_physical(str(name)) and str(name).rpartition("_")[0] in table]


def follows_pixels(name: str) -> bool:
    """Whether a column, other than number, shape and place, depends on which pixels a nucleus has: it is not true of others."""
    return name == "score" or is_intensity(name) or is_physical(name)


def without_measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without what measuring adds to that of a segmentation: intensities, rings, and sizes in micrometres.

    Parameters
    ----------
    table : pandas.DataFrame
        Such as the features of a layer.

    Returns
    -------
    pandas.DataFrame
        What is left: number, shape, place, and what somebody else added.
    """
    physical = physical_columns(table)
    return table[[name for name in table if not (is_intensity(str(name)) or name in physical)]]


def _finite(regions: Regions, image: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Return the finite values, whose they are, and how many each region has."""
    values = image[regions.rows, regions.columns].astype(np.float64)
    finite = np.isfinite(values)
    places = regions.places[finite]
    return places, values[finite], np.bincount(places, minlength=regions.numbers.size)


def _total(places: npt.NDArray[Any], values: npt.NDArray[Any], count: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.where(count, np.bincount(places, values, minlength=count.size), np.nan)


def _picked(values: npt.NDArray[np.float64], at: npt.NDArray[Any], count: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    picked = np.full(count.size, np.nan)
    picked[count > 0] = values[at[count > 0]]
    return picked

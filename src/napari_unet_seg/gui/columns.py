"""The columns of a table of nuclei in words: titles with units, what they mean, and numbers as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "–"
"""Stands for what was not measured."""
HIDDEN = ("index",)
"""Columns that repeat another one for napari."""
SIZES = ("area_um2", "area", "volume_um3", "volume")
"""What stands for the size of a nucleus, the best first."""
_DIGITS, _TINY = 4, 1e-3
_PHYSICAL = {"um": "µm", "um2": "µm²", "um3": "µm³"}

_TITLES = {
    "label": ("Nucleus", "", "The number of the nucleus in the labels layer."),
    "area": ("Area", "px²", "Number of pixels."),
    "volume": ("Volume", "voxels", "Number of pixels in all planes."),
    "axis_major_length": ("Length", "px", "Longer axis of the ellipse that is as long and as wide as the nucleus."),
    "axis_minor_length": ("Width", "px", "Shorter axis of the ellipse that is as long and as wide as the nucleus."),
    "perimeter": ("Perimeter", "px", "Length of the outline."),
    "eccentricity": ("Eccentricity", "", "0 for a round nucleus, towards 1 the longer it is."),
    "solidity": ("Solidity", "", "Share of its convex hull that the nucleus fills: less than 1 with notches, as of nuclei not separated."),
    "touches_border": ("At the edge", "", "Whether the nucleus touches the edge of the image, so that a part of it may be missing."),
    "score": ("Score", "", "How likely the nucleus is right, from 0 to 1 (own models: how sure they are). Look at the low ones first."),
    "ring_area": ("Ring area", "px²", "Number of pixels of the ring; few where nuclei are crowded."),
    "planes": ("Planes", "", "In how many planes the nucleus shows."),
    "largest_area": ("Largest outline", "px²", "Number of pixels of the nucleus in the plane in which it has most."),
    "cut_in_z": ("At the top or bottom", "", "Whether the nucleus shows in the first or last plane, so that a part of it may be missing."),
    "track": ("Track", "", "The number of the nucleus through all times; daughters have numbers of their own."),
    "parent": ("Mother", "", "The track of the mother cell; 0 when the nucleus comes from no division that was seen."),
    "plane_z": ("Slice", "", "The slice of the stack, counted from 0."),
    "plane_t": ("Time", "", "The time point, counted from 0."),
}
_STATISTICS = {
    "ring_mean": ("Ring mean", "Mean intensity in the ring around the nucleus."),
    "ratio": ("Nucleus / ring", "Mean intensity of the nucleus divided by that of its ring. Above 1 the nucleus is brighter."),
    "mean": ("Mean", "Mean intensity of the pixels of the nucleus, as they are in the image."),
    "median": ("Median", "Median intensity of the pixels of the nucleus."),
    "min": ("Minimum", "Lowest intensity in the nucleus."),
    "max": ("Maximum", "Highest intensity in the nucleus."),
    "sum": ("Sum", "Intensities of all pixels of the nucleus, added up."),
    "std": ("SD", "Standard deviation of the intensities within the nucleus: how textured it is."),
}


def column_title(name: str) -> str:
    """Return the title of a column.

    Parameters
    ----------
    name : str
        As `napari_unet_seg.measure` calls it; a name that is not known is its own title.

    Returns
    -------
    str
        With its unit.

    Examples
    --------
    >>> column_title("area_um2"), column_title("ratio_GFP"), column_title("mine")
    ('Area (µm²)', 'Nucleus / ring GFP', 'mine')
    """
    title, unit, _ = _describe(name)
    return f"{title} ({unit})" if unit else title


def column_tip(name: str) -> str:
    """Return a sentence on what a column holds; the name itself where it is not known."""
    return _describe(name)[2] or name


def _describe(name: str) -> tuple[str, str, str]:
    """Return title, unit and explanation."""
    base, _, unit = name.rpartition("_")
    if base and unit in _PHYSICAL:
        title, _, tip = _describe(base)
        return title, _PHYSICAL[unit], tip
    if name in _TITLES:
        return _TITLES[name]
    if name.startswith("centroid_"):
        axis = name.removeprefix("centroid_")
        return f"Centre {axis}", "px" if axis in "yx" else "plane", f"Centre of the nucleus along {axis}."
    if name.startswith("plane_"):
        return "Plane", "", "The plane of the stack, counted from 0."
    for statistic, (title, tip) in _STATISTICS.items():
        if name.startswith(f"{statistic}_"):
            return f"{title} {name.removeprefix(statistic + '_')}", "", tip
    return name, "", ""


def shown_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that are shown, those first that a reader looks for: number, plane, size, brightness, score.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a nucleus.

    Returns
    -------
    list of str
    """
    names = [str(name) for name in table if name not in HIDDEN]
    size = next((name for name in SIZES if name in names), "")
    beginnings = ("label", "plane_", "track", "parent", size or "area", "mean_", "ratio_", "score")

    def _rank(name: str) -> int:
        if name == size:
            return beginnings.index(size)
        return next(
            (place for place, beginning in enumerate(beginnings) if name.startswith(beginning) and beginning != size), len(beginnings)
        )

    return sorted(names, key=_rank)


def numeric_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of numbers in which nuclei can differ; not their own number."""
    return [name for name in shown_columns(table) if name != "label" and table[name].dtype.kind in "iufb"]


def numbers(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return a column as float64; NaN where there is no number."""
    values: npt.NDArray[np.float64] = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def formatter(values: npt.NDArray[Any]) -> Callable[[Any], str]:
    """Choose how the values of a column are written: all with the same decimals, so that they can be compared down the column.

    Parameters
    ----------
    values : ndarray
        The whole column.

    Returns
    -------
    callable
        From a value to its text.

    Examples
    --------
    >>> write = formatter(np.array([0.51234, 12.5]))
    >>> write(0.51234), write(np.nan), formatter(np.array([True]))(True)
    ('0.51', '–', 'yes')
    """
    if values.dtype.kind == "b":
        return _yes
    if values.dtype.kind in "iu":
        return str
    if values.dtype.kind != "f":
        return _text
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    whole = math.floor(math.log10(largest)) + 1 if largest >= 1 else 1 + (largest == 0)
    if largest and largest < _TINY:
        return _tiny
    decimals = 0 if bool((finite == np.round(finite)).all()) else min(max(_DIGITS - whole, 0), 3)
    return _Decimals(decimals)


class _Decimals:
    """Writes numbers with a number of decimals."""

    def __init__(self, decimals: int) -> None:
        """Take how many."""
        self._form = f".{decimals}f"

    def __call__(self, value: Any) -> str:
        return format(value, self._form) if math.isfinite(value) else UNKNOWN


def _tiny(value: Any) -> str:
    return f"{value:.3g}" if math.isfinite(value) else UNKNOWN


def _yes(value: Any) -> str:
    return "yes" if value else ""


def _text(value: Any) -> str:
    return UNKNOWN if value is None or value != value else str(value)  # noqa: PLR0124  # NaN and pandas' own NA

"""Measurements of labels: shape in pixels and in physical units, and raw intensities of any channels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.regions import Regions, axes, centroids, convex_areas, find_regions, perimeters
from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

LENGTHS = ("axis_major_length", "axis_minor_length", "perimeter")
SQUARE = 1e-5
"""Pixel sizes in y and x that differ relatively by less are equal: files store them as rounded fractions."""

Columns = dict[str, npt.NDArray[Any]]


def measure(
    labels: npt.NDArray[Any],
    images: Mapping[str, Any] | None = None,
    scale: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Measure every nucleus.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        Each plane is read and measured by itself; a number that occurs in several planes gives a row in each.
    images : mapping of str to array-like, optional
        Channels by name, each of the labels' shape; raw values are measured, in float64, without NaN and infinities.
    scale : sequence of float, optional
        Micrometres per pixel of the last two axes (Y, X); more are ignored. Without it there are no physical columns.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus. ``label``; ``area`` (px2); ``centroid_y``, ``centroid_x`` (px); ``axis_major_length``, ``axis_minor_length``,
        ``perimeter`` (px); ``eccentricity``, ``solidity``; ``touches_border``; ``plane_0`` ... for stacks; with `scale` also ``area_um2``,
        ``centroid_y_um``, ``centroid_x_um``, and for square pixels the lengths with ``_um`` (NaN otherwise, since a length in pixels has
        then no size); and for each channel ``mean_``, ``median_``, ``min_``, ``max_``, ``sum_``, ``std_<name>``, NaN without a finite
        pixel. Without nuclei it has the same columns and no rows.

    Raises
    ------
    InputError
        If labels or a channel have a dtype or shape that cannot be measured, or `scale` is not positive.
    """
    import pandas as pd

    labels, images = _checked(labels, images or {})
    indices = list(np.ndindex(labels.shape[:-2]))
    tables = [_measure_at(labels, images, index) for index in indices]
    # Without planes, the columns are those of a plane without nuclei. Tables without rows would change the dtypes of the others.
    filled = [table for table in tables if len(table)] or tables[:1] or [_nothing(labels.ndim, images)]
    result = pd.concat(filled, ignore_index=True)
    return result if scale is None else add_physical(result, scale)


def measure_intensities(labels: Any, images: Mapping[str, Any]) -> pd.DataFrame:
    """Measure the intensities alone, for nuclei whose shapes are known.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        Each plane is read and measured by itself.
    images : mapping of str to array-like
        Channels by name, each of the labels' shape.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus and plane: ``label``, and the columns of each channel as in `measure`.

    Raises
    ------
    InputError
        As `measure`.
    """
    import pandas as pd

    labels, images = _checked(labels, images)
    tables = []
    for index in np.ndindex(labels.shape[:-2]):
        regions = find_regions(np.asarray(labels[index]))
        columns: Columns = {"label": regions.numbers}
        for name, image in images.items():
            columns |= _intensities(regions, np.asarray(image[index]), name)
        tables.append(pd.DataFrame(columns))
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def measure_plane(labels: npt.NDArray[Any], probability: npt.NDArray[Any] | None = None) -> pd.DataFrame:
    """Measure the shape of the nuclei of one plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background.
    probability : ndarray of float, shape (Y, X), optional
        Probability of each pixel to be of a nucleus; its mean over a nucleus is the ``score``.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus, as in `measure`, with ``index`` for napari and, with `probability`, ``score`` (not calibrated).
    """
    return _shapes(find_regions(labels), probability)


def add_physical(table: pd.DataFrame, scale: Sequence[float]) -> pd.DataFrame:
    """Add columns in micrometres.

    Parameters
    ----------
    table : pandas.DataFrame
        From `measure`.
    scale : sequence of float
        Micrometres per pixel of the last two axes (Y, X).

    Returns
    -------
    pandas.DataFrame
        A copy with ``area_um2``, ``centroid_y_um``, ``centroid_x_um`` and the lengths with ``_um``.

    Raises
    ------
    InputError
        If `scale` does not hold two positive numbers.
    """
    y, x = _pixel_size(scale)
    length = x if math.isclose(y, x, rel_tol=SQUARE) else math.nan
    physical = {"area_um2": table["area"] * y * x, "centroid_y_um": table["centroid_y"] * y, "centroid_x_um": table["centroid_x"] * x}
    return table.assign(**physical, **{f"{name}_um": table[name] * length for name in LENGTHS})


def _arrays(what: str, values: Any) -> Any:
    """Return what has a shape and dtype as it is, to be read plane by plane; convert the rest."""
    array = values if hasattr(values, "shape") and hasattr(values, "dtype") else np.asarray(values)
    if array.dtype.kind not in "buif":
        raise InputError(f"The {what} has dtype {array.dtype}; use real numbers.")
    return array


def _checked(labels: Any, images: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return labels and channels as arrays that fit together."""
    labels, images = _arrays("labels", labels), {name: _arrays(f"channel {name!r}", image) for name, image in images.items()}
    if labels.ndim < 2 or labels.dtype.kind not in "iu":
        raise InputError(f"The labels have shape {labels.shape} and dtype {labels.dtype}; they must be integers of shape (..., Y, X).")
    for name, image in images.items():
        if tuple(image.shape) != tuple(labels.shape):
            raise InputError(f"The channel {name!r} has shape {tuple(image.shape)} and the labels {labels.shape}; they must be equal.")
    return labels, images


def _pixel_size(scale: Sequence[float]) -> tuple[float, float]:
    try:
        y, x = (float(step) for step in tuple(scale)[-2:])
    except (TypeError, ValueError):
        y = x = math.nan
    if not (0 < y < math.inf and 0 < x < math.inf):
        raise InputError(f"The scale is {scale!r}; give positive micrometres per pixel for Y and X.")
    return y, x


def _measure_at(labels: Any, images: Mapping[str, Any], index: tuple[int, ...]) -> pd.DataFrame:
    """Measure the plane at an index along the leading axes."""
    regions = find_regions(np.asarray(labels[index]))
    table = _shapes(regions)
    for name, image in images.items():
        table = table.assign(**_intensities(regions, np.asarray(image[index]), name))
    for position, place in enumerate(index):
        table.insert(1 + position, f"plane_{position}", place)
    return table.drop(columns="index")


def _nothing(dimensions: int, images: Mapping[str, Any]) -> pd.DataFrame:
    blank = np.zeros((1,) * dimensions, np.int64)
    return _measure_at(blank, dict.fromkeys(images, blank), (0,) * (dimensions - 2))


def _shapes(regions: Regions, probability: npt.NDArray[Any] | None = None) -> pd.DataFrame:
    import pandas as pd

    area = regions.total()
    columns: Columns = {"label": regions.numbers, "area": area, **centroids(regions), **axes(regions)}
    columns |= {"solidity": area / convex_areas(regions), "perimeter": perimeters(regions), "touches_border": regions.touch_border()}
    if probability is not None:
        columns["score"] = regions.mean(probability[regions.rows, regions.columns])
    return pd.DataFrame(columns | {"index": regions.numbers})


def _intensities(regions: Regions, image: npt.NDArray[Any], name: str) -> Columns:
    """Return the columns of one channel; NaN for a nucleus without a finite pixel."""
    values = image[regions.rows, regions.columns].astype(np.float64)
    finite = np.isfinite(values)
    places, values = regions.places[finite], values[finite]
    count = np.bincount(places, minlength=regions.numbers.size)
    ends = np.cumsum(count)
    for start, end in zip(ends - count, ends, strict=True):
        values[start:end].sort()  # each nucleus by itself: smallest, middle and largest can then be picked
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = np.where(count, np.bincount(places, values, minlength=count.size), np.nan)
        mean = total / count
        spread = np.sqrt(np.bincount(places, (values - mean[places]) ** 2, minlength=count.size) / count)
    smallest, largest, below, above = (
        _picked(values, ends - count + step, count) for step in (0 * count, count - 1, (count - 1) // 2, count // 2)
    )
    columns = {"mean": mean, "median": below / 2 + above / 2, "min": smallest, "max": largest, "sum": total, "std": spread}
    return {f"{statistic}_{name}": column for statistic, column in columns.items()}


def _picked(values: npt.NDArray[np.float64], at: npt.NDArray[Any], count: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    picked = np.full(count.size, np.nan)
    picked[count > 0] = values[at[count > 0]]
    return picked

"""Measurements of labels: shape in pixels and in physical units, and raw intensities of any channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.instances import border_labels
from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SHAPE_PROPERTIES = (
    "label",
    "area",
    "centroid",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "solidity",
    "perimeter",
)
STATISTICS = ("mean", "median", "min", "max", "sum", "std")
_NAMES = {"centroid-0": "centroid_y", "centroid-1": "centroid_x"}


def measure(
    labels: npt.NDArray[Any],
    images: Mapping[str, Any] | None = None,
    scale: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Measure every nucleus.

    Parameters
    ----------
    labels : ndarray of int, shape (..., Y, X)
        Each plane is measured by itself; a number that occurs in several planes gives a row in each.
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
        then no size); and for each channel ``mean_``, ``median_``, ``min_``, ``max_``, ``sum_``, ``std_<name>``.

    Raises
    ------
    InputError
        If a channel has another shape than the labels, or `scale` is not positive.
    """
    import pandas as pd

    images = dict(images or {})
    _check(labels, images, scale)
    tables = []
    for index in np.ndindex(labels.shape[:-2]):
        table = measure_plane(labels[index])
        for name, image in images.items():
            table = table.assign(**_intensities(labels[index], table["label"].to_numpy(), np.asarray(image[index]), name))
        for position, place in enumerate(index):
            table.insert(1 + position, f"plane_{position}", place)
        tables.append(table.drop(columns="index"))
    filled = [table for table in tables if len(table)] or tables[:1]
    result = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame({"label": []})
    return result if scale is None else add_physical(result, scale)


def measure_plane(labels: npt.NDArray[Any], probability: npt.NDArray[Any] | None = None) -> pd.DataFrame:
    """Measure the shape of the nuclei of one plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    probability : ndarray of float, shape (Y, X), optional
        Probability of each pixel to be of a nucleus; its mean over a nucleus is the ``score``.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus, as in `measure`, with ``index`` for napari and, with `probability`, ``score`` (not calibrated).
    """
    import pandas as pd
    from skimage.measure import regionprops_table

    # regionprops warns for objects of a pixel or a line, whose hull or axes are degenerate: NaN or 0 says so in the table.
    with np.errstate(invalid="ignore", divide="ignore"):
        table = pd.DataFrame(regionprops_table(labels, properties=SHAPE_PROPERTIES)).rename(columns=_NAMES)
    table["touches_border"] = np.isin(table["label"], border_labels(labels)) if len(table) else np.zeros(0, bool)
    if probability is not None:
        numbers = table["label"].to_numpy()
        table["score"] = np.asarray(ndimage.mean(probability.astype(np.float32), labels, numbers), np.float64).reshape(len(table))
    table["index"] = table["label"]
    return table


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
    """
    y, x = float(scale[-2]), float(scale[-1])
    length = x if np.isclose(y, x) else np.nan
    lengths = ("axis_major_length", "axis_minor_length", "perimeter")
    physical = {"area_um2": table["area"] * y * x, "centroid_y_um": table["centroid_y"] * y, "centroid_x_um": table["centroid_x"] * x}
    return table.assign(**physical, **{f"{name}_um": table[name] * length for name in lengths})


def _check(labels: npt.NDArray[Any], images: Mapping[str, Any], scale: Sequence[float] | None) -> None:
    if labels.ndim < 2 or labels.dtype.kind not in "iu":
        raise InputError(f"The labels have shape {labels.shape} and dtype {labels.dtype}; they must be integers of shape (..., Y, X).")
    for name, image in images.items():
        if tuple(image.shape) != labels.shape:
            raise InputError(f"The channel {name!r} has shape {tuple(image.shape)} and the labels {labels.shape}; they must be equal.")
    if scale is not None and (len(scale) < 2 or not all(step > 0 for step in scale[-2:])):
        raise InputError(f"The scale is {tuple(scale)}; give positive micrometres per pixel for Y and X.")


def _intensities(labels: npt.NDArray[Any], numbers: npt.NDArray[Any], image: npt.NDArray[Any], name: str) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of one channel; NaN for a nucleus without a finite pixel."""
    values = image.astype(np.float64)
    finite = np.where(np.isfinite(values), labels, 0)
    present = np.isin(numbers, finite)
    functions = (ndimage.mean, ndimage.median, ndimage.minimum, ndimage.maximum, ndimage.sum_labels, ndimage.standard_deviation)
    columns = {}
    for statistic, function in zip(STATISTICS, functions, strict=True):
        column = np.full(len(numbers), np.nan)
        if present.any():
            column[present] = function(values, finite, numbers[present])
        columns[f"{statistic}_{name}"] = column
    return columns

"""Measurements of labels: shape in pixels and in physical units, and raw intensities of any channels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import each
from napari_unet_seg.core.instances import border_labels
from napari_unet_seg.core.intensities import Columns, intensities, ring_intensities
from napari_unet_seg.core.region_groups import find_groups
from napari_unet_seg.core.regions import Regions, axes, centroids, convex_areas, find_regions, perimeters
from napari_unet_seg.core.rings import find_rings
from napari_unet_seg.core.score import Foreground, Knots, calibrated
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps, drain, relay

if TYPE_CHECKING:
    import pandas as pd

LENGTHS = ("axis_major_length", "axis_minor_length", "perimeter")
SQUARE = 1e-5
"""Pixel sizes in y and x that differ relatively by less are equal: files store them as rounded fractions."""
STAGE = "Measuring"


def measure(
    labels: npt.NDArray[Any],
    images: Mapping[str, Any] | None = None,
    scale: Sequence[float] | None = None,
    ring: float = 0.0,
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
    ring : float
        Width in pixels of a ring around each nucleus, in which the channels are measured too; 0 for none. Where it lies:
        `napari_unet_seg.core.rings.find_rings`.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus. ``label``; ``area`` (px2); ``centroid_y``, ``centroid_x`` (px); ``axis_major_length``, ``axis_minor_length``,
        ``perimeter`` (px); ``eccentricity``, ``solidity``; ``touches_border``; ``plane_0`` ... for stacks; with `scale` also ``area_um2``,
        ``centroid_y_um``, ``centroid_x_um``, and for square pixels the lengths with ``_um`` (NaN otherwise, since a length in pixels has
        then no size); and for each channel ``mean_``, ``median_``, ``min_``, ``max_``, ``sum_``, ``std_<name>``, NaN without a finite
        pixel; with `ring` also ``ring_area`` (px2), and for each channel ``ring_mean_<name>`` and ``ratio_<name>``, the mean of the nucleus
        divided by that of its ring. Without nuclei it has the same columns and no rows.

    Raises
    ------
    InputError
        If labels or a channel have a dtype or shape that cannot be measured, `scale` is not positive, or `ring` is neither 0 nor 1 px.
    """
    return drain(iter_measure(labels, images, scale, ring))


def iter_measure(
    labels: npt.NDArray[Any],
    images: Mapping[str, Any] | None = None,
    scale: Sequence[float] | None = None,
    ring: float = 0.0,
) -> Steps[pd.DataFrame]:
    """Measure every nucleus, plane by plane and channel by channel.

    Parameters
    ----------
    labels, images, scale, ring
        As of `measure`.

    Yields
    ------
    Progress
        After the shapes, the rings and each channel of each plane.

    Returns
    -------
    pandas.DataFrame
        As of `measure`.

    Raises
    ------
    InputError
        As `measure`.
    """
    labels, images = _checked(labels, images or {})
    result = yield from _in_steps(labels, images, ring, shapes=True)
    return result if scale is None else add_physical(result, scale)


def measure_intensities(labels: Any, images: Mapping[str, Any], ring: float = 0.0) -> pd.DataFrame:
    """Measure the intensities alone, for nuclei whose shapes are known.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        Each plane is read and measured by itself.
    images : mapping of str to array-like
        Channels by name, each of the labels' shape.
    ring : float
        Width in pixels of a ring around each nucleus; 0 for none.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus and plane: ``label``, and the columns of each channel and of the rings as in `measure`.

    Raises
    ------
    InputError
        As `measure`.
    """
    labels, images = _checked(labels, images)
    return drain(_in_steps(labels, images, ring, shapes=False))


def measure_plane(labels: npt.NDArray[Any], probability: npt.NDArray[Any] | Foreground | None = None, knots: Knots = ()) -> pd.DataFrame:
    """Measure the shape of the nuclei of one plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background.
    probability : ndarray of float, shape (Y, X), or Foreground, optional
        Probability of each pixel to be of a nucleus; its mean over a nucleus gives the ``score``.
    knots : tuple of (float, float)
        Curve from the mean probability to the score, see `napari_unet_seg.core.score.calibrated`.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus, as in `measure`, with ``index`` for napari and, with `probability`, ``score``.
    """
    import pandas as pd

    def _measured(regions: Regions) -> Columns:
        columns = _shapes(regions)
        if probability is not None:
            columns["score"] = calibrated(regions.mean(probability[regions.rows, regions.columns]), knots)
        return columns | {"index": regions.numbers}

    groups = each(_measured, find_groups(labels))
    return pd.DataFrame({name: np.concatenate([columns[name] for columns in groups]) for name in groups[0]})


def middles(labels: npt.NDArray[np.int32]) -> pd.DataFrame:
    """Measure no more of the nuclei of one plane than where they are, in a few milliseconds.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        Numbered 1, 2, 3 ...

    Returns
    -------
    pandas.DataFrame
        One row a nucleus: ``label``, ``index``, ``centroid_y``, ``centroid_x`` and ``touches_border`` as of `measure_plane`.
    """
    import pandas as pd

    pixels = np.flatnonzero(labels)
    owner = labels.ravel()[pixels]
    area, number = np.bincount(owner, minlength=1)[1:], np.arange(1, int(owner.max(initial=0)) + 1)
    y, x = (np.bincount(owner, place, minlength=1)[1:] / area for place in np.divmod(pixels, labels.shape[1]))
    at_border = np.isin(number, border_labels(labels)) if number.size else np.zeros(0, bool)
    return pd.DataFrame({"label": number, "index": number, "centroid_y": y, "centroid_x": x, "touches_border": at_border})


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


def _in_steps(labels: Any, images: Mapping[str, Any], ring: float, shapes: bool) -> Steps[pd.DataFrame]:
    """Measure plane after plane."""
    import pandas as pd

    indices = list(np.ndindex(labels.shape[:-2]))
    parts = bool(ring) + shapes + len(images)
    tables = []
    for number, index in enumerate(indices):
        counted = partial(_counted, before=number * parts, total=len(indices) * parts)
        tables.append((yield from relay(_measure_at(labels, images, index, (ring, shapes)), counted)))
    # Without planes, the columns are those of a plane without nuclei. Tables without rows would change the dtypes of the others.
    filled = [table for table in tables if len(table)] or tables[:1] or [_nothing(labels.ndim, images, (ring, shapes))]
    return pd.concat(filled, ignore_index=True)


def _counted(step: Progress, before: int, total: int) -> Progress:
    return Progress(STAGE, before + step.done, total)


def _measure_at(labels: Any, images: Mapping[str, Any], index: tuple[int, ...], what: tuple[float, bool]) -> Steps[pd.DataFrame]:
    """Measure the plane at an index along the leading axes; the steps are counted from 1 on."""
    import pandas as pd

    ring, shapes = what
    plane = np.asarray(labels[index])
    regions = find_regions(plane)
    done = count(1)
    columns: Columns = {"label": regions.numbers}
    if shapes:
        columns |= {f"plane_{axis}": np.full(regions.numbers.size, place) for axis, place in enumerate(index)}
        columns |= _shapes(regions)
        yield Progress(STAGE, next(done), 0)
    if ring:
        rings = find_rings(plane, ring)
        columns["ring_area"] = rings.total()
        yield Progress(STAGE, next(done), 0)
    for name, image in images.items():
        pixels = np.asarray(image[index])
        columns |= intensities(regions, pixels, name)
        if ring:
            columns |= ring_intensities(rings, pixels, name, columns[f"mean_{name}"])
        yield Progress(STAGE, next(done), 0)
    return pd.DataFrame(columns)


def _nothing(dimensions: int, images: Mapping[str, Any], what: tuple[float, bool]) -> pd.DataFrame:
    blank = np.zeros((1,) * dimensions, np.int64)
    return drain(_measure_at(blank, dict.fromkeys(images, blank), (0,) * (dimensions - 2), what))


def _shapes(regions: Regions) -> Columns:
    area = regions.total()
    columns: Columns = {"label": regions.numbers, "area": area, **centroids(regions), **axes(regions)}
    return columns | {"solidity": area / convex_areas(regions), "perimeter": perimeters(regions), "touches_border": regions.touch_border()}

"""Where a person should look first: nuclei that may be two, places where one may be missing, low scores, and cut nuclei.

None of these is an error by itself. They are put in order, the most suspicious first, so that an hour of looking becomes a minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.numbering import compact

if TYPE_CHECKING:
    import pandas as pd

CONVEX, DENT = 0.95, 0.05
"""Solidity of a usual nucleus, and by how much less counts one: two equal discs that just touch have 0.88."""
MOST_DOUBLINGS = 2.0
"""A nucleus four times as large as usual is no more suspicious for being larger still."""
MERGED = 1.25
"""From this suspicion on, a nucleus is shown as perhaps two: twice the usual area and a dent, or a deep dent alone."""
LEVELS = (0.4, 0.5, 0.6, 0.7)
"""Relative distances at which the cores of a nucleus are counted."""
CORE_AREA = 4
"""px2 of the smallest core that counts."""
RIM = 2
"""Pixels around nuclei in which nothing is missing: their own borders are uncertain."""
FAINT = 0.15
"""Probability from which on something may be there."""
MIDDLE = 0.5
"""The same for intensities: share of the way from the ground to the nuclei that were found."""
LEAST_AREA = 0.25
"""Smallest part that may be a missed nucleus, as a share of the median area."""
USUAL_AREA = 80.0
"""px2 that are taken for the median area when there is no nucleus."""


@dataclass(frozen=True)
class Doubt:
    """A place to look at.

    Parameters
    ----------
    plane : tuple of int
        Index along the leading axes; empty for a single plane.
    y, x : float
        Middle of the nucleus, or of what may be one, in pixels.
    label : int
        Number of the nucleus; 0 where one may be missing.
    diameter : float
        Of the disc of equal area, in pixels.
    suspicion : float
        The higher, the earlier it is shown; comparable within one list only.
    """

    plane: tuple[int, ...]
    y: float
    x: float
    label: int
    diameter: float
    suspicion: float


def merge_suspicion(table: pd.DataFrame, cores: npt.NDArray[Any] | None = None) -> npt.NDArray[np.float64]:
    """Say how much each nucleus looks like two.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``area`` and ``solidity``, as `napari_unet_seg.measure` gives them.
    cores : ndarray of int, shape (nuclei,), optional
        From `count_cores`.

    Returns
    -------
    ndarray of float64, shape (nuclei,)
        Dents in the outline (1 for each 0.05 that solidity lacks), plus doublings of the median area (2 at most), plus the number of cores
        beyond the first. `MERGED` and more is worth a look.
    """
    if not len(table):
        return np.zeros(0)
    dents = (CONVEX - table["solidity"].to_numpy(float)) / DENT
    doublings = np.log2(table["area"].to_numpy(float) / float(table["area"].median()))
    suspicion: npt.NDArray[np.float64] = np.clip(dents, 0, None) + np.clip(doublings, 0, MOST_DOUBLINGS)
    return suspicion if cores is None else suspicion + np.clip(cores - 1, 0, None)


def count_cores(labels: npt.NDArray[Any], distance: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Count the summits of the distance map in each nucleus.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    distance : ndarray of float, shape (Y, X)
        Relative distance to the border, 0 to 1.

    Returns
    -------
    ndarray of int64, shape (nuclei,)
        The most parts of at least `CORE_AREA` px2 that the nucleus has above one of `LEVELS`; in ascending order of the labels.
    """
    numbers, places = compact(labels)
    smooth = ndimage.gaussian_filter(distance.astype(np.float32), 1.0)
    most = np.zeros(numbers.size + 1, np.int64)
    for level in LEVELS:
        parts, count = ndimage.label((smooth > level) & (places > 0))
        area = np.bincount(parts.ravel(), minlength=count + 1)
        owner = np.zeros(count + 1, np.int64)
        owner[parts] = places
        large = np.flatnonzero(area >= CORE_AREA)
        most = np.maximum(most, np.bincount(owner[large[large > 0]], minlength=numbers.size + 1))
    return most[1:]


def merged(table: pd.DataFrame, plane: tuple[int, ...] = (), cores: npt.NDArray[Any] | None = None) -> list[Doubt]:
    """List the nuclei of a plane that may be two.

    Parameters
    ----------
    table : pandas.DataFrame
        The nuclei of the plane, as `napari_unet_seg.measure` gives them.
    plane : tuple of int
        Index of the plane.
    cores : ndarray of int, shape (nuclei,), optional
        From `count_cores`.

    Returns
    -------
    list of Doubt
        The most suspicious first.
    """
    return _listed(table, plane, merge_suspicion(table, cores), MERGED)


def low_scores(table: pd.DataFrame, plane: tuple[int, ...] = ()) -> list[Doubt]:
    """List the nuclei of a plane by their score, the lowest first; parameters as `merged`.

    Returns
    -------
    list of Doubt
        Without those whose score is not known; empty when the table has none.
    """
    return _listed(table, plane, -table["score"].to_numpy(float)) if "score" in table else []


def cut_nuclei(table: pd.DataFrame, plane: tuple[int, ...] = ()) -> list[Doubt]:
    """List the nuclei of a plane that touch its border, the smallest first; parameters as `merged`.

    Returns
    -------
    list of Doubt
    """
    cut = table[table["touches_border"].to_numpy(bool)]
    return _listed(cut, plane, -cut["area"].to_numpy(float))


def missed_in_maps(labels: npt.NDArray[Any], background: npt.NDArray[Any], plane: tuple[int, ...] = ()) -> list[Doubt]:
    """List the places of a plane where the maps show something and no nucleus is.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    background : ndarray of float, shape (Y, X)
        Probability of each pixel to be of no nucleus.
    plane : tuple of int
        Index of the plane.

    Returns
    -------
    list of Doubt
        Parts away from other nuclei where the probability of a nucleus is `FAINT` at least; the most probable first.
    """
    likely = ndimage.gaussian_filter(1 - background.astype(np.float32), 1.0)
    return _places(labels, likely, FAINT, plane)


def missed_in_image(labels: npt.NDArray[Any], image: npt.NDArray[Any], plane: tuple[int, ...] = ()) -> list[Doubt]:
    """List the places of a plane that are as bright (or dark) as its nuclei and where no nucleus is.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    image : ndarray, shape (Y, X)
        The channel that shows the nuclei.
    plane : tuple of int
        Index of the plane.

    Returns
    -------
    list of Doubt
        Parts away from other nuclei that are nearer to the median nucleus than to the median ground; the nearest first. Empty when there
        is no nucleus to compare with, or no difference.
    """
    inside = labels > 0
    if not inside.any() or inside.all():
        return []
    smooth = ndimage.gaussian_filter(np.nan_to_num(image.astype(np.float32)), 1.0)
    ground, nuclei = float(np.median(smooth[~inside])), float(np.median(smooth[inside]))
    if math.isclose(ground, nuclei):
        return []
    return _places(labels, (smooth - ground) / (nuclei - ground), MIDDLE, plane)


def _places(labels: npt.NDArray[Any], height: npt.NDArray[Any], level: float, plane: tuple[int, ...]) -> list[Doubt]:
    """List the parts above a level that are no rim of a nucleus and large enough; the highest first."""
    inside = labels > 0
    free = ~ndimage.binary_dilation(inside, iterations=RIM)
    parts, count = ndimage.label((height >= level) & free)
    area = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    large = 1 + np.flatnonzero(area >= LEAST_AREA * _median_area(labels))
    if not large.size:
        return []
    heights = ndimage.mean(height, parts, large)
    middles = ndimage.center_of_mass(free, parts, large)
    doubts = [
        Doubt(plane, float(y), float(x), 0, 2 * math.sqrt(area[part - 1] / math.pi), float(high))
        for part, high, (y, x) in zip(large, heights, middles, strict=True)
    ]
    return sorted(doubts, key=_most_suspicious)


def _median_area(labels: npt.NDArray[Any]) -> float:
    numbers, places = compact(labels)
    return float(np.median(np.bincount(places.ravel())[1:])) if numbers.size else USUAL_AREA


def _listed(table: pd.DataFrame, plane: tuple[int, ...], suspicion: npt.NDArray[Any], least: float = -math.inf) -> list[Doubt]:
    numbers = table["label"] if "label" in table else table["index"]
    columns = (numbers, table["centroid_y"], table["centroid_x"], table["area"], suspicion)
    doubts = [
        Doubt(plane, float(y), float(x), int(number), 2 * math.sqrt(float(area) / math.pi), float(value))
        for number, y, x, area, value in zip(*columns, strict=True)
        if value >= least
    ]
    return sorted(doubts, key=_most_suspicious)


def _most_suspicious(doubt: Doubt) -> tuple[float, int]:
    return -doubt.suspicion, doubt.label

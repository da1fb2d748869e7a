"""The shape of every nucleus of a plane, all of them at once.

The definitions, and the values, are those of scikit-image's ``regionprops``. That measures one object at a time, which takes ten seconds
for the ten thousand nuclei of a large plane; here every step is one array operation over the pixels of all nuclei.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.numbering import compact

_DIAGONAL = 2**0.5
_STEP_CODES = ((1.0, (5, 7, 15, 17, 25, 27)), (_DIAGONAL, (21, 33)), ((1 + _DIAGONAL) / 2, (13, 23)))
STEP_LENGTHS = np.zeros(50)
"""Length of the border at a border pixel, by 1 + 2 x its border neighbours at the sides + 10 x those at the corners (Benkrid 2000)."""
for _step, _codes in _STEP_CODES:
    STEP_LENGTHS[list(_codes)] = _step

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """The pixels of the nuclei of a plane, nucleus by nucleus.

    Parameters
    ----------
    numbers : ndarray of int64, shape (nuclei,)
        The labels, ascending.
    places : ndarray of int64, shape (pixels,)
        Which nucleus each pixel belongs to, as an index into `numbers`; ascending.
    rows, columns : ndarray of int64, shape (pixels,)
        Where the pixel is, in raster order within a nucleus.
    shape : tuple of int
        (Y, X) of the plane.
    """

    numbers: Integers
    places: Integers
    rows: Integers
    columns: Integers
    shape: tuple[int, int]

    def total(self, values: npt.NDArray[Any] | None = None) -> Floats:
        """Add up values of the pixels (1 without) over each nucleus."""
        return self._counts.copy() if values is None else np.bincount(self.places, values, minlength=self.numbers.size).astype(np.float64)

    def mean(self, values: npt.NDArray[Any]) -> Floats:
        """Average values of the pixels over each nucleus."""
        return self.total(values) / self._counts

    @cached_property
    def _counts(self) -> Floats:
        return np.bincount(self.places, minlength=self.numbers.size).astype(np.float64)

    def touch_border(self) -> npt.NDArray[np.bool_]:
        """Say which nuclei have a pixel at the edge of the plane."""
        height, width = self.shape
        at_edge = (self.rows == 0) | (self.rows == height - 1) | (self.columns == 0) | (self.columns == width - 1)
        return self.total(at_edge) > 0


def find_regions(labels: npt.NDArray[Any]) -> Regions:
    """Collect the pixels of the nuclei of one plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background; any positive numbers.

    Returns
    -------
    Regions

    Raises
    ------
    InputError
        If `labels` are not integers, or one is negative.
    """
    height, width = labels.shape
    pixels = np.flatnonzero(labels)
    numbers, places = compact(labels.ravel()[pixels])
    order = np.argsort(places, kind="stable")
    rows, columns = np.divmod(pixels[order], max(width, 1))
    return Regions(numbers, places[order] - 1, rows, columns, (height, width))


def centroids(regions: Regions) -> dict[str, Floats]:
    """Return the centre of mass of each nucleus: ``centroid_y`` and ``centroid_x`` in pixels."""
    return {"centroid_y": regions.mean(regions.rows), "centroid_x": regions.mean(regions.columns)}


def axes(regions: Regions) -> dict[str, Floats]:
    """Return the axes and the eccentricity of the ellipse that has the second moments of each nucleus.

    Parameters
    ----------
    regions : Regions
        The nuclei.

    Returns
    -------
    dict of ndarray of float64, shape (nuclei,)
        ``axis_major_length`` and ``axis_minor_length`` in pixels (0 for a single pixel), ``eccentricity`` from 0 (round) to 1 (a line).
    """
    y = regions.rows - regions.mean(regions.rows)[regions.places]
    x = regions.columns - regions.mean(regions.columns)[regions.places]
    return ellipses(regions.mean(y * y), regions.mean(x * x), regions.mean(x * y))


def ellipses(yy: Floats, xx: Floats, xy: Floats) -> dict[str, Floats]:
    """Return the axes and the eccentricity of ellipses by their second moments.

    Parameters
    ----------
    yy, xx, xy : ndarray of float64, shape (nuclei,)
        Mean squares and product of the distances from the centre, in pixels.

    Returns
    -------
    dict of ndarray of float64, shape (nuclei,)
        As of `axes`.
    """
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    major, minor = middle + half, np.maximum(middle - half, 0)
    flat = np.divide(minor, major, out=np.ones_like(major), where=major > 0)
    return {"axis_major_length": 4 * np.sqrt(major), "axis_minor_length": 4 * np.sqrt(minor), "eccentricity": np.sqrt(1 - flat)}


def perimeters(regions: Regions) -> Floats:
    """Return the length of the line through the border pixels of each nucleus.

    Parameters
    ----------
    regions : Regions
        The nuclei.

    Returns
    -------
    ndarray of float64, shape (nuclei,)
        In pixels.

    References
    ----------
    Benkrid, Crookes and Benkrid (2000), "Design and FPGA implementation of a perimeter estimator"; `skimage.measure.perimeter`.
    """
    top, bottom = regions.rows.min(initial=regions.shape[0]), regions.rows.max(initial=-1)
    width = regions.shape[1] + 2  # a frame of background: each pixel has eight neighbours
    places = np.full(max(bottom - top + 3, 0) * width, -1, np.int32)
    pixels = (regions.rows - top + 1) * width + regions.columns + 1
    places[pixels] = regions.places
    sides, corners = (-width, -1, 1, width), (-width - 1, -width + 1, width - 1, width + 1)
    inner = np.logical_and.reduce([places[pixels + side] == regions.places for side in sides])
    places[pixels[inner]] = -1  # only border pixels are left
    pixels, owner = pixels[~inner], regions.places[~inner]
    beside, across = (sum((places[pixels + step] == owner).astype(np.int64) for step in steps) for steps in (sides, corners))
    return np.bincount(owner, STEP_LENGTHS[1 + 2 * beside + 10 * across], minlength=regions.numbers.size).astype(np.float64)


def convex_areas(regions: Regions) -> Floats:
    """Return the number of pixels inside the convex hull of each nucleus.

    Parameters
    ----------
    regions : Regions
        The nuclei.

    Returns
    -------
    ndarray of float64, shape (nuclei,)
        Pixels whose centre lies in the hull of the midpoints of the nucleus' pixel edges, or on it, as `skimage.measure` counts them.

    Notes
    -----
    On the left, the hull is a chain of straight lines outside the left ends of the rows, and likewise on the right. Coordinates are
    doubled, which makes midpoints whole numbers and every comparison exact.
    """
    count = regions.numbers.size
    if count == 0:
        return np.zeros(0)
    new_row = (np.diff(regions.places) > 0) | (np.diff(regions.rows) > 0)
    first, last = np.flatnonzero(np.append(True, new_row)), np.flatnonzero(np.append(new_row, True))
    place, row = regions.places[first], regions.rows[first]
    ends = np.concatenate([2 * regions.columns[first], -2 * regions.columns[last]])  # mirrored, the right is a left
    chain = _Chain.around(np.concatenate([place, place + count]), np.tile(2 * row, 2), ends).hull()
    group, line = _rows_of(place, row, count)
    # The least pixel l on the left and the mirrored -r on the right: r - l + 1 pixels of this row lie in the hull.
    inside = 1 - chain.outermost(group, 2 * line) - chain.outermost(group + count, 2 * line)
    return np.bincount(group, inside, minlength=count).astype(np.float64)


def _rows_of(place: Integers, row: Integers, count: int) -> tuple[Integers, Integers]:
    """List each row from the first to the last of each nucleus, also those that it leaves out: (nuclei, rows)."""
    first = row[np.searchsorted(place, np.arange(count))]
    heights = row[np.searchsorted(place, np.arange(count), side="right") - 1] - first + 1
    group = np.repeat(np.arange(count), heights)
    return group, np.arange(group.size) + (first - np.cumsum(heights) + heights)[group]


@dataclass(frozen=True)
class _Chain:
    """Points along y, for each of many groups; all coordinates are doubled."""

    group: Integers
    y: Integers
    x: Integers

    @staticmethod
    def around(group: Integers, y: Integers, x: Integers) -> _Chain:
        """Take the midpoints of the upper, outer and lower edge of pixels."""
        heights = (y[:, None] + np.array([-1, 0, 1])).ravel()
        return _Chain(np.repeat(group, 3), heights, (x[:, None] - np.array([0, 1, 0])).ravel())

    def hull(self) -> _Chain:
        """Keep the points of the convex chain of least x: drop points beyond the line between their neighbours until there is none."""
        left, done = self, []
        while left.group.size:
            beyond = left._beyond()
            moving = np.zeros(left.group.max() + 1, bool)
            moving[left.group[beyond]] = True
            moving = moving[left.group]
            done.append(left._where(~moving))
            left = left._where(moving & ~beyond)
        joined = _Chain(*(np.concatenate(parts) for parts in zip(*((c.group, c.y, c.x) for c in done), strict=True))) if done else self
        return joined._where(np.lexsort((joined.y, joined.group)))

    def outermost(self, group: Integers, y: Integers) -> Integers:
        """Return the least whole pixel (not doubled) of each group at heights y that is not outside the chain."""
        stride = self.y.max(initial=0) + 2
        at = np.searchsorted(self.group * stride + self.y, group * stride + y, side="right") - 1
        rise, run = self.x[at + 1] - self.x[at], self.y[at + 1] - self.y[at]
        least: Integers = -(-(self.x[at] * run + rise * (y - self.y[at])) // (2 * run))
        return least

    def _beyond(self) -> npt.NDArray[np.bool_]:
        """Mark the points on or beyond the line between the points before and after them."""
        beyond = np.zeros(self.group.size, bool)
        same = self.group[2:] == self.group[:-2]
        run, rise = np.diff(self.y), np.diff(self.x)
        beyond[1:-1] = same & (rise[:-1] * (run[:-1] + run[1:]) >= run[:-1] * (rise[:-1] + rise[1:]))
        return beyond

    def _where(self, chosen: npt.NDArray[Any]) -> _Chain:
        return _Chain(self.group[chosen], self.y[chosen], self.x[chosen])

"""The classes of a plane that is larger than memory, measured part by part: the same figures as of the whole plane.

What is added up are whole numbers, so that the order of the parts does not matter: counts, sums of coordinates, the border pixels of each
kind, and of every row the first and the last pixel of a class, which is all that its convex hull depends on. Probabilities alone are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.lattice import within
from napari_unet_seg.core.regions import STEP_LENGTHS, Regions, convex_areas, ellipses

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box

REACH = 2
"""Pixels around a part that decide on the border in it: beside a pixel, and beside those."""
_CODES = STEP_LENGTHS.size

Integers = npt.NDArray[np.int64]
ClassMap = npt.NDArray[np.uint8]
Sums = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class ClassView:
    """A part of a class map with a margin.

    Parameters
    ----------
    classes : ndarray of uint8, shape (Y, X)
        Numbers of the classes; `REACH` pixels more than the part on each side, as far as the plane goes.
    sure : ndarray of float, shape (Y, X)
        Probability of the class of each pixel.
    window : tuple of slice
        Where that lies in the plane.
    core : tuple of slice
        The part.
    shape : tuple of int
        (Y, X) of the plane.
    """

    classes: ClassMap
    sure: npt.NDArray[Any]
    window: Box
    core: Box
    shape: tuple[int, int]


def measure_part(view: ClassView, count: int, channels: Mapping[str, npt.NDArray[Any]]) -> Sums:
    """Measure the classes in a part of a plane.

    Parameters
    ----------
    view : ClassView
    count : int
        How many classes there are, with the background.
    channels : mapping of str to ndarray of uint8 or uint16
        Raw values in the part, for intensities.

    Returns
    -------
    dict of ndarray
        What `class_table` adds up.
    """
    inside = within(view.core, view.window)
    classes = view.classes[inside]
    rows, columns = (np.arange(size, dtype=np.int64) for size in classes.shape)
    top, left = (side.start for side in view.core)
    # How many pixels of a class there are in each row and column: sums over them are sums over the pixels.
    down = np.stack([np.count_nonzero(classes == number, axis=1) for number in range(count)])  # (classes, Y)
    along = np.stack([np.count_nonzero(classes == number, axis=0) for number in range(count)])  # (classes, X)
    first, last = _ends(classes, count)
    sums: Sums = {"area": down.sum(axis=1), "first": np.where(first < 0, -1, first + left), "last": np.where(last < 0, -1, last + left)}
    sums |= {"y": down @ rows, "x": along @ columns, "yy": down @ rows**2, "xx": along @ columns**2}
    across = np.stack([np.where(classes == number, columns, 0).sum(axis=1) for number in range(count)])
    sums |= {"xy": across @ rows, "origin": np.array([top, left])}
    sums["score"] = np.bincount(classes.ravel(), view.sure[inside].ravel(), minlength=count)
    sums["codes"] = _border_codes(view.classes, inside, count)
    sums["edge"] = _at_edge(classes, view, count)
    for name, pixels in channels.items():
        values = int(np.iinfo(pixels.dtype).max) + 1
        sums[f"values {name}"] = np.bincount(classes.ravel().astype(np.int64) * values + pixels.ravel(), minlength=count * values)
    return sums


def _ends(classes: ClassMap, count: int) -> tuple[Integers, Integers]:
    """Return the first and the last column of each class in each row, -1 where there is none: (classes, Y)."""
    firsts, lasts = [], []
    for number in range(count):
        mask = classes == number
        there = mask.any(axis=1)
        firsts.append(np.where(there, mask.argmax(axis=1), -1))
        lasts.append(np.where(there, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1), -1))
    return np.stack(firsts), np.stack(lasts)


def _border_codes(classes: ClassMap, inside: Box, count: int) -> Integers:
    """Count the border pixels of each class by how many of their neighbours are of its border, as `regions.perimeters` tells them apart."""
    framed = np.pad(classes, 1)  # beyond the plane, and beyond the margin, is background

    def _moved(array: npt.NDArray[Any], y: int, x: int) -> npt.NDArray[Any]:
        return array[1 + y : array.shape[0] - 1 + y, 1 + x : array.shape[1] - 1 + x]

    inner = np.logical_and.reduce([_moved(framed, y, x) == classes for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1))])
    border = np.where(inner, 0, classes)
    framed = np.pad(border, 1)
    code = np.ones(border.shape, np.uint8)
    for worth, steps in ((2, ((-1, 0), (1, 0), (0, -1), (0, 1))), (10, ((-1, -1), (-1, 1), (1, -1), (1, 1)))):
        for y, x in steps:
            code += np.uint8(worth) * (_moved(framed, y, x) == border)
    owner = border[inside].ravel().astype(np.int64)
    counts: Integers = np.bincount(owner * _CODES + code[inside].ravel(), minlength=count * _CODES).reshape(count, _CODES)
    return counts


def _at_edge(classes: ClassMap, view: ClassView, count: int) -> npt.NDArray[np.bool_]:
    """Say which classes touch the edge of the plane in the part."""
    (top, left), (bottom, right) = zip(*((side.start, side.stop) for side in view.core), strict=True)
    lines = [classes[0]] if top == 0 else []
    lines += [classes[-1]] if bottom == view.shape[0] else []
    lines += [classes[:, 0]] if left == 0 else []
    lines += [classes[:, -1]] if right == view.shape[1] else []
    touching = np.zeros(count, bool)
    for line in lines:
        touching[line] = True
    return touching


class ClassTally:
    """The classes of a plane, added up part by part.

    Parameters
    ----------
    count : int
        How many classes there are, with the background.
    shape : tuple of int
        (Y, X) of the plane.
    """

    def __init__(self, count: int, shape: tuple[int, int]) -> None:
        """Start with nothing."""
        self._shape = shape
        self._sums: dict[str, list[int]] = {name: [0] * count for name in ("area", "y", "x", "yy", "xx", "xy")}
        self._first = np.full((count, shape[0]), shape[1], np.int64)
        self._last = np.full((count, shape[0]), -1, np.int64)
        self._added: Sums = {}

    def add(self, part: Sums) -> None:
        """Add a part from `measure_part`."""
        top, left = part["origin"].tolist()
        moved = zip(*(part[name].tolist() for name in self._sums), strict=True)
        for number, (area, y, x, yy, xx, xy) in enumerate(moved):  # in Python's numbers, which have no end
            sums = (area, y + area * top, x + area * left, yy + 2 * top * y + area * top**2, xx + 2 * left * x + area * left**2)
            for name, value in zip(self._sums, (*sums, xy + top * x + left * y + area * top * left), strict=True):
                self._sums[name][number] += value
        rows = slice(top, top + part["first"].shape[1])
        there = part["first"] >= 0
        self._first[:, rows] = np.where(there, np.minimum(self._first[:, rows], part["first"]), self._first[:, rows])
        self._last[:, rows] = np.maximum(self._last[:, rows], part["last"])
        for name, values in part.items():
            if name in ("score", "codes") or name.startswith("values "):
                self._added[name] = self._added.get(name, 0) + values
        self._added["edge"] = self._added.get("edge", np.zeros(len(values := part["edge"]), bool)) | values

    def columns(self) -> Sums:
        """Return the columns of a table as of `napari_unet_seg.core.measure.measure_plane`, one row a class that there is."""
        there = [number for number, area in enumerate(self._sums["area"]) if area and number]
        area = np.array([self._sums["area"][number] for number in there], np.float64)
        middle = {name: [Fraction(self._sums[name][number], self._sums["area"][number]) for number in there] for name in ("y", "x")}
        spread = [self._central(names, there) for names in (("yy", "y", "y"), ("xx", "x", "x"), ("xy", "x", "y"))]
        columns: Sums = {"label": np.array(there, np.int64), "area": area}
        columns |= {f"centroid_{name}": np.array([float(value) for value in values]) for name, values in middle.items()}
        columns |= ellipses(*spread)
        columns["solidity"] = area / convex_areas(self._outlines(there)) if there else area
        codes = self._added["codes"][there].reshape(len(there), _CODES)
        columns |= {"perimeter": codes @ STEP_LENGTHS, "touches_border": self._added["edge"][there]}
        columns |= {"score": self._added["score"][there] / area}
        for name, values in self._added.items():
            if name.startswith("values "):
                columns |= _statistics(values.reshape(len(self._first), -1)[there], name.removeprefix("values "))
        return columns

    def _central(self, names: tuple[str, str, str], there: list[int]) -> npt.NDArray[np.float64]:
        """Return the mean product of two coordinates less that of their means, without rounding on the way."""
        square, one, other = (self._sums[name] for name in names)
        area = self._sums["area"]
        moments = [Fraction(square[n] * area[n] - one[n] * other[n], area[n] ** 2) for n in there]
        return np.array([float(moment) for moment in moments], np.float64)

    def _outlines(self, there: list[int]) -> Regions:
        """Return the ends of all rows of each class, as pixels."""
        places, rows = np.nonzero(self._last[there] >= 0)
        ends = np.stack([self._first[there][places, rows], self._last[there][places, rows]], axis=1)
        return Regions(np.array(there, np.int64), np.repeat(places, 2), np.repeat(rows, 2), ends.ravel(), self._shape)


def _statistics(counts: Integers, name: str) -> Sums:
    """Return what `napari_unet_seg.core.intensities` measures, from how often each value occurs: (classes, values)."""
    values = np.arange(counts.shape[1], dtype=np.float64)
    number, total = counts.sum(axis=1), counts @ values
    mean = total / number
    reached = np.cumsum(counts, axis=1)
    ranks = (0 * number, number - 1, (number - 1) // 2, number // 2)
    picked = [np.array([np.searchsorted(*each, side="right") for each in zip(reached, rank, strict=True)], np.float64) for rank in ranks]
    spread = np.sqrt((counts * (values - mean[:, None]) ** 2).sum(axis=1) / number)
    found = {"mean": mean, "median": picked[2] / 2 + picked[3] / 2, "min": picked[0], "max": picked[1], "sum": total, "std": spread}
    return {f"{statistic}_{name}": column for statistic, column in found.items()}

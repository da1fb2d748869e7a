"""The maps of a plane, or of those parts of it that a region needs, and the nuclei that are decoded from them.

In a file without torch, so that maps can be received where torch does not start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.decoding import Decoding
from napari_unet_seg.core.measure import measure_plane, middles
from napari_unet_seg.core.score import Foreground

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.area_of_interest import AreaOfInterest
    from napari_unet_seg.core.grid import Grid
    from napari_unet_seg.core.scaled_plane import Maps
    from napari_unet_seg.core.score import Knots
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import SegmentSettings

REACH = 5
"""Pixels over which the smoothing of the decoder sees."""

Labels = npt.NDArray[np.int32]
Found = tuple["Box", Labels, "pd.DataFrame"]
"""Where nuclei were looked for, in pixels of the labels' size; their labels there, and their table."""


@dataclass(frozen=True, eq=False)
class MapPart:
    """The maps of a part of a plane.

    Parameters
    ----------
    box : tuple of slice
        Where they lie: (Y, X) in pixels of the labels' size.
    maps : ndarray of float16, shape (C, Y, X)
    area : AreaOfInterest, optional
        In the same pixels; only nuclei whose centroid lies inside count.
    """

    box: Box
    maps: Maps
    area: AreaOfInterest | None = None

    def inside(self, labels: Labels, table: pd.DataFrame, exclude_border: bool) -> tuple[Labels, pd.DataFrame]:
        """Keep the nuclei that count, numbered without gaps.

        Parameters
        ----------
        labels : ndarray of int32, shape of the box
            Numbered 1, 2, 3 ...
        table : pandas.DataFrame
            One row a nucleus: ``label``, ``index``, ``centroid_y``, ``centroid_x``, ``touches_border``.
        exclude_border : bool
            Whether nuclei that touch the border do not count.

        Returns
        -------
        labels : ndarray of int32, shape of the box
        table : pandas.DataFrame
        """
        if self.area is None:
            return labels, table
        top, left = (side.start for side in self.box)
        keep = self.area.contains(table["centroid_y"] + top, table["centroid_x"] + left)
        if exclude_border:
            keep &= ~table["touches_border"].to_numpy()
        kept = table[keep].reset_index(drop=True)
        number = np.zeros(len(table) + 1, np.int32)
        number[kept["label"]] = np.arange(1, len(kept) + 1)
        kept["label"] = kept["index"] = np.arange(1, len(kept) + 1)
        return number[labels], kept

    def is_cut(self, extent: tuple[int, int], probability: float) -> bool:
        """Say whether something of the area hangs together with what is not known.

        Parameters
        ----------
        extent : tuple of int
            (Y, X) of the whole plane, in pixels of the labels' size.
        probability : float
            Of `SegmentSettings`.

        Returns
        -------
        bool
        """
        if self.area is None:
            return False
        background = self.maps[0]
        parts, _ = ndimage.label(background <= np.float16(1 - probability))
        unknown = background > 1
        doubt = ndimage.binary_dilation(unknown, iterations=REACH) if unknown.any() else np.zeros(background.shape, bool)
        for axis, (side, size) in enumerate(zip(self.box, extent, strict=True)):
            along = np.moveaxis(doubt, axis, 0)
            along[: REACH * (side.start > 0)] = True
            along[along.shape[0] - REACH * (side.stop < size) :] = True
        doubtful = np.unique(parts[doubt])
        around = ndimage.find_objects(parts)
        return any(self.area.touches(_moved(around[number - 1], self.box)) for number in doubtful[doubtful > 0])


@dataclass(frozen=True, eq=False)
class PlaneMaps:
    """The maps that the labels of a plane are decoded from.

    Parameters
    ----------
    parts : tuple of MapPart
        One for the whole plane, or those of a region.
    grid : Grid
        The pixels of the labels.
    extent : tuple of int
        (Y, X) of the whole plane, in pixels of the labels' size.
    """

    parts: tuple[MapPart, ...]
    grid: Grid
    extent: tuple[int, int]

    @property
    def whole(self) -> Maps | None:
        """The maps of the whole plane in the image's own pixels; None when they are of a region, or of other pixels."""
        [first, *others] = self.parts
        return first.maps if self.grid.is_full and first.area is None and not others else None

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the labels."""
        return self.grid.shape

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return sum(part.maps.nbytes for part in self.parts)

    def is_cut(self, probability: float) -> bool:
        """Say whether nuclei of the region hang together with others that are not known; parameters as of `MapPart.is_cut`."""
        return any(part.is_cut(self.extent, probability) for part in self.parts)


class PlaneDecoding:
    """A plane that is decoded again and again, as a slider moves.

    Parameters
    ----------
    plane : PlaneMaps
    """

    def __init__(self, plane: PlaneMaps) -> None:
        """Do what depends on no setting."""
        self._plane = plane
        self._decodings = [Decoding(part.maps) for part in plane.parts]

    def labels(self, settings: SegmentSettings) -> Labels:
        """Decode the plane.

        Parameters
        ----------
        settings : SegmentSettings
            Those of a plane, areas in pixels of the image.

        Returns
        -------
        ndarray of int32, shape (Y, X)
            Numbered 1, 2, 3 ...
        """
        return self._found(settings, middles_of)[0]

    def measured(self, settings: SegmentSettings, knots: Knots = ()) -> tuple[Labels, pd.DataFrame]:
        """Decode and measure the plane.

        Parameters
        ----------
        settings : SegmentSettings
            As of `labels`.
        knots : tuple of (float, float)
            As of `napari_unet_seg.core.measure.measure_plane`.

        Returns
        -------
        labels : ndarray of int32, shape (Y, X)
        table : pandas.DataFrame
            One row a nucleus.
        """
        return self._found(settings, partial(_measured, knots))

    def _found(self, settings: SegmentSettings, measure: Callable[[MapPart, Labels], pd.DataFrame]) -> tuple[Labels, pd.DataFrame]:
        on_grid, found = settings_on(self._plane.grid.step, settings), []
        for part, decoding in zip(self._plane.parts, self._decodings, strict=True):
            labels = decoding.labels(on_grid)
            found.append((part.box, *part.inside(labels, measure(part, labels), settings.exclude_border)))
        return put_together(found, self._plane.grid)


def settings_on(step: int, settings: SegmentSettings) -> SegmentSettings:
    """Return what the decoder is told.

    Parameters
    ----------
    step : int
        Pixels of the image along one of the maps.
    settings : SegmentSettings
        Areas in pixels of the image.

    Returns
    -------
    SegmentSettings
        Areas in pixels of the maps; what lies at the border of a part need not lie at that of the plane.
    """
    low, high = math.ceil(settings.min_area / step**2), math.ceil(settings.max_area / step**2)
    return replace(settings, min_area=low, max_area=high, exclude_border=settings.exclude_border and not settings.region)


def put_together(found: Iterable[Found], grid: Grid) -> tuple[Labels, pd.DataFrame]:
    """Place what was found in parts on a grid, numbered part by part.

    Parameters
    ----------
    found : iterable of Found
        What was found in each part; of the whole plane, it is returned as it is.
    grid : Grid

    Returns
    -------
    labels : ndarray of int32, shape of the grid
    table : pandas.DataFrame
    """
    import pandas as pd

    found = list(found)
    if len(found) == 1 and found[0][0] == grid.box:
        return found[0][1:]
    labels, tables, count = np.zeros(grid.shape, np.int32), [], 0
    for box, outlines, table in found:
        there, here = common(grid, box)
        seen = outlines[here]
        labels[there] = np.where(seen, seen + count, labels[there])
        top, left = (part.start - start.start for part, start in zip(box, grid.box, strict=True))
        moved = {"centroid_y": table["centroid_y"] + top, "centroid_x": table["centroid_x"] + left}
        tables.append(table.assign(**moved, label=table["label"] + count, index=table["index"] + count))
        count += len(table)
    filled = [table for table in tables if len(table)] or tables[:1]
    return labels, pd.concat(filled, ignore_index=True)


def common(grid: Grid, box: Box) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return what a part and a grid have in common.

    Parameters
    ----------
    grid : Grid
    box : tuple of slice
        Of the part, in pixels of the labels' size.

    Returns
    -------
    there, here : tuple of slice
        In pixels of the grid, and of the part.
    """
    sides = [(max(p.start, g.start), min(p.stop, g.stop), g.start, p.start) for p, g in zip(box, grid.box, strict=True)]
    return tuple(slice(a - g, b - g) for a, b, g, _ in sides), tuple(slice(a - p, b - p) for a, b, _, p in sides)


def middles_of(part: MapPart, labels: Labels) -> pd.DataFrame:
    """Return no more of the nuclei than tells which of them count: of a whole plane, all do.

    Parameters
    ----------
    part : MapPart
    labels : ndarray of int32, shape (Y, X)

    Returns
    -------
    pandas.DataFrame
        From `middles`; empty for a whole plane.
    """
    return middles(labels if part.area is not None else np.zeros((0, 0), np.int32))


def _measured(knots: Knots, part: MapPart, labels: Labels) -> pd.DataFrame:
    return measure_plane(labels, Foreground(part.maps[0]), knots)


def _moved(inner: Box, outer: Box) -> Box:
    """Return a box inside another one in pixels of the plane."""
    y, x = (slice(i.start + o.start, i.stop + o.start) for i, o in zip(inner, outer, strict=True))
    return y, x

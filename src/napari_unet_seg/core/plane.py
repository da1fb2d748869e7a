"""One plane to nuclei: all of it, or those of a region, which are the same as if all of it had been segmented.

A region is computed with a margin. A nucleus of it may hang together with others beyond the margin, and how such a clump is parted depends
on all of it: then the region is computed again with a wider one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.instances import classes, instances
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.predict import STAGE, Predictor
from napari_unet_seg.core.scale import agrees, estimate_diameter, is_too_large
from napari_unet_seg.core.scaled_plane import Part
from napari_unet_seg.core.score import knots_of
from napari_unet_seg.core.tissue import find_tissue
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.grid import Grid
    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.scaled_plane import Maps
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.core.tissue import Tissue
    from napari_unet_seg.settings import SegmentSettings

LEAST_MARGIN, MARGIN_DIAMETERS = 48, 3
"""The first margin around a region, in pixels and in typical diameters, whichever is more."""
WIDER = 3
"""The next margin over the last."""
REACH = 5
"""Pixels over which the smoothing of the decoder sees."""

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class PlaneResult:
    """What was found in a plane.

    Parameters
    ----------
    maps : ndarray of float16, shape (C, Y, X), or None
        What the labels were decoded from; None unless it is the whole plane at its own size.
    labels : ndarray of int32, shape (Y, X)
        On the grid.
    classes : ndarray of uint8, shape (Y, X)
        The most likely class; 0 where the network did not look.
    table : pandas.DataFrame
        One row a nucleus, in pixels of the grid.
    limits : Limits
        Of the whole plane.
    diameter : float
        To which the plane was rescaled; 0 when it was not.
    """

    maps: Maps | None
    labels: Labels
    classes: npt.NDArray[np.uint8]
    table: pd.DataFrame
    limits: Limits
    diameter: float


@dataclass(frozen=True)
class _Look:
    """What the network and the decoder say of a part."""

    part: Part
    maps: Maps
    labels: Labels
    table: pd.DataFrame
    diameter: float


def iter_plane(predictor: Predictor, plane: Pyramid, grid: Grid, told: bool = False) -> Steps[PlaneResult]:
    """Segment one plane, at a smaller scale if its nuclei are far larger than the model knows.

    Parameters
    ----------
    predictor : Predictor
        The model on its device, with the settings.
    plane : Pyramid
        The plane.
    grid : Grid
        The pixels of the labels.
    told : bool
        Whether the user knows already that planes are rescaled.

    Yields
    ------
    Progress
        After each tile.

    Returns
    -------
    PlaneResult

    Raises
    ------
    InputError
        If the region lies beyond the plane.
    """
    settings = predictor.settings
    with compute_errors("Reading the image"):
        limits = estimate_limits(plane.full, settings)
        tissue = find_tissue(plane) if settings.skip_glass and limits.polarity == "dark" else None
    work = _Plane(predictor, plane, limits, grid.step, tissue)
    if settings.region:
        looks = yield from work.iter_region(AreaOfInterest.of(settings.region), told)
    else:
        looks = [(yield from work.iter_look(Part(grid.box, grid.step, tissue=tissue), told))]
    with compute_errors("Measuring the nuclei"):
        return _put_together(looks, work, grid)


@dataclass(frozen=True)
class _Plane:
    """A plane, and how it is looked at."""

    predictor: Predictor
    plane: Pyramid
    limits: Limits
    step: int
    tissue: Tissue | None

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        return len(self.predictor.model.settings.classes)

    @property
    def settings(self) -> SegmentSettings:
        """What the decoder is told: areas in pixels of the grid; what lies at the border of a part need not lie at that of the plane."""
        settings, pixels = self.predictor.settings, self.step**2
        low, high = math.ceil(settings.min_area / pixels), math.ceil(settings.max_area / pixels)
        return replace(settings, min_area=low, max_area=high, exclude_border=settings.exclude_border and not settings.region)

    def iter_region(self, area: AreaOfInterest, told: bool) -> Steps[list[_Look]]:
        """Look at each group of polygons, and keep the nuclei that lie inside."""
        margin = max(LEAST_MARGIN, MARGIN_DIAMETERS * (self.predictor.settings.diameter or self.predictor.known_diameter))
        groups = area.groups(self.plane.shape, margin)
        if not groups:
            height, width = self.plane.shape
            raise InputError(f"The region lies outside of the image of {width} × {height} pixels; draw it on the image.")
        looks: list[_Look] = []
        for group in groups:
            look = yield from self._iter_group(group, margin, told or any(look.diameter for look in looks))
            looks.append(self._inside(look, group))
        return looks

    def _iter_group(self, group: AreaOfInterest, margin: float, told: bool) -> Steps[_Look]:
        """Look at polygons with a margin that is wide enough."""
        shape = (math.ceil(self.plane.shape[0] / self.step), math.ceil(self.plane.shape[1] / self.step))
        small = group.reduced(self.step)
        while box := small.box(shape, margin / self.step):
            look = yield from self.iter_look(Part(box, self.step, group, margin, self.tissue), told)
            if not _is_cut(look, small, shape, self.predictor.settings.probability):
                break
            margin *= WIDER
        return look

    def iter_look(self, part: Part, told: bool) -> Steps[_Look]:
        """Let the network look at a part, and again at a smaller scale if its nuclei are far too large."""
        predictor, diameter = self.predictor, self.predictor.settings.diameter
        maps = yield from predictor.iter_maps(self.plane, self.limits, part=part)
        labels = self._decode(maps)
        estimate = self.step * estimate_diameter(labels)
        if diameter == 0 and is_too_large(estimate, predictor.known_diameter):
            reduced = yield from predictor.iter_maps(self.plane, self.limits, estimate, part)
            again = self._decode(reduced)
            if agrees(again, labels):
                maps, labels, diameter = reduced, again, estimate
                if not told:
                    yield Progress(STAGE, 0, 0, notice=reduced_notice(diameter))
        with compute_errors("Measuring the nuclei"):
            return _Look(part, maps, labels, measure_plane(labels, 1 - maps[0], knots_of(predictor.model.card)), diameter)

    def _decode(self, maps: Maps) -> Labels:
        with compute_errors("Separating the nuclei"):
            return instances(maps, self.settings)

    def _inside(self, look: _Look, group: AreaOfInterest) -> _Look:
        """Keep the nuclei whose centroid lies inside, numbered without gaps."""
        top, left = (side.start for side in look.part.box)
        keep = group.reduced(self.step).contains(look.table["centroid_y"] + top, look.table["centroid_x"] + left)
        if self.predictor.settings.exclude_border:
            keep &= ~look.table["touches_border"].to_numpy()
        table = look.table[keep].reset_index(drop=True)
        number = np.zeros(len(look.table) + 1, np.int32)
        number[table["label"]] = np.arange(1, len(table) + 1)
        table["label"] = table["index"] = np.arange(1, len(table) + 1)
        return replace(look, labels=number[look.labels], table=table)


def reduced_notice(diameter: float) -> str:
    """Say that planes are reduced since their nuclei are large; `diameter` is in pixels."""
    return f"Nuclei of about {diameter:.0f} px across: such planes are reduced to the size the model knows."


def _is_cut(look: _Look, area: AreaOfInterest, shape: tuple[int, int], probability: float) -> bool:
    """Say whether something of the area hangs together with what is not known."""
    background, box = look.maps[0], look.part.box
    parts, _ = ndimage.label(background <= np.float16(1 - probability))
    unknown = background > 1
    doubt = ndimage.binary_dilation(unknown, iterations=REACH) if unknown.any() else np.zeros(background.shape, bool)
    for axis, (side, size) in enumerate(zip(box, shape, strict=True)):
        along = np.moveaxis(doubt, axis, 0)
        along[: REACH * (side.start > 0)] = True
        along[along.shape[0] - REACH * (side.stop < size) :] = True
    doubtful = np.unique(parts[doubt])
    around = ndimage.find_objects(parts)
    return any(area.touches(_moved(around[number - 1], box)) for number in doubtful[doubtful > 0])


def _moved(inner: Box, outer: Box) -> Box:
    """Return a box inside another one in pixels of the plane."""
    y, x = (slice(i.start + o.start, i.stop + o.start) for i, o in zip(inner, outer, strict=True))
    return y, x


def _put_together(looks: list[_Look], work: _Plane, grid: Grid) -> PlaneResult:
    """Place what was seen on the grid."""
    import pandas as pd

    whole = looks[0] if not work.predictor.settings.region else None
    diameter = max(look.diameter for look in looks)
    if whole is not None:
        maps = whole.maps if grid.is_full else None
        return PlaneResult(maps, whole.labels, classes(whole.maps, work.classes), whole.table, work.limits, diameter)
    labels, class_map = np.zeros(grid.shape, np.int32), np.zeros(grid.shape, np.uint8)
    tables, count = [], 0
    for look in looks:
        there, here = _common(grid, look.part)
        found = look.labels[here]
        labels[there] = np.where(found, found + count, labels[there])
        class_map[there] = classes(look.maps, work.classes)[here]
        top, left = (part.start - start.start for part, start in zip(look.part.box, grid.box, strict=True))
        table = look.table.assign(centroid_y=look.table["centroid_y"] + top, centroid_x=look.table["centroid_x"] + left)
        tables.append(table.assign(label=table["label"] + count, index=table["index"] + count))
        count += len(table)
    filled = [table for table in tables if len(table)] or tables[:1]
    return PlaneResult(None, labels, class_map, pd.concat(filled, ignore_index=True), work.limits, diameter)


def _common(grid: Grid, part: Part) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return what a part and the grid have in common, in pixels of the grid and of the part."""
    sides = [(max(p.start, g.start), min(p.stop, g.stop), g.start, p.start) for p, g in zip(part.box, grid.box, strict=True)]
    return tuple(slice(a - g, b - g) for a, b, g, _ in sides), tuple(slice(a - p, b - p) for a, b, _, p in sides)

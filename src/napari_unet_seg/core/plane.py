"""One plane to nuclei: all of it, or those of a region, which are the same as if all of it had been segmented.

A region is computed with a margin. A nucleus of it may hang together with others beyond the margin, and how such a clump is parted depends
on all of it: then the region is computed again with a wider one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.decoding import Decoded, decode
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.instances import classes
from napari_unet_seg.core.map_parts import MapPart, PlaneMaps, common, middles_of, put_together, settings_on
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.predict import STAGE, Predictor
from napari_unet_seg.core.scale import UNASKED, agrees, is_too_much, is_unfamiliar, size_notice, typical_diameter
from napari_unet_seg.core.scaled_plane import Part
from napari_unet_seg.core.score import Foreground, knots_of
from napari_unet_seg.core.tissue import find_tissue
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.grid import Grid
    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.scaled_plane import Maps
    from napari_unet_seg.core.tissue import Tissue
    from napari_unet_seg.settings import SegmentSettings

LEAST_MARGIN, MARGIN_DIAMETERS = 48, 3
"""The first margin around a region, in pixels and in typical diameters, whichever is more."""
WIDER = 3
"""The next margin over the last."""

Labels = npt.NDArray[np.int32]


class Wanted(NamedTuple):
    """What is wanted of an image besides labels.

    Parameters
    ----------
    table : bool
        Whether nuclei are measured.
    classes : bool
        Whether there is a class map.
    """

    table: bool = True
    classes: bool = True


EVERYTHING = Wanted()


@dataclass(frozen=True)
class PlaneResult:
    """What was found in a plane.

    Parameters
    ----------
    maps : PlaneMaps
        What the labels were decoded from.
    labels : ndarray of int32, shape (Y, X)
        On the grid.
    classes : ndarray of uint8, shape (Y, X)
        The most likely class; 0 where the network did not look. Without a pixel, if it was not wanted.
    table : pandas.DataFrame
        One row a nucleus, in pixels of the grid; as of `middles_of`, if nothing was to be measured.
    limits : Limits
        Of the whole plane.
    diameter : float
        To which the plane was rescaled; 0 when it was not.
    """

    maps: PlaneMaps
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
    area: AreaOfInterest | None = None

    @property
    def kept(self) -> MapPart:
        """The maps, and which nuclei of them count."""
        return MapPart(self.part.box, self.maps, self.area)


def iter_plane(predictor: Predictor, plane: Pyramid, grid: Grid, told: bool = False, wanted: Wanted = EVERYTHING) -> Steps[PlaneResult]:
    """Segment one plane, at another scale if its nuclei are of a size that the model does not know.

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
    wanted : Wanted
        What is wanted besides labels.

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
    work = _Plane(predictor, plane, limits, grid.step, tissue, wanted)
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
    wanted: Wanted

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        return len(self.predictor.model.settings.classes)

    @property
    def settings(self) -> SegmentSettings:
        """What the decoder is told."""
        return settings_on(self.step, self.predictor.settings)

    @property
    def extent(self) -> tuple[int, int]:
        """(Y, X) in pixels of the grid."""
        return math.ceil(self.plane.shape[0] / self.step), math.ceil(self.plane.shape[1] / self.step)

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
            labels, table = look.kept.inside(look.labels, look.table, self.predictor.settings.exclude_border)
            looks.append(replace(look, labels=labels, table=table))
        return looks

    def _iter_group(self, group: AreaOfInterest, margin: float, told: bool) -> Steps[_Look]:
        """Look at polygons with a margin that is wide enough."""
        small = group.reduced(self.step)
        while box := small.box(self.extent, margin / self.step):
            look = yield from self.iter_look(Part(box, self.step, group, margin, self.tissue), told)
            look = replace(look, area=small)
            if not look.kept.is_cut(self.extent, self.predictor.settings.probability):
                break
            margin *= WIDER
        return look

    def iter_look(self, part: Part, told: bool) -> Steps[_Look]:
        """Let the network look at a part, and again at another scale if its nuclei are of a size that it does not know."""
        predictor, diameter = self.predictor, self.predictor.settings.diameter
        maps = yield from predictor.iter_maps(self.plane, self.limits, part=part, every=self.wanted.classes)
        labels, area = self._decode(maps)
        estimate = self.step * typical_diameter(area)
        smallest, largest = predictor.known_sizes
        if diameter == 0 and is_unfamiliar(estimate, smallest, largest):
            left = is_too_much(estimate, smallest, self._pixels(part))
            if not left:
                rescaled = yield from predictor.iter_maps(self.plane, self.limits, estimate, part, self.wanted.classes)
                again, other_area = self._decode(rescaled)
                if agrees(int(other_area.sum()), int(area.sum()), estimate < smallest):
                    maps, labels, diameter = rescaled, again, estimate
            if (left or diameter) and not told:
                yield Progress(STAGE, 0, 0, notice=UNASKED if left else size_notice(estimate))
        with compute_errors("Measuring the nuclei"):
            return _Look(part, maps, labels, self._table(MapPart(part.box, maps, part.area), labels), diameter)

    def _table(self, part: MapPart, labels: Labels) -> pd.DataFrame:
        if not self.wanted.table:
            return middles_of(part, labels)
        return measure_plane(labels, Foreground(part.maps[0]), knots_of(self.predictor.model.card))

    def _pixels(self, part: Part) -> int:
        """Return how many pixels of the plane a part has."""
        sides = zip(part.box, self.plane.shape, strict=True)
        spans: list[int] = [min(side.stop * self.step, size) - side.start * self.step for side, size in sides]
        return math.prod(spans)

    def _decode(self, maps: Maps) -> Decoded:
        with compute_errors("Separating the nuclei"):
            return decode(maps, self.settings)


def _put_together(looks: list[_Look], work: _Plane, grid: Grid) -> PlaneResult:
    """Place what was seen on the grid."""
    maps = PlaneMaps(tuple(look.kept for look in looks), grid, work.extent)
    labels, table = put_together([(look.part.box, look.labels, look.table) for look in looks], grid)
    class_map = np.zeros(grid.shape if work.wanted.classes else (0, 0), np.uint8)
    for look in looks if work.wanted.classes else []:
        there, here = common(grid, look.part.box)
        class_map[there] = classes(look.maps, work.classes)[here]
    return PlaneResult(maps, labels, class_map, table, work.limits, max(look.diameter for look in looks))

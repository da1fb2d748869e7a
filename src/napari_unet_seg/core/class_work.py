"""An image to a class map: what a model does that tells no nuclei apart."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.instances import classes
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.pyramid import take_plane
from napari_unet_seg.core.scaled_plane import Part
from napari_unet_seg.core.segmentation import CLASSES_KEY, Segmentation
from napari_unet_seg.progress import Progress, Steps, over_planes, relay

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.pyramid import Pyramid
    from napari_unet_seg.core.segment import Work

ClassMap = npt.NDArray[np.uint8]


def iter_class_work(work: Work) -> Steps[Segmentation]:
    """Find the most likely class of each pixel.

    Parameters
    ----------
    work : Work
        From `napari_unet_seg.core.segment.prepare`.

    Yields
    ------
    Progress
        After each tile.

    Returns
    -------
    Segmentation
        The labels are the numbers of the classes, 0 the first; one row a class and plane, with its name as ``class``.
    """
    from napari_unet_seg.core.segment import blank_notice, provenance_of

    layout, grid, names = work.layout, work.grid, work.predictor.model.settings.classes
    class_map = np.zeros((*layout.labels_shape[:-2], *grid.shape), np.uint8)
    limits: list[Limits] = []
    tables: list[pd.DataFrame] = []
    told: set[str] = set()
    for number, index in enumerate(layout.indices()):
        steps = _iter_plane(work, take_plane(work.levels, layout, index))
        counted = partial(over_planes, number=number, planes=layout.plane_count, told=told)
        class_map[index], used, table = yield from relay(steps, counted)
        limits.append(used)
        tables.append(_placed(table, layout.labels_axes, index))
    if notice := blank_notice(limits):
        yield Progress("Segmenting", 0, 0, notice=notice)
    provenance = provenance_of(work, limits, [0.0] * len(limits)) | {CLASSES_KEY: list(names)}
    return Segmentation(class_map.astype(np.int32), _together(tables), provenance, class_map, None if grid.is_full else grid)


def _iter_plane(work: Work, plane: Pyramid) -> Steps[tuple[ClassMap, Limits, pd.DataFrame]]:
    """Return the class map of a plane on the grid, its limits, and what there is of each class."""
    predictor, grid = work.predictor, work.grid
    with compute_errors("Reading the image"):
        limits = estimate_limits(plane.full, predictor.settings)
    maps = yield from predictor.iter_maps(plane, limits, part=Part(grid.box, grid.step))
    names = predictor.model.settings.classes
    with compute_errors("Measuring the classes"):
        class_map = classes(maps, len(names))
        if predictor.settings.region:
            class_map *= _inside(work)
        table = measure_plane(class_map, maps[: len(names)].max(axis=0))
        table.insert(1, "class", [names[number] for number in table["label"]])
    return class_map, limits, table


def _inside(work: Work) -> npt.NDArray[np.bool_]:
    area, box = AreaOfInterest.of(work.predictor.settings.region).reduced(work.grid.step), work.grid.box
    y, x = np.mgrid[box]
    return area.contains(y.ravel(), x.ravel()).reshape(y.shape)


def _placed(table: pd.DataFrame, axes: str, index: tuple[int, ...]) -> pd.DataFrame:
    """Say in a table in which plane its classes are."""
    for position, (axis, place) in enumerate(zip(axes, index, strict=False)):
        table.insert(2 + position, f"plane_{axis.lower()}", place)
    return table


def _together(tables: list[pd.DataFrame]) -> Any:
    import pandas as pd

    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True)

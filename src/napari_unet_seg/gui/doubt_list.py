"""What is to be reviewed, as a generator: the list of doubts of a kind over all planes of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.remeasure import place_of, rows_of
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.doubts import Doubt
    from napari_unet_seg.gui.images_of import ImagePlane
    from napari_unet_seg.gui.kept_maps import Index, KeptMaps

LOOKING = "Looking through the nuclei"
KINDS = {
    "score": "Lowest score",
    "merged": "Likely merged",
    "missed": "Likely missed",
    "border": "Touching the border",
}
TIPS = {
    "score": "Nuclei of which the model is least sure come first.",
    "merged": "Nuclei with dents, much larger than the others, or with two summits in the map: perhaps two that were not split.",
    "missed": "Places where the map, or else the image, shows something but no nucleus was outlined.",
    "border": "Nuclei that are cut by the border of the image, whose area is not known.",
}
_SHAPE = {"centroid_y", "centroid_x", "area", "solidity", "touches_border"}


@dataclass(frozen=True)
class Material:
    """What the list is made of, taken from the layer beforehand, so that the thread asks nothing of napari.

    Parameters
    ----------
    labels : ndarray of int, shape (..., Y, X)
    table : pandas.DataFrame or None
        Of the nuclei.
    kept : KeptMaps or None
        The maps behind the layer.
    images : mapping of tuple to ImagePlane
        By the index of the plane; where there are no maps to look for missed nuclei in.
    """

    labels: npt.NDArray[Any]
    table: pd.DataFrame | None
    kept: KeptMaps | None = None
    images: Mapping[Index, ImagePlane] = field(default_factory=dict)

    def rows(self, index: Index) -> pd.DataFrame | None:
        """Return the rows of the nuclei of a plane."""
        if self.table is None:
            return None
        return self.table[rows_of(self.table, place_of(self.table, index, self.labels.shape[:-2]))]

    def maps(self, index: Index) -> npt.NDArray[Any] | None:
        """Return the maps of a plane, if they are kept."""
        found = None if self.kept is None else self.kept.plane(index)
        return None if found is None or found.shape[1:] != self.labels.shape[-2:] else found


def doubt_steps(kind: str, material: Material) -> Steps[list[Doubt]]:
    """List what is to be reviewed.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    material : Material

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    list of Doubt
        The most suspicious first, over all planes.
    """
    yield Progress(LOOKING, 0, 0)
    indices = list(np.ndindex(material.labels.shape[:-2]))
    doubts: list[Doubt] = []
    for done, index in enumerate(indices, start=1):
        doubts += _find(kind, material, index)
        yield Progress(LOOKING, done, len(indices))
    return sorted(doubts, key=_rank)


def _find(kind: str, material: Material, index: Index) -> list[Doubt]:
    from napari_unet_seg.core.doubts import count_cores, cut_nuclei, low_scores, merged, missed_in_image, missed_in_maps

    labels, maps = material.labels[index], material.maps(index)
    if kind == "missed":
        if maps is not None:
            return missed_in_maps(labels, maps[0], index)
        image = material.images.get(index)
        return [] if image is None else missed_in_image(labels, image.gray(), index)
    table = _table(material, index)
    if kind == "merged":
        # Rows may be in any order, and a nucleus may have none: cores are counted in ascending order of the numbers that there are.
        cores = None if maps is None else dict(zip(_numbers(labels), count_cores(labels, maps[-1]), strict=True))
        return merged(table, index, None if cores is None else np.array([cores.get(number, 1) for number in table["index"]]))
    return low_scores(table, index) if kind == "score" else cut_nuclei(table, index)


def _table(material: Material, index: Index) -> pd.DataFrame:
    from napari_unet_seg.core.measure import measure_plane

    rows = material.rows(index)
    return rows if rows is not None and set(rows) >= _SHAPE else measure_plane(material.labels[index])


def _numbers(labels: npt.NDArray[Any]) -> Iterator[int]:
    from napari_unet_seg.core.numbering import compact

    return iter(compact(labels)[0].tolist())


def _rank(doubt: Doubt) -> tuple[float, Index, int]:
    return -doubt.suspicion, doubt.plane, doubt.label

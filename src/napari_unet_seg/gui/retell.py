"""The table of a result that was painted in while it followed a slider: its pixels are the user's, so that the table follows them.

No Qt and no thread, so that tests can drain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.gui.follow import maps_at
from napari_unet_seg.gui.request import Content, Outcome, plane_digest
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.map_parts import PlaneMaps
    from napari_unet_seg.core.score import Knots
    from napari_unet_seg.gui.kept_maps import Index
    from napari_unet_seg.settings import SegmentSettings

STAGE = "Measuring what was painted"


@dataclass(frozen=True)
class Painted:
    """A result that is the user's now, some planes of which show another setting than its table tells of.

    Parameters
    ----------
    made : Outcome
        The result as it was made.
    present : Content
        What the layer holds now.
    planes : tuple of Index
        Those that followed a slider.
    settings : SegmentSettings
        What they were decoded with.
    axes : str
        One letter a dimension of the layer.
    scale : mapping of str to float
        Micrometres of a step along Z, Y and X, as far as known.
    """

    made: Outcome
    present: Content
    planes: tuple[Index, ...]
    settings: SegmentSettings
    axes: str
    scale: Mapping[str, float]


@dataclass(frozen=True)
class Told:
    """What is said of such a result.

    Parameters
    ----------
    features : pandas.DataFrame
        One row a nucleus of the layer, as it was painted; of nuclei that are new, no track is known.
    provenance : mapping
        With the settings of the planes, if they are all of it.
    digests : mapping of Index to bytes
        Of what was measured, by plane: painted further, a layer has others.
    """

    features: pd.DataFrame
    provenance: Mapping[str, Any]
    digests: Mapping[Index, bytes]


def retell_steps(task: Painted) -> Steps[Told]:
    """Measure the planes that followed a slider, as they are now.

    Parameters
    ----------
    task : Painted

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    Told
    """
    yield Progress(STAGE, 0, len(task.planes))
    from napari_unet_seg.core.volumes import add_micrometres, is_in_3d

    in_3d = is_in_3d(task.present.features)
    leading = task.present.labels.shape[:-2]
    table, digests, outlines = task.present.features, {}, []
    for done, index in enumerate(list(np.ndindex(leading)) if in_3d else task.planes, start=1):
        plane = task.present.labels[index].copy()  # which is painted further, perhaps
        digests[index] = plane_digest(plane)
        outlines.append(_measured(task, index, plane))
        if not in_3d:
            table = _with_plane(table, add_micrometres(outlines[-1], task.scale), index, leading)
        yield Progress(STAGE, done, len(task.planes))
    if in_3d:
        table = add_micrometres(_in_3d(task, outlines), task.scale)
    provenance = dict(task.made.provenance)
    if len(task.planes) == int(np.prod(leading)):
        provenance["settings"] = task.settings.to_dict()
    return Told(table, provenance, {index: digests[index] for index in task.planes})


def _measured(task: Painted, index: Index, plane: npt.NDArray[Any]) -> pd.DataFrame:
    """Measure the nuclei of a plane; those outside of the region of the run, of which no maps are kept, keep their score."""
    from napari_unet_seg.core.measure import measure_plane
    from napari_unet_seg.core.score import CARD_KEY, as_knots

    maps = maps_at(task.made, index)
    knots: Knots = as_knots(task.made.provenance.get(CARD_KEY) or ())
    fresh = measure_plane(plane, None if maps is None else _probability(maps), knots)
    known = task.present.features
    if task.made.outside and {"score", "index"} <= set(known):
        outside = fresh["index"] <= task.made.outside
        score = known.drop_duplicates("index").set_index("index")["score"].reindex(fresh["index"]).to_numpy()
        fresh["score"] = np.where(outside, score, fresh.get("score", np.nan))
    return fresh


def _probability(maps: PlaneMaps) -> npt.NDArray[np.float32]:
    """Return the probability of each pixel of the labels to be of a nucleus; 0 where it is not known."""
    from napari_unet_seg.core.map_parts import common

    found = np.zeros(maps.shape, np.float32)
    for part in maps.parts:
        there, here = common(maps.grid, part.box)
        found[there] = np.maximum(found[there], 1 - part.maps[0][here].astype(np.float32))
    return found


def _with_plane(table: pd.DataFrame, fresh: pd.DataFrame, index: Index, leading: Index) -> pd.DataFrame:
    """Replace the rows of one plane."""
    import pandas as pd

    from napari_unet_seg.core.remeasure import place_of, plane_columns, rows_of

    place, names = place_of(table, index, leading), plane_columns(table)
    others = table[~rows_of(table, place)]
    fresh = fresh.assign(**dict(zip(names, place, strict=True)))
    fresh = fresh[[name for name in table if name in fresh]]
    if not len(others):
        return fresh.reset_index(drop=True)
    joined = pd.concat([others, fresh], ignore_index=True) if len(fresh) else others
    return joined.sort_values(names, kind="stable", ignore_index=True)


def _in_3d(task: Painted, outlines: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the outlines of each number together; a plane that followed a slider has numbers of its own until all planes are linked."""
    import pandas as pd

    from napari_unet_seg.core.axes import stack_axis
    from napari_unet_seg.core.volumes import volume_table

    leading, axis = task.present.labels.shape[:-2], stack_axis(task.axes)
    named = [letter for letter in task.axes[:-2] if letter == axis or f"plane_{letter.lower()}" in task.present.features]
    for index, table in zip(np.ndindex(leading), outlines, strict=True):
        for letter in named:
            table[f"plane_{letter.lower()}"] = index[task.axes.index(letter)]
    whole = pd.concat([table for table in outlines if len(table)] or outlines[:1], ignore_index=True)
    return volume_table(whole, whole["label"].to_numpy(), axis, leading[task.axes.index(axis)])

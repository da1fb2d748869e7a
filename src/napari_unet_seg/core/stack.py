"""From planes to what a stack or a movie shows: outlines linked to nuclei in 3D, and nuclei followed through time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.axes import stack_axis
from napari_unet_seg.core.lap import check_installed, follow_far
from napari_unet_seg.core.linking import link_planes
from napari_unet_seg.core.tracking import Tracks, follow
from napari_unet_seg.core.volumes import is_in_3d, volume_table
from napari_unet_seg.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.settings import SegmentSettings

    Labels = npt.NDArray[np.int32]

TIME = "T"
LINKING = "Linking the planes"
NO_TIME = "No axis of this image is time, so that there is nothing to follow; name it T, or in napari t."
NO_STACK = "This image has no slices, so that there is nothing to link."


def plane_settings(settings: SegmentSettings) -> SegmentSettings:
    """Return the settings by which single planes are decoded: whether a nucleus in 3D is cut is known when its planes are linked."""
    return replace(settings, exclude_border=False) if settings.stack == "linked" else settings


def check_stack(axes: str, settings: SegmentSettings) -> Iterator[Progress]:
    """Say what cannot be done with an image of some axes.

    Parameters
    ----------
    axes : str
        Of the labels.
    settings : SegmentSettings

    Yields
    ------
    Progress
        With a notice each.

    Raises
    ------
    SettingsError
        If a library is needed that is not installed.
    """
    if settings.track == "laptrack":
        check_installed()
    if settings.track != "none" and TIME not in axes:
        yield Progress(LINKING, 0, 0, notice=NO_TIME)
    if settings.stack == "linked" and not stack_axis(axes):
        yield Progress(LINKING, 0, 0, notice=NO_STACK)


def assemble(labels: Labels, table: pd.DataFrame, axes: str, settings: SegmentSettings) -> tuple[Labels, pd.DataFrame]:
    """Link what was found in single planes, as far as the settings ask for it.

    Parameters
    ----------
    labels : ndarray of int32, shape (..., Y, X)
        One number an outline, unique over all planes. It may be changed.
    table : pandas.DataFrame
        One row an outline, from `napari_unet_seg.core.assembly.Assembly`.
    axes : str
        One letter a dimension of the labels.
    settings : SegmentSettings
        Its `stack`, `track`, `spacing` and `exclude_border`.

    Returns
    -------
    labels : ndarray of int32, shape (..., Y, X)
        One number a nucleus at each time.
    table : pandas.DataFrame
        One row for each: linked as of `napari_unet_seg.core.volumes.volume_table`; followed with ``track``, from 1 on, and ``parent``, the
        track of the mother or 0.
    """
    if is_linked(axes, settings):
        nuclei, table = link_outlines(labels, table, axes, settings)
        labels = nuclei[labels]
    if is_followed(axes, settings):
        table = add_tracks(labels, table, axes, settings)
    return labels, table


def is_linked(axes: str, settings: SegmentSettings) -> bool:
    """Say whether the outlines of planes become nuclei in 3D."""
    return settings.stack == "linked" and bool(stack_axis(axes))


def is_followed(axes: str, settings: SegmentSettings) -> bool:
    """Say whether nuclei are followed through time."""
    return settings.track != "none" and TIME in axes


def link_outlines(labels: Any, table: pd.DataFrame, axes: str, settings: SegmentSettings) -> tuple[Labels, pd.DataFrame]:
    """Link the outlines of planes.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        One number an outline, unique over all planes; read part by part, so that it may be on the disk.
    table : pandas.DataFrame
        One row an outline: ``label``, ``plane_...``, ``area``, ``centroid_y``, ``centroid_x``, ``touches_border`` and ``score`` are used.
    axes : str
        One letter a dimension of the labels; one is that of the slices.
    settings : SegmentSettings

    Returns
    -------
    nuclei : ndarray of int32, shape (largest outline + 1,)
        For each outline the number of its nucleus; 0 where it is dropped, and for 0.
    table : pandas.DataFrame
        One row a nucleus, see `napari_unet_seg.core.volumes.volume_table`.
    """
    axis = stack_axis(axes)
    others = [place for place, letter in enumerate(axes[:-2]) if letter != axis]
    volumes = labels.transpose([*others, axes.index(axis), labels.ndim - 2, labels.ndim - 1])
    nuclei, count = np.zeros(_largest(table) + 1, np.int32), 0
    for index in np.ndindex(volumes.shape[:-3]):
        found = link_planes(volumes[index], settings.spacing)
        nuclei[: found.size][found > 0] = found[found > 0] + count
        count += int(found.max(initial=0))
    linked = volume_table(table, nuclei[table["label"].to_numpy()], axis, volumes.shape[-3])
    if settings.exclude_border:
        linked = linked[~linked["touches_border"]].reset_index(drop=True)
    kept = np.zeros(count + 1, np.int32)
    kept[linked["label"].to_numpy()] = np.arange(1, len(linked) + 1)
    linked["label"] = linked["index"] = np.arange(1, len(linked) + 1)
    return kept[nuclei], linked


def add_tracks(labels: Any, table: pd.DataFrame, axes: str, settings: SegmentSettings) -> pd.DataFrame:
    """Follow nuclei through time: volumes, or those of each plane by themselves where planes are not linked.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        One number a nucleus at each time; read part by part.
    table : pandas.DataFrame
        One row for each, with ``label``, ``plane_...``, sizes and centres.
    axes : str
        One letter a dimension of the labels, one of them T.
    settings : SegmentSettings

    Returns
    -------
    pandas.DataFrame
        With ``track`` and ``parent`` more.
    """
    deep = stack_axis(axes) if settings.stack == "linked" else ""
    inner = [axes.index(letter) for letter in (TIME, *deep, "Y", "X")]
    others = [place for place in range(labels.ndim) if place not in inner]
    movies = labels.transpose([*others, *inner])
    track, parent = (np.zeros(_largest(table) + 1, np.int64) for _ in range(2))
    count = 0
    for index in np.ndindex(movies.shape[: len(others)]):
        rows = table
        for place, at in zip(others, index, strict=True):
            rows = rows[rows[_place(axes[place])] == at]
        tracks = _tracks(movies[index], rows, settings)
        numbers = rows["label"].to_numpy()
        track[numbers] = tracks.track[numbers] + count
        mother = tracks.parent[tracks.track[numbers]]
        parent[numbers] = np.where(mother, mother + count, 0)
        count += tracks.count
    numbers = table["label"].to_numpy()
    columns = {"track": track[numbers], "parent": parent[numbers]}
    return table.drop(columns="index").assign(**columns, index=table["index"])


def _tracks(movie: npt.NDArray[Any], rows: pd.DataFrame, settings: SegmentSettings) -> Tracks:
    if settings.track == "overlap":
        return follow(list(movie), settings.spacing)
    import pandas as pd

    depth = settings.spacing or 1.0
    sizes = rows["largest_area"] if is_in_3d(rows) else rows["area"]
    columns = {"label": rows["label"], "time": rows[_place(TIME)], "y": rows["centroid_y"], "x": rows["centroid_x"]}
    z = rows["centroid_z"] * depth if is_in_3d(rows) else 0.0 * sizes
    return follow_far(pd.DataFrame({**columns, "z": z, "diameter": 2 * np.sqrt(sizes / np.pi)}).reset_index(drop=True))


def _largest(table: pd.DataFrame) -> int:
    """Return the largest number of labels that all have a row."""
    return int(table["label"].max()) if len(table) else 0


def _place(letter: str) -> str:
    return f"plane_{letter.lower()}"

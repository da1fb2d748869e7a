"""Nuclei that were followed through time as napari shows them: one colour a track, and a layer of their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet_seg.core.counting import TRACK
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.colouring import FORMER_KEY, put_on
from napari_unet_seg.gui.layers import layer_axes
from napari_unet_seg.gui.palette import palette
from napari_unet_seg.io.labels_info import PROVENANCE_KEY

if TYPE_CHECKING:
    import pandas as pd
    from napari import Viewer
    from napari.layers import Labels, Tracks

MOST_COLOURED = 2**16 - 300
"""Labels up to this number fit into napari's quick kind of colormap."""
_SPARE = 256
"""Labels beyond the largest that have a colour: nuclei that will be painted."""
SUFFIX = " tracks"
NO_TRACKS = "There are tracks of a movie whose times are followed: choose it in the row “Times”."
NOT_FIRST = "napari draws tracks only where time is the first axis, and of “{}” it is a later one; open the image with its times first."
TIP = "Add a layer with the paths of the nuclei, and lines from mothers to daughters."


def has_tracks(features: pd.DataFrame | None) -> bool:
    """Say whether the nuclei of a table were followed through time."""
    return features is not None and TRACK in features and "plane_t" in features


def track_colours(features: pd.DataFrame, colours: npt.NDArray[np.float32]) -> CyclicLabelColormap | None:
    """Make a colormap in which a nucleus has one colour at all times, and a nucleus without a track one of its own.

    Parameters
    ----------
    features : pandas.DataFrame
        With ``label`` and ``track``.
    colours : ndarray of float32, shape (colours and the transparent background, 4)

    Returns
    -------
    CyclicLabelColormap or None
        None when there are too many nuclei, or they were not followed.
    """
    if not has_tracks(features) or not len(features) or features["label"].max() > MOST_COLOURED:
        return None
    table = colours[1 + np.arange(-1, int(features["label"].max()) + _SPARE) % (len(colours) - 1)]
    known = features[features[TRACK].notna()]
    table[known["label"].to_numpy(int)] = colours[1 + (known[TRACK].to_numpy(int) - 1) % (len(colours) - 1)]
    table[0] = colours[0]
    return CyclicLabelColormap(colors=table)


def recolour(layer: Labels) -> None:
    """Give a layer whose nuclei are followed the colours of its tracks, unless somebody colours it by a column.

    Parameters
    ----------
    layer : napari.layers.Labels
    """
    limits = layer.metadata.get(PROVENANCE_KEY, {}).get("limits", ())
    colours = track_colours(layer.features, palette(all(plane["polarity"] == "bright" for plane in limits)))
    if colours is not None and FORMER_KEY not in layer.metadata:
        put_on(layer, colours)


def track_data(features: pd.DataFrame, axes: str) -> tuple[npt.NDArray[np.float64], dict[int, list[int]]]:
    """Return what a layer of tracks holds.

    Parameters
    ----------
    features : pandas.DataFrame
        With ``track``, ``parent``, ``plane_...`` and centroids.
    axes : str
        Of the labels' layer, one letter a dimension, with T first.

    Returns
    -------
    data : ndarray of float64, shape (nuclei, 1 + axes)
        Number of the track, and a coordinate for each axis; by track, then by time.
    graph : dict of int to list of int
        The mother of each track that has one.
    """
    known = features[features[TRACK].notna()].sort_values([TRACK, "plane_t"], kind="stable")
    columns: list[npt.NDArray[Any]] = [known[TRACK].to_numpy(float)]
    for axis in axes.lower():
        name = next((name for name in (f"centroid_{axis}", f"plane_{axis}", "centroid_z") if name in known), "")
        columns.append(known[name].to_numpy(float) if name else np.zeros(len(known)))
    mothers = known.drop_duplicates(TRACK).set_index(TRACK)["parent"]
    there = set(mothers.index.tolist())
    graph = {int(track): [int(mother)] for track, mother in mothers.items() if mother in there}
    return np.stack(columns, axis=1), graph


def show_tracks(viewer: Viewer, labels: Labels) -> Tracks:
    """Add a layer with the paths of the nuclei, or bring the one that is there up to date.

    Parameters
    ----------
    viewer : napari.Viewer
    labels : napari.layers.Labels
        Whose features `has_tracks`.

    Returns
    -------
    napari.layers.Tracks

    Raises
    ------
    InputError
        If time is not the first axis of the layer: napari would draw the paths along another one.
    """
    from napari.layers import Tracks

    axes = layer_axes(labels)
    if axes[0] != "T":
        raise InputError(NOT_FIRST.format(labels.name))
    data, graph = track_data(labels.features, axes)
    name = labels.name + SUFFIX
    shown = next((layer for layer in viewer.layers if layer.name == name and isinstance(layer, Tracks)), None)
    if shown is not None:
        viewer.layers.remove(shown)  # data and graph are set one after the other, and must fit meanwhile
    names = ("scale", "translate", "rotate", "affine", "units", "axis_labels")
    place = {name: getattr(labels, name) for name in names}
    layer = Tracks(data, graph=graph, name=name, tail_length=int(np.ceil(data[:, 1].max(initial=0))) + 1, **place)
    viewer.add_layer(layer)
    return layer

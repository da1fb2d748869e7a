"""Nuclei that were followed through time as a TrackMate file, which Fiji opens by Plugins > Tracking > Load a TrackMate file.

The elements are those that TrackMate's own reader asks for (`TmXmlReader` of trackmate-sc/TrackMate, version 7): a model of spots, edges
and tracks, and settings without a detector or tracker to run again. A track of TrackMate is a whole family: a mother, her daughters, and
theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.labels_info import iter_planes, open_labels
from napari_unet_seg.io.outlines import trace_outlines
from napari_unet_seg.io.table_writer import labels_table

if TYPE_CHECKING:
    import os

    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo

VERSION = "7.11.1"
"""The TrackMate whose files these are like."""
_SPOT_FEATURES = {
    "QUALITY": ("Quality", "QUALITY", False),
    "POSITION_X": ("X", "POSITION", False),
    "POSITION_Y": ("Y", "POSITION", False),
    "POSITION_Z": ("Z", "POSITION", False),
    "POSITION_T": ("T", "TIME", False),
    "FRAME": ("Frame", "NONE", True),
    "RADIUS": ("Radius", "LENGTH", False),
    "VISIBILITY": ("Visibility", "NONE", True),
}
_EDGE_FEATURES = {"SPOT_SOURCE_ID": ("Source spot ID", "NONE", True), "SPOT_TARGET_ID": ("Target spot ID", "NONE", True)}
_TRACK_FEATURES = {"TRACK_ID": ("Track ID", "NONE", True), "TRACK_INDEX": ("Track index", "NONE", True)}
_UNTRACKED = "The nuclei were not followed through time, so that there are no tracks to write; follow them (--track overlap)."


def write_trackmate(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write the tracks of nuclei for TrackMate.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X), one number a nucleus at each time.
    info : LabelsInfo
        Its features tell ``track`` and ``parent``. Positions are in micrometres and seconds where the scale is known, else in pixels and
        frames. Outlines are written of nuclei in single planes; those in 3D are balls of their volume, as TrackMate knows no more.

    Raises
    ------
    InputError
        If the nuclei were not followed, or the array holds no labels that can be written.
    WriteError
        If the system refuses to write.
    """
    array = open_labels(labels, info)
    if info.features is None or "track" not in info.features:
        raise InputError(_UNTRACKED)
    table = labels_table(array, info)
    table = table[table["track"].notna()]  # nuclei that were painted since belong to no track
    root = ElementTree.Element("TrackMate", version=VERSION)
    _add_model(root, table, _Space.of(info), {} if is_in_3d(table) else _outlines(array))
    _add_settings(root, array.shape, info)
    ElementTree.indent(root)
    with atomic_path(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)


@dataclass(frozen=True)
class _Space:
    """Sizes of steps, 1 where not known, and their units."""

    x: float
    y: float
    z: float
    t: float
    length: str
    time: str
    z_column: str

    @staticmethod
    def of(info: LabelsInfo) -> _Space:
        """Return the space and time of labels, in pixels and frames where their sizes are not known."""
        known = info.step("Y") is not None and info.step("X") is not None
        x, y, z = (info.step(axis) or 1.0 if known else 1.0 for axis in "XYZ")
        names = [] if info.features is None else [str(name) for name in info.features]
        columns = [name for name in names if name in ("centroid_z", "plane_z", "plane_q")]
        units = ("µm" if known else "pixel", "sec" if info.step("T") else "frame")
        return _Space(x, y, z, info.step("T") or 1.0, *units, columns[-1] if columns else "")

    def spot(self, row: dict[str, Any]) -> dict[str, float]:
        """Return the features of a spot."""
        size = row["volume"] * self.x * self.y * self.z if "volume" in row else row["area"] * self.x * self.y
        radius = (3 * size / (4 * np.pi)) ** (1 / 3) if "volume" in row else (size / np.pi) ** 0.5
        frame = int(row.get("plane_t", 0))
        place = {"POSITION_X": row["centroid_x"] * self.x, "POSITION_Y": row["centroid_y"] * self.y}
        place["POSITION_Z"] = row[self.z_column] * self.z if self.z_column else 0.0
        quality = float(row.get("score", 1.0))
        others = {"POSITION_T": frame * self.t, "FRAME": frame, "RADIUS": radius, "VISIBILITY": 1}
        return {"QUALITY": quality if np.isfinite(quality) else 1.0, **place, **others}

    def outline(self, corners: np.ndarray[Any, Any], row: dict[str, Any]) -> str:
        """Return a polygon as TrackMate writes it: around the centre of the spot. Corners count from the edge of the first pixel."""
        points = (corners - 0.5 - (row["centroid_x"], row["centroid_y"])) * (self.x, self.y)
        return " ".join(f"{value:.6g}" for value in points.ravel())


def _outlines(array: Any) -> dict[int, np.ndarray[Any, Any]]:
    """Return the shell of the largest part of each nucleus, (corners, 2), columns x and y."""
    found = (outline for _, plane in iter_planes(array) for outline in trace_outlines(plane))
    return {outline.label: max((rings[0] for rings in outline.polygons), key=len) for outline in found}


def _add_model(root: ElementTree.Element, table: pd.DataFrame, space: _Space, outlines: dict[int, np.ndarray[Any, Any]]) -> None:
    model = ElementTree.SubElement(root, "Model", spatialunits=space.length, timeunits=space.time)
    declared = ElementTree.SubElement(model, "FeatureDeclarations")
    for name, features in (("SpotFeatures", _SPOT_FEATURES), ("EdgeFeatures", _EDGE_FEATURES), ("TrackFeatures", _TRACK_FEATURES)):
        group = ElementTree.SubElement(declared, name)
        for key, (title, dimension, whole) in features.items():
            names = {"feature": key, "name": title, "shortname": title, "dimension": dimension, "isint": str(whole).lower()}
            ElementTree.SubElement(group, "Feature", names)
    spots = ElementTree.SubElement(model, "AllSpots", nspots=str(len(table)))
    frames = table["plane_t"] if "plane_t" in table else table["label"] * 0
    for frame, rows in table.groupby(frames):
        here = ElementTree.SubElement(spots, "SpotsInFrame", frame=str(int(frame)))
        for row in rows.to_dict("records"):
            _add_spot(here, row, space, outlines)
    _add_tracks(model, table)


def _add_spot(frame: ElementTree.Element, row: dict[str, Any], space: _Space, outlines: dict[int, np.ndarray[Any, Any]]) -> None:
    label = int(row["label"])
    features = {name: repr(value) for name, value in space.spot(row).items()}
    spot = ElementTree.SubElement(frame, "Spot", {"ID": str(label), "name": f"Nucleus {label}", **features})
    if label in outlines:
        spot.set("ROI_N_POINTS", str(len(outlines[label])))
        spot.text = space.outline(outlines[label], row)


def _add_tracks(model: ElementTree.Element, table: pd.DataFrame) -> None:
    tracks, shown = ElementTree.SubElement(model, "AllTracks"), ElementTree.SubElement(model, "FilteredTracks")
    for index, (family, edges) in enumerate(_families(table)):
        names = {"name": f"Track_{family}", "TRACK_ID": str(family), "TRACK_INDEX": str(index)}
        track = ElementTree.SubElement(tracks, "Track", names)
        for source, target in edges:
            ElementTree.SubElement(track, "Edge", SPOT_SOURCE_ID=str(source), SPOT_TARGET_ID=str(target))
        ElementTree.SubElement(shown, "TrackID", TRACK_ID=str(family))


def _families(table: pd.DataFrame) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Go through the families that have a link: the number of the first mother's track, and the links."""
    ordered = table.sort_values(["track", *(["plane_t"] if "plane_t" in table else [])], kind="stable")
    members = {int(track): group.astype(int).tolist() for track, group in ordered.groupby("track")["label"]}
    mothers = ordered.groupby("track")["parent"].first().astype(int).to_dict()
    families: dict[int, list[tuple[int, int]]] = {}
    for track, labels in members.items():
        first = track
        while mothers.get(first) in members:
            first = mothers[first]
        mother = members.get(mothers[track])
        links = [*([(mother[-1], labels[0])] if mother else []), *pairwise(labels)]
        families.setdefault(first, []).extend(links)
    yield from ((first, links) for first, links in families.items() if links)


def _add_settings(root: ElementTree.Element, shape: tuple[int, ...], info: LabelsInfo) -> None:
    """Say which image it is, and that nothing is to be detected or tracked again."""
    space, sizes = _Space.of(info), dict(zip(info.axes, shape, strict=True))
    settings = ElementTree.SubElement(root, "Settings")
    lengths = {"width": shape[-1], "height": shape[-2], "nslices": sizes.get("Z", 1), "nframes": sizes.get("T", 1)}
    steps = {"pixelwidth": space.x, "pixelheight": space.y, "voxeldepth": space.z, "timeinterval": space.t}
    name = PurePosixPath(str(info.provenance.get("input", info.name))).name
    image = {"filename": name, "folder": "", **{key: str(value) for key, value in {**lengths, **steps}.items()}}
    ElementTree.SubElement(settings, "ImageData", image)
    ends = {"x": lengths["width"], "y": lengths["height"], "z": lengths["nslices"], "t": lengths["nframes"]}
    whole = {f"{axis}start": "0" for axis in ends} | {f"{axis}end": str(length - 1) for axis, length in ends.items()}
    ElementTree.SubElement(settings, "BasicSettings", whole)
    ElementTree.SubElement(settings, "InitialSpotFilter", feature="QUALITY", value="0.0", isabove="true")
    ElementTree.SubElement(settings, "SpotFilterCollection")
    ElementTree.SubElement(settings, "TrackFilterCollection")
    ElementTree.SubElement(settings, "DetectorSettings", DETECTOR_NAME="MANUAL_DETECTOR", RADIUS="5.0")
    ElementTree.SubElement(settings, "TrackerSettings", TRACKER_NAME="MANUAL_TRACKER")
    analyzers = ElementTree.SubElement(settings, "AnalyzerCollection")
    for group in ("SpotAnalyzers", "EdgeAnalyzers", "TrackAnalyzers"):
        ElementTree.SubElement(analyzers, group)
    ElementTree.SubElement(ElementTree.SubElement(root, "GUIState", state="ConfigureViews"), "View", key="HYPERSTACKDISPLAYER")

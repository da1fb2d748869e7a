"""Outlines and measurements as GeoJSON that QuPath imports as detections."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.labels_info import iter_planes, open_labels
from napari_unet_seg.io.outlines import trace_outlines
from napari_unet_seg.io.table_writer import labels_table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo
    from napari_unet_seg.io.outlines import Outline

    Array = np.ndarray[Any, np.dtype[Any]]
    Measurements = dict[int, dict[str, int | float]]


def write_geojson(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write one QuPath detection a nucleus and plane, in pixels of the full-size image.

    The geometry is a Polygon with its holes, or a MultiPolygon when the nucleus has several parts; rings are closed, shells run
    counter-clockwise. In a stack the geometry has QuPath's ``plane``. Columns of numbers become measurements; those that are not finite
    are left out, since JSON has no NaN.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X).
    info : LabelsInfo
        Axes, provenance and features.

    Raises
    ------
    InputError
        If the array holds no labels that can be written.
    WriteError
        If the system refuses to write.
    """
    array = open_labels(labels, info)
    measurements = _measurements(labels_table(array, info))
    head = json.dumps({"type": "FeatureCollection"} | info.record)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(head[:-1] + ', "features": [')
        separator = "\n"
        for feature in _features(array, info, measurements):
            file.write(separator + json.dumps(feature, allow_nan=False))
            separator = ",\n"
        file.write("\n]}\n")


def _features(array: Any, info: LabelsInfo, measurements: Measurements) -> Iterator[dict[str, Any]]:
    for index, plane in iter_planes(array):
        places = dict(zip(info.stored_axes, index, strict=False))
        for outline in trace_outlines(plane):
            yield {
                "type": "Feature",
                "geometry": _geometry(outline) | _plane(places),
                "properties": {
                    "objectType": "detection",
                    "name": str(outline.label),
                    "measurements": measurements[outline.label],
                },
            }


def _geometry(outline: Outline) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in polygon] for polygon in outline.polygons]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Array) -> list[list[int]]:
    points: list[list[int]] = ring.tolist()
    return [*points, points[0]]


def _plane(places: dict[str, int]) -> dict[str, Any]:
    """Return the plane of a stack; channel -1 is all of them."""
    return {"plane": {"c": places.get("C", -1), "z": places.get("Z", 0), "t": places.get("T", 0)}} if places else {}


def _measurements(table: pd.DataFrame) -> Measurements:
    numbers = table.select_dtypes(["number", "bool"])
    names = [str(name) for name in numbers]
    rows = zip(*(_plain(column.tolist()) for _, column in numbers.items()), strict=True)
    found = ({name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows)
    return dict(zip(table["label"].astype(int).tolist(), found, strict=True))


def _plain(values: list[Any]) -> list[int | float | None]:
    """Turn flags into 0 and 1, as QuPath knows numbers only, and what is no finite number into None."""
    known = [value if isinstance(value, (int, float)) and math.isfinite(value) else None for value in values]
    return [int(value) if isinstance(value, bool) else value for value in known]

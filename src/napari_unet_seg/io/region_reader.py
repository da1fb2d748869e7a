"""Regions drawn in QuPath: a GeoJSON file to the polygons of `SegmentSettings.region`.

GeoJSON has x before y, and counts from the corner of the first pixel; here y comes first, and the middle of the first pixel is (0, 0).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import ReadError

if TYPE_CHECKING:
    from napari_unet_seg.settings import Polygons

_WANTED = "give a GeoJSON file with Polygons or MultiPolygons, as QuPath exports annotations"
HALF = 0.5
"""From the corner of a pixel to its middle."""
Ring = tuple[tuple[float, float], ...]


def read_region(path: str | Path) -> Polygons:
    """Read the polygons of a GeoJSON file.

    Parameters
    ----------
    path : str or Path
        With a Polygon, a MultiPolygon, a GeometryCollection, a Feature or a FeatureCollection of them, or a list of such; in pixels of the
        full-size image. Points and lines hold no area and are left out.

    Returns
    -------
    tuple of tuple of (float, float)
        Corners (y, x) of each polygon. A hole is part of its polygon's outline, which runs to the hole and back.

    Raises
    ------
    ReadError
        If the file cannot be read, is no GeoJSON, or holds no area.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ReadError(f"The region {path.name} cannot be read: {error.strerror or error}; check the path.") from error
    except (ValueError, RecursionError) as error:  # no JSON, or no text
        raise ReadError(f"The region {path.name} is no GeoJSON; {_WANTED}.") from error
    try:
        polygons = tuple(_outline(rings) for rings in _polygons(content))
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ReadError(f"The region {path.name} is no valid GeoJSON; {_WANTED}.") from error
    if not polygons:
        raise ReadError(f"The region {path.name} holds no area; {_WANTED}.")
    return polygons


def _polygons(content: Any) -> Iterator[list[Any]]:
    """Go through the rings of each polygon, however deep it lies."""
    if isinstance(content, list):
        for item in content:
            yield from _polygons(item)
        return
    kind = content["type"]
    if kind == "FeatureCollection":
        yield from _polygons(content["features"])
    elif kind == "Feature":
        yield from _polygons(content["geometry"] or [])
    elif kind == "GeometryCollection":
        yield from _polygons(content["geometries"])
    elif kind == "Polygon":
        yield content["coordinates"]
    elif kind == "MultiPolygon":
        yield from content["coordinates"]
    elif kind not in ("Point", "MultiPoint", "LineString", "MultiLineString"):
        raise ValueError(f"{kind!r} is no kind of geometry")


def _outline(rings: list[Any]) -> Ring:
    """Return shell and holes as one line; by the even-odd rule, the ways to the holes and back enclose nothing."""
    shell, *holes = (_corners(ring) for ring in rings)
    return shell if not holes else (*shell, shell[0], *(corner for hole in holes for corner in (*hole, hole[0], shell[0])))


def _corners(ring: list[Any]) -> Ring:
    corners = tuple((float(point[1]) - HALF, float(point[0]) - HALF) for point in ring)
    if not all(math.isfinite(value) for corner in corners for value in corner):
        raise ValueError("a corner is not finite")
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    if len(corners) < 3:  # they enclose nothing
        raise ValueError("a ring has less than three corners")
    return corners

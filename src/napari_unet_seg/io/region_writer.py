"""Regions to GeoJSON that QuPath opens as annotations, and that `napari_unet_seg.io.region_reader` reads back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.region_reader import HALF

if TYPE_CHECKING:
    from pathlib import Path

    from napari_unet_seg.settings import Polygons


def write_region(path: str | Path, polygons: Polygons) -> None:
    """Write polygons.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    polygons : tuple of tuple of (float, float)
        Corners (y, x) of each, in pixels of the full-size image, the middle of whose first pixel is (0, 0).

    Raises
    ------
    WriteError
        If the system refuses to write.
    """
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[x + HALF, y + HALF] for y, x in (*polygon, polygon[0])]]},
            "properties": {"objectType": "annotation"},
        }
        for polygon in polygons
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"type": "FeatureCollection", "features": features}) + "\n", encoding="utf-8")

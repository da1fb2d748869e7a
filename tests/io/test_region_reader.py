"""Regions from QuPath's GeoJSON, and what is said of files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.region_reader import read_region
from napari_unet_seg.io.region_writer import write_region
from napari_unet_seg.io.writers import write_labels
from napari_unet_seg.settings import SegmentSettings

SQUARE = [[10, 20], [30, 20], [30, 40], [10, 40], [10, 20]]
HOLE = [[15, 25], [25, 25], [25, 35], [15, 35], [15, 25]]
CORNERS = ((19.5, 9.5), (19.5, 29.5), (39.5, 29.5), (39.5, 9.5))
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}
FEATURE = {"type": "Feature", "geometry": POLYGON, "properties": {"objectType": "annotation"}}
POINT = {"type": "Point", "coordinates": [3, 4]}


def written(folder: Path, content: object) -> Path:
    path = folder / "region.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (POLYGON, 1),
        (FEATURE, 1),
        ([FEATURE, FEATURE], 2),
        ({"type": "FeatureCollection", "features": [FEATURE, {"type": "Feature", "geometry": POINT, "properties": {}}]}, 1),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE], [SQUARE]]}, 3),
        ({"type": "GeometryCollection", "geometries": [POLYGON, POINT]}, 1),
        ({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}, FEATURE]}, 1),
    ],
)
def test_polygons_are_found_wherever_they_lie(tmp_path, content, count):
    """x and y change places, and the middle of a pixel is half a pixel from its corner."""
    assert read_region(written(tmp_path, content)) == (CORNERS,) * count


def test_a_byte_order_mark_and_an_open_ring_are_forgiven(tmp_path):
    assert read_region(written(tmp_path, "\ufeff" + json.dumps({"type": "Polygon", "coordinates": [SQUARE[:-1]]}))) == (CORNERS,)


def test_a_hole_stays_a_hole(tmp_path):
    area = AreaOfInterest.of(read_region(written(tmp_path, {"type": "Polygon", "coordinates": [SQUARE, HOLE]})))
    assert area.contains([22, 30, 37], [20, 20, 20]).tolist() == [True, False, True]


def test_it_can_be_written_and_read_again(tmp_path):
    polygons = (CORNERS, ((0.0, 0.25), (3.0, 4.0), (1.0, 9.0)))
    write_region(tmp_path / "again.geojson", polygons)
    assert read_region(tmp_path / "again.geojson") == polygons
    assert SegmentSettings(region=polygons).region == polygons


def test_outlines_of_nuclei_that_this_package_wrote_hold_the_same_pixels(tmp_path):
    labels = np.zeros((30, 40), np.int32)
    labels[5:12, 8:20], labels[20:25, 30:33] = 1, 2
    labels[8, 12] = 0
    write_labels(tmp_path / "x.labels.geojson", labels, info=LabelsInfo())
    y, x = np.mgrid[:30, :40].reshape(2, -1)
    inside = AreaOfInterest.of(read_region(tmp_path / "x.labels.geojson")).contains(y, x)
    np.testing.assert_array_equal(inside.reshape(30, 40), labels > 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "is no GeoJSON; give"),
        ("{}", "no valid GeoJSON; give"),
        ("3", "no valid GeoJSON"),
        ('{"type": "Circle"}', "no valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": []}', "no valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}', "no valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[1, 2], [3, "a"], [5, 6]]]}', "no valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[1, 2], [3, NaN], [5, 6]]]}', "no valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[1], [3], [5]]]}', "no valid GeoJSON"),
        (json.dumps(POINT), "holds no area"),
        ('{"type": "FeatureCollection", "features": []}', "holds no area"),
        ("[" * 100_000, "GeoJSON"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, content, sentence):
    with pytest.raises(ReadError, match=sentence) as error:
        read_region(written(tmp_path, content))
    assert str(error.value).startswith("The region region.geojson ")
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_binary_one(tmp_path):
    with pytest.raises(ReadError, match="cannot be read: No such file"):
        read_region(tmp_path / "none.geojson")
    (tmp_path / "binary.geojson").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ReadError, match="no GeoJSON"):
        read_region(tmp_path / "binary.geojson")

from __future__ import annotations

import json

import geojson
import numpy as np
import pandas as pd
import pytest
import shapely

from napari_unet_seg.io.geojson_writer import write_geojson
from napari_unet_seg.io.labels_info import LabelsInfo
from tests.io.shapes import areas, awkward_labels, many_labels


def read(path):
    """The features, after an independent library has found the file valid."""
    text = path.read_text(encoding="utf-8")
    collection = geojson.loads(text)
    assert isinstance(collection, geojson.FeatureCollection)
    assert collection.is_valid, collection.errors()
    return json.loads(text)["features"]


def check_geometry(geometry):
    """The rules of RFC 7946 that the library does not check: closed, right-handed, no ring that touches itself."""
    shape = shapely.from_geojson(json.dumps(geometry))
    assert shape.is_valid, shapely.is_valid_reason(shape)
    for polygon in [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]:
        for place, ring in enumerate(polygon):
            assert len(ring) >= 5
            assert ring[0] == ring[-1]
            assert shapely.LinearRing(ring).is_ccw == (place == 0)
            assert all(isinstance(value, int) for point in ring for value in point)
    return shape


def test_each_nucleus_is_a_detection_with_its_exact_outline(tmp_path):
    labels = awkward_labels()
    write_geojson(tmp_path / "x.labels.geojson", labels, LabelsInfo())
    features = read(tmp_path / "x.labels.geojson")
    assert [feature["properties"]["objectType"] for feature in features] == ["detection"] * 7
    shapes = {int(feature["properties"]["name"]): check_geometry(feature["geometry"]) for feature in features}
    assert {label: shape.area for label, shape in shapes.items()} == areas(labels)
    rows, columns = np.indices(labels.shape) + 0.5  # pixel centres, counted from the corner of the image
    for label, shape in shapes.items():
        assert np.array_equal(shapely.contains_xy(shape, columns, rows), labels == label)
    parts = [feature["properties"]["name"] for feature in features if feature["geometry"]["type"] == "MultiPolygon"]
    assert parts == ["70001", "70002"]
    assert not any("plane" in feature["geometry"] for feature in features)


def test_measurements_are_finite_numbers(tmp_path):
    labels = np.array([[1, 0, 2]])
    features = pd.DataFrame(
        {
            "label": [1, 2],
            "mean_DAPI": [0.1, np.nan],
            "ratio": np.array([np.inf, 0.25], np.float32),
            "touches_border": [True, False],
            "kind": ["a", "b"],
        }
    )
    write_geojson(tmp_path / "x.geojson", labels, LabelsInfo(features=features))
    first, second = (feature["properties"]["measurements"] for feature in read(tmp_path / "x.geojson"))
    assert first == {"label": 1, "mean_DAPI": 0.1, "touches_border": 1}
    assert second == {"label": 2, "ratio": 0.25, "touches_border": 0}
    assert not any(isinstance(value, bool) for value in (*first.values(), *second.values()))


def test_without_features_there_is_the_area(tmp_path):
    write_geojson(tmp_path / "x.geojson", np.array([[0, 4, 4]]), LabelsInfo())
    (feature,) = read(tmp_path / "x.geojson")
    assert feature["properties"] == {
        "objectType": "detection",
        "name": "4",
        "measurements": {"label": 4, "area": 2, "centroid_y": 0.0, "centroid_x": 1.5},
    }


@pytest.mark.parametrize(
    ("axes", "planes"),
    [
        ("ZYX", [{"c": -1, "z": 0, "t": 0}, {"c": -1, "z": 1, "t": 0}]),
        ("QYX", [{"c": -1, "z": 0, "t": 0}, {"c": -1, "z": 1, "t": 0}]),
        ("TYX", [{"c": -1, "z": 0, "t": 0}, {"c": -1, "z": 0, "t": 1}]),
        ("CYX", [{"c": 0, "z": 0, "t": 0}, {"c": 1, "z": 0, "t": 0}]),
    ],
)
def test_stacks_have_planes(tmp_path, axes, planes):
    write_geojson(tmp_path / "x.geojson", np.array([[[1]], [[1]]]), LabelsInfo(axes=axes))
    assert [feature["geometry"]["plane"] for feature in read(tmp_path / "x.geojson")] == planes


def test_provenance_is_kept_as_valid_json(tmp_path):
    write_geojson(tmp_path / "x.geojson", np.ones((2, 2), int), LabelsInfo(provenance={"model": "m", "limits": [0.0, float("nan")]}))
    text = (tmp_path / "x.geojson").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["napari_unet_seg"] == {"model": "m", "limits": [0.0, None]}


def test_no_nuclei(tmp_path):
    write_geojson(tmp_path / "x.geojson", np.zeros((4, 5), int), LabelsInfo())
    assert read(tmp_path / "x.geojson") == []


def test_many_nuclei(tmp_path):
    labels = many_labels()
    write_geojson(tmp_path / "x.geojson", labels, LabelsInfo())
    features = json.loads((tmp_path / "x.geojson").read_text(encoding="utf-8"))["features"]
    assert [int(feature["properties"]["name"]) for feature in features] == list(range(1, 265**2 + 1))
    assert features[-1]["geometry"]["coordinates"] == [[[792, 792], [794, 792], [794, 794], [792, 794], [792, 792]]]

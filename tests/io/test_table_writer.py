from __future__ import annotations

import csv
import json

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.measure import measure
from napari_unet_seg.io import labels_info
from napari_unet_seg.io.geojson_writer import write_geojson
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.table_writer import labels_table, write_csv
from tests.io.shapes import awkward_labels, many_labels


def measured(labels, axes):
    """What the pixels say, one nucleus at a time."""
    rows = []
    for label in np.unique(labels[labels > 0]).tolist():
        places = np.nonzero(labels == label)
        centroid = {f"centroid_{axis}": place.mean() for axis, place in zip(axes, places, strict=True)}
        rows.append({"label": label, "area": len(places[0])} | centroid)
    return pd.DataFrame(rows)


def small():
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 1:4] = 3
    labels[4, 6] = 9
    return labels


def test_features_are_read_back_equal(tmp_path):
    generator = np.random.default_rng(0)
    labels = many_labels(20)
    features = pd.DataFrame(
        {
            "label": np.arange(1, 401),
            "area": 4,
            "mean_DAPI": generator.normal(size=400) * 1e-7,
            "score": generator.random(400).astype(np.float32),
            "touches_border": generator.random(400) > 0.5,
            "note, with comma": ['µ "quoted"\nline'] * 400,
        }
    )
    write_csv(tmp_path / "x.labels.csv", labels, LabelsInfo(features=features))
    with (tmp_path / "x.labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))  # pandas reads floats, depending on its version, to the last digit but one
    assert list(rows[0]) == list(features)
    for name in ("label", "area", "mean_DAPI"):
        assert [float(row[name]) for row in rows] == features[name].tolist()
    assert [np.float32(row["score"]) for row in rows] == features["score"].tolist()
    assert [row["touches_border"] for row in rows] == features["touches_border"].astype(str).tolist()
    assert {row["note, with comma"] for row in rows} == {'µ "quoted"\nline'}


@pytest.mark.parametrize("axes", ["YX", "TZYX"])
@pytest.mark.parametrize("pixels", [1, 10**6])
def test_without_features_the_pixels_are_measured(tmp_path, monkeypatch, axes, pixels):
    monkeypatch.setattr(labels_info, "_BAND_PIXELS", pixels)
    labels = np.random.default_rng(0).integers(0, 5, (2, 3, 7, 9)[4 - len(axes) :]).astype(np.int32)
    expected = measured(labels, axes.lower())
    for given in (labels, da.from_array(labels, chunks=3), labels.astype(np.uint8)):
        write_csv(tmp_path / "x.csv", given, LabelsInfo(axes=axes))
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x.csv"), expected, check_dtype=False)


def test_awkward_labels_with_gaps_in_their_numbers(tmp_path):
    labels = awkward_labels()
    labels[30:35, 30:35] = 2_000_000_000
    write_csv(tmp_path / "x.csv", labels, LabelsInfo())
    table = pd.read_csv(tmp_path / "x.csv")
    assert table["label"].tolist() == [1, 2, 5, 9, 70_001, 70_002, 70_003, 2_000_000_000]
    pd.testing.assert_frame_equal(table, measured(labels, "yx"))


def test_rows_follow_the_pixels():
    features = pd.DataFrame({"label": [3, 5], "area": [6, 99], "score": [0.5, 0.9]})  # 5 was erased, 9 painted
    table = labels_table(small(), LabelsInfo(features=features))
    assert table["label"].tolist() == [3, 9]
    assert table["area"].tolist() == [6, 1]
    assert table["score"].isna().tolist() == [False, True]
    assert table.columns.tolist() == ["label", "area", "score"]


@pytest.mark.parametrize(
    "features",
    [
        {"score": [0.0] * 10, "label": range(10)},
        {"index": range(10), "score": [0.0] * 10},
        {"index": range(10), "label": range(10), "score": [0.0] * 10},
        {"score": [0.0] * 10},  # napari: the row's number, of which the first is the background
    ],
)
def test_the_number_of_the_nucleus_comes_first_and_once(features):
    table = labels_table(small(), LabelsInfo(features=pd.DataFrame(features)))
    assert table.columns.tolist() == ["label", "score"]
    assert table["label"].tolist() == [3, 9]
    assert "index" not in table


def test_a_table_without_columns_is_no_table():
    assert labels_table(small(), LabelsInfo(features=pd.DataFrame(index=range(3))))["area"].tolist() == [6, 1]


@pytest.mark.parametrize("features", [None, pd.DataFrame({"label": [], "score": []})])
def test_no_nuclei(tmp_path, features):
    write_csv(tmp_path / "x.csv", np.zeros((4, 5), int), LabelsInfo(features=features))
    table = pd.read_csv(tmp_path / "x.csv")
    assert len(table) == 0
    assert table.columns[0] == "label"


def test_the_features_given_are_not_changed():
    features = pd.DataFrame({"index": [3, 9], "score": [1.0, 2.0]})
    before = features.copy()
    labels_table(small(), LabelsInfo(features=features))
    pd.testing.assert_frame_equal(features, before)


# -- nuclei that were corrected after they were measured -------------------------------------------------------------------------------

SCALE = {"Y": 0.5, "X": 0.25}
IMAGE = np.random.default_rng(1).random((40, 60))
LOST = ["score", "mean_DAPI", "median_DAPI", "min_DAPI", "max_DAPI", "sum_DAPI", "std_DAPI"]


def features_of(labels, scale=(0.5, 0.25)):
    """As a batch gives them, with a remark of the user."""
    images = {"DAPI": np.broadcast_to(IMAGE[: labels.shape[-2], : labels.shape[-1]], labels.shape)}
    table = measure(labels, images, scale)
    return table.assign(score=np.float32(0.75), note=[f"nucleus {label}" for label in table["label"]])


def corrected():
    """Two rows of nucleus 5 erased, 2 moved by a pixel with its area kept, 9 erased, 8 painted; and the features of before."""
    labels = awkward_labels()
    features = features_of(labels)
    labels[10:12][labels[10:12] == 5] = 0
    labels[labels == 2] = 0
    labels[1:7, 5:9] = 2
    labels[labels == 9] = 0
    labels[20:23, 50:55] = 8
    return labels, features


@pytest.mark.parametrize("lazy", [False, True])
def test_rows_of_corrected_nuclei_are_measured_again(lazy):
    labels, features = corrected()
    info = LabelsInfo(scale=SCALE, features=features)
    table = labels_table(da.from_array(labels, chunks=16) if lazy else labels, info)
    assert table.columns.tolist() == features.columns.tolist()
    assert table["label"].tolist() == [1, 2, 5, 70_001, 70_002, 70_003, 8]
    found, old, true = (frame.set_index("label") for frame in (table, features, features_of(labels)))
    same, stale = [1, 70_001, 70_002, 70_003], [2, 5, 8]
    pd.testing.assert_frame_equal(found.loc[same], old.loc[same], check_dtype=False)
    shape = [name for name in found if name not in (*LOST, "note")]
    pd.testing.assert_frame_equal(found.loc[stale, shape], true.loc[stale, shape])
    assert found.loc[stale, LOST].isna().all(axis=None)
    assert found.loc[[2, 5], "note"].tolist() == ["nucleus 2", "nucleus 5"]
    assert found["touches_border"].dtype == bool


def test_corrected_nuclei_are_measured_again_in_geojson(tmp_path):
    labels, features = corrected()
    write_geojson(tmp_path / "x.geojson", labels, LabelsInfo(scale=SCALE, features=features))
    found = json.loads((tmp_path / "x.geojson").read_text(encoding="utf-8"))["features"]
    measurements = {int(feature["properties"]["name"]): feature["properties"]["measurements"] for feature in found}
    assert measurements[5]["area"] == (labels == 5).sum()
    assert measurements[5]["area_um2"] == pytest.approx((labels == 5).sum() * 0.125)
    assert not set(LOST) & set(measurements[5])
    assert set(LOST) <= set(measurements[1])


def test_features_that_agree_stay_as_they_are():
    labels = awkward_labels()
    features = features_of(labels)
    pd.testing.assert_frame_equal(labels_table(labels, LabelsInfo(scale=SCALE, features=features)), features)
    rounded = features.astype({"centroid_y": np.float32, "centroid_x": np.float32})
    pd.testing.assert_frame_equal(labels_table(labels, LabelsInfo(scale=SCALE, features=rounded)), rounded)


def test_corrected_nuclei_have_no_physical_size_without_a_scale():
    labels, features = corrected()
    table = labels_table(labels, LabelsInfo(features=features)).set_index("label")
    assert table["area_um2"].isna().tolist() == [False, True, True, False, False, False, True]


def test_all_nuclei_can_be_corrected():
    labels, features = small(), features_of(small(), None)
    table = labels_table(np.roll(labels, 1, axis=1), LabelsInfo(features=features))
    assert table.columns.tolist() == features.columns.tolist()
    assert table["centroid_x"].tolist() == (features["centroid_x"] + 1).tolist()
    assert table[LOST].isna().all(axis=None)


def test_corrected_nuclei_of_a_stack():
    labels = np.zeros((3, 40, 60), np.int32)
    for plane in range(3):
        labels[plane, 5:9, 5:9] = 10 + plane
        labels[plane, 20:30, 20:26] = 20 + plane
    features = features_of(labels)
    assert "plane_0" in features
    labels[1][labels[1] == 11] = 0
    labels[2, 34:38, 5:9] = 11  # to another plane
    labels[0, 20:30, 26:28] = 20  # larger
    labels[1, 0:2, 0:2] = 12  # now in two planes, where a perimeter is not defined
    table = labels_table(labels, LabelsInfo(axes="ZYX", scale=SCALE, features=features)).set_index("label")
    assert table.index.tolist() == features["label"].tolist()
    assert table.loc[[11, 20, 12], "plane_0"].tolist() == [2, 0, 1]
    assert table.loc[[11, 20, 12], "area"].tolist() == [16, 80, 20]
    assert table["perimeter"].isna().tolist() == (table.index == 12).tolist()
    assert table["score"].isna().tolist() == table.index.isin([11, 12, 20]).tolist()
    assert table.loc[12, "touches_border"]


def test_a_nucleus_in_the_same_place_of_another_plane_is_noticed():
    labels = np.zeros((2, 40, 60), np.int32)
    labels[0, 5:9, 5:9] = 1
    table = labels_table(labels[::-1], LabelsInfo(axes="ZYX", features=features_of(labels)))
    assert table["plane_0"].tolist() == [1]
    assert table["score"].isna().all()


@pytest.mark.parametrize("label", [[3, 9], [3, 3]])
def test_features_of_other_programs_stay_as_they_are(label):
    features = pd.DataFrame({"label": label, "area": [1.5, 0.25], "mean_DAPI": [1.0, 2.0]})  # square micrometres, perhaps
    if label == [3, 3]:
        features = features.assign(centroid_y=[1.0, 1.0], centroid_x=[1.0, 3.0])  # one row a plane, or a part
    found = labels_table(small(), LabelsInfo(features=features))
    pd.testing.assert_frame_equal(found[: len(features)], features)

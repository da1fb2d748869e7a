from __future__ import annotations

import csv

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.io import labels_info
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

"""The table of nuclei in 3D is true of the pixels when it is written: corrected, erased and painted nuclei."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.volumes import add_micrometres
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.table_writer import labels_table, write_csv
from tests.volumes import measure_volumes

SCALE = {"Z": 2.0, "Y": 0.5, "X": 0.5}


@pytest.fixture
def labels():
    stack = np.zeros((4, 16, 16), np.int32)
    for number, (y, x) in enumerate(((2, 2), (2, 9), (9, 2)), start=1):
        stack[:3, y : y + 4, x : x + 4] = number
    return stack


@pytest.fixture
def features(labels):
    table = add_micrometres(measure_volumes(labels), SCALE)
    return table.assign(score=0.9, mean_DAPI=[1.0, 2.0, 3.0], remark=["a", "b", "c"])


def table_of(labels, features, axes="ZYX"):
    return labels_table(labels, LabelsInfo(axes, SCALE, features=features)).set_index("label")


def test_what_is_true_is_written_as_it_is(labels, features):
    written = table_of(labels, features)
    assert written.equals(features.drop(columns="index").set_index("label"))


def test_a_corrected_nucleus_is_measured_again(labels, features):
    labels[2][labels[2] == 2] = 0
    written = table_of(labels, features)
    row = written.loc[2]
    assert (row["volume"], row["planes"], row["centroid_z"]) == (32, 2, 0.5)
    assert (row["volume_um3"], row["centroid_z_um"]) == (16, 1)
    assert np.isnan(row["score"])
    assert np.isnan(row["mean_DAPI"])
    assert row["remark"] == "b", "what others wrote stays"
    assert written.loc[[1, 3]].equals(features.drop(columns="index").set_index("label").loc[[1, 3]])


def test_erased_nuclei_have_no_row_and_painted_ones_have(labels, features):
    labels[labels == 1] = 0
    labels[1:, 9:12, 9:12] = 8
    written = table_of(labels, features)
    assert written.index.tolist() == [2, 3, 8]
    assert written.loc[8, ["volume", "planes"]].tolist() == [27, 3]
    assert bool(written.loc[8, "cut_in_z"])
    assert np.isnan(written.loc[8, "mean_DAPI"])


def test_volumes_at_several_times(labels):
    movie = np.stack([labels, np.where(labels, labels + 3, 0)])
    tables = [measure_volumes(volume).assign(plane_t=time) for time, volume in enumerate(movie)]
    features = pd.concat(tables, ignore_index=True).assign(track=[1, 2, 3, 1, 2, 3], parent=0)
    assert table_of(movie, features, "TZYX").equals(features.drop(columns="index").set_index("label"))
    movie[1, 0][movie[1, 0] == 4] = 0
    written = table_of(movie, features, "TZYX")
    assert written.loc[4, ["volume", "plane_t"]].tolist() == [32, 1]
    assert written.loc[4, "track"] == 1, "who it is does not depend on its pixels"


def test_a_number_that_is_painted_at_several_times_has_one_row(labels):
    movie = np.stack([labels, np.where(labels, labels + 3, 0)])
    tables = [measure_volumes(volume).assign(plane_t=time) for time, volume in enumerate(movie)]
    features = pd.concat(tables, ignore_index=True).assign(track=[1, 2, 3, 1, 2, 3], parent=0)
    movie[:, :2, 9:12, 9:12] = 9
    movie[1, :3, 2:4, 2:4] = 2  # also at time 0
    written = table_of(movie, features, "TZYX")
    assert written.index.tolist() == [1, 2, 3, 4, 5, 6, 9]
    assert written.loc[[9, 2], "volume"].tolist() == [36, 48 + 12]
    assert np.isnan(written.loc[9, "track"])


def test_a_nucleus_that_was_moved_to_another_time_is_there(labels):
    movie = np.stack([labels, np.zeros_like(labels)])
    features = measure_volumes(labels).assign(plane_t=0, track=[1, 2, 3], parent=0)
    movie[1][labels == 2] = 2
    movie[0][labels == 2] = 0
    assert table_of(movie, features, "TZYX")["plane_t"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("known", [{}, {"area": [16.0], "centroid_y": [3.5], "centroid_x": [3.5]}, {"centroid_z": [1.0]}])
@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_volumes_of_another_program_are_left_as_they_are(labels, axes, known):
    one = np.where(labels == 1, 1, 0)[(0, slice(None))[len(axes) - 2 :]]
    written = table_of(one, pd.DataFrame({"label": [1], "volume": [9.0], **known}), axes)
    assert written.loc[1, "volume"] == 9


def test_the_file_has_the_same(labels, features, tmp_path):
    write_csv(tmp_path / "x.labels.csv", labels, LabelsInfo("ZYX", SCALE, features=features))
    saved = pd.read_csv(tmp_path / "x.labels.csv")
    assert saved["volume"].tolist() == [48, 48, 48]
    assert "index" not in saved

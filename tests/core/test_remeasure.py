from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from napari_unet_seg.core.edits import at
from napari_unet_seg.core.measure import add_physical, measure_plane
from napari_unet_seg.core.remeasure import can_follow, change_rows, place_of, plane_columns, remeasure, rows_of
from tests.core.test_edits import disc

EVERYWHERE = (slice(0, 60), slice(0, 80))


@pytest.fixture
def labels():
    return disc(disc(disc(np.zeros((60, 80), np.int32), 15, 15, 8, 2), 40, 76, 6, 5), 40, 20, 7, 9)


@pytest.fixture
def background(labels):
    return np.where(labels > 0, 0.1 + 0.05 * labels, 1.0)


def sorted_by_index(table):
    return table.sort_values("index").reset_index(drop=True)


@pytest.mark.parametrize("numbers", [{2}, {2, 5}, {2, 5, 9}, {2, 77}, {0, 2}])
def test_what_is_measured_again_is_as_the_whole(labels, background, numbers):
    whole = measure_plane(labels, 1 - background)
    again, _ = remeasure(labels, numbers, at((15, 15)), background)
    assert_frame_equal(again, whole[whole["index"].isin(numbers)].reset_index(drop=True))


def test_only_the_box_is_read(labels):
    _, box = remeasure(labels, {2}, at((15, 15)))
    assert box == (slice(6, 25), slice(6, 25))


@pytest.mark.parametrize("leading", [(), (1,), (2, 0)])
def test_rows_follow_and_come_back(labels, background, leading):
    names = [f"plane_{axis}" for axis in "tz"[: len(leading)]]
    table = measure_plane(labels, 1 - background).assign(**dict(zip(names, leading, strict=True)), note=["a", "b", "c"], mean_dapi=1.0)
    table = add_physical(table, (0.5, 0.25))
    labels[labels == 5] = 0
    labels[labels == 2] = 9
    labels[30:34, 40:50] = 12
    fresh, _ = remeasure(labels, {2, 5, 9, 12}, EVERYWHERE, background)
    change = change_rows(table, fresh, {2, 5, 9, 12}, leading, (0.5, 0.25))
    after = change.apply(table)
    expected = add_physical(measure_plane(labels, 1 - background), (0.5, 0.25))
    assert after["index"].tolist() == [9, 12]
    assert_frame_equal(after[list(expected)], expected)
    assert after["note"].tolist()[0] == "c"
    assert pd.isna(after["note"][1])
    assert after["mean_dapi"].isna().all()
    assert all(after[name].tolist() == [place] * 2 for name, place in zip(names, leading, strict=True))
    assert_frame_equal(change.revert(after), table)
    assert_frame_equal(change.apply(change.revert(after)), after)


def test_nuclei_keep_their_place(labels):
    table = measure_plane(labels).iloc[[2, 0, 1]].reset_index(drop=True)
    labels[10:12, 70:80] = 6
    labels[labels == 9] = 0
    labels[15, 15] = 0
    change = change_rows(table, remeasure(labels, {2, 6, 9}, EVERYWHERE)[0], {2, 6, 9})
    assert change.apply(table)["index"].tolist() == [2, 5, 6]
    assert_frame_equal(change.revert(change.apply(table)), table)


def test_other_planes_stay(labels):
    table = pd.concat([measure_plane(labels).assign(plane_z=z) for z in range(3)], ignore_index=True)
    change = change_rows(table, remeasure(labels * 0, {2}, EVERYWHERE)[0], {2}, (1,))
    after = change.apply(table)
    assert len(after) == 8
    assert after[after["index"] == 2]["plane_z"].tolist() == [0, 2]
    assert_frame_equal(change.revert(after), table)


def test_the_first_and_the_last_nucleus(labels):
    table = measure_plane(labels[:30])
    gone = change_rows(table, remeasure(labels * 0, {2}, EVERYWHERE)[0], {2})
    empty = gone.apply(table)
    assert len(empty) == 0
    assert list(empty) == list(table)
    assert_frame_equal(gone.revert(empty), table)
    back = change_rows(empty, remeasure(labels, {2}, EVERYWHERE)[0], {2})
    assert back.apply(empty)["index"].tolist() == [2]


def test_a_score_stays_unknown_without_maps(labels, background):
    table = measure_plane(labels, 1 - background)
    change = change_rows(table, remeasure(labels, {2}, EVERYWHERE)[0], {2})
    assert np.isnan(change.apply(table)["score"][0])
    assert change.apply(table)["score"][1:].notna().all()


def test_which_tables_can_follow(labels):
    table = measure_plane(labels)
    assert can_follow(table, ())
    assert can_follow(table, (1,))
    assert not can_follow(table, (3,))
    assert can_follow(table.assign(plane_z=0), (3,))
    assert plane_columns(table.assign(plane_t=0, plane_z=0)) == ["plane_t", "plane_z"]
    assert not can_follow(pd.DataFrame(), ())
    assert not can_follow(pd.DataFrame({"mine": [1]}), ())


def test_axes_of_length_one_need_no_column(labels):
    table = measure_plane(labels).assign(plane_t=[0, 1, 1])
    assert place_of(table, (1, 0), (5, 1)) == (1,)
    assert place_of(table, (1,), (5,)) == (1,)
    assert place_of(table.assign(plane_z=0), (1, 0), (5, 1)) == (1, 0)
    assert rows_of(table, (1,)).tolist() == [False, True, True]


def test_sizes_in_micrometres_are_forgotten_when_the_pixels_have_none(labels):
    table = add_physical(measure_plane(labels), (0.5, 0.5))
    labels[13:17, 13:17] = 0
    fresh, _ = remeasure(labels, {2}, at((15, 15)))
    after = change_rows(table, fresh, {2}).apply(table)
    assert np.isnan(after["area_um2"][0])
    assert after["area"][0] == table["area"][0] - 16
    assert after["area_um2"][1] == table["area_um2"][1]

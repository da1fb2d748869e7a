from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.volumes import add_micrometres, is_in_3d, measure_intensities_in_3d, volume_table
from tests.volumes import measure_volumes


@pytest.fixture
def labels():
    """A nucleus in three planes, and one in the last plane alone, which touches the edge."""
    stack = np.zeros((4, 12, 16), np.int32)
    stack[0, 4:6, 4:8] = stack[1, 4:8, 4:8] = stack[2, 4:6, 4:8] = 3
    stack[3, 8:12, 10:13] = 7
    return stack


def test_each_nucleus_has_a_row(labels):
    table = measure_volumes(labels).set_index("label")
    assert table["volume"].tolist() == [32, 12]
    assert table["planes"].tolist() == [3, 1]
    for name, axis in (("centroid_z", 0), ("centroid_y", 1), ("centroid_x", 2)):
        assert table[name].tolist() == pytest.approx([np.nonzero(labels == number)[axis].mean() for number in (3, 7)])
    assert table["largest_area"].tolist() == [16, 12]
    assert table["touches_border"].tolist() == [False, True]
    assert table["cut_in_z"].tolist() == [True, True]
    assert table["index"].tolist() == [3, 7]


def test_scores_are_means_over_the_pixels_and_other_axes_stay():
    columns = {"label": [1, 2, 3], "plane_t": [0, 0, 1], "plane_z": [0, 1, 1], "area": [10.0, 30.0, 5.0], "index": [1, 2, 3]}
    centres = {"centroid_y": [2.0, 6.0, 1.0], "centroid_x": [0.0, 4.0, 1.0]}
    outlines = pd.DataFrame({**columns, **centres, "touches_border": [False, True, False], "score": [1.0, 0.6, 0.2]})
    table = volume_table(outlines, np.array([1, 1, 2]), "Z", 9)
    assert table["score"].tolist() == pytest.approx([0.7, 0.2])
    assert table["plane_t"].tolist() == [0, 1]
    assert table["centroid_z"].tolist() == [0.75, 1]
    assert table["cut_in_z"].tolist() == [True, False]
    assert list(table)[:3] == ["label", "plane_t", "volume"]
    assert len(volume_table(outlines, np.array([1, 0, 0]), "Z", 9)) == 1, "what was dropped has no row"


def test_an_empty_stack_has_the_same_columns(labels):
    assert list(measure_volumes(np.zeros((2, 4, 4), np.int32))) == list(measure_volumes(labels))


def test_intensities_are_of_the_whole_nucleus(labels):
    image = np.arange(labels.size, dtype=float).reshape(labels.shape)
    table = measure_intensities_in_3d(labels, {"DAPI": image}).set_index("label")
    assert table["mean_DAPI"].tolist() == pytest.approx([image[labels == number].mean() for number in (3, 7)])
    assert table["max_DAPI"].tolist() == [image[labels == number].max() for number in (3, 7)]


def test_sizes_in_micrometres_as_far_as_known(labels):
    table = measure_volumes(labels)
    known = add_micrometres(table, {"Z": 2.0, "Y": 0.5, "X": 0.25})
    assert known["volume_um3"].tolist() == [8, 3]
    assert known["centroid_z_um"].tolist() == pytest.approx((2 * table["centroid_z"]).tolist())
    assert known["largest_area_um2"].tolist() == [2, 1.5]
    flat = add_micrometres(table, {"Y": 0.5, "X": 0.25})
    assert "volume_um3" not in flat
    assert "centroid_y_um" in flat
    assert add_micrometres(table, {"Z": 2.0}) is table


def test_tables_of_planes_are_told_from_those_in_3d(labels):
    assert is_in_3d(measure_volumes(labels))
    assert not is_in_3d(None)
    assert not is_in_3d(pd.DataFrame({"area": [1.0]}))

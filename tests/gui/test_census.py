from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from napari_unet_seg.core.measure import add_physical, measure, measure_plane
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.census import COUNTING, census_steps
from napari_unet_seg.progress import drain
from tests.core.test_doubts import grid


def stack():
    plane = grid((64, 96))
    return np.stack([plane, plane * 0, np.where(plane, plane + 50, 0)])


def test_a_plane_is_measured_and_its_highest_number_known():
    census = drain(census_steps(grid((64, 96))))
    assert census.highest == 6
    assert_frame_equal(census.table, measure_plane(grid((64, 96))))


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array])
def test_a_stack_is_counted_plane_by_plane(wrap):
    steps = []
    census = drain(census_steps(wrap(stack()), "ZYX"), steps.append)
    assert census.highest == 56
    assert census.table["plane_z"].tolist() == [0] * 6 + [2] * 6
    assert_frame_equal(census.table.drop(columns=["plane_z", "index"]), measure(stack()).drop(columns="plane_0"))
    assert [(step.stage, step.done, step.total) for step in steps] == [(COUNTING, done, 3) for done in range(4)]


def test_axes_without_names_are_numbered_and_micrometres_added():
    census = drain(census_steps(stack()[None], "", (0.5, 0.5)))
    assert {"plane_0", "plane_1", "area_um2"} <= set(census.table)
    plain = drain(census_steps(stack()[None])).table
    assert_frame_equal(census.table, add_physical(plain, (0.5, 0.5)))


def test_without_a_table_only_numbers_are_looked_at():
    assert drain(census_steps(stack(), measured=False)).table is None
    assert drain(census_steps(np.zeros((4, 4), np.int32), measured=False)).highest == 0


def test_no_nuclei_give_a_table_without_rows():
    census = drain(census_steps(stack() * 0))
    assert (census.highest, len(census.table)) == (0, 0)
    assert "area" in census.table


def test_labels_that_are_none_are_refused():
    with pytest.raises(InputError, match="-3"):
        drain(census_steps(np.full((4, 4), -3)))

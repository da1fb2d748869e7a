from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.intensities import intensities, is_intensity, ring_intensities, without_measured
from napari_unet_seg.core.measure import iter_measure, measure, measure_intensities
from napari_unet_seg.core.regions import find_regions
from napari_unet_seg.core.rings import find_rings
from napari_unet_seg.progress import drain


@pytest.fixture
def cells():
    """Two nuclei of 40 and 60 in cytoplasm of 10 and 20; the second is brighter in its nucleus alone."""
    labels = np.zeros((40, 80), np.int32)
    labels[15:25, 15:25], labels[15:25, 55:65] = 1, 2
    image = np.full(labels.shape, 10.0)
    image[:, 40:] = 20
    image[labels == 1], image[labels == 2] = 40, 60
    return labels, image


def test_rings_show_the_cytoplasm_and_the_ratio(cells):
    labels, image = cells
    table = measure(labels, {"GFP": image}, ring=5)
    assert table["ring_mean_GFP"].tolist() == [10, 20]
    assert table["ratio_GFP"].tolist() == [4, 3]
    assert (table["ring_area"] == find_rings(labels, 5).total()).all()
    assert "ring_area" not in measure(labels, {"GFP": image})


def test_the_nucleus_itself_is_measured_as_without_a_ring(cells):
    labels, image = cells
    plain = measure(labels, {"GFP": image})
    pd.testing.assert_frame_equal(measure(labels, {"GFP": image}, ring=3)[list(plain)], plain)


def test_no_room_and_no_light_give_no_ratio():
    labels = np.ones((6, 6), np.int32)
    assert measure(labels, {"a": labels}, ring=2)[["ring_mean_a", "ratio_a"]].isna().all(axis=None)
    labels = np.pad(labels, 5)
    dark = measure(labels, {"a": 3.0 * labels}, ring=2)
    assert dark["ring_mean_a"].tolist() == [0]
    assert dark["ratio_a"].isna().all()


def test_what_is_not_finite_in_a_ring_is_left_out(cells):
    labels, image = cells
    image[10:13] = np.nan
    rings = find_rings(labels, 5)
    columns = ring_intensities(rings, image, "a", intensities(find_regions(labels), image, "a")["mean_a"])
    assert columns["ring_mean_a"].tolist() == [10, 20]


def test_intensities_alone_have_rings_too(cells):
    labels, image = cells
    alone = measure_intensities(labels, {"a": image}, ring=4)
    pd.testing.assert_frame_equal(alone, measure(labels, {"a": image}, ring=4)[list(alone)])


def test_every_plane_has_its_own_rings(cells):
    labels, image = cells
    stack = measure(np.stack([labels, labels]), {"a": np.stack([image, 2 * image])}, ring=4)
    assert stack["ring_mean_a"].tolist() == [10, 20, 20, 40]
    assert stack["plane_0"].tolist() == [0, 0, 1, 1]


def test_it_tells_how_far_it_is(cells):
    labels, image = cells
    steps = []
    drain(iter_measure(np.stack([labels] * 3), {"a": np.stack([image] * 3)}, None, 3), steps.append)
    assert [step.done for step in steps] == list(range(1, 10))
    assert {(step.stage, step.total) for step in steps} == {("Measuring", 9)}


def test_an_empty_table_has_the_columns_of_rings():
    table = measure(np.zeros((4, 4), np.int32), {"a": np.zeros((4, 4))}, ring=2)
    assert list(table)[-3:] == ["std_a", "ring_mean_a", "ratio_a"]
    assert len(table) == 0


def test_measured_columns_are_told_from_the_others(cells):
    table = measure(cells[0], {"a": cells[1]}, scale=(0.5, 0.5), ring=3).assign(score=0.5, mine="x", to_vessel_um=3.0)
    left = without_measured(table)
    assert not [name for name in left if is_intensity(name)]
    assert {"label", "area", "perimeter", "score", "mine", "to_vessel_um"} <= set(left)
    assert not {"area_um2", "perimeter_um"} & set(left)

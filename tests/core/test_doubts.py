from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.doubts import count_cores, cut_nuclei, low_scores, merge_suspicion, merged, missed_in_image, missed_in_maps
from napari_unet_seg.core.measure import measure_plane
from tests.core.test_edits import disc


def grid(shape=(160, 160), step=32, radius=9):
    """Labels of discs in rows, numbered from 1."""
    labels = np.zeros(shape, np.int32)
    for y in range(step // 2, shape[0], step):
        for x in range(step // 2, shape[1], step):
            disc(labels, y, x, radius, labels.max() + 1)
    return labels


def with_pair(distance):
    """The grid with one nucleus, number 99, that is two discs."""
    labels = grid()
    labels[48 - 16 : 48 + 16, 48 - 16 : 48 + 48] = 0
    return disc(disc(labels, 48, 48, 9, 99), 48, 48 + distance, 9, 99)


@pytest.mark.parametrize("distance", [13, 15, 18])
def test_two_discs_that_became_one_come_first(distance):
    found = merged(measure_plane(with_pair(distance)))
    assert [doubt.label for doubt in found] == [99]
    assert (found[0].y, found[0].x) == pytest.approx((48, 48 + distance / 2), abs=0.6)
    assert found[0].suspicion > 1.5


def test_usual_nuclei_are_not_merged():
    labels = grid()
    assert merged(measure_plane(labels)) == []
    disc(labels, 16, 16, 13, 1)
    assert merged(measure_plane(labels)) == []


def test_very_large_nuclei_are_suspicious():
    assert [doubt.label for doubt in merged(measure_plane(disc(grid(), 80, 80, 20, 99)))] == [99]


def test_two_cores_in_the_map_are_suspicious():
    labels = with_pair(12)
    distance = np.where(labels > 0, 0.9, 0)
    distance[38:60, 53:56] *= 0.2
    cores = count_cores(labels, distance)
    assert cores.tolist()[-1] == 2
    assert set(cores.tolist()[:-1]) == {1}
    table = measure_plane(labels)
    assert merge_suspicion(table, cores)[-1] == merge_suspicion(table)[-1] + 1


def test_no_nuclei_no_doubts():
    blank = np.zeros((20, 20), np.int32)
    table = measure_plane(blank, blank)
    assert merged(table) == low_scores(table) == cut_nuclei(table) == []
    assert count_cores(blank, blank.astype(float)).size == 0
    assert missed_in_maps(blank, np.ones((20, 20))) == missed_in_image(blank, np.ones((20, 20))) == []


def test_scores_come_lowest_first_and_without_what_is_not_known():
    table = measure_plane(grid((64, 64))).assign(score=[0.9, np.nan, 0.5, 0.7])
    assert [doubt.label for doubt in low_scores(table, (2,))] == [3, 4, 1]
    assert {doubt.plane for doubt in low_scores(table, (2,))} == {(2,)}
    assert low_scores(table.drop(columns="score")) == []


def test_cut_nuclei_come_smallest_first():
    labels = disc(disc(grid((96, 96)), 0, 48, 6, 50), 95, 0, 4, 51)
    assert [doubt.label for doubt in cut_nuclei(measure_plane(labels))] == [51, 50]


@pytest.fixture
def scene():
    """Labels, and an image and a background map of all of them."""
    labels = grid()
    image = 200 + 1000.0 * (labels > 0) + np.random.default_rng(0).normal(0, 20, labels.shape)
    return labels, image, np.where(labels > 0, 0.05, 0.98)


def test_a_removed_nucleus_is_found_in_the_maps(scene):
    labels, _, background = scene
    assert missed_in_maps(labels, background) == []
    found = missed_in_maps(np.where(labels == 7, 0, labels), background, (1, 2))
    assert [(round(doubt.y), round(doubt.x)) for doubt in found] == [(48, 48)]
    assert (found[0].label, found[0].plane) == (0, (1, 2))
    assert found[0].diameter == pytest.approx(19, abs=1)


def test_places_of_middling_probability_come_after_sure_ones(scene):
    labels, _, background = scene
    background[labels == 3] = 0.7
    background[labels == 12] = 0.92
    found = missed_in_maps(np.where(np.isin(labels, (3, 7, 12)), 0, labels), background)
    assert [(round(doubt.y), round(doubt.x)) for doubt in found] == [(48, 48), (16, 80)]


def test_rims_and_specks_are_not_missed(scene):
    labels, _, background = scene
    smaller = np.where(np.roll(labels, 2, 0) == labels, labels, 0)
    background[0:3, 0:3] = 0
    assert missed_in_maps(smaller, background) == []


@pytest.mark.parametrize("sign", [1, -1])
def test_a_removed_nucleus_is_found_in_the_image(scene, sign):
    labels, image, _ = scene
    assert missed_in_image(labels, sign * image) == []
    found = missed_in_image(np.where(labels == 7, 0, labels), sign * image)
    assert [(round(doubt.y), round(doubt.x)) for doubt in found] == [(48, 48)]
    assert missed_in_image(labels, np.zeros(labels.shape)) == []

from __future__ import annotations

import numpy as np

from napari_unet_seg.core.overlap import find_overlap

FIRST = np.array([[7, 7, 7, 7, 0, 9, 9]])
SECOND = np.array([[0, 3, 3, 8, 8, 0, 8]])


def test_pairs_have_the_numbers_of_the_labels():
    pairs = find_overlap(FIRST, SECOND)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.shared.tolist(), strict=True)) == [(7, 3, 2), (7, 8, 1), (9, 8, 1)]
    assert pairs.iou.tolist() == [2 / 4, 1 / 6, 1 / 4]
    assert pairs.containment.tolist() == [1, 1 / 3, 1 / 2]


def test_the_best_pairs_are_one_to_one():
    best = find_overlap(FIRST, SECOND).best()
    assert (best.first.tolist(), best.second.tolist()) == ([7, 9], [3, 8])


def test_what_came_before_says_who_goes_on():
    left_and_right, both = np.array([[1, 1, 1, 2, 2, 2]]), np.array([[5, 5, 5, 5, 5, 5]])
    pairs = find_overlap(both, left_and_right + 10)
    before = np.array([0, 0, 0, 0, 0, 2])
    steady = pairs.steadiness(before, find_overlap(left_and_right, left_and_right + 10))
    assert dict(zip(pairs.second.tolist(), steady.tolist(), strict=True)) == {11: 0, 12: 1}
    assert pairs.best(steady).second.tolist() == [12]


def test_nothing_overlaps_nothing():
    assert find_overlap(np.zeros((2, 2), int), np.ones((2, 2), int)).first.size == 0

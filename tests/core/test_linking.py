"""Outlines become nuclei: the truth of a sample again, and what could bring two together or take one apart."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.linking import link_planes, missed_planes
from napari_unet_seg.core.metrics import evaluate
from napari_unet_seg.io.samples import sample_layers

SAMPLE_SPACING = 3.0


def apart(planes):
    """Labels whose numbers differ from plane to plane, as the engine finds them."""
    result, count = np.zeros(np.shape(planes), np.int32), 0
    for z, plane in enumerate(planes):
        for number in np.unique(plane[plane > 0]):
            count += 1
            result[z][plane == number] = count
    return result


def discs(*planes, size=64):
    """A stack in which each plane has discs (y, x, radius)."""
    y, x = np.mgrid[:size, :size]
    stack = np.zeros((len(planes), size, size), np.int32)
    for plane, found in zip(stack, planes, strict=True):
        for number, (row, column, radius) in enumerate(found, start=1):
            plane[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return apart(stack)


def ball(*radii, at=(32, 32)):
    return [[(*at, radius)] if radius else [] for radius in radii]


def linked(stack, spacing=0.0):
    return link_planes(stack, spacing)[stack]


def count(stack, spacing=0.0):
    return int(link_planes(stack, spacing).max())


@pytest.mark.parametrize("spacing", [0.0, SAMPLE_SPACING])
def test_the_truth_of_the_sample_is_found_again(spacing):
    truth = sample_layers("stack")[-1][0]
    found = linked(apart(truth), spacing)
    assert found.max() == len(np.unique(truth)) - 1 == 121
    assert evaluate(truth, found).ap(0.85) == 1


def test_caps_belong_to_their_nucleus_however_small_they_are():
    assert count(discs(*ball(3, 8, 11, 11, 8, 3)), 3) == 1


def test_one_number_through_all_planes_in_the_order_of_the_first():
    stack = discs([], [(10, 10, 6)], [(10, 10, 6), (40, 40, 6)], [(40, 40, 6)])
    assert np.unique(linked(stack)[:, 10, 10]).tolist() == [0, 1]
    assert np.unique(linked(stack)[:, 40, 40]).tolist() == [0, 2]


def test_an_outline_over_two_nuclei_does_not_join_them():
    pair = [(32, 22, 9), (32, 42, 9)]
    merged = discs(pair, pair, [(32, 32, 18)], pair, pair)
    found = linked(merged, 3)
    assert found.max() == 2
    assert found[0, 32, 22] == found[4, 32, 22] != found[0, 32, 42] == found[4, 32, 42]


def test_nuclei_below_one_another_are_parted_at_the_waist():
    above_and_below = discs(*ball(5, 9, 11, 10, 6, 5, 9, 11, 10, 6))
    assert count(above_and_below, 3) == 2
    assert count(above_and_below) == 2, "also when the distance of the planes is not known"


def test_a_slight_waist_parts_only_what_is_deeper_than_wide():
    slight = discs(*ball(8, 10, 11, 9.7, 11, 10, 8))
    assert count(slight, 1) == 1
    assert count(slight, 5) == 2


def test_one_bad_plane_takes_no_nucleus_apart():
    assert count(discs(*ball(10, 11, 11, 7, 11.5, 11, 10))) == 1


@pytest.mark.parametrize(("spacing", "nuclei"), [(0, 1), (3, 1), (12, 2)])
def test_a_missed_plane_is_bridged_where_planes_are_close(spacing, nuclei):
    assert count(discs(*ball(10, 10, 0, 10, 10)), spacing) == nuclei


def test_how_many_planes_may_be_missed_follows_from_their_distance():
    sizes = np.array([0, 315, 315])  # 20 px wide
    assert [missed_planes(sizes, spacing) for spacing in (0, 1, 2.5, 5, 6)] == [1, 2, 2, 1, 0]
    assert missed_planes(np.zeros(1, int), 2) == 1


def test_what_is_thin_is_dropped_within_the_stack_when_the_distance_is_known():
    haze = discs([(50, 50, 8)], [], [(32, 32, 10)], [], [(12, 12, 8)])
    assert count(haze, 3) == 2, "what goes on beyond the stack stays"
    assert count(haze) == 3
    assert count(haze, 6) == 3, "one plane may be all of a nucleus"


def test_a_nucleus_elsewhere_is_another_one():
    assert count(discs([(20, 20, 8)], [(44, 44, 8)])) == 2
    assert count(discs([(20, 20, 8)], [(20, 34, 8)])) == 2


def test_an_empty_stack_and_a_single_plane():
    assert link_planes(np.zeros((3, 4, 4), np.int32), 2).tolist() == [0]
    assert count(discs([(20, 20, 8)]), 3) == 1

"""What is wrong with labels, on cases drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_errors import count, judge
from tests.core.test_metrics import random_labels, strip

NAMES = ("found", "merged", "split", "missed", "poor", "right", "extra")


def said(truth, prediction):
    verdict = judge(truth, prediction)
    return {name: getattr(verdict, name).tolist() for name in NAMES if getattr(verdict, name).any()}


def test_all_is_right():
    truth = strip((1, 4), (0, 2), (7, 5))
    assert said(truth, truth * 3) == {"found": [True, True], "right": [True, True]}


def test_both_of_two_merged_nuclei_count():
    assert said(strip((1, 5), (2, 4), (0, 1)), strip((5, 9), (0, 1))) == {
        "found": [True, False],  # more than half of the joint area is one of them
        "merged": [True, True],
        "right": [True],
    }
    assert said(strip((1, 4), (2, 5), (3, 4)), strip((5, 13)))["merged"] == [True, True, True]


def test_a_neighbour_that_is_half_swallowed_is_merged_and_one_less_is_not():
    assert said(strip((1, 8), (2, 4)), strip((5, 10), (0, 2)))["merged"] == [True, True]
    assert "merged" not in said(strip((1, 8), (2, 4)), strip((5, 9), (0, 3)))


def test_a_nucleus_in_parts_is_split():
    assert said(strip((1, 9)), strip((5, 3), (6, 3), (7, 3))) == {"split": [True]}
    assert said(strip((1, 9)), strip((5, 7), (6, 2))) == {"found": [True], "split": [True], "right": [True, False]}


def test_missed_and_invented():
    assert said(strip((1, 4), (0, 6)), strip((0, 6), (3, 4))) == {"missed": [True], "extra": [True]}
    assert said(strip((1, 4)), strip((0, 4))) == {"missed": [True]}
    assert said(strip((0, 4)), strip((1, 4))) == {"extra": [True]}


def test_a_prediction_that_only_grazes_is_extra():
    assert said(strip((1, 10), (0, 9)), strip((0, 8), (2, 11))) == {"missed": [True], "extra": [True]}


def test_an_outline_that_is_too_wide_or_too_narrow_is_poor():
    assert said(strip((1, 3), (0, 6)), strip((2, 8), (0, 1))) == {"poor": [True]}
    assert said(strip((1, 9)), strip((2, 3), (0, 6))) == {"poor": [True]}


def test_figures_by_hand():
    first = count(judge(strip((1, 4), (2, 4), (0, 4)), strip((5, 8), (0, 1), (9, 3))))
    second = count(judge(strip((1, 10), (0, 2)), strip((3, 12))))
    figures = (first + second).figures()
    assert figures["merged"] == pytest.approx(2 / 3)
    assert figures["extra"] == pytest.approx(1 / 3)
    assert figures["count_error"] == 0
    assert figures["area_ratio"] == pytest.approx((8 / 4 + 12 / 10) / 2)
    assert (first + second).truth == 3


def test_nothing_at_all():
    found = count(judge(strip((0, 4)), strip((0, 4))))
    assert found.figures() == dict.fromkeys(("merged", "split", "missed", "poor", "extra", "count_error"), 0) | {"area_ratio": None}


@pytest.mark.parametrize("seed", range(30))
def test_every_true_nucleus_is_accounted_for(seed):
    truth, prediction = random_labels(seed), random_labels(seed + 40) if seed % 2 else np.roll(random_labels(seed), 2, 0)
    verdict = judge(truth, prediction)
    assert (verdict.found | verdict.merged | verdict.split | verdict.missed | verdict.poor).all()
    assert not (verdict.found & verdict.missed).any()
    assert not (verdict.right & verdict.extra).any()
    assert verdict.ratios.size == verdict.found.sum() == verdict.right.sum()
    turned = judge(prediction, truth)
    np.testing.assert_array_equal(turned.missed, verdict.extra)

"""Scores, against cases worked out by hand and a plain re-implementation on dense matrices."""

from __future__ import annotations

import dataclasses
import itertools
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
from dask import array as dask_array
from scipy.optimize import linear_sum_assignment

import napari_unet_seg as nus
from napari_unet_seg.core.metrics import THRESHOLDS, Scores, evaluate, matched_nuclei, overlaps, shared_pixels
from napari_unet_seg.errors import InputError


def dense_iou(truth, prediction):
    """The IoU of all pairs, pixel set by pixel set."""
    true_numbers, numbers = (np.unique(labels[labels > 0]) for labels in (truth, prediction))
    iou = np.zeros((len(true_numbers), len(numbers)))
    for (row, a), (column, b) in itertools.product(enumerate(true_numbers), enumerate(numbers)):
        iou[row, column] = ((truth == a) & (prediction == b)).sum() / ((truth == a) | (prediction == b)).sum()
    return iou


def counts_of_stardist(iou, threshold):
    """(tp, fp, fn) as `stardist.matching` counts: at or over the threshold, Hungarian on the number of matches, then on IoU."""
    true_count, count = iou.shape
    matches = 0
    if min(iou.shape) and (iou >= threshold).any():
        costs = -(iou >= threshold).astype(float) - iou / (2 * min(iou.shape))
        matches = int((iou[linear_sum_assignment(costs)] >= threshold).sum())
    return matches, count - matches, true_count - matches


def random_labels(seed, shape=(20, 25), count=12, largest=7):
    """Rectangles over one another, numbers with gaps."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for number in random.choice(50, count, replace=False) + 1:
        y, x = random.integers(0, shape)
        labels[y : y + random.integers(1, largest), x : x + random.integers(1, largest)] = number
    return labels


def strip(*runs):
    """Labels in one row: (number, length) after (number, length)."""
    return np.concatenate([np.full(length, number) for number, length in runs])[None]


# -- against the re-implementation -----------------------------------------------------------------------------------------------------

MANY = (0.05, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.4, 0.45, *THRESHOLDS, 1.0)


@pytest.mark.parametrize("seed", range(25))
def test_counts_agree_with_stardist(seed):
    truth, other = random_labels(seed), random_labels(seed + 1000)
    shifted = np.roll(truth, (seed % 3, seed % 2), (0, 1))
    for prediction in (other, shifted, np.where(other % 3 == 0, other, shifted)):
        iou = dense_iou(truth, prediction)
        scores = evaluate(truth, prediction, MANY)
        found = list(zip(scores.tp, scores.fp, scores.fn, strict=True))
        assert found == [counts_of_stardist(iou, threshold) for threshold in MANY]
        np.testing.assert_allclose(overlaps(truth, prediction).toarray(), iou)


def reference(truth, prediction, threshold):
    """(tp, fp, fn, precision, recall, AP, F1) of `stardist.matching` where it is installed, else as its source has them."""
    if find_spec("stardist"):
        found = import_module("stardist.matching").matching(truth, prediction, threshold)
        return found.tp, found.fp, found.fn, found.precision, found.recall, found.accuracy, found.f1
    tp, fp, fn = counts_of_stardist(dense_iou(truth, prediction), threshold)
    if tp == 0:  # in its source each ratio is 0 without a match
        return tp, fp, fn, 0, 0, 0, 0
    return tp, fp, fn, tp / (tp + fp), tp / (tp + fn), tp / (tp + fp + fn), 2 * tp / (2 * tp + fp + fn)


@pytest.mark.parametrize("seed", range(20))
def test_figures_agree_with_stardist(seed):
    truth = random_labels(seed)
    prediction = np.roll(truth, 1, seed % 2) if seed % 3 else random_labels(seed + 500)
    scores = evaluate(truth, prediction, MANY)
    for place, at in enumerate(MANY):
        *counts, precision, recall, ap, f1 = reference(truth, prediction, at)
        assert (scores.tp[place], scores.fp[place], scores.fn[place]) == tuple(counts)
        assert (scores.precision(at), scores.recall(at), scores.ap(at), scores.f1(at)) == pytest.approx((precision, recall, ap, f1))


def test_where_stardist_differs_both_are_empty():
    empty = np.zeros((9, 9), np.int32)
    scores = evaluate(empty, empty, (0.5,))
    assert reference(empty, empty, 0.5) == (0, 0, 0, 0, 0, 0, 0)
    assert (scores.precision(0.5), scores.recall(0.5), scores.ap(0.5), scores.f1(0.5)) == (1, 1, 1, 1)
    one_missed = evaluate(strip((1, 3)), strip((0, 3)), (0.5,)), reference(strip((1, 3)), strip((0, 3)), 0.5)
    assert one_missed[0].ap(0.5) == one_missed[1][5] == 0


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5])
def test_of_the_largest_matchings_the_best_is_taken(seed, threshold):
    """By trying every matching."""
    random = np.random.default_rng(seed)
    truth, prediction = random.integers(0, 5, (6, 7)), np.repeat(random.integers(0, 5, (6, 4)), 2, axis=1)[:, :7]
    iou = dense_iou(truth, prediction)
    if iou.shape[0] > iou.shape[1]:
        iou = iou.T
    tried = []
    for columns in itertools.permutations(range(iou.shape[1]), iou.shape[0]):
        values = iou[range(iou.shape[0]), columns]
        reached = values[values >= threshold]
        tried.append((len(reached), reached.sum()))
    scores = evaluate(truth, prediction, (threshold,))
    assert scores.tp[0] == max(tried)[0]
    assert scores.iou[0] == pytest.approx(max(tried)[1])


def test_thousands_of_doubtful_pairs_are_matched_in_little_memory():
    """A dense matrix of all of them would take 3.2 GB."""
    truth = np.arange(1, 20_001).repeat(4).reshape(1, -1)
    scores = evaluate(truth, np.roll(truth, 2), (0.3,))
    assert scores.tp == (20_000,)  # each overlaps two others, by a third each


# -- by hand ---------------------------------------------------------------------------------------------------------------------------


def test_three_nuclei_by_hand():
    truth = strip((1, 10), (0, 2), (2, 10), (0, 2), (3, 10))
    prediction = strip((7, 10), (0, 2), (0, 3), (8, 7), (0, 2), (9, 3), (5, 7))  # 1: same; 2: 7 of 10; 3: split 3 and 7
    scores = evaluate(truth, prediction)
    assert (scores.tp[0], scores.fp[0], scores.fn[0]) == (3, 1, 0)
    assert scores.ap(0.5) == 3 / 4
    assert scores.ap(0.7) == 3 / 4  # 7 of 10 is at the threshold
    assert scores.ap(0.75) == 1 / 6
    assert scores.precision(0.5) == 3 / 4
    assert scores.recall(0.5) == 1
    assert scores.f1(0.5) == 6 / 7
    assert scores.pq(0.5) == pytest.approx((1 + 0.7 + 0.7) / (3 + 0.5))
    assert scores.mean_ap(0.5, 0.9) == pytest.approx((5 * 3 / 4 + 4 * 1 / 6) / 9)
    assert scores.mean_ap(0.8, 0.8) == 1 / 6


@pytest.mark.parametrize(("length", "threshold"), [(5, 0.5), (6, 0.6), (7, 0.7), (9, 0.9), (10, 1.0), (1, 0.1)])
def test_a_pair_at_the_threshold_matches(length, threshold):
    truth, prediction = strip((1, 10)), strip((1, length), (0, 10 - length))
    assert evaluate(truth, prediction, (threshold,)).tp == (1,)
    assert evaluate(truth, prediction, (min(threshold + 1e-6, 1),)).tp == (int(threshold == 1),)


def test_one_to_one():
    """Both halves reach one half, but only one of them can match."""
    scores = evaluate(strip((1, 10)), strip((1, 5), (2, 5)), (0.5,))
    assert (scores.tp, scores.fp, scores.fn) == ((1,), (1,), (0,))


def test_two_matches_are_better_than_one_good_one():
    """The 2 overlaps both, the 1 only the first: taking the best pair first would leave one unmatched."""
    truth = strip((1, 4), (2, 6), (0, 0))
    prediction = strip((1, 2), (0, 2), (0, 2), (2, 4))
    assert evaluate(truth, prediction, (0.1,)).tp == (2,)


# -- no nuclei -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (1, 1), (0, 5), (0,), (2, 3, 4)])
def test_both_empty_is_perfect(shape):
    scores = evaluate(np.zeros(shape, int), np.zeros(shape, int))
    for name in ("ap", "precision", "recall", "f1", "pq"):
        assert getattr(scores, name)(0.5) == 1
    assert scores.mean_ap() == 1


def test_one_empty_is_worthless():
    full, empty = strip((1, 3), (2, 3)), strip((0, 6))
    missed, invented = evaluate(full, empty), evaluate(empty, full)
    assert (missed.tp[0], missed.fp[0], missed.fn[0]) == (0, 0, 2)
    assert (invented.tp[0], invented.fp[0], invented.fn[0]) == (0, 2, 0)
    for scores in (missed, invented):
        assert scores.ap(0.5) == scores.f1(0.5) == scores.pq(0.5) == scores.mean_ap() == 0
    assert (missed.precision(0.5), missed.recall(0.5)) == (1, 0)
    assert (invented.precision(0.5), invented.recall(0.5)) == (0, 1)


def test_nuclei_that_never_meet():
    scores = evaluate(strip((1, 3), (0, 3)), strip((0, 3), (1, 3)), (0.01, 0.5))
    assert (scores.tp, scores.fp, scores.fn) == ((0, 0), (1, 1), (1, 1))


# -- which nuclei match ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_matched_nuclei_are_those_that_are_counted(seed, threshold):
    truth, prediction = random_labels(seed), np.roll(random_labels(seed), 1, 0)
    scores = evaluate(truth, prediction, (threshold,))
    found, right = matched_nuclei(truth, prediction, threshold)
    assert found.sum() == right.sum() == scores.tp[0]
    assert (found.size, right.size) == (scores.tp[0] + scores.fn[0], scores.tp[0] + scores.fp[0])
    iou = dense_iou(truth, prediction)
    assert (iou[found].max(axis=1, initial=0) >= threshold).all()
    assert (iou[:, right].max(axis=0, initial=0) >= threshold).all()


def test_matched_nuclei_are_in_the_order_of_their_numbers():
    found, right = matched_nuclei(strip((7, 4), (3, 4), (5, 4)), strip((2, 4), (0, 4), (9, 3), (1, 1)))
    assert found.tolist() == [False, True, True]
    assert right.tolist() == [False, True, True]


def test_matched_nuclei_are_checked_as_scores_are():
    with pytest.raises(InputError, match="The threshold is 2"):
        matched_nuclei(strip((1, 3)), strip((1, 3)), 2)
    with pytest.raises(InputError, match="they must be equal"):
        matched_nuclei(strip((1, 3)), strip((1, 4)))


def test_shared_pixels_by_hand():
    shared, true_area, area = shared_pixels(strip((5, 4), (0, 2), (8, 3)), strip((0, 1), (2, 5), (1, 3)))
    np.testing.assert_array_equal(shared.toarray(), [[0, 3], [3, 0]])
    assert true_area.tolist() == [4, 3]
    assert area.tolist() == [3, 5]


# -- any numbers, any arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("add", [0, 100, 2**31, 2**40, 2**62])
def test_numbers_have_no_meaning(add):
    truth, prediction = random_labels(1).astype(np.int64), random_labels(2).astype(np.int64)
    expected = evaluate(truth, prediction)
    assert evaluate(np.where(truth, truth + add, 0), np.where(prediction, 2**62 - prediction, 0)) == expected


def test_labels_without_background():
    truth = strip((5, 4), (6, 4))
    assert evaluate(truth, truth).tp == (2,) * 10
    assert evaluate(truth, strip((9, 8)), (0.5,)).tp == (1,)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">u2", "i4", "u8", "i8"])
def test_every_integer_dtype(dtype):
    truth, prediction = random_labels(3), random_labels(4)
    assert evaluate(truth.astype(dtype), prediction.astype(">i8")) == evaluate(truth, prediction)


def test_volumes_lists_and_lazy_arrays():
    truth = np.stack([random_labels(5), random_labels(6)])
    assert evaluate(truth, truth).mean_ap() == 1
    assert evaluate([[1, 1, 0]], [[0, 2, 2]], (0.3,)).tp == (1,)
    assert evaluate(dask_array.from_array(truth, chunks=10), truth).ap(0.95) == 1


def test_labels_are_not_changed():
    truth, prediction = random_labels(7), random_labels(8)
    before = truth.copy(), prediction.copy()
    evaluate(truth, prediction, (0.1, 0.5))
    np.testing.assert_array_equal((truth, prediction), before)


# -- pooling ---------------------------------------------------------------------------------------------------------------------------


def test_pooling_adds_counts():
    first, second = (evaluate(random_labels(seed), random_labels(seed + 50), (0.2, 0.5)) for seed in (1, 2))
    pooled = first + second
    assert pooled == second + first
    for name in ("tp", "fp", "fn"):
        assert getattr(pooled, name) == tuple(a + b for a, b in zip(getattr(first, name), getattr(second, name), strict=True))
    assert pooled.iou == pytest.approx(np.add(first.iou, second.iou))
    assert pooled.ap(0.2) == pooled.tp[0] / (pooled.tp[0] + pooled.fp[0] + pooled.fn[0])


def test_pooling_is_as_one_large_image():
    pairs = [(random_labels(seed), np.roll(random_labels(seed), 1, 0)) for seed in range(4)]
    first, *rest = [evaluate(*pair) for pair in pairs]
    truth, prediction = (np.stack(side) for side in zip(*pairs, strict=True))
    apart = 100 * np.arange(4).reshape(4, 1, 1)
    truth, prediction = (np.where(labels, labels + apart, 0) for labels in (truth, prediction))
    whole, pooled = evaluate(truth, prediction), sum(rest, first)
    assert (pooled.tp, pooled.fp, pooled.fn) == (whole.tp, whole.fp, whole.fn)
    assert pooled.iou == pytest.approx(whole.iou)


def test_an_empty_image_pools_as_nothing():
    scores = evaluate(random_labels(1), random_labels(2))
    assert scores + evaluate(np.zeros((3, 3), int), np.zeros((3, 3), int)) == scores


def test_other_thresholds_cannot_be_pooled():
    with pytest.raises(InputError, match=r"Scores at \(0.5,\) and at \(0.6,\) cannot be pooled"):
        evaluate(strip((1, 3)), strip((1, 3)), (0.5,)) + evaluate(strip((1, 3)), strip((1, 3)), (0.6,))


# -- thresholds and refusals -----------------------------------------------------------------------------------------------------------


def test_the_thresholds_of_the_field():
    assert nus.evaluate(strip((1, 3)), strip((1, 3))).thresholds == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_thresholds_are_found_but_for_rounding():
    scores = evaluate(strip((1, 3)), strip((1, 3)))
    assert scores.ap(0.1 + 0.2 + 0.3) == 1
    with pytest.raises(InputError, match=r"There is no score at IoU 0.52; there are \(0.5, "):
        scores.ap(0.52)
    with pytest.raises(InputError, match=r"No threshold lies between 0.51 and 0.54"):
        scores.mean_ap(0.51, 0.54)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(InputError, match=rf"The threshold is {threshold}; an IoU threshold is over 0 and at most 1"):
        evaluate(strip((1, 3)), strip((1, 3)), (0.5, threshold))


@pytest.mark.parametrize(
    ("truth", "prediction", "words"),
    [
        (np.zeros((3, 4), int), np.zeros((4, 3), int), r"The truth has shape \(3, 4\) and the prediction \(4, 3\); they must be equal"),
        (np.zeros((3, 4)), np.zeros((3, 4), int), "The truth has dtype float64"),
        (np.zeros((3, 4), int), np.zeros((3, 4), bool), "The prediction has dtype bool"),
        (np.full((3, 4), -2), np.zeros((3, 4), int), "hold the number -2"),
        (np.zeros((3, 4), int), np.full((3, 4), -1), "hold the number -1"),
    ],
)
def test_what_cannot_be_compared(truth, prediction, words):
    with pytest.raises(InputError, match=words):
        evaluate(truth, prediction)


def test_scores_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Scores((0.5,), (1,), (0,), (0,), (1.0,)).tp = (2,)

"""Dice of classes: what counts, what does not, and how measurements are pooled and told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_unet_seg.core.annotations import Annotation
from napari_unet_seg.core.class_figures import ClassFigures, compare_classes, measure_classes
from napari_unet_seg.core.class_samples import prepare_classes

NAMES = ("background", "stroma", "blood")
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, (24, 24))
KNOWN = RANDOM.random((24, 24)) < 0.5


def compared(found, truth=TRUTH, known=None, **options):
    return compare_classes(NAMES, truth, found, np.ones(truth.shape, bool) if known is None else known, **options)


def sample(truth=TRUTH, known=None):
    image = (80 * truth + 20).astype(np.uint8)
    return prepare_classes(image, Annotation(truth.astype(np.int32), np.ones(truth.shape, bool) if known is None else known), NAMES[1:])


def answers(found):
    """Return maps (C, Y, X) that are highest for the classes that are to be found."""
    return np.stack([found == number for number in range(len(NAMES))]).astype(np.float16)


def test_the_same_map_is_perfect_and_the_opposite_worth_nothing():
    assert compared(TRUTH).dice == dict.fromkeys(NAMES, 1.0)
    assert compared((TRUTH + 1) % 3).dice == dict.fromkeys(NAMES, 0.0)


def test_dice_is_that_of_the_definition():
    found = RANDOM.integers(0, 3, TRUTH.shape)
    for number, name in enumerate(NAMES):
        a, b = number == TRUTH, found == number
        assert compared(found).dice[name] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_pixels_that_are_not_known_count_for_nothing():
    first = compared(np.where(KNOWN, TRUTH, 0), known=KNOWN)
    second = compared(np.where(KNOWN, TRUTH, 2), known=KNOWN)
    assert first == second
    assert sum(first.truth) == sum(first.found) == KNOWN.sum()
    assert first.mean_dice == 1


def test_a_class_that_nobody_annotated_is_left_out_even_if_it_is_found():
    """What is found of it lowers the Dice of the classes whose pixels these are."""
    truth = np.array([[0, 0, 1, 1]])
    figures = compared(np.array([[0, 2, 1, 1]]), truth)
    assert figures.dice == {"background": pytest.approx(2 / 3), "stroma": 1.0}
    assert figures.mean_dice == pytest.approx(5 / 6)


def test_pooled_figures_are_those_of_all_pixels_at_once():
    found = RANDOM.integers(0, 3, TRUTH.shape)
    top, bottom = (compared(found[rows], TRUTH[rows], loss=loss) for rows, loss in ((slice(9), 1.0), (slice(9, None), 4.0)))
    pooled, whole = top + bottom, compared(found)
    assert (pooled.shared, pooled.truth, pooled.found) == (whole.shared, whole.truth, whole.found)
    assert pooled.mean_dice == whole.mean_dice != (top.mean_dice + bottom.mean_dice) / 2
    assert (pooled.loss, pooled.windows) == (2.5, 2)


def test_figures_of_other_classes_cannot_be_pooled():
    with pytest.raises(ValueError, match="zip"):
        compared(TRUTH) + ClassFigures(("a",), (0,), (0,), (0,))


def test_the_higher_dice_is_better_and_of_equal_ones_the_lower_loss():
    worse, better = compared((TRUTH + (TRUTH == 2)) % 3, loss=0.1), compared(TRUTH, loss=9.0)
    assert better.quality > worse.quality
    assert compared(TRUTH, loss=0.2).quality > compared(TRUTH, loss=0.3).quality
    almost = ClassFigures(NAMES, (0, 49_999_999, 0), (0, 50_000_000, 0), (0, 50_000_000, 0), 0.2, 1)
    exact = ClassFigures(NAMES, (0, 50_000_000, 0), (0, 50_000_000, 0), (0, 50_000_000, 0), 0.3, 1)
    assert almost.quality > exact.quality, "a pixel of millions decides nothing"


def test_a_card_holds_rounded_numbers():
    figures = ClassFigures(NAMES, (1, 1, 0), (3, 1, 0), (3, 1, 0), 0.0, 1)
    assert figures.to_dict() == {"mean_dice": 0.6667, "dice": {"background": 0.3333, "stroma": 1.0}}
    assert figures.metrics == {"mean_dice": pytest.approx(2 / 3), "dice_background": pytest.approx(1 / 3), "dice_stroma": 1.0}


def test_without_windows_there_is_nothing_to_tell():
    nothing = ClassFigures(NAMES, (0,) * 3, (0,) * 3, (0,) * 3)
    assert nothing.dice == {}
    assert nothing.mean_dice == 0
    assert math.isnan(nothing.loss)
    assert nothing.to_dict() == {"mean_dice": 0, "dice": {}}


class TestANetwork:
    def test_its_highest_map_is_the_class(self):
        found = (TRUTH + (RANDOM.random(TRUTH.shape) < 0.3)) % 3
        figures = measure_classes([sample()], lambda window: (0.5, answers(found)), NAMES)
        assert figures == compared(found, loss=0.5)

    def test_a_map_of_distances_after_the_classes_is_no_class(self):
        maps = np.concatenate([answers(TRUTH), np.full((1, *TRUTH.shape), 9, np.float16)])
        assert measure_classes([sample()], lambda window: (0.0, maps), NAMES).mean_dice == 1

    def test_without_maps_all_counts_as_background(self):
        figures = measure_classes([sample()], lambda window: (0.5, None), NAMES)
        assert figures.found == (TRUTH.size, 0, 0)
        assert set(figures.dice) == set(NAMES)
        assert figures.dice["stroma"] == figures.dice["blood"] == 0

    def test_only_what_is_known_of_a_window_is_measured(self):
        window = sample(known=KNOWN)
        figures = measure_classes([window], lambda window: (0.0, answers(TRUTH)), NAMES)
        assert sum(figures.truth) == KNOWN.sum()

    def test_each_window_is_looked_at_once_and_in_turn(self):
        windows, seen = [sample(TRUTH[:12]), sample(TRUTH[12:])], []

        def look(window):
            seen.append(window)
            return float(len(seen)), answers(np.zeros(window.labels.shape, int))

        figures = measure_classes(windows, look, NAMES)
        assert [id(window) for window in seen] == [id(window) for window in windows]
        assert (figures.windows, figures.loss) == (2, 1.5)
        assert sum(figures.truth) == TRUTH.size

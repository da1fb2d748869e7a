"""Calibration: the curve, its error, and the call that writes both into a card."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.calibration import (
    KNOTS,
    Examples,
    calibrate,
    collect_examples,
    cross_calibrated,
    fit_knots,
    reliability,
)
from napari_unet_seg.core.score import CARD_KEY, calibrated, knots_of
from napari_unet_seg.errors import InputError
from tests.tiny import discs, tiny_model


def overconfident(count=4000, fields=20, seed=0):
    """Nuclei of score s are right with a probability of s squared."""
    random = np.random.default_rng(seed)
    score = random.uniform(0.4, 1, count)
    return Examples(score, random.random(count) < score**2, random.integers(0, fields, count))


def test_the_curve_finds_how_likely_nuclei_are_right():
    examples = overconfident()
    knots = fit_knots(examples.score, examples.right)
    assert len(knots) == KNOTS
    scores = np.linspace(0.45, 0.95, 20)
    np.testing.assert_allclose(calibrated(scores, knots), scores**2, atol=0.07)


def test_the_curve_rises_and_is_never_certain():
    random = np.random.default_rng(0)
    for right in (np.ones(300, bool), np.zeros(300, bool), random.random(300) < 0.5):
        x, y = zip(*fit_knots(random.uniform(0.9, 1, 300), right), strict=True)
        assert np.all(np.diff(x) > 0)
        assert np.all(np.diff(y) >= 0)
        assert 0 < min(y) <= max(y) < 1


def test_equal_scores_are_one_knot():
    ((score, share),) = fit_knots(np.full(98, 0.75), np.arange(98) % 2 == 0)
    assert score == 0.75
    assert share == pytest.approx(0.5, abs=0.1)


def test_few_nuclei_give_few_knots():
    assert len(fit_knots(np.array([0.6, 0.9]), np.array([False, True]))) == 2
    with pytest.raises(InputError, match="no nucleus to calibrate with"):
        fit_knots(np.zeros(0), np.zeros(0, bool))


def test_reliability_by_hand():
    found = reliability(np.array([0.11, 0.13, 0.95, 1.0]), np.array([False, True, True, True]))
    assert found.score == pytest.approx((0.12, 0.975))
    assert found.right == (0.5, 1.0)
    assert found.nuclei == (2, 2)
    assert found.error == pytest.approx((0.38 * 2 + 0.025 * 2) / 4)
    assert reliability(np.zeros(0), np.zeros(0, bool)).error == 0


def test_fields_that_are_new_get_honest_scores():
    examples = overconfident()
    assert reliability(examples.score, examples.right).error > 0.15
    assert reliability(cross_calibrated(examples), examples.right).error < 0.04


def test_no_nucleus_has_a_say_in_its_own_score():
    """Field by field the truth is turned round: its own scores must not follow."""
    examples = overconfident(fields=4)
    before = cross_calibrated(examples)
    for field in range(4):
        mine = examples.group == field
        turned = Examples(examples.score, np.where(mine, ~examples.right, examples.right), examples.group)
        np.testing.assert_array_equal(cross_calibrated(turned)[mine], before[mine])


@pytest.fixture(scope="module")
def annotated():
    pairs = [discs((256, 256), 40, seed=seed) for seed in range(8)]
    # Half of each truth is erased: half of what the model finds there is wrong.
    truths = [np.where(labels % 2, labels, 0) for _, labels in pairs]
    return [image for image, _ in pairs], truths, ["a", "a", "b", "b", "c", "c", "d", "d"]


def test_a_model_is_calibrated_on_annotated_images(annotated):
    model = tiny_model()
    found = calibrate(model, *annotated)
    facts = found.card[CARD_KEY]
    assert found.card["diameter"] == model.card["diameter"]
    assert CARD_KEY not in model.card
    assert facts["fields"] == 4
    assert facts["error_before"] > 0.3
    assert facts["error_after"] < 0.15
    score = nus.drain(nus.iter_segment(annotated[0][0], found, "cpu")).features["score"]
    assert score.mean() == pytest.approx(0.5, abs=0.15)


def test_calibrating_again_is_the_same(annotated, tmp_path):
    once = calibrate(tiny_model(), *annotated)
    again = calibrate(nus.load_model(once.save(tmp_path / "known")), *annotated)
    assert knots_of(again.card) == knots_of(once.card)


def test_examples_are_in_the_order_of_the_labels(annotated):
    images, truths, fields = (part[:2] for part in annotated)
    examples = collect_examples(tiny_model(), images, truths, fields)
    labels = nus.segment(images[0], tiny_model(), "cpu")
    inside = [truths[0][labels == number] for number in range(1, labels.max() + 1)]
    hit = [any(2 * (own == n).sum() >= own.size + (truths[0] == n).sum() - (own == n).sum() for n in set(own) - {0}) for own in inside]
    assert examples.right[: len(hit)].tolist() == hit
    assert set(examples.group) == {0}


def test_too_little_is_refused(annotated):
    images, truths, fields = annotated
    with pytest.raises(InputError, match=r"needs 200 nuclei in two fields; there are \d+ in 1"):
        calibrate(tiny_model(), images[:1], truths[:1], fields[:1])
    with pytest.raises(InputError, match="There are 8 images, 7 labels and 8 fields; give equally many"):
        calibrate(tiny_model(), images, truths[:7], fields)

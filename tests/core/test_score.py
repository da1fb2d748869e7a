"""Scores by a curve."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.redecode import MapStack, iter_redecode
from napari_unet_seg.core.score import CARD_KEY, as_knots, calibrated, knots_of
from tests.tiny import discs, tiny_model, whole_plane

KNOTS = ((0.6, 0.2), (0.8, 0.6), (0.9, 0.95))


def test_a_score_lies_on_the_curve_and_level_beyond_its_ends():
    found = calibrated(np.array([0.1, 0.6, 0.7, 0.9, 1.0, np.nan]), KNOTS)
    np.testing.assert_allclose(found, [0.2, 0.2, 0.4, 0.95, 0.95, np.nan])


def test_without_a_curve_scores_stay():
    np.testing.assert_array_equal(calibrated(np.array([0.3, 0.7], np.float32), ()), np.array([0.3, 0.7], np.float32).astype(float))
    assert calibrated(np.zeros(0), KNOTS).shape == (0,)


@pytest.mark.parametrize("card", [{}, {CARD_KEY: None}, {CARD_KEY: {}}, {CARD_KEY: {"knots": []}}])
def test_a_card_without_a_calibration(card):
    assert knots_of(card) == ()


def test_a_curve_survives_a_file():
    card = json.loads(json.dumps({CARD_KEY: {"knots": KNOTS}}))
    assert knots_of(card) == as_knots(card[CARD_KEY]["knots"]) == KNOTS


def test_the_table_of_a_plane():
    labels = np.array([[1, 1, 0, 2]], np.int32)
    probability = np.array([[0.7, 0.9, 0.0, 0.7]])
    assert measure_plane(labels, probability, KNOTS)["score"].tolist() == pytest.approx([0.6, 0.4])


def test_a_calibrated_model_says_so_and_an_own_one_that_it_is_not():
    model, (image, _) = tiny_model(), discs()
    plain = nus.drain(nus.iter_segment(image, model, "cpu"))
    assert (plain.provenance["score"], plain.provenance[CARD_KEY]) == ("uncalibrated", [])
    known = nus.Model(model.network, {**model.card, CARD_KEY: {"knots": KNOTS}}, model.defaults, model.name)
    found = nus.drain(nus.iter_segment(image, known, "cpu"))
    assert (found.provenance["score"], found.provenance[CARD_KEY]) == ("calibrated", [list(knot) for knot in KNOTS])
    np.testing.assert_array_equal(found.labels, plain.labels)
    np.testing.assert_allclose(found.features["score"], calibrated(plain.features["score"].to_numpy(), KNOTS))


def test_sliders_give_the_same_scores():
    model, (image, _) = tiny_model(), discs()
    maps = whole_plane(nus.predict(image, model, "cpu"))
    _, plain = nus.drain(iter_redecode(MapStack("YX", image.shape, lambda _: maps), model.defaults))
    _, table = nus.drain(iter_redecode(MapStack("YX", image.shape, lambda _: maps, knots=KNOTS), model.defaults))
    np.testing.assert_allclose(table["score"], calibrated(plain["score"].to_numpy(), KNOTS))


def test_training_on_does_not_inherit_a_calibration():
    """The curve was measured for other weights."""
    model, (image, labels) = tiny_model(), discs()
    known = nus.Model(model.network, {**model.card, CARD_KEY: {"knots": KNOTS}}, model.defaults, model.name)
    trained = nus.train([image], [labels], base=known, settings=nus.TrainSettings(steps=1, batch=1, patch=64, device="cpu"))
    assert knots_of(trained.card) == ()

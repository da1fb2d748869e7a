"""Curves are drawn where their points are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_unet_seg.io.plot import COLORS, HEIGHT, WIDTH, Frame, _ticks, draw_curves


def colored(picture, color):
    return np.argwhere((picture == color).all(axis=2))


def test_a_falling_curve_falls():
    picture = draw_curves([("Loss", {"loss": {"step": [1, 50, 100], "value": [3.0, 2.0, 1.0]}})])
    assert picture.shape == (HEIGHT, WIDTH, 3)
    line = colored(picture[60:310], COLORS[0])  # less the legend
    left, right = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert left[0] < right[0]
    x, y = Frame((0, 100), (0, 3)).at(100, 1.0)
    assert abs(right[1] - x) < 5
    assert abs(right[0] + 60 - y) < 5


def test_plots_without_points_are_left_out():
    empty = ("AP", {"ap": {"step": [], "value": []}})
    full = ("Loss", {"loss": {"step": [1], "value": [1.0]}, "validation_loss": {"step": [1], "value": [2.0]}})
    picture = draw_curves([full, empty, full])
    assert picture.shape == (2 * HEIGHT, WIDTH, 3)
    assert len(colored(picture, COLORS[1])) > 10
    assert draw_curves([]).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("values", [[math.nan, 1.0], [math.inf, 1.0], [math.nan], [0.0, 0.0], [-3.0, 5.0], [1e-9, 2e-9], [1e9]])
def test_any_values_can_be_drawn(values):
    draw_curves([("Loss", {"loss": {"step": list(range(1, len(values) + 1)), "value": values}})])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 7), (0, 300), (-2, 3), (0, 0), (5, 5), (0, 0.013)])
def test_ticks_are_round_and_hold_all(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 3 <= len(ticks) <= 8

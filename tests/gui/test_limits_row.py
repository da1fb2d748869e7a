from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.form import SettingsForm
from napari_unet_seg.gui.limits_row import AUTOMATIC, CONTRAST, FIXED, LimitsRow
from napari_unet_seg.settings import SegmentSettings


@pytest.fixture
def form(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    form = SettingsForm(SegmentSettings, owner)
    form.owner = owner
    return form


@pytest.fixture
def row(form):
    return LimitsRow(form.rows["low"], form.rows["high"], form.owner)


def limits(form):
    return form.value().low, form.value().high


def test_it_begins_automatic_and_hides_the_numbers(form, row):
    assert row.mode.currentText() == AUTOMATIC
    assert row.numbers.isHidden()
    assert limits(form) == (0, 0)


def test_the_contrast_limits_of_the_layer_are_taken_and_followed(form, row):
    layer = Image(np.arange(100.0).reshape(10, 10), contrast_limits=(5, 60))
    row.set_layer(layer)
    row.mode.setCurrentText(CONTRAST)
    assert limits(form) == (5, 60)
    assert not row.numbers.isEnabled()
    layer.contrast_limits = (7, 80)
    assert limits(form) == (7, 80)
    row.mode.setCurrentText(FIXED)
    layer.contrast_limits = (1, 2)
    assert limits(form) == (7, 80)
    assert row.numbers.isEnabled()
    row.mode.setCurrentText(AUTOMATIC)
    assert limits(form) == (0, 0)


def test_another_layer_brings_its_own_and_colour_has_none(form, row):
    row.set_layer(Image(np.zeros((4, 4)), contrast_limits=(1, 2)))
    row.mode.setCurrentText(CONTRAST)
    row.set_layer(Image(np.zeros((4, 4)), contrast_limits=(3, 4)))
    assert limits(form) == (3, 4)
    row.set_layer(Image(np.zeros((4, 4, 3), np.uint8), rgb=True))
    assert row.mode.currentText() == AUTOMATIC
    assert not row.mode.model().item(1).isEnabled()
    row.set_layer(None)
    assert limits(form) == (0, 0)


def test_fixed_begins_with_what_was_used(form, row):
    row.show_used([{"low": 300, "high": 2000, "polarity": "bright"}, {"low": 310, "high": 2500, "polarity": "bright"}])
    assert row.used.text() == "Used: 300–310 to 2,000–2,500, bright nuclei."
    row.mode.setCurrentText(FIXED)
    assert limits(form) == (300, 2500)
    row.show_used(())
    assert row.used.isHidden()


def test_fixed_without_a_run_begins_with_the_contrast_limits(form, row):
    row.set_layer(Image(np.zeros((4, 4)), contrast_limits=(1, 2)))
    row.mode.setCurrentText(FIXED)
    assert limits(form) == (1, 2)


def test_settings_of_somebody_else_are_shown(form, row):
    form.set_value(SegmentSettings(low=-1, high=3))
    assert (row.mode.currentText(), row.numbers.isHidden()) == (FIXED, False)
    form.reset()
    assert (row.mode.currentText(), row.numbers.isHidden()) == (AUTOMATIC, True)


def test_a_small_range_is_written_with_its_decimals(row):
    row.show_used([{"low": 0.00123, "high": 1.5, "polarity": "dark"}])
    assert row.used.text() == "Used: 0.00123 to 1.5, dark nuclei."

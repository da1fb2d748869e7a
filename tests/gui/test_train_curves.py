"""Curves while a training goes on, and pictures of what came of it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.gallery import Picture, Sheet, Strip, to_pixmap, tried_sheet
from napari_unet_seg.gui.train_curves import TrainCurves
from napari_unet_seg.gui.train_words import training_words
from napari_unet_seg.gui.trying import Tried
from napari_unet_seg.progress import Progress


@pytest.fixture
def curves(qtbot):
    curves = TrainCurves()
    qtbot.addWidget(curves)
    curves.paint("dark")
    return curves


def step(done, loss, **more):
    return Progress("Training", done, 100, {"loss": loss, **more})


def test_steps_become_points_and_looks_dots(curves):
    curves.add([Progress("Preparing", 1, 1), step(1, 2.0), step(2, 1.0, validation_loss=1.5, ap=0.4)])
    assert curves.steps == [1, 2]
    x, y = curves.training.getData()
    assert list(x) == [1, 2]
    assert list(y) == [2.0, 1.5]  # averaged
    assert [list(values) for values in curves.validation.getData()] == [[2], [1.5]]
    assert curves.view.viewRange()[0][1] >= 100
    assert "kept out 1.50, AP 0.40" in curves.legend.text()


def test_steps_that_are_done_again_take_the_place_of_the_old_ones(curves):
    """A training that was killed goes on from where it was saved last."""
    curves.add([step(number, 1.0, validation_loss=0.5, ap=0.1) for number in (1, 2, 3, 4)])
    curves.add([step(3, 0.7), step(4, 0.6, validation_loss=0.4, ap=0.2)])
    assert (curves.steps, curves.losses) == ([1, 2, 3, 4], [1.0, 1.0, 0.7, 0.6])
    assert [look[0] for look in curves.looks] == [1, 2, 4]


def test_looks_at_classes_tell_their_dice(curves):
    curves.add([step(1, 2.0, validation_loss=1.5, mean_dice=0.71, dice_stroma=0.6)])
    assert "kept out 1.50, Dice 0.71" in curves.legend.text()
    reported = {"loss": {"step": [1], "value": [2.0]}, "validation_loss": {"step": [1], "value": [1.4]}}
    curves.show_report({**reported, "mean_dice": {"step": [1], "value": [0.8]}})
    assert "kept out 1.40, Dice 0.80" in curves.legend.text()
    curves.show_report({**reported, "ap": {"step": [1], "value": [0.3]}})
    assert "kept out 1.40, AP 0.30" in curves.legend.text()


def test_long_curves_are_thinned_and_keep_their_end(curves):
    curves.add([step(number, 1 / number) for number in range(1, 5001)])
    x, _ = curves.training.getData()
    assert len(x) <= 400
    assert x[-1] == 5000
    curves.clear()
    assert len(curves.training.getData()[0] if curves.training.getData()[0] is not None else []) == 0


def test_a_report_is_drawn_whole(curves):
    looks = {"validation_loss": {"step": [50], "value": [0.7]}, "ap": {"step": [50], "value": [0.6]}}
    curves.show_report({"loss": {"step": [10, 20], "value": [1.0, 0.5]}, **looks})
    assert curves.steps == [10, 20]
    assert curves.looks == [(50, 0.7, 0.6)]
    curves.show_report({})
    assert curves.steps == []


def test_colours_follow_the_theme(curves):
    dark = curves.training.opts["pen"].color().name()
    curves.paint("light")
    assert curves.training.opts["pen"].color().name() != dark


def test_the_time_left_is_told_once_it_is_known(monkeypatch):
    from napari_unet_seg.gui import train_words

    monkeypatch.setattr(train_words.time, "monotonic", lambda: 120.0)
    assert training_words(step(1, 1.0), (100.0, 1)) == "Training: 1 of 100 steps"
    assert training_words(step(41, 1.0), (100.0, 1)) == "Training: 41 of 100 steps, 30 s left"


def test_pictures_are_gone_through_one_by_one(qtbot):
    strip = Strip()
    qtbot.addWidget(strip)
    assert strip.isHidden()
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 255
    strip.set_pictures([Picture(to_pixmap(red), "first"), Picture(to_pixmap(red // 2), "second")])
    strip.resize(200, 200)
    assert strip.caption.text() == "first 1/2"
    assert strip.picture.pixmap().toImage().pixelColor(3, 3).red() == 255
    strip.forward.click()
    assert strip.caption.text() == "second 2/2"
    assert not strip.forward.isEnabled()
    strip.back.click()
    assert strip.caption.text() == "first 1/2"


def test_a_sheet_shows_counts_and_troubles(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    picture = np.zeros((20, 30, 3), np.uint8)
    sheet = tried_sheet(owner, "mine", [Tried("a.tif", picture, 12), Tried("b.tif", None, trouble="It is damaged.")])
    assert isinstance(sheet, Sheet)
    assert sheet.windowTitle() == "“mine” on 2 images"
    assert sheet.captions == ["a.tif\n12 nuclei", "b.tif\nIt is damaged."]

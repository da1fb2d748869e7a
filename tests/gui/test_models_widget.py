"""The dock and the window of the models, and what they tell the other docks."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_unet_seg.core import checkpoint
from napari_unet_seg.gui import models_widget
from napari_unet_seg.gui.models_widget import ModelsWidget, ModelsWindow, tell_pickers
from tests.gui.conftest import WAIT_MS
from tests.tiny import tiny_model


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    tiny_model().save(tmp_path / "tiny")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path)
    return tmp_path


class Picker(QObject):
    """Stands for a row "Model"."""

    done = Signal()

    def __init__(self, parent, model):
        super().__init__(parent)
        self.model, self.chosen, self.looks = model, [], 0

    def choose(self, name):
        self.chosen.append(name)

    def refresh(self):
        self.looks += 1


@pytest.fixture
def pickers(qtbot, monkeypatch):
    monkeypatch.setattr(models_widget, "EnginePicker", Picker)
    window = QWidget()
    qtbot.addWidget(window)
    return window, Picker(window, "old"), Picker(window, "other")


def test_every_row_looks_again_and_follows_a_new_name(pickers):
    window, first, second = pickers
    tell_pickers(window, "old", "new")
    assert (first.chosen, second.chosen) == (["new"], [])
    assert (first.looks, second.looks) == (1, 1)


@pytest.mark.parametrize(("before", "now"), [("", "new"), ("old", "")])
def test_what_comes_or_goes_is_chosen_nowhere(pickers, before, now):
    window, first, _ = pickers
    tell_pickers(window, before, now)
    assert first.chosen == []
    assert first.looks == 1


def test_without_a_window_nobody_is_told():
    tell_pickers(None, "a", "b")


def test_the_dock_is_in_the_menu_and_looks_for_models_when_it_is_seen(viewer, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("napari-unet-seg", "Models")
    assert isinstance(dock, ModelsWidget)
    viewer.window.show()
    qtbot.waitUntil(lambda: dock.panel.list.count() > 1, timeout=WAIT_MS)
    assert dock.panel.chosen.default


def test_a_dock_that_is_closed_while_it_looks_leaves_nothing_behind(viewer, qtbot):
    dock = ModelsWidget(viewer)
    outer = viewer.window.add_dock_widget(dock, name="Models")
    viewer.window.show()
    qtbot.waitUntil(dock.isVisible, timeout=WAIT_MS)
    job = dock.panel.look
    viewer.window.remove_dock_widget(outer)
    qtbot.waitUntil(lambda: not job.running, timeout=WAIT_MS)


def test_the_window_shows_the_model_that_was_chosen_in_the_dock(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    window = ModelsWindow(owner, "tiny")
    window.show()
    qtbot.waitUntil(lambda: window.panel.list.count() > 0 and not window.panel.look.running, timeout=WAIT_MS)
    assert window.panel.chosen.name == "tiny"
    window.close()

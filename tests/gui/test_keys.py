from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QWidget

from napari_unet_seg.gui.keys import Keys


@pytest.fixture
def pressed():
    return []


@pytest.fixture
def keys(qtbot, pressed):
    dock = QWidget()
    qtbot.addWidget(dock)
    keys = Keys(
        {"D": lambda: pressed.append("D"), "Escape": lambda: pressed.append("Escape")}, {"Ctrl+Z": lambda: pressed.append("undo")}, dock
    )
    dock.show()
    qtbot.waitExposed(dock)
    yield keys
    assert dock is not None  # it lives as long as the test


def press(layer, key):
    layer.keymap[coerce_keybinding(key)](layer)


def test_keys_hold_in_the_layer_until_they_are_released(keys, pressed):
    layer = Labels(np.zeros((4, 4), np.int32))
    keys.bind(layer)
    press(layer, "D")
    press(layer, "Escape")
    assert pressed == ["D", "Escape"]
    keys.release()
    assert not layer.keymap


def test_what_a_key_did_before_comes_back(keys, pressed):
    layer = Labels(np.zeros((4, 4), np.int32))
    layer.bind_key("D", lambda layer: pressed.append("theirs"))
    keys.bind(layer)
    press(layer, "D")
    other = Labels(np.zeros((4, 4), np.int32))
    keys.bind(other)
    press(layer, "D")
    press(other, "D")
    assert pressed == ["D", "theirs", "D"]


def test_keys_hold_in_the_dock(keys, pressed, qtbot):
    dock = keys.parent()
    button = QPushButton("Delete", dock)
    button.show()
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_D)
    qtbot.keyClick(button, Qt.Key.Key_Escape)
    qtbot.keyClick(button, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert pressed == ["D", "Escape", "undo"]

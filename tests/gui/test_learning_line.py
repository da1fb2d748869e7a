"""The line of what teaches follows the brush, and says what is missing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_unet_seg.gui import learning_line
from napari_unet_seg.gui.image_picker import NO_IMAGE
from napari_unet_seg.gui.learning import INSIDE, count_steps
from napari_unet_seg.gui.learning_line import LearningLine
from napari_unet_seg.gui.train_inputs import TrainInputs
from tests.gui.conftest import WAIT_MS, squares
from tests.gui.mouse import drag


@pytest.fixture
def line(viewer, monkeypatch):
    monkeypatch.setattr(learning_line, "AFTER_MS", 1)
    parent = QWidget()
    viewer.window.add_dock_widget(parent, name="line")
    line = LearningLine(TrainInputs(viewer, parent), parent)
    QVBoxLayout(parent).addWidget(line)
    return line


def says(line, qtbot, text):
    qtbot.waitUntil(lambda: text in line.summary.text() + line.warnings.text(), timeout=WAIT_MS)


def test_it_asks_for_an_image_first(line, viewer, qtbot):
    says(line, qtbot, NO_IMAGE)
    viewer.add_image(np.zeros((64, 64)), name="dapi")
    qtbot.waitUntil(lambda: line.summary.text() == "", timeout=WAIT_MS)
    assert not line.teaches


def test_it_follows_strokes_undo_and_other_layers(line, viewer, image, qtbot):
    layer = viewer.add_labels(squares(count=2), name="mine")
    says(line, qtbot, "Learns from 2 nuclei")
    assert line._inputs.highest == 2
    layer.selected_label, layer.mode, layer.brush_size = 5, "paint", 8
    drag(viewer, layer, [(50, 50)])
    says(line, qtbot, "Learns from 3 nuclei")
    assert line._inputs.highest == 5
    layer.undo()
    says(line, qtbot, "Learns from 2 nuclei")
    layer.data = np.zeros((64, 64), np.int32)
    says(line, qtbot, "Nothing is painted")
    assert not line.teaches


def test_trouble_is_told_and_teaches_nothing(line, viewer, image, qtbot):
    viewer.add_labels(squares((32, 32), 1), name="of another image")
    says(line, qtbot, "choose labels of this image")
    line._inputs.mode.setCurrentIndex(line._inputs.mode.findData(INSIDE))
    says(line, qtbot, "There are no shapes yet")
    assert not line.teaches


def test_what_is_painted_during_a_count_is_counted_after_it(line, viewer, image, monkeypatch, qtbot):
    go, counts = threading.Event(), []

    def slowly(material):
        counts.append(material)
        assert go.wait(60)
        return (yield from count_steps(material))

    monkeypatch.setattr(learning_line, "count_steps", slowly)
    layer = viewer.add_labels(squares(count=1), name="mine")
    qtbot.waitUntil(lambda: len(counts) == 1, timeout=WAIT_MS)
    layer.data = squares(count=3)
    line.recount()
    assert len(counts) == 1
    go.set()
    says(line, qtbot, "Learns from 3 nuclei")
    assert len(counts) >= 2

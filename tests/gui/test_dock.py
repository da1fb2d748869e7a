"""Docks of ours share the room at a side as tabs, and what is behind another tab leaves the canvas alone."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_unet_seg.gui.correct_widget import CorrectWidget
from napari_unet_seg.gui.hand_over import segment_with
from napari_unet_seg.gui.measure_widget import MeasureWidget
from napari_unet_seg.gui.segment_widget import SegmentWidget
from napari_unet_seg.gui.train_widget import TrainWidget
from tests.gui.conftest import WAIT_MS, squares
from tests.gui.mouse import click


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A viewer that is seen: docks look for their place when they are."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def open_dock(viewer, surroundings, qtbot):
    def opened(kind, **where):
        widget = kind(viewer)
        viewer.window.add_dock_widget(widget, name=kind.__name__, **where)
        qtbot.waitUntil(lambda: widget._placed, timeout=WAIT_MS)
        qtbot.wait(50)  # a dock looks for its place once napari has put it somewhere
        return widget, around(widget, QDockWidget)

    return opened


def around(widget, kind):
    parent = widget.parentWidget()
    while not isinstance(parent, kind):
        parent = parent.parentWidget()
    return parent


def tabs(dock):
    """Titles of the docks that share the place of a dock."""
    return {other.windowTitle() for other in around(dock, QMainWindow).tabifiedDockWidgets(dock)}


def test_docks_opened_together_are_tabs_and_the_newest_is_in_front(open_dock):
    _, segment = open_dock(SegmentWidget)
    _, correct = open_dock(CorrectWidget)
    _, measure = open_dock(MeasureWidget)
    assert tabs(segment) == {correct.windowTitle(), measure.windowTitle()}
    assert segment.visibleRegion().isEmpty()
    assert not measure.visibleRegion().isEmpty()


def test_the_window_stays_as_high_as_it_was(open_dock, viewer, qtbot):
    viewer.window.resize(1280, 800)
    train, dock = open_dock(TrainWidget)
    train.curves.show()
    train.trained.show()
    window = around(dock, QMainWindow)
    qtbot.waitUntil(lambda: window.minimumSizeHint().height() > 500, timeout=WAIT_MS)
    for kind in (MeasureWidget, CorrectWidget):
        _, dock = open_dock(kind)
        qtbot.waitUntil(lambda dock=dock: not dock.visibleRegion().isEmpty(), timeout=WAIT_MS)
        assert window.height() == 800


def test_a_dock_that_was_hidden_comes_back_as_a_tab(open_dock, viewer, qtbot):
    viewer.window.resize(1280, 800)
    widget, segment = open_dock(SegmentWidget)
    segment.close()
    train, dock = open_dock(TrainWidget)
    train.curves.show()
    train.trained.show()
    window = around(dock, QMainWindow)
    qtbot.waitUntil(lambda: window.minimumSizeHint().height() > 500, timeout=WAIT_MS)
    widget.come_to_front()
    qtbot.waitUntil(lambda: not segment.visibleRegion().isEmpty(), timeout=WAIT_MS)
    assert tabs(segment) == {dock.windowTitle()}
    assert dock.visibleRegion().isEmpty()
    assert window.height() == 800


def test_a_model_that_is_handed_over_brings_the_dock_that_uses_it_to_the_front(open_dock, viewer, qtbot):
    widget, segment = open_dock(SegmentWidget)
    _, measure = open_dock(MeasureWidget)
    assert segment_with(viewer, "nuclei", None) is widget
    qtbot.waitUntil(lambda: not segment.visibleRegion().isEmpty(), timeout=WAIT_MS)
    assert measure.visibleRegion().isEmpty()
    qtbot.waitUntil(lambda: not widget.engine.looking, timeout=WAIT_MS)


def test_docks_that_a_person_took_apart_stay_apart(open_dock, viewer, qtbot):
    _, segment = open_dock(SegmentWidget)
    _, measure = open_dock(MeasureWidget)
    measure.setFloating(True)
    measure.hide()
    measure.show()
    qtbot.wait(50)
    assert measure.isFloating()
    assert tabs(segment) == set()


def test_docks_at_another_side_and_of_others_are_left_alone(open_dock, viewer, qtbot):
    viewer.window.add_dock_widget(QWidget(), name="mine")
    _, segment = open_dock(SegmentWidget)
    _, measure = open_dock(MeasureWidget, area="left")
    assert tabs(segment) == set()
    assert tabs(measure) == set()


def test_behind_another_tab_no_tool_touches_the_labels_and_undo_is_kept(open_dock, viewer, qtbot):
    labels = viewer.add_labels(squares(), name="nuclei")
    widget, correct = open_dock(CorrectWidget)
    qtbot.waitUntil(lambda: not widget.counting.running, timeout=WAIT_MS)
    before, keys = np.array(labels.data), dict(labels.keymap)
    widget.tools.choose("delete")
    click(viewer, labels, (8, 8))
    assert labels.data[8, 8] == 0
    open_dock(SegmentWidget)
    assert widget.tools.active is None
    assert labels.keymap != keys
    correct.raise_()
    qtbot.waitUntil(lambda: labels.keymap.keys() == keys.keys(), timeout=WAIT_MS)
    widget.undo()
    assert np.array_equal(labels.data, before)

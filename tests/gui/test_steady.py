"""Texts that change many times a second: the window is laid out anew only when they need another height."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication, QFormLayout, QMainWindow, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Number, Panel
from napari_unet_seg.gui.status import StatusPanel
from tests.gui.conftest import WAIT_MS
from tests.tiny import discs


class Layouts(QObject):
    """Counts how often widgets are asked to be laid out."""

    def __init__(self, *watched):
        super().__init__()
        self.count = 0
        for widget in watched:
            widget.installEventFilter(self)

    def eventFilter(self, _, event):  # noqa: N802
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False

    def after(self, change):
        for _ in range(4):  # a request goes up by one level each time
            QApplication.processEvents()
        self.count = 0
        change()
        for _ in range(4):
            QApplication.processEvents()
        return self.count


@pytest.fixture
def window(qtbot):
    """A window with a column, as a dock has it."""
    window, column = QMainWindow(), QWidget()
    window.setCentralWidget(column)
    window.column = QVBoxLayout(column)
    window.resize(300, 400)
    qtbot.addWidget(window)
    return window


@pytest.fixture
def panel(window, qtbot):
    panel = StatusPanel()
    window.column.addWidget(panel)
    window.column.addStretch()
    window.show()
    qtbot.waitUntil(panel.isVisible, timeout=WAIT_MS)
    panel.show_result("1,203 nuclei", "Save them with Ctrl+S.")
    return panel


def test_another_count_lays_nothing_out(window, panel):
    layouts = Layouts(window, window.centralWidget())
    assert layouts.after(lambda: panel.show_result("998 nuclei", "Save them with Ctrl+S.")) == 0
    assert panel.result.text() == "998 nuclei"


def test_another_line_gets_its_room(window, panel):
    layouts, before = Layouts(window, window.centralWidget()), panel.height()
    assert layouts.after(lambda: panel.show_result("998 nuclei", "A sentence that is much longer than a line. " * 4)) > 0
    assert panel.height() > before
    assert panel.rect().contains(panel.detail.geometry())
    assert layouts.after(panel.clear) > 0
    assert panel.height() == 0


def test_what_changed_behind_another_tab_has_its_room_when_it_is_seen(window, panel, qtbot):
    before = panel.height()
    panel.hide()
    panel.show_result("998 nuclei", "A sentence that is much longer than a line. " * 4)
    panel.show()
    qtbot.waitUntil(lambda: panel.height() > before, timeout=WAIT_MS)


def test_in_a_narrow_dock_it_breaks_its_lines(window, panel, qtbot):
    panel.show_result("998 nuclei", "A sentence that is longer than a line. " * 3)
    QApplication.processEvents()
    before = panel.height()
    window.resize(200, 400)
    qtbot.waitUntil(lambda: panel.height() > before, timeout=WAIT_MS)


def test_the_same_unit_lays_nothing_out(window, qtbot):
    rows, number = QFormLayout(), Number()
    number.setSuffix(" px²")
    rows.addRow("Least area", number)
    window.column.addWidget(Panel(rows))
    window.show()
    qtbot.waitUntil(number.isVisible, timeout=WAIT_MS)
    layouts = Layouts(window, window.centralWidget(), number.parentWidget())
    assert layouts.after(lambda: number.setSuffix(" px²")) == 0
    assert layouts.after(lambda: number.setValue(12)) == 0
    assert layouts.after(lambda: number.setSuffix(" µm²")) > 0


def test_a_slider_lays_out_no_dock_and_writes_into_the_layers_own_array(tiny, viewer, segmented, settled, qtbot):
    viewer.add_image(discs((160, 160), count=24, seed=3)[0], name="discs")
    viewer.window.show()
    qtbot.waitUntil(tiny.isVisible, timeout=WAIT_MS)
    labels = segmented(tiny)
    own, before = labels.data, labels.data.copy()
    tiny.form.rows["min_area"].set(200)
    settled(tiny)
    own, before = labels.data, labels.data.copy()
    layouts = Layouts(tiny, tiny.parentWidget())

    def move():
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(260)

    assert layouts.after(move) == 0
    assert labels.data is own  # another array would make napari do up all that it shows of the layer
    assert not np.array_equal(own, before)
    tiny.live.stop()
    assert labels.data is own
    np.testing.assert_array_equal(own, before)

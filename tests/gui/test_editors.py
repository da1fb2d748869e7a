from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Choice, Hint, Number, Panel, Whole

LONG = "2024-03-11_plate03_wellB02_site4_DAPI_" + "x" * 200


@pytest.fixture
def show(qtbot):
    """Show a widget above another that can take the focus."""
    windows = []

    def place(widget, width=300):
        window = QWidget()
        qtbot.addWidget(window)
        layout = QVBoxLayout(window)
        layout.addWidget(Whole())
        layout.addWidget(widget)
        window.resize(width, 200)
        window.show()
        qtbot.waitExposed(window)
        windows.append(window)
        return widget

    return place


def turn_wheel(widget):
    """Return whether the widget kept the event for itself."""
    where = QPointF(5, 5)
    event = QWheelEvent(
        where,
        widget.mapToGlobal(where),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.mark.parametrize("kind", [Whole, Number])
def test_the_wheel_changes_a_number_only_with_the_focus(show, qtbot, kind):
    box = show(kind())
    turn_wheel(box)
    assert box.value() == 0
    box.activateWindow()
    box.setFocus()
    qtbot.waitUntil(box.hasFocus)
    turn_wheel(box)
    assert box.value() == 1


def test_the_wheel_never_changes_a_choice(show, qtbot):
    box = show(Choice())
    box.addItems(["a", "b"])
    box.setFocus()
    assert not turn_wheel(box)
    assert box.currentIndex() == 0


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.5, 0.01, "0.50"),
        (0.475, 0.01, "0.475"),
        (20.0, 1.0, "20"),
        (20.5, 1.0, "20.5"),
        (-3.0, 1.0, "-3"),
        (1e9, 1.0, "1000000000"),
        (1e-6, 1.0, "0.000001"),
    ],
)
def test_numbers_are_written_short_and_kept_whole(qtbot, value, step, text):
    box = Number()
    qtbot.addWidget(box)
    box.setLocale(QLocale.c())
    box.setRange(-1e12, 1e12)
    box.setSingleStep(step)
    box.setValue(value)
    assert box.text() == text
    assert box.value() == value


def test_numbers_are_written_in_the_language_of_the_computer(qtbot):
    box = Number()
    qtbot.addWidget(box)
    box.setLocale(QLocale(QLocale.Language.German))
    box.setMaximum(1e12)
    box.setSingleStep(0.01)
    box.setValue(12345.5)
    assert box.text() == "12345,50"
    box.lineEdit().setText("0,25")
    box.interpretText()
    assert box.value() == 0.25


def test_a_word_for_zero_is_replaced_by_typing(show, qtbot):
    box = show(Number())
    box.setLocale(QLocale.c())
    box.setSpecialValueText("automatic")
    box.activateWindow()
    qtbot.mouseClick(box.lineEdit(), Qt.MouseButton.LeftButton)
    box.setFocus()
    qtbot.waitUntil(lambda: box.lineEdit().selectedText() == "automatic")
    qtbot.keyClicks(box.lineEdit(), "24")
    assert box.value() == 24


def test_a_long_name_neither_widens_the_choice_nor_is_drawn_beyond_it(show):
    box = show(Choice())
    box.addItem(LONG)
    assert box.minimumWidth() <= 100
    assert box.width() < 300
    assert not box.grab().isNull()


def test_an_empty_choice_shows_its_placeholder(show):
    with_words, without = show(Choice()), show(Choice())
    with_words.setPlaceholderText("no image open")
    assert with_words.grab().toImage() != without.grab().toImage()


def test_a_hint_takes_as_many_lines_as_it_needs(show, qtbot):
    hint = show(Hint())
    hint.setText("Short.")
    line = hint.height()
    hint.setText("Open an image to begin: drop a file onto the window, or take one from the samples. " * 2)
    assert hint.height() > 2 * line
    hint.setText("Short.")
    assert hint.height() == line
    hint.setText("Open an image to begin: drop a file onto the window.")
    hint.window().resize(120, 300)
    qtbot.waitUntil(lambda: hint.height() > 2 * line)


def test_a_hint_that_comes_back_with_a_longer_text_shows_all_of_it(show, qtbot):
    hint = show(Hint())
    hint.setText("Short.")
    line = hint.height()
    hint.hide()
    hint.setText("Open an image to begin: drop a file onto the window, or take one from the samples. " * 2)
    hint.show()
    qtbot.waitUntil(lambda: hint.height() > 2 * line)


def test_a_panel_is_as_high_as_its_content_and_scrolls_when_there_is_less_room(qtbot):
    form = QFormLayout()
    last = QLabel("last")
    for number in range(10):
        form.addRow(str(number), Whole())
    form.addRow(last)
    panel = Panel(form)
    window = QWidget()
    qtbot.addWidget(window)
    layout = QVBoxLayout(window)
    layout.addWidget(panel)
    layout.addStretch()
    window.resize(300, 900)
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(lambda: panel.height() == panel.widget().sizeHint().height())
    tall = panel.height()
    last.hide()
    qtbot.waitUntil(lambda: panel.height() < tall)
    window.resize(300, 120)
    qtbot.waitUntil(panel.verticalScrollBar().isVisible)
    assert panel.widget().width() <= panel.viewport().width()

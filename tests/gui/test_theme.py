from __future__ import annotations

import pytest
from napari.utils.theme import available_themes
from qtpy.QtWidgets import QLabel, QWidget

from napari_unet_seg.gui.theme import set_kind, style_sheet


@pytest.mark.parametrize("theme", available_themes())
def test_every_theme_gives_a_sheet_that_qt_reads(qtbot, theme):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.setStyleSheet(style_sheet(theme))  # Qt would warn, which fails a test
    widget.ensurePolished()
    assert "{" in style_sheet(theme)


def test_themes_differ():
    assert style_sheet("dark") != style_sheet("light")


def test_a_kind_changes_how_a_label_looks(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    label = QLabel("312 nuclei", window)
    window.setStyleSheet(style_sheet("dark"))
    label.ensurePolished()
    plain = label.font().pointSizeF()
    set_kind(label, "result")
    assert label.font().pointSizeF() > plain
    assert label.font().bold()

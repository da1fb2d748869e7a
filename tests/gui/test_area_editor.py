from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale, Qt

from napari_unet_seg.gui.area_editor import MICROMETRES, PIXELS, AreaEditor, link_units


@pytest.fixture
def make(qtbot):
    def editor(least=True):
        made = AreaEditor(least=least)
        qtbot.addWidget(made)
        made.number.setLocale(QLocale.c())
        made.setRange(0, 1_000_000_000)
        return made

    return editor


def type_into(editor, qtbot, text):
    editor.number.selectAll()
    qtbot.keyClicks(editor.number, text)


def test_without_a_pixel_size_there_is_one_unit(make):
    editor = make()
    editor.setValue(20)
    assert editor.unit.isHidden()
    assert editor.text() == "20 px²"
    editor.set_unit(MICROMETRES)
    assert (editor.value(), editor.text()) == (20, "20 px²")


def test_the_unit_changes_what_is_shown_and_not_what_is_meant(make, qtbot):
    editor = make()
    editor.setValue(77)
    editor.set_pixel_area(0.105625)
    qtbot.mouseClick(editor.unit, Qt.MouseButton.LeftButton)
    assert (editor.unit.text(), editor.text(), editor.value()) == (MICROMETRES, "8.13", 77)
    qtbot.mouseClick(editor.unit, Qt.MouseButton.LeftButton)
    assert (editor.unit.text(), editor.text(), editor.value()) == (PIXELS, "77", 77)


@pytest.mark.parametrize(("least", "pixels"), [(True, 33), (False, 32)])
def test_micrometres_are_rounded_to_pixels_that_keep_the_promise(make, qtbot, least, pixels):
    editor = make(least)
    editor.set_pixel_area(0.25)
    editor.set_unit(MICROMETRES)
    type_into(editor, qtbot, "8.1")
    assert editor.value() == pixels
    type_into(editor, qtbot, "8")
    assert editor.value() == 32


def test_a_tiny_largest_area_is_no_limitlessness(make, qtbot):
    editor = make(least=False)
    editor.setSpecialValueText("no limit")
    assert editor.text() == "no limit"
    editor.set_pixel_area(4.0)
    editor.set_unit(MICROMETRES)
    type_into(editor, qtbot, "1")
    assert editor.value() == 1


@pytest.mark.parametrize("first", [0.25, 1.0])
def test_micrometres_stay_when_the_pixel_becomes_another(make, qtbot, first):
    editor = make()
    editor.set_pixel_area(first)
    editor.set_unit(MICROMETRES)
    type_into(editor, qtbot, "8")
    with qtbot.waitSignal(editor.valueChanged) as told:
        editor.set_pixel_area(0.1)
    assert told.args == [80]
    assert editor.text() == "8"
    editor.set_pixel_area(None)
    assert (editor.value(), editor.text()) == (80, "80 px²")


def test_linked_areas_have_one_unit(make):
    first, second = make(), make()
    link_units(first, second)
    for editor in (first, second):
        editor.set_pixel_area(0.25)
    second.unit.click()
    assert first.unit.text() == MICROMETRES
    first.unit.click()
    assert second.unit.text() == PIXELS

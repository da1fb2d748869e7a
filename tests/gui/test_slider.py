from __future__ import annotations

import pytest
from qtpy.QtCore import QLocale, Qt

from napari_unet_seg.gui.slider import Slide


@pytest.fixture
def slide(qtbot):
    slide = Slide()
    qtbot.addWidget(slide)
    slide.number.setLocale(QLocale.c())
    slide.setRange(0.05, 0.95)
    slide.setSingleStep(0.05)
    slide.setValue(0.3)
    slide.show()
    qtbot.waitExposed(slide)
    return slide


def test_an_arrow_key_goes_one_step_and_ends_are_exact(slide, qtbot):
    for key, value in ((Qt.Key.Key_Right, 0.35), (Qt.Key.Key_End, 0.95), (Qt.Key.Key_Home, 0.05)):
        with qtbot.waitSignal(slide.valueChanged) as told:
            qtbot.keyClick(slide.slider, key)
        assert told.args == [value]
        assert slide.value() == value


def test_a_typed_number_moves_the_slider_and_is_not_rounded_to_it(slide, qtbot):
    slide.number.selectAll()
    qtbot.keyClicks(slide.number, "0.462")
    assert slide.value() == 0.462
    assert slide.slider.value() == round((0.462 - 0.05) / 0.05)
    assert slide.text() == "0.462"


def test_every_step_goes_through_both(slide):
    for position in range(19):
        slide.slider.setValue(position)
        assert slide.value() == pytest.approx(0.05 + 0.05 * position, abs=1e-9)
        assert slide.slider.value() == position


def test_its_parts_have_names(slide):
    slide.setAccessibleName("Splitting")
    assert (slide.slider.accessibleName(), slide.number.accessibleName()) == ("Splitting, slider", "Splitting")

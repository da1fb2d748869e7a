from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
from qtpy.QtWidgets import QFormLayout

from napari_unet_seg import fields as settings_module
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.gui.area_editor import AreaEditor
from napari_unet_seg.gui.editors import Choice, Number, Whole
from napari_unet_seg.gui.form import SettingsForm, fields_besides
from napari_unet_seg.gui.slider import Slide
from napari_unet_seg.settings import Checked, SegmentSettings, TrainSettings, field_docs, field_options


@pytest.fixture
def form(owner):
    return SettingsForm(SegmentSettings, owner)


CHANGED = SegmentSettings(
    probability=0.475,
    splitting=0.7,
    min_area=3,
    max_area=1_000_000_000,
    diameter=23.25,
    fill_holes=False,
    exclude_border=True,
    polarity="dark",
    low=-1234.5678,
    high=4_294_967_295.0,
    tile=512,
    precision="float32",
    skip_glass=False,
)
ROWS = [name for name, options in field_options(SegmentSettings).items() if options.get("form", True)]


@pytest.mark.parametrize("settings", [SegmentSettings, TrainSettings])
def test_defaults_go_through_the_form_unchanged(settings, owner):
    assert SettingsForm(settings, owner).value() == settings()


def test_every_value_goes_through_the_form_unchanged(form):
    assert all(getattr(CHANGED, name) != getattr(SegmentSettings(), name) for name in ROWS)
    form.set_value(CHANGED)
    assert form.value() == CHANGED


@pytest.mark.parametrize("end", ["min", "max"])
def test_the_ends_of_the_ranges_go_through_the_form(form, end):
    for name, options in field_options(SegmentSettings).items():
        if end in options and name in ROWS:
            form.rows[name].set(options[end])
            assert form.rows[name].get() == options[end]


def test_types_are_those_declared(form):
    form.set_value(CHANGED)
    assert {name: type(row.get()) for name, row in form.rows.items()} == {name: type(getattr(CHANGED, name)) for name in ROWS}


def test_rows_are_built_from_the_declarations(form):
    diameter, area, polarity = (form.rows[name] for name in ("diameter", "min_area", "polarity"))
    assert diameter.label.text() == "Diameter"
    assert diameter.editor.text() == "automatic"
    assert (area.label.text(), area.editor.text()) == ("Smallest area", "20 px²")
    assert (type(diameter.editor), type(area.editor), type(polarity.editor)) == (Number, AreaEditor, Choice)
    assert type(form.rows["probability"].editor) is Slide
    assert type(form.rows["tile"].editor) is Whole
    assert form.rows["exclude_border"].label is None
    assert [polarity.editor.itemText(i) for i in range(3)] == ["Automatic", "Bright on dark", "Dark on bright"]
    assert form.rows["max_area"].editor.text() == "no limit"
    form.rows["diameter"].set(17.5)
    assert diameter.editor.text() == "17.5 px"


def test_each_row_teaches_by_its_tooltip(form):
    for name, row in form.rows.items():
        assert field_docs(SegmentSettings)[name].split(":")[0].split(";")[0].replace("`", "") in row.editor.toolTip()
        assert row.editor.accessibleName()
        assert row.label is None or row.label.toolTip() == row.editor.toolTip()


def test_docs_are_the_sentences_below_the_fields():
    @dataclass(frozen=True)
    class Own(Checked):
        """About the class."""

        plain: Annotated[int, {}] = 1
        told: Annotated[int, {}] = 2
        """What it is.

        And more.
        """

    assert field_docs(Own) == {"told": "What it is.\n\nAnd more."}


def test_without_source_there_are_no_docs_but_a_form(owner, monkeypatch):
    def refuse(_):
        raise OSError("no source")

    monkeypatch.setattr(settings_module.inspect, "getsource", refuse)
    form = SettingsForm(SegmentSettings, owner)
    assert form.rows["probability"].editor.toolTip() == ""
    assert form.value() == SegmentSettings()


def test_a_contradiction_is_refused_when_the_form_is_read(form):
    form.rows["max_area"].set(5)
    with pytest.raises(SettingsError, match="max_area is 5"):
        form.value()


def test_fields_that_were_not_changed_follow_a_new_start(form, qtbot):
    form.rows["probability"].set(0.8)
    form.set_start(SegmentSettings(probability=0.45, diameter=30.0))
    assert form.value() == SegmentSettings(probability=0.8, diameter=30.0)
    assert not form.is_start
    with qtbot.waitSignal(form.changed):
        form.reset()
    assert form.value() == SegmentSettings(probability=0.45, diameter=30.0)
    assert form.is_start


def test_a_change_is_told(form, qtbot):
    for name in ROWS:
        value = getattr(CHANGED, name)
        with qtbot.waitSignal(form.changed):
            form.rows[name].set(value)


def test_equal_limits_say_that_they_are_automatic(form):
    low, high = form.rows["low"], form.rows["high"]
    assert (low.editor.text(), high.editor.text()) == ("0 (automatic)", "0 (automatic)")
    high.set(255.0)
    assert (low.editor.text(), high.editor.text()) == ("0", "255")


def test_rows_are_placed_and_folded(form, owner, qtbot):
    layout = QFormLayout(owner)
    form.add_rows(layout, ("diameter", "fill_holes"))
    assert layout.rowCount() == 2
    form.set_visible(("diameter",), visible=False)
    assert form.rows["diameter"].editor.isHidden()
    assert form.rows["diameter"].label.isHidden()
    assert not form.rows["fill_holes"].editor.isHidden()


def test_fields_besides_keep_their_order():
    assert fields_besides(SegmentSettings, ("probability", ROWS[-1])) == ROWS[1:-1]

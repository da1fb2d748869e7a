"""The shape of a network in words, without a viewer."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFormLayout

from napari_unet_seg.gui.network_rows import WORDS, NetworkRows
from napari_unet_seg.settings import ARCHITECTURES, NetworkSettings, field_options


@pytest.fixture
def rows(owner):
    rows = NetworkRows(owner)
    rows.add_rows(QFormLayout(owner))
    owner.show()
    return rows


def test_it_starts_with_the_usual_network(rows):
    assert rows.value() == NetworkSettings()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_each_kind_can_be_chosen_by_its_word(rows, kind):
    rows.architecture.setCurrentText(WORDS[kind])
    rows.width.setValue(8)
    rows.depth.setValue(2)
    rows.stride.setValue(3)
    assert rows.value() == NetworkSettings.of(kind, width=8, depth=2, stride=3)
    assert rows.value().architecture == kind


def test_no_kind_lacks_a_word_and_no_two_share_one():
    assert set(WORDS) == set(ARCHITECTURES)
    assert len(set(WORDS.values())) == len(WORDS)


@pytest.mark.parametrize("name", ["width", "depth", "stride"])
def test_what_is_typed_stays_within_what_can_be_built(rows, name):
    box, limits = getattr(rows, name), field_options(NetworkSettings)[name]
    for value, expected in ((10**6, limits["max"]), (-5, limits["min"])):
        box.setValue(value)
        assert getattr(rows.value(), name) == expected


def test_they_are_shown_and_hidden_with_their_labels(rows):
    for visible in (False, True):
        rows.set_visible(visible)
        assert {widget.isVisible() for row in rows.rows for widget in row} == {visible}


def test_each_row_explains_itself(rows):
    assert [label.text() for label, _ in rows.rows] == ["Network", "Width", "Depth", "Stride"]
    for label, editor in rows.rows:
        assert label.buddy() is editor
        assert editor.accessibleName() == label.text()
        assert len(editor.toolTip()) > 20
        assert editor.toolTip() == label.toolTip()

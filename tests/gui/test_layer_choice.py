"""Lists of layers follow the viewer, and keep what a person chose."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY, LayerChoice, LayerList, is_labels

WORDS = ("Labels", "What is <b>meant</b>.", "none here")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def parent(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


def labels(viewer, name, **options):
    return viewer.add_labels(np.zeros((8, 8), int), name=name, **options)


def entries(row):
    return [row.box.itemText(index) for index in range(row.box.count())]


def told(signal):
    """Count how often a signal comes."""
    times: list[int] = []
    signal.connect(lambda: times.append(1))
    return times


class TestList:
    def test_layers_of_the_kind_are_offered_topmost_first_as_they_come_and_go(self, viewer, parent):
        row = LayerList(viewer, parent, WORDS, is_labels)
        assert (entries(row), row.layer, row.box.isEnabled(), row.box.placeholderText()) == ([], None, False, "none here")
        first = labels(viewer, "first")
        viewer.add_image(np.zeros((8, 8)), name="image")
        labels(viewer, "second")
        assert entries(row) == ["second", "first"]
        assert row.box.isEnabled()
        first.name = "renamed"
        assert entries(row) == ["second", "renamed"]
        viewer.layers.move(0, 3)
        assert entries(row) == ["renamed", "second"]
        viewer.layers.clear()
        assert (entries(row), row.layer) == ([], None)

    def test_what_is_chosen_stays_as_long_as_it_is_there(self, viewer, parent):
        first, second = labels(viewer, "first"), labels(viewer, "second")
        row = LayerList(viewer, parent, WORDS, is_labels)
        assert row.layer is second
        row.choose(first)
        labels(viewer, "third")
        assert row.layer is first
        row.choose(viewer.add_image(np.zeros((8, 8))))
        assert row.layer is first, "a layer of another kind cannot be chosen"
        viewer.layers.remove(first)
        assert row.layer.name == "third"

    def test_it_tells_of_another_choice_and_of_another_list(self, viewer, parent):
        first = labels(viewer, "first")
        row = LayerList(viewer, parent, WORDS, is_labels)
        changed, offered = told(row.changed), told(row.offered)
        labels(viewer, "second")
        assert (len(changed), len(offered)) == (0, 1)
        row.box.setCurrentText("second")
        assert (len(changed), len(offered)) == (1, 1)
        row.choose(first)
        viewer.layers.remove(first)
        assert (len(changed), len(offered)) == (3, 2)

    def test_what_is_shown_for_a_while_is_not_offered(self, viewer, parent):
        row = LayerList(viewer, parent, WORDS, is_labels)
        labels(viewer, "preview", metadata={TEMPORARY_KEY: True})
        assert entries(row) == []

    def test_it_can_be_read_by_a_screen_reader_and_its_words_are_words(self, viewer, parent):
        row = LayerList(viewer, parent, WORDS, is_labels)
        assert row.box.accessibleName() == row.label.text() == "Labels"
        assert row.label.buddy() is row.box
        assert "&lt;b&gt;meant" in row.box.toolTip()

    def test_a_viewer_that_lives_longer_does_no_harm(self, viewer, qtbot):
        owner = QWidget()
        row = LayerList(viewer, owner, WORDS, is_labels)
        with qtbot.waitSignal(owner.destroyed):
            owner.deleteLater()
        assert not row.alive
        labels(viewer, "late")


class TestChoice:
    def test_nothing_can_be_chosen_too(self, viewer, parent):
        first = labels(viewer, "first")
        row = LayerChoice(viewer, parent, WORDS, is_labels)
        assert (entries(row), row.layer) == (["none here", "first"], None)
        row.choose(first)
        assert row.layer is first
        row.choose(None)
        assert row.layer is None
        labels(viewer, "second")
        assert row.layer is None, "nobody chose it"

    def test_a_preferred_layer_is_chosen_by_itself(self, viewer, parent):
        row = LayerChoice(viewer, parent, WORDS, is_labels, lambda layer: layer.name == "painted")
        labels(viewer, "other")
        assert row.layer is None
        painted = labels(viewer, "painted")
        assert row.layer is painted
        viewer.layers.remove(painted)
        assert row.layer is None


def test_what_labels_are(viewer):
    assert is_labels(labels(viewer, "labels"))
    assert not is_labels(Image(np.zeros((8, 8))))

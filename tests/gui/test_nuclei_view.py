from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt

from napari_unet_seg.core.measure import measure
from napari_unet_seg.gui.nuclei_view import PLOTS, NucleiView
from tests.tiny import discs


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def nuclei(viewer):
    image, labels = discs()
    return viewer.add_labels(labels, features=measure(labels, {"DAPI": image}))


@pytest.fixture
def view(viewer, qtbot):
    view = NucleiView(viewer)
    qtbot.addWidget(view)
    return view


def test_without_a_layer_it_is_empty(view):
    assert view.table.nuclei.rowCount() == 0
    assert not view.tabs.isTabEnabled(PLOTS)
    assert not view.colours.box.isEnabled()


def test_it_shows_a_layer_and_lets_it_go(view, nuclei):
    told = []
    view.shown.connect(lambda: told.append(len(view.nuclei)))
    view.follow(nuclei)
    view.follow(nuclei)
    assert told == [12]
    assert view.tabs.isTabEnabled(PLOTS)
    view.follow(None)
    assert told == [12, 0]
    nuclei.features = nuclei.features.iloc[:3]
    nuclei.selected_label = 2
    assert len(view.nuclei) == 0


def test_many_changes_are_followed_once(view, nuclei, qtbot):
    view.follow(nuclei)
    told = []
    view.shown.connect(lambda: told.append(len(view.nuclei)))
    for count in (11, 10, 9):
        nuclei.features = nuclei.features.iloc[:count]
    qtbot.waitUntil(lambda: told != [])
    assert told == [9]


def test_the_selected_row_stays_when_the_table_changes(view, nuclei):
    view.follow(nuclei)
    nuclei.selected_label = 5
    nuclei.features = nuclei.features.iloc[2:]
    view.refresh()
    (row,) = view.table.selected_rows()
    assert view.table.nuclei.data(view.table.nuclei.index(row, 0)) == "5"


def test_the_plots_are_made_when_they_are_looked_at(view, nuclei):
    view.follow(nuclei)
    assert view.plots is None
    nuclei.selected_label = 4
    view.tabs.setCurrentIndex(PLOTS)
    assert view.plots.sizes.mark.value() == nuclei.features["area"][3]
    view.paint("light")
    assert view.plots.sizes.plot.backgroundBrush().color().name() == get_theme("light").background.as_hex(format="long")
    made = view.plots
    view.tabs.setCurrentIndex(0)
    view.tabs.setCurrentIndex(PLOTS)
    assert view.plots is made


def test_going_down_the_table_moves_the_mark(view, nuclei, qtbot):
    view.follow(nuclei)
    view.tabs.setCurrentIndex(PLOTS)
    view.tabs.setCurrentIndex(0)
    nuclei.selected_label = 1
    qtbot.keyClick(view.table, Qt.Key.Key_Down)
    assert nuclei.selected_label == 2
    assert view.plots.sizes.mark.value() == nuclei.features["area"][1]


def test_the_colours_of_each_layer_are_its_own(view, viewer, nuclei):
    other = viewer.add_labels(discs(seed=1)[1], features=measure(discs(seed=1)[1]))
    own = other.colormap
    view.follow(nuclei)
    view.colours.box.setCurrentIndex(view.colours.box.findData("mean_DAPI"))
    view.follow(other)
    assert view.colours.name == ""
    assert other.colormap is own
    view.follow(nuclei)
    assert view.colours.name == "mean_DAPI"
    assert view.colours.legend.high.text() != ""
    assert not np.array_equal(nuclei.get_color(1), own.map(1))

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QPoint, QPointF, Qt

from napari_unet_seg.gui.plots import FEWEST_BINS, MOST_BINS, Histogram, Histograms, bin_edges


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "label": np.arange(1, 301),
            "area": random.normal(100, 20, 300).round(),
            "score": random.random(300),
            "mean_GFP": np.append(random.gamma(3, 100, 299), np.nan),
            "touches_border": random.random(300) > 0.8,
            "kind": ["a"] * 300,
        }
    )


@pytest.fixture
def plots(qtbot, table):
    plots = Histograms()
    qtbot.addWidget(plots)
    plots.resize(300, 400)
    plots.paint("dark")
    plots.set_table(table)
    with qtbot.waitExposed(plots):
        plots.show()
    plots.grab()  # pyqtgraph finds the width of its axes when it draws them
    return plots


class TestBins:
    @pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [0.0, 1e9], [1.0] * 99 + [1e12], np.arange(10_000.0), [-1.5, np.pi, 7]])
    def test_each_value_has_a_bin_and_bins_are_few(self, values):
        values = np.asarray(values, float)
        edges = bin_edges(values)
        assert np.histogram(values, edges)[0].sum() == values.size
        assert len(edges) - 1 <= MOST_BINS + 1
        assert (np.diff(edges) > 0).all()

    def test_bins_of_whole_numbers_hold_as_many_each(self):
        edges = bin_edges(np.repeat(np.arange(20.0), 3))
        width = np.diff(edges)
        assert (width == width[0]).all()
        assert width[0] == round(width[0])
        assert edges[0] == -0.5

    def test_more_nuclei_have_more_bins(self):
        random = np.random.default_rng(0)
        few, many = bin_edges(random.normal(size=20)), bin_edges(random.normal(size=5000))
        assert FEWEST_BINS + 1 <= len(few) < len(many)


def test_sizes_and_intensities_are_shown_at_first(plots):
    assert [histogram.name for histogram in plots.both] == ["area", "mean_GFP"]
    assert plots.sizes.counts.sum() == 300
    assert plots.intensities.counts.sum() == 299
    assert plots.sizes.axes["bottom"].labelText == "Area (px²)"
    assert not plots.hint.isVisible()


def test_any_column_of_numbers_can_be_chosen_and_stays(plots, table):
    box = plots.sizes.box
    assert box.findData("kind") == -1
    box.setCurrentIndex(box.findData("touches_border"))
    box.activated.emit(box.currentIndex())
    assert plots.sizes.counts.tolist()[0] == int((~table["touches_border"]).sum())
    plots.set_table(table.assign(area=1.0))
    assert plots.sizes.name == "touches_border"
    plots.set_table(table.drop(columns="touches_border"))
    assert plots.sizes.name == "area"


def test_the_preferred_column_comes_when_it_is_there(plots, table):
    plots.set_table(table.drop(columns="mean_GFP"))
    assert plots.intensities.name == "score"
    plots.set_table(table)
    assert plots.intensities.name == "mean_GFP"
    plots.set_table(table.assign(area_um2=table["area"] / 4))
    assert plots.sizes.name == "area_um2"


def test_the_selected_nucleus_is_marked(plots, table):
    plots.show_nucleus(7)
    assert plots.sizes.mark.isVisible()
    assert plots.sizes.mark.value() == table["area"][7]
    plots.show_nucleus(299)  # its intensity is not known
    assert plots.sizes.mark.isVisible()
    assert not plots.intensities.mark.isVisible()
    plots.show_nucleus(None)
    assert not plots.sizes.mark.isVisible()


def test_a_click_on_a_bar_tells_its_nuclei(plots, table, qtbot):
    histogram = plots.sizes
    told = []
    plots.clicked.connect(told.append)
    for bar in (2, len(histogram.counts) - 1):
        middle = (histogram.edges[bar] + histogram.edges[bar + 1]) / 2
        click(qtbot, histogram, middle)
        inside = (table["area"] >= histogram.edges[bar]) & (table["area"] <= histogram.edges[bar + 1])
        assert told[-1].tolist() == np.flatnonzero(inside).tolist()
        assert len(told[-1]) == histogram.counts[bar]
    told.clear()
    click(qtbot, histogram, histogram.edges[2], Qt.MouseButton.RightButton)
    assert told == []


def click(qtbot, histogram, x, button=Qt.MouseButton.LeftButton):
    scene = histogram.view.mapViewToScene(QPointF(x, histogram.counts.max() / 2))
    where = histogram.plot.mapFromScene(scene)
    qtbot.mouseMove(histogram.plot.viewport(), QPoint(1, 1))
    qtbot.mouseClick(histogram.plot.viewport(), button, pos=where)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_has_the_colours_of_the_theme(plots, theme):
    plots.paint(theme)
    colours = get_theme(theme)
    assert plots.sizes.plot.backgroundBrush().color().name() == colours.background.as_hex(format="long")
    assert plots.sizes.axes["bottom"].textPen().color().name() == colours.text.as_hex(format="long")
    assert plots.sizes.bars.opts["brush"].color().name() == colours.current.as_hex(format="long")


def test_nothing_is_no_trouble(qtbot):
    histogram = Histogram(("area",))
    qtbot.addWidget(histogram)
    for table in (pd.DataFrame({"label": []}), pd.DataFrame({"label": [1], "area": [np.nan]})):
        histogram.set_table(table)
        histogram.show_nucleus(0)
        assert histogram.counts.size == 0
    assert not histogram.mark.isVisible()

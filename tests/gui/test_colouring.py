from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_unet_seg.gui.colouring import ColourRow, Scale, colour, colour_columns, coloured_by, label_colours, uncolour

TABLE = pd.DataFrame(
    {"label": [1, 2, 5], "area": [10.0, 20.0, 30.0], "score": [np.nan] * 3, "mean_a": [1.0, np.nan, 2.0], "kind": list("abc")}
)


@pytest.fixture
def layer():
    labels = np.zeros((8, 8), np.int32)
    labels[:2], labels[3:5], labels[6:] = 1, 2, 5
    return Labels(labels)


@pytest.mark.parametrize("add", [0, 300, 70_000, 2**30])
def test_every_label_has_the_colour_of_its_number(add):
    labels, values = TABLE["label"].to_numpy() + add, TABLE["area"].to_numpy()
    scale = Scale.of(values)
    colormap = label_colours(labels, values, scale)
    assert isinstance(colormap, CyclicLabelColormap if add < 2**16 - 2 else DirectLabelColormap)
    for label, expected in zip(labels, scale.colours(values), strict=True):
        assert np.allclose(colormap.map(int(label)), expected, atol=1e-6)
    assert np.allclose(colormap.map(0), 0)
    new = colormap.map(int(labels.max()) + 7)  # painted since
    assert np.allclose(new[:3], new[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
def test_napari_draws_them_whatever_the_dtype(layer, dtype):
    layer.data = layer.data.astype(dtype)
    colour(layer, TABLE, "area")
    drawn = layer.colormap.map(layer.data)
    assert np.allclose(drawn[7, 0], layer.get_color(5))
    assert not np.allclose(drawn[0, 0], drawn[7, 0])


def test_one_odd_nucleus_does_not_take_all_colours():
    scale = Scale.of(np.append(np.arange(1000.0), 1e9))
    assert scale.high < 1100
    colours = scale.colours(np.array([0.0, 990.0, 1e9]))
    assert np.allclose(colours[1], colours[2], atol=0.05)


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [3.0, 3.0]])
def test_columns_without_a_range_have_a_scale(values):
    scale = Scale.of(np.array(values))
    assert scale.high > scale.low
    assert np.isfinite(scale.colours(np.array([*values, 3.0]))).all()


def test_unknown_numbers_are_grey(layer):
    colour(layer, TABLE, "mean_a")
    grey = layer.get_color(2)
    assert np.allclose(grey[:3], grey[0])


def test_colours_suit_the_ground(layer):
    colour(layer, TABLE, "area")
    assert layer.get_color(1)[:3].max() > 0.4
    layer.metadata["napari_unet_seg"] = {"limits": [{"polarity": "dark"}]}
    colour(layer, TABLE, "area")
    assert layer.get_color(1)[:3].max() < 0.2


def test_own_colours_come_back_after_several_columns(layer):
    own = layer.colormap
    colour(layer, TABLE, "area")
    colour(layer, TABLE, "mean_a")
    assert coloured_by(layer) == "mean_a"
    uncolour(layer)
    assert layer.colormap is own
    assert (coloured_by(layer), coloured_by(None)) == ("", "")
    uncolour(layer)
    assert layer.colormap is own


def test_columns_with_numbers_are_offered():
    assert colour_columns(TABLE) == ["area", "mean_a"]


def test_the_row_tells_what_was_chosen_and_the_legend_its_range(qtbot):
    row = ColourRow()
    qtbot.addWidget(row)
    assert not row.box.isEnabled()
    row.offer(["area", "mean_a"])
    told = []
    row.chosen.connect(told.append)
    row.box.setCurrentIndex(1)
    row.legend.show_scale(Scale(10.25, 99.0))
    assert (row.legend.low.text(), row.legend.high.text()) == ("10.25", "99.00")
    assert row.legend.isVisibleTo(row)
    drawn = row.legend.bar.grab().toImage()
    left, right = drawn.pixelColor(1, 5), drawn.pixelColor(drawn.width() - 2, 5)
    assert right.lightness() > left.lightness()
    row.offer(["mean_a"])
    assert row.name == ""
    row.offer(["mean_a"], "mean_a")
    row.back.click()
    assert told == ["area", ""]
    assert not row.legend.isVisibleTo(row)


def test_coloured_nuclei_stay_above_the_images(make_napari_viewer_proxy, layer):
    viewer = make_napari_viewer_proxy(show=True)
    for name in ("below", "between"):
        viewer.add_image(np.zeros((8, 8)), name=name)
    layer.colormap = CyclicLabelColormap(colors=[(0, 0, 0, 0), (1, 0, 0, 1), (0, 1, 0, 1)])
    viewer.add_layer(layer)
    viewer.reset_view()

    def seen():
        return int((viewer.screenshot(flash=False)[..., :3].max(axis=-1) > 20).sum())

    before = seen()
    assert before
    colour(layer, TABLE, "area")  # of more colours than before
    assert seen() == before
    uncolour(layer)
    assert seen() == before

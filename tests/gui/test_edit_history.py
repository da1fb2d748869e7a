"""Steps of napari's history as they are read, and edits of others that are followed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from pandas.testing import assert_frame_equal
from qtpy.QtCore import QObject

from napari_unet_seg.core.edits import Edit
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.edit_history import EditHistory
from napari_unet_seg.gui.history_items import read_item
from tests.core.test_doubts import grid


@pytest.fixture
def layer():
    labels = grid((96, 96))
    return ViewerModel().add_labels(labels, features=measure_plane(labels))


@pytest.fixture
def owner(qapp):
    return QObject()


@pytest.fixture
def history(layer, owner):
    return EditHistory(layer, owner)


def settle(history, qtbot):
    count = history.edits
    qtbot.waitUntil(lambda: history.edits > count, timeout=60_000)


def same(layer):
    expected = measure_plane(layer.data)
    assert_frame_equal(layer.features.sort_values("index").reset_index(drop=True)[list(expected)], expected)


NAPARIS = {
    "brush": lambda layer: layer.paint((16, 30), 40),
    "bucket": lambda layer: layer.fill((16, 16), 41),
    "bucket on the ground": lambda layer: layer.fill((0, 0), 42),
    "eraser": lambda layer: layer.paint((16, 20), 0),
    "polygon": lambda layer: layer.paint_polygon([(20, 20), (20, 60), (60, 60)], 43),
    "pixels": lambda layer: layer.data_setitem((np.array([1, 2]), np.array([3, 4])), 44),
    "several numbers": lambda layer: layer.data_setitem((np.array([1, 2]), np.array([3, 4])), np.array([45, 46])),
}


@pytest.mark.parametrize("edit", NAPARIS.values(), ids=NAPARIS)
def test_whatever_napari_edits_is_measured_and_undone(layer, history, qtbot, edit):
    data, table = layer.data.copy(), layer.features.copy()
    layer.brush_size = 9
    edit(layer)
    settle(history, qtbot)
    same(layer)
    assert layer.metadata["napari_unet_seg"]["edited"] is True
    after = layer.features.copy()
    layer.undo()
    assert np.array_equal(layer.data, data)
    assert_frame_equal(layer.features, table)
    layer.redo()
    assert_frame_equal(layer.features, after)


def test_a_hidden_layer_is_followed(layer, history):
    layer.visible = False
    table = layer.features.copy()
    history.apply((), Edit(np.array([16]), np.array([16]), np.array([0])))
    same(layer)
    history.undo()
    assert_frame_equal(layer.features, table)
    history.redo()
    same(layer)


def test_an_undo_that_comes_before_the_news_is_followed(layer, history, qtbot):
    table = layer.features.copy()
    layer.paint((16, 30), 40)
    layer.undo()
    assert_frame_equal(layer.features, table)
    layer.paint((16, 30), 40)
    settle(history, qtbot)
    same(layer)


def test_another_plane_in_view_is_no_undo():
    viewer = ViewerModel()
    stack = np.stack([grid((64, 64))] * 3)
    layer = viewer.add_labels(stack)
    owner = QObject()
    history = EditHistory(layer, owner)
    history.apply((1,), Edit(np.array([16]), np.array([16]), np.array([0])))
    edits = history.edits
    viewer.dims.set_point(0, 2)
    viewer.dims.set_point(0, 0)
    assert history.edits == edits
    history.undo()
    assert history.edits == edits + 1


def test_a_brush_through_planes_is_measured_in_each(owner, qtbot):
    stack = np.stack([np.where(grid((64, 64)), grid((64, 64)) + 10 * z, 0) for z in range(3)])
    import pandas as pd

    table = pd.concat([measure_plane(plane).assign(plane_z=z) for z, plane in enumerate(stack)], ignore_index=True)
    layer = ViewerModel().add_labels(stack, features=table)
    history = EditHistory(layer, owner)
    layer.n_edit_dimensions = 3
    layer.brush_size = 9
    layer.paint((1, 32, 32), 90)
    settle(history, qtbot)
    rows = layer.features[layer.features["index"] == 90]
    assert rows["plane_z"].tolist() == [0, 1, 2]
    assert rows["area"].tolist() == [(plane == 90).sum() for plane in layer.data]
    layer.undo()
    assert_frame_equal(layer.features, table)


def test_a_number_that_does_not_fit_changes_nothing(owner):
    layer = ViewerModel().add_labels(grid((64, 64)).astype(np.uint8))
    history = EditHistory(layer, owner)
    before = layer.data.copy()
    with pytest.raises(InputError, match="convert its data type"):
        history.apply((), Edit(np.array([1]), np.array([1]), np.array([300])))
    assert np.array_equal(layer.data, before)


def test_a_closed_history_follows_no_more(layer, history):
    history.close()
    table = layer.features.copy()
    layer.data_setitem((np.array([1]), np.array([3])), 44)
    assert_frame_equal(layer.features, table)
    assert not layer.metadata


def test_a_stroke_just_before_the_end_is_measured(layer, history):
    layer.data_setitem((np.array([1, 2]), np.array([3, 4])), 44)
    history.close()
    same(layer)
    assert layer.metadata["napari_unet_seg"]["edited"] is True


def test_a_step_of_both_kinds_is_read():
    masked = SimpleNamespace(
        slice_key=(slice(2, 4), slice(5, 7), slice(8, 11)),
        mask=np.array([[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]], bool),
        old_values=np.array([3, 0]),
        new_value=9,
    )
    triple = ((np.array([6, 6]), np.array([1, 2]), np.array([20, 21])), np.array([5, 5]), np.array([7, 8]))
    touch = read_item([masked, triple])
    assert set(touch.planes) == {(2,), (3,), (6,)}
    assert touch.box == (slice(1, 7), slice(8, 22))
    assert touch.numbers == {0, 3, 5, 7, 8, 9}
    assert (touch.pixel, touch.before) == ((2, 5, 9), 3)


def test_a_step_of_the_whole_box_and_one_that_cannot_be_read():
    whole = SimpleNamespace(slice_key=(slice(5, 7), slice(8, 9)), mask=None, old_values=np.array([[4], [4]]), new_value=0)
    assert read_item([whole]).pixel == (5, 8)
    assert read_item([whole]).planes == ((),)
    assert read_item([]) is None
    assert read_item([((np.array([], int), np.array([], int)), np.array([]), 3)]) is None

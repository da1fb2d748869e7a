from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from napari.utils.shortcuts import default_shortcuts
from pandas.testing import assert_frame_equal
from qtpy.QtCore import QPoint, Qt

from napari_unet_seg.core.measure import add_physical, measure_plane
from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.correct_widget import CorrectWidget
from napari_unet_seg.gui.correcting import STILL
from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache
from napari_unet_seg.gui.labels_picker import NO_LABELS
from napari_unet_seg.gui.results import Results
from napari_unet_seg.gui.tool_panel import CHOOSE
from napari_unet_seg.io.napari_reader import napari_get_reader
from tests.core.test_edits import disc
from tests.gui.conftest import WAIT_MS, outcome, ready
from tests.gui.mouse import click, drag, press_key
from tests.tiny import whole_plane

SHAPE = (64, 96)
DISCS = {1: (16, 16), 2: (16, 40), 3: (44, 20), 4: (44, 70)}


def nuclei():
    labels = np.zeros(SHAPE, np.int32)
    for number, (y, x) in DISCS.items():
        disc(labels, y, x, 9, number)
    return labels


def score_of(labels):
    return np.where(labels > 0, 0.05 * labels, 1.0)


def table_of(labels, scale=None):
    table = measure_plane(labels, 1 - score_of(nuclei()))
    return table if scale is None else add_physical(table, scale)


LAYERS = {
    "plain": {},
    "scaled and moved": {"scale": (0.5, 0.25), "translate": (10, -7), "units": ("um", "um")},
    "turned": {"rotate": 30, "scale": (2, 2)},
}


@pytest.fixture
def layer(request, viewer):
    """A layer with the table of a result."""
    options = getattr(request, "param", {})
    scale = options.get("scale") if "units" in options else None
    return viewer.add_labels(nuclei(), name="nuclei", features=table_of(nuclei(), scale), **options)


@pytest.fixture
def widget(layer, correct, qtbot):
    widget = correct()
    ready(widget, qtbot)
    return widget


def is_measured(layer, scale=None):
    """The table is that of the pixels, in which no score is known of what was not in the maps."""
    expected = measure_plane(layer.data)
    found = layer.features
    columns = [name for name in expected if name != "score"]
    assert_frame_equal(found[columns].sort_values("index").reset_index(drop=True), expected[columns])
    assert found["label"].tolist() == found["index"].tolist()


def delete(viewer, layer, widget):
    widget.tools.choose("delete")
    click(viewer, layer, (16, 42))
    return {1, 3, 4}


def merge(viewer, layer, widget):
    widget.tools.choose("merge")
    click(viewer, layer, (18, 16))
    click(viewer, layer, (16, 38))
    return {1, 3, 4}


def split(viewer, layer, widget):
    widget.tools.choose("split")
    drag(viewer, layer, [(30, 22), (36, 21), (44, 21), (50, 22), (58, 22)])
    return {1, 2, 3, 4, 5}


def paint(viewer, layer, widget):
    widget.tools.choose("paint")
    layer.brush_size = 8
    drag(viewer, layer, [(10, 70), (10, 74), (12, 76)])
    return {1, 2, 3, 4, 5}


EDITS = [delete, merge, split, paint]


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS, indirect=True)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_is_one_step_that_is_measured_and_undone(viewer, layer, widget, qtbot, edit):
    before, table = layer.data.copy(), layer.features.copy()
    numbers = edit(viewer, layer, widget)
    qtbot.waitUntil(lambda: set(layer.features["index"]) == numbers, timeout=WAIT_MS)
    assert set(np.unique(layer.data)) - {0} == numbers
    assert widget.count.text() == f"{len(numbers)} nuclei"
    is_measured(layer)
    after, corrected = layer.data.copy(), layer.features.copy()
    press_key(layer, "Control-Z")
    assert np.array_equal(layer.data, before)
    assert_frame_equal(layer.features, table)
    assert widget.count.text() == "4 nuclei"
    widget.panel.redo_button.click()
    assert np.array_equal(layer.data, after)
    assert_frame_equal(layer.features, corrected)
    widget.panel.undo_button.click()
    assert np.array_equal(layer.data, before)
    assert_frame_equal(layer.features, table)


def test_a_row_of_edits_is_undone_one_by_one(viewer, layer, widget, qtbot):
    states = []
    for edit in (delete, split, paint):
        states.append((layer.data.copy(), layer.features.copy()))
        count = widget.history.edits
        edit(viewer, layer, widget)
        qtbot.waitUntil(lambda count=count: widget.history.edits > count, timeout=WAIT_MS)
    for data, table in reversed(states):
        widget.undo()
        assert np.array_equal(layer.data, data)
        assert_frame_equal(layer.features, table)


def test_a_new_edit_after_an_undo_is_followed(viewer, layer, widget):
    delete(viewer, layer, widget)
    widget.undo()
    split(viewer, layer, widget)
    is_measured(layer)
    widget.redo()
    is_measured(layer)
    widget.undo()
    assert np.array_equal(layer.data, nuclei())
    assert_frame_equal(layer.features[["index", "area"]], table_of(nuclei())[["index", "area"]])


def test_clicks_that_hit_nothing_are_told_and_change_nothing(viewer, layer, widget):
    for name, pixel, words in (
        ("delete", (2, 2), "no nucleus here"),
        ("merge", (2, 2), "no nucleus here"),
        ("delete", (-9, 2), "outside"),
        ("add", (16, 16), "Nucleus 1 is here already"),
    ):
        widget.tools.choose(name)
        click(viewer, layer, pixel)
        assert words in widget.message.text.text()
    widget.tools.choose("split")
    drag(viewer, layer, [(2, 2), (4, 4)])
    assert "crosses no nucleus" in widget.message.text.text()
    assert np.array_equal(layer.data, nuclei())
    assert not layer.metadata


def test_what_was_said_of_one_tool_goes_with_the_next_or_with_the_review(viewer, layer, widget):
    for leave in (lambda: widget.tools.choose("paint"), widget.tools.stop, widget.review.forward, widget.review.back):
        widget.tools.choose("delete")
        click(viewer, layer, (2, 2))
        assert not widget.message.isHidden()
        leave()
        assert widget.message.isHidden()


def test_a_click_of_a_hand_that_shakes_is_no_line(viewer, layer, widget):
    widget.tools.choose("split")
    still = STILL / camera_of(viewer).zoom / 2
    drag(viewer, layer, [(16, 16), (16 + still, 16)])
    assert np.array_equal(layer.data, nuclei())
    assert "does not divide" in widget.message.text.text()


def test_the_same_nucleus_twice_is_no_merge(viewer, layer, widget):
    widget.tools.choose("merge")
    click(viewer, layer, (18, 16))
    assert "number 1" in widget.panel.hint.text()
    click(viewer, layer, (15, 16))
    assert "two different" in widget.message.text.text()
    click(viewer, layer, (16, 40))
    assert "number 2" in widget.panel.hint.text()


def test_a_drag_moves_the_view_and_is_no_click(viewer, layer, widget):
    widget.tools.choose("delete")
    assert layer.mouse_pan
    drag(viewer, layer, [(16, 16), (30, 40)])
    click(viewer, layer, (16, 16), button=2)
    click(viewer, layer, (16, 16), modifiers=("Shift",))
    assert np.array_equal(layer.data, nuclei())


def test_edits_are_noticed_and_marked(viewer, widget, layer, tmp_path, qtbot):
    image = viewer.add_image(np.zeros(SHAPE, np.uint16), name="dapi")
    results = Results(viewer)
    from napari_unet_seg.gui.layers import read_source

    found = outcome(nuclei(), model="tiny")
    result = results.deliver(image, read_source(image), found)
    viewer.layers.selection.active = result
    ready(widget, qtbot)
    assert results.replaceable(image) is not None
    delete(viewer, result, widget)
    assert results.replaceable(image) is None
    made = result.metadata["napari_unet_seg"]
    assert made["edited"] is True
    assert made["model"] == "tiny"
    path = str(tmp_path / "x.labels.tif")
    result.save(path, plugin="napari-unet-seg")
    _, options, _ = napari_get_reader(path)(path)[0]
    assert options["metadata"]["napari_unet_seg"]["edited"] is True


def test_a_score_comes_from_the_maps_behind_the_layer(viewer, correct, qtbot):
    labels = nuclei()
    layer = viewer.add_labels(labels.copy(), features=table_of(labels))
    kept = KeptMaps(MapCache())
    background = score_of(labels).astype(np.float16)
    kept.put((), whole_plane(np.stack([background, 1 - background, 1 - background])))
    layer.metadata[MAPS_KEY] = kept
    widget = correct()
    ready(widget, qtbot)
    split(viewer, layer, widget)
    scores = layer.features.set_index("index")["score"]
    assert scores[5] == pytest.approx(0.85, abs=0.001)
    assert scores[3] == pytest.approx(0.85, abs=0.001)


def test_without_maps_a_new_nucleus_has_no_score(viewer, layer, widget):
    split(viewer, layer, widget)
    assert np.isnan(layer.features.set_index("index")["score"][5])
    assert layer.features.set_index("index")["score"][1] == pytest.approx(0.95)


def test_a_layer_without_a_table_gets_one_with_the_first_edit(viewer, correct, qtbot):
    layer = viewer.add_labels(nuclei())
    widget = correct()
    ready(widget, qtbot)
    assert widget.count.text() == "4 nuclei"
    assert len(layer.features.columns) == 0
    delete(viewer, layer, widget)
    is_measured(layer)
    assert widget.count.text() == "3 nuclei"


def test_a_table_of_somebody_else_is_left_alone(viewer, correct, qtbot):
    mine = pd.DataFrame({"index": [1, 2], "mine": ["a", "b"]})
    layer = viewer.add_labels(nuclei(), features=mine)
    widget = correct()
    ready(widget, qtbot)
    delete(viewer, layer, widget)
    assert_frame_equal(layer.features, mine)
    assert widget.count.text() == "3 nuclei"


def test_columns_of_others_stay_and_a_table_changed_meanwhile_is_measured_again(viewer, layer, widget):
    split(viewer, layer, widget)
    layer.features = layer.features.assign(kind="round", mean_dapi=3.0)
    widget.undo()
    is_measured(layer)
    assert layer.features["kind"].tolist() == ["round"] * 4
    assert np.isnan(layer.features["mean_dapi"][2])
    assert layer.features["mean_dapi"][0] == 3


def test_new_numbers_are_free(viewer, correct, qtbot):
    labels = nuclei()
    labels[60, 90] = 70
    layer = viewer.add_labels(labels, features=table_of(nuclei()))
    widget = correct()
    ready(widget, qtbot)
    widget.tools.choose("paint")
    assert layer.selected_label == 71
    assert layer.mode == "paint"
    drag(viewer, layer, [(10, 70), (10, 71)])
    qtbot.waitUntil(lambda: 71 in set(layer.features["index"]), timeout=WAIT_MS)
    press_key(layer, "N")
    assert layer.selected_label == 72


def test_numbers_that_do_not_fit_are_refused(viewer, correct, qtbot):
    labels = nuclei().astype(np.uint8)
    labels[60, 90] = 255
    layer = viewer.add_labels(labels)
    widget = correct()
    ready(widget, qtbot)
    for name in ("paint", "split"):
        widget.tools.choose(name)
        if name == "split":
            drag(viewer, layer, [(30, 21), (58, 21)])
        assert "convert its data type" in widget.message.text.text()
    assert np.array_equal(layer.data, labels)
    delete(viewer, layer, widget)
    assert 2 not in layer.data


def test_in_a_stack_only_the_visible_plane_changes(viewer, correct, qtbot):
    stack = np.stack([np.where(nuclei(), nuclei() + 4 * z, 0) for z in range(3)])
    tables = [measure_plane(plane).assign(plane_z=z) for z, plane in enumerate(stack)]
    viewer.add_image(np.zeros((2, *stack.shape)))
    layer = viewer.add_labels(stack.copy(), features=pd.concat(tables, ignore_index=True), scale=(4, 1, 1))
    widget = correct()
    ready(widget, qtbot)
    assert widget.count.text() == "12 outlines in 3 planes"
    viewer.dims.set_point(1, 4)
    before = layer.features.copy()
    widget.tools.choose("delete")
    click(viewer, layer, (1, 16, 42))
    widget.tools.choose("merge")
    click(viewer, layer, (1, 16, 16))
    viewer.dims.set_point(1, 8)
    click(viewer, layer, (2, 16, 16))
    click(viewer, layer, (2, 16, 40))
    assert np.array_equal(layer.data[0], stack[0])
    assert set(np.unique(layer.data[1])) == {0, 5, 7, 8}
    assert set(np.unique(layer.data[2])) == {0, 9, 11, 12}
    assert layer.features["index"].tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 11, 12]
    assert layer.features["plane_z"].tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert widget.count.text() == "10 outlines in 3 planes"
    widget.undo()
    widget.undo()
    assert_frame_equal(layer.features, before)


def test_planes_seen_from_the_side_are_refused(viewer, correct, qtbot):
    layer = viewer.add_labels(np.stack([nuclei()] * 3))
    widget = correct()
    ready(widget, qtbot)
    viewer.dims.order = (1, 0, 2)
    widget.tools.choose("delete")
    click(viewer, layer, (1, 16, 16))
    assert "turn off 3D" in widget.message.text.text()
    assert (layer.data == 1).any()


def callbacks_of(widget, layer):
    return [callback for callback in layer.mouse_drag_callbacks if "Tools" in repr(callback)]


@pytest.mark.parametrize("leave", ["escape", "button", "mode", "layer", "dock", "removed"])
def test_a_tool_that_is_left_leaves_nothing_behind(viewer, layer, widget, leave):
    other = viewer.add_image(np.zeros(SHAPE))
    doubles, keymap = list(viewer.mouse_double_click_callbacks), {}
    widget.panel.buttons["split"].click()
    assert viewer.layers.selection.active == layer
    assert widget.panel.buttons["split"].isChecked()
    assert callbacks_of(widget, layer)
    assert not layer.mouse_pan
    if leave == "escape":
        press_key(layer, "Escape")
    elif leave == "button":
        widget.panel.buttons["split"].click()
    elif leave == "mode":
        layer.mode = "fill"
    elif leave == "layer":
        viewer.layers.selection.active = other
    elif leave == "dock":
        widget.parent().hide()
    else:
        viewer.layers.remove(layer)
    assert not callbacks_of(widget, layer)
    assert layer.mouse_pan == (leave != "mode")
    assert list(viewer.mouse_double_click_callbacks) == doubles
    if leave in ("dock", "removed"):
        assert dict(layer.keymap) == keymap
        assert [marks for marks in viewer.layers if "marks" in marks.name] == []
    assert not widget.panel.buttons["split"].isChecked()
    assert widget.panel.hint.text() == CHOOSE


@pytest.mark.parametrize("what", ["dock", "viewer"])
def test_a_closed_dock_is_freed_and_leaves_the_layer_as_it_was(viewer, layer, correct, qtbot, what):
    widget = correct()
    ready(widget, qtbot)
    widget.panel.buttons["split"].click()
    alive, before = weakref.ref(widget), len(viewer.mouse_double_click_callbacks)
    if what == "dock":
        viewer.window.remove_dock_widget(widget)
    else:
        viewer.close()
    assert not callbacks_of(widget, layer)
    del widget
    qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=WAIT_MS)
    assert not layer.keymap
    if what == "dock":
        assert len(viewer.mouse_double_click_callbacks) == before + 1
        viewer.theme = "light"
        viewer.add_labels(nuclei())


def test_mouse_and_keys_of_a_real_canvas(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_labels(nuclei())
    widget = CorrectWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Correct nuclei")
    ready(widget, qtbot)
    canvas = viewer.window._qt_viewer.canvas
    qtbot.keyClick(canvas.native, "d")
    assert widget.tools.active.name == "delete"
    middle = np.array([canvas.native.width(), canvas.native.height()]) / 2
    away = (np.array([40, 16]) - camera_of(viewer).center[:0:-1]) * camera_of(viewer).zoom
    x, y = (middle + away).round().astype(int).tolist()
    qtbot.mouseMove(canvas.native, QPoint(x, y))
    qtbot.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert set(np.unique(layer.data)) == {0, 1, 3, 4}
    qtbot.keyClick(canvas.native, "z", Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(layer.data, nuclei())
    assert widget.count.text() == "4 nuclei"
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert widget.tools.active is None


def test_the_dock_takes_up_its_layer_again(viewer, layer, widget, qtbot):
    widget.parent().hide()
    assert widget.history is None
    delete_by_brush = layer.data == 1
    layer.data_setitem(np.nonzero(delete_by_brush), 0)
    widget.parent().show()
    ready(widget, qtbot)
    assert set(layer.keymap)


def test_keys_choose_tools_and_none_is_naparis(viewer, layer, widget):
    for key, name in (("D", "delete"), ("J", "merge"), ("S", "split"), ("A", "add"), ("N", "paint")):
        press_key(layer, key)
        assert widget.tools.active.name == name
        assert widget.panel.buttons[name].isChecked()
        assert f"Key {key}" in widget.panel.buttons[name].toolTip()
    press_key(layer, "Escape")
    assert widget.tools.active is None
    assert layer.mode == "pan_zoom"
    taken = {str(key) for name, keys in default_shortcuts.items() for key in keys if _holds_for_labels(name)}
    ours = {str(key) for key in layer.keymap} - {"Escape"}
    assert len(ours) == 9
    assert not ours & taken


def _holds_for_labels(name):
    others = (
        "points",
        "shapes",
        "image",
        "vectors",
        "tracks",
        "surface",
        "vertex",
        "add_",
        "direct_mode",
        "select_",
        "plane_normal",
        "contrast",
    )
    return "label" in name or not any(word in name for word in others)


def test_two_quick_clicks_do_not_zoom(viewer, layer, widget):
    names = {getattr(callback, "__name__", "") for callback in viewer.mouse_double_click_callbacks}
    assert "double_click_to_zoom" in names
    widget.tools.choose("delete")
    assert not any(getattr(callback, "__name__", "") == "double_click_to_zoom" for callback in viewer.mouse_double_click_callbacks)
    widget.tools.stop()
    assert names == {getattr(callback, "__name__", "") for callback in viewer.mouse_double_click_callbacks}


def test_a_dock_without_labels_says_what_to_do(viewer, correct):
    widget = correct()
    assert widget.about.text() == NO_LABELS
    assert not any(button.isEnabled() for button in widget.panel.buttons.values())
    assert not widget.review.isEnabled()


def test_a_locked_layer_is_not_touched(viewer, correct):
    layer = viewer.add_labels(nuclei())
    layer.editable = False
    widget = correct()
    assert "locked" in widget.about.text()
    assert not widget.panel.buttons["delete"].isEnabled()


def test_new_pixels_begin_a_new_history(viewer, layer, widget, qtbot):
    delete(viewer, layer, widget)
    layer.data = np.roll(nuclei(), 3, 0)
    layer.features = measure_plane(layer.data)
    ready(widget, qtbot)
    widget.tools.choose("delete")
    click(viewer, layer, (19, 16))
    is_measured(layer)
    assert widget.count.text() == "3 nuclei"


def test_an_edit_while_counting_counts_again(viewer, correct, qtbot):
    layer = viewer.add_labels(nuclei())
    widget = correct()
    widget.tools.choose("delete")
    click(viewer, layer, (16, 16))
    ready(widget, qtbot)
    assert widget.count.text() == "3 nuclei"
    assert widget.history.next_number() == 5

"""Strokes within the second in which a slider settles: the pixels are the user's, and the table tells of them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QCoreApplication, Qt

from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.gui import teller as teller_module
from napari_unet_seg.gui.measure_widget import MeasureWidget
from napari_unet_seg.gui.retell import retell_steps
from napari_unet_seg.gui.teller import Teller
from tests.gui.conftest import WAIT_MS, ready
from tests.gui.mouse import drag
from tests.gui.test_live_ends import BOX
from tests.gui.test_region_picker import choose
from tests.tiny import discs

DIRECT = Qt.FindChildOption.FindDirectChildrenOnly


@pytest.fixture
def plane(viewer):
    return viewer.add_image(discs((160, 160), count=24, seed=3)[0], name="discs", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def stack(viewer):
    images = np.stack([discs((96, 96), count=8 + seed, seed=seed)[0] for seed in range(3)])
    return viewer.add_image(images, name="stack", axis_labels=("z", "y", "x"))


@pytest.fixture
def half_way(tiny, segmented, qtbot):
    """Press Segment, move a slider, and stop when the window has followed and the table has not."""

    def move(area=250):
        labels = segmented(tiny)
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(area)
        assert tiny.live.busy
        for live in tiny.live.lives:
            live._rest.stop()  # until the test goes on, however slow the machine is
        return labels

    return move


@pytest.fixture
def settled(settled):
    """Let the slider rest, and wait until the result follows wholly."""

    def wait(widget):
        for live in widget.live.lives:
            live._rest.start()
        settled(widget)

    return wait


def assert_table_is_of(labels, plane, rows=None):
    """The rows tell the number, place and size of each nucleus that is seen."""
    rows = labels.features if rows is None else rows
    truth = measure_plane(plane)
    assert rows["index"].tolist() == truth["index"].tolist()
    for name in ("label", "area", "centroid_y", "centroid_x", "eccentricity"):
        np.testing.assert_allclose(rows[name], truth[name])


def stroke(viewer, labels, mode):
    """Paint a new nucleus, give one another's number, or erase a part of one, with the mouse."""
    viewer.layers.selection.active = labels
    shown = labels.data if labels.ndim == 2 else labels.data[viewer.dims.current_step[0]]
    leading = () if labels.ndim == 2 else (viewer.dims.current_step[0],)
    first, other = np.unique(shown[shown > 0])[:2]
    inside = np.argwhere(shown == first)
    labels.mode, labels.brush_size = mode, 6
    labels.selected_label = 99 if mode == "paint" else int(other)
    pixels = [(3, 3), (3, 20), (12, 20)] if mode == "paint" else [inside[len(inside) // 2]]
    before = labels.data.copy()
    drag(viewer, labels, [(*leading, *(int(value) for value in pixel)) for pixel in pixels])
    assert not np.array_equal(labels.data, before)


@pytest.mark.parametrize("mode", ["paint", "fill", "erase"])
def test_the_table_tells_of_the_stroke_and_of_what_the_slider_left(tiny, viewer, plane, half_way, settled, mode):
    labels = half_way()
    stroke(viewer, labels, mode)
    after = labels.data.copy()
    settled(tiny)
    np.testing.assert_array_equal(labels.data, after)
    assert_table_is_of(labels, after)
    np.testing.assert_allclose(labels.features["area_um2"], labels.features["area"] / 4)
    assert labels.features["score"].between(0, 1).all()
    assert labels.metadata["napari_unet_seg"]["settings"]["min_area"] == 250
    result = tiny.results.of(plane)
    assert (result.edited, result.outcome.settings.min_area) == (True, 250)
    assert tiny.status.result.text() == f"{len(labels.features)} nuclei"
    assert tiny.pending_hint.isHidden()  # the layer is what the slider asks for


def test_a_stroke_while_the_others_are_decoded(tiny, viewer, plane, half_way, settled, qtbot):
    labels = half_way()
    [live] = tiny.live.lives
    live._rest.setInterval(0)
    live._rest.start()
    qtbot.waitUntil(lambda: live._settle_job.running, timeout=WAIT_MS)
    stroke(viewer, labels, "erase")
    after = labels.data.copy()
    settled(tiny)
    np.testing.assert_array_equal(labels.data, after)
    assert_table_is_of(labels, after)


def test_strokes_that_go_on_are_told_of_too(tiny, viewer, plane, half_way, settled, monkeypatch):
    labels, told = half_way(), []
    show = Teller._show

    def paint_first(teller, *arguments):
        if not told:
            stroke(viewer, labels, "paint")
        told.append(len(labels.features))
        show(teller, *arguments)

    monkeypatch.setattr(Teller, "_show", paint_first)
    tiny.live.lives[0]._teller._job.returned.disconnect()
    tiny.live.lives[0]._teller._job.returned.connect(tiny.live.lives[0]._teller._show)
    stroke(viewer, labels, "fill")
    settled(tiny)
    assert len(told) > 1
    assert_table_is_of(labels, labels.data)


def test_of_a_stack_the_rows_of_the_other_planes_stay(tiny, viewer, stack, half_way, settled):
    viewer.dims.set_point(0, 1)
    labels = half_way(area=200)
    viewer.dims.set_point(0, 1)
    before = labels.features.copy()
    stroke(viewer, labels, "paint")
    after = labels.data.copy()
    settled(tiny)
    np.testing.assert_array_equal(labels.data, after)
    rows = labels.features
    shown = rows["plane_z"] == viewer.dims.current_step[0]
    assert_table_is_of(labels, after[viewer.dims.current_step[0]], rows[shown])
    others = before[before["plane_z"] != viewer.dims.current_step[0]].reset_index(drop=True)
    assert rows[~shown].reset_index(drop=True).equals(others[list(rows)])
    assert rows["plane_z"].is_monotonic_increasing


def test_nuclei_outside_of_the_region_of_a_run_keep_their_score(tiny, viewer, plane, segmented, half_way, settled):
    segmented(tiny)
    viewer.add_shapes([BOX], scale=plane.scale, units=plane.units, name="part")
    choose(tiny, "Inside “part”")
    labels = half_way()
    before, outside = labels.features.set_index("index")["score"], tiny.results.of(plane).outcome.outside
    assert outside
    stroke(viewer, labels, "paint")
    settled(tiny)
    assert_table_is_of(labels, labels.data)
    rows = labels.features.set_index("index")["score"]
    kept = [number for number in rows.index if number <= outside and number != 99]
    assert rows.loc[kept].equals(before.loc[kept])
    assert rows[rows.index > outside].between(0, 1).all()


def test_nuclei_in_3d_are_those_that_the_layer_shows(tiny, viewer, stack, half_way, settled):
    tiny.stack.box.setCurrentIndex(tiny.stack.box.findData("linked"))
    labels = half_way(area=200)
    shown = labels.data[viewer.dims.current_step[0]]
    others = np.delete(labels.data, viewer.dims.current_step[0], axis=0)
    assert not set(shown[shown > 0]) & set(others[others > 0])  # whose nuclei they are is not known yet
    stroke(viewer, labels, "erase")
    settled(tiny)
    counts = np.bincount(labels.data.ravel())[1:]
    assert labels.features["index"].tolist() == (np.flatnonzero(counts) + 1).tolist()
    assert labels.features["volume"].tolist() == counts[counts > 0].tolist()


def test_a_dock_that_is_closed_leaves_a_table_that_will_be_right_and_a_window_that_did_not_wait(
    tiny, viewer, plane, half_way, qtbot, monkeypatch
):
    labels, measuring = half_way(), []

    def noted(task):
        measuring.append(threading.current_thread())
        return (yield from retell_steps(task))

    monkeypatch.setattr(teller_module, "retell_steps", noted)
    stroke(viewer, labels, "paint")
    viewer.window.remove_dock_widget(tiny)
    assert not tiny.live.busy
    qtbot.waitUntil(lambda: 99 in labels.features["index"].tolist(), timeout=WAIT_MS)
    assert_table_is_of(labels, labels.data)
    assert threading.main_thread() not in measuring
    viewer.window.add_dock_widget(tiny)  # which deletes it with the window
    qtbot.waitUntil(lambda: not QCoreApplication.instance().findChildren(Teller, options=DIRECT), timeout=WAIT_MS)


@pytest.fixture
def fails(monkeypatch):
    """Measuring fails; the sentence that is told then."""

    def measure(task):
        yield from retell_steps(task)
        raise MemoryError

    monkeypatch.setattr(teller_module, "retell_steps", measure)
    return (
        "What you painted in “discs nuclei” is kept, but not measured: Memory ran out; close other programs, or crop the image. "
        "Press Measure in “Measure nuclei”, and its table tells of it."
    )


def test_a_table_that_cannot_follow_a_closed_dock_is_told_of_by_napari(tiny, viewer, plane, half_way, fails, qtbot):
    labels = half_way()
    stroke(viewer, labels, "paint")
    notification_manager.records.clear()
    viewer.window.remove_dock_widget(tiny)
    qtbot.waitUntil(lambda: [one.message for one in notification_manager.records] == [fails], timeout=WAIT_MS)
    viewer.window.add_dock_widget(tiny)  # which deletes it with the window
    qtbot.waitUntil(lambda: not QCoreApplication.instance().findChildren(Teller, options=DIRECT), timeout=WAIT_MS)


def test_a_table_that_cannot_follow_is_told_of_with_what_to_do(tiny, viewer, plane, half_way, settled, fails, qtbot):
    labels = half_way()
    stroke(viewer, labels, "paint")
    settled(tiny)
    assert tiny.status.message.text.text() == fails
    dock = MeasureWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Measure nuclei")
    with qtbot.waitSignal(dock.job.finished, timeout=WAIT_MS):
        dock.run_button.click()
    assert_table_is_of(labels, labels.data, labels.features.sort_values("index"))


def test_a_deleted_layer_is_told_of_no_more(tiny, viewer, plane, half_way):
    labels = half_way()
    stroke(viewer, labels, "paint")
    tiny.live.stop()
    assert tiny.live.busy
    viewer.layers.remove(labels)
    assert not tiny.live.busy


def test_the_correcting_dock_measures_on_from_there(tiny, viewer, plane, half_way, settled, correct, qtbot):
    dock = correct()
    labels = half_way()
    dock.picker.box.setCurrentText(labels.name)
    ready(dock, qtbot)
    stroke(viewer, labels, "erase")
    settled(tiny)
    assert_table_is_of(labels, labels.data)
    assert labels.metadata["napari_unet_seg"]["edited"] is True
    dock.undo()
    assert_table_is_of(labels, labels.data)


def test_a_table_of_the_users_own_stays(tiny, viewer, plane, half_way, settled):
    labels = half_way()
    labels.features = {"index": [1, 2], "kind": ["a", "b"]}
    own = labels.features.copy()
    stroke(viewer, labels, "paint")
    settled(tiny)
    assert labels.features.equals(own)


@pytest.mark.parametrize("rests", [True, False])
def test_what_is_painted_never_gets_the_number_of_a_nucleus_that_a_slider_brought(
    tiny, viewer, plane, segmented, settled, correct, qtbot, rests
):
    dock = correct()
    tiny.form.rows["min_area"].set(250)
    labels = segmented(tiny)
    dock.picker.box.setCurrentText(labels.name)
    ready(dock, qtbot)
    dock.tools.choose("paint")
    free = labels.selected_label
    with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
        tiny.form.rows["min_area"].set(0)
    if rests:
        settled(tiny)
    before = labels.data.copy()
    highest = int(before.max())
    assert highest >= free  # a nucleus has it now
    drag(viewer, labels, [(3, 3), (3, 12)])
    assert np.unique(labels.data[labels.data != before]).tolist() == [highest + 1]
    qtbot.waitUntil(lambda: not dock.history.untouched, timeout=WAIT_MS)
    drag(viewer, labels, [(3, 30), (3, 33)])
    assert labels.data[3, 33] == highest + 1  # the same nucleus until the next one is asked for
    qtbot.waitUntil(lambda: dock.history.next_number() == highest + 2, timeout=WAIT_MS)


def test_a_nucleus_that_was_chosen_for_the_brush_is_painted_on(tiny, viewer, plane, segmented, correct, qtbot):
    dock, labels = correct(), segmented(tiny)
    dock.picker.box.setCurrentText(labels.name)
    ready(dock, qtbot)
    dock.tools.choose("paint")
    labels.selected_label = 3
    drag(viewer, labels, [(3, 3), (3, 12)])
    assert labels.data[3, 3] == 3


def test_what_is_split_gets_no_number_of_a_nucleus_that_a_slider_brought(tiny, viewer, plane, segmented, correct, qtbot):
    dock = correct()
    tiny.form.rows["min_area"].set(250)
    labels = segmented(tiny)
    dock.picker.box.setCurrentText(labels.name)
    ready(dock, qtbot)
    assert dock.history.next_number() == labels.data.max() + 1
    with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
        tiny.form.rows["min_area"].set(0)
    assert tiny.live.busy
    assert dock.history.next_number() == labels.data.max() + 1

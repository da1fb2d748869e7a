"""Sliders whose following ends before all of a result has followed: what a layer holds and what its table says always belong together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.gui.measure_widget import MeasureWidget
from tests.gui.conftest import WAIT_MS
from tests.gui.test_live import assert_holds, found, held
from tests.gui.test_region_picker import choose
from tests.tiny import discs

BOX = np.array([(30, 30), (30, 100), (120, 100), (120, 30)])


@pytest.fixture
def plane(viewer):
    return viewer.add_image(discs((160, 160), count=24, seed=3)[0], name="discs", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def half_way(tiny, segmented, qtbot):
    """Press Segment, move a slider, and stop when the window has followed and the table has not."""

    def move():
        labels = segmented(tiny)
        before = held(labels)
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(250)
        assert tiny.live.busy
        assert not np.array_equal(labels.data, before[0])
        return labels, before

    return move


def assert_belong_together(labels):
    assert sorted(labels.features["label"]) == np.unique(labels.data[labels.data > 0]).tolist()


def test_a_run_that_is_cancelled_lets_the_result_follow_again(tiny, plane, half_way, settled, qtbot):
    labels, before = half_way()
    with qtbot.waitSignal(tiny.job.finished, timeout=WAIT_MS):
        tiny.run_button.click()
        assert_holds(labels, before)
        tiny.cancel_button.click()
    settled(tiny)
    np.testing.assert_array_equal(labels.data, found(plane.data, min_area=250).labels)
    assert_belong_together(labels)


def test_a_run_that_cannot_begin_lets_the_result_follow_again(tiny, viewer, plane, half_way, settled):
    shapes = viewer.add_shapes([BOX], scale=plane.scale, units=plane.units, name="part")
    labels, _ = half_way()
    choose(tiny, "Inside “part”")
    shapes.data = []
    tiny.run_button.click()
    assert tiny.status.message.text.text()
    assert not tiny.job.running
    settled(tiny)
    assert tiny.run_button.isEnabled()
    assert_belong_together(labels)


def test_a_part_is_put_among_what_the_table_tells_of(tiny, viewer, plane, half_way, segmented, qtbot):
    viewer.add_shapes([BOX], scale=plane.scale, units=plane.units, name="part")
    labels, before = half_way()
    choose(tiny, "Inside “part”")
    assert segmented(tiny) is labels
    assert_belong_together(labels)
    with qtbot.waitSignal(tiny.job.finished, timeout=WAIT_MS):
        tiny.restore_button.click()
    assert_holds(labels, before)


def test_planes_of_a_stack_are_taken_back(tiny, viewer, half_way, qtbot):
    images = np.stack([discs((96, 96), count=8 + seed, seed=seed)[0] for seed in range(3)])
    viewer.add_image(images, name="stack", axis_labels=("z", "y", "x"))
    labels, before = half_way()
    viewer.dims.set_point(0, 2)
    with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
        tiny.form.rows["min_area"].set(240)
    tiny.live.stop()
    assert_holds(labels, before)
    assert not tiny.results.of(viewer.layers["stack"]).edited


def test_what_was_painted_meanwhile_stays(tiny, plane, half_way, settled):
    labels, _ = half_way()
    labels.paint((60, 60), 99)
    after = labels.data.copy()
    settled(tiny)
    np.testing.assert_array_equal(labels.data, after)


def test_a_closed_dock_leaves_a_table_that_is_right(tiny, viewer, plane, half_way):
    labels, before = half_way()
    viewer.window.remove_dock_widget(tiny)
    assert_holds(labels, before)
    viewer.window.add_dock_widget(tiny)  # which deletes it with the window


def test_nothing_is_said_or_kept_of_a_layer_that_is_deleted_meanwhile(tiny, viewer, plane, half_way, qtbot):
    labels, _ = half_way()
    [live] = tiny.live.lives
    tiny.form.rows["min_area"].set(260)
    viewer.layers.remove(labels)
    assert not tiny.live.busy
    qtbot.waitUntil(lambda: not live._show_job.running, timeout=WAIT_MS)
    assert live._decoder._decoding is None
    assert tiny.status.result.isHidden()


def test_the_maps_of_a_deleted_layer_go_while_another_image_is_chosen(tiny, viewer, plane, segmented, settled, qtbot):
    labels = segmented(tiny)
    viewer.add_image(discs((160, 160), count=24, seed=4)[0], name="other", scale=plane.scale, units=plane.units)
    segmented(tiny)
    tiny.images.image_box.setCurrentText("discs")
    tiny.form.rows["min_area"].set(250)
    settled(tiny)
    tiny.images.image_box.setCurrentText("other")
    assert any(live._decoder._decoding is not None for live in tiny.live.lives)
    viewer.layers.remove(labels)
    assert all(live._decoder._decoding is None for live in tiny.live.lives)


def test_nothing_is_said_of_another_image_than_the_chosen_one(tiny, viewer, plane, segmented, settled):
    viewer.add_image(discs((160, 160), count=24, seed=4)[0], name="other", scale=plane.scale, units=plane.units)
    tiny.images.image_box.setCurrentText("other")
    segmented(tiny)
    tiny.images.image_box.setCurrentText("discs")
    segmented(tiny)
    told = []
    tiny.form.rows["min_area"].set(250)
    tiny.images.image_box.setCurrentText("other")
    tiny.live.shown.connect(lambda _: told.append(tiny.status.detail.text()))
    settled(tiny)
    assert told
    assert all("Found in other" in words for words in told)


@pytest.mark.parametrize("settles", [True, False])
def test_measuring_meanwhile_is_no_edit(tiny, viewer, plane, half_way, settled, qtbot, settles):
    dock = MeasureWidget(viewer)
    viewer.window.add_dock_widget(dock)
    labels, before = half_way()
    tiny.live.lives[0]._rest.setInterval(WAIT_MS)
    tiny.live.lives[0]._rest.start()
    with qtbot.waitSignal(dock.job.finished, timeout=WAIT_MS):
        dock.measure()
    assert tiny.live.busy
    assert "mean_discs" in labels.features
    assert_belong_together(labels)
    if settles:
        tiny.live.lives[0]._rest.start(0)
        settled(tiny)
        assert_belong_together(labels)
    else:
        tiny.live.stop()
        assert_holds(labels, before)
    assert not tiny.results.of(plane).edited

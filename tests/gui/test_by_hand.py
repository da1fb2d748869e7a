"""What a person did by hand stays, and what a run replaced can be brought back."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_unet_seg.gui.live import REST_MS
from napari_unet_seg.gui.standing import NEW_LAYER
from tests.gui.conftest import WAIT_MS, names, squares
from tests.gui.test_live import assert_holds, held
from tests.tiny import discs


@pytest.fixture
def plane(viewer):
    return viewer.add_image(discs((96, 96), seed=3)[0], name="discs")


def locked(widget):
    """Whether all settings that act at once are locked, or none."""
    states = {widget.form.rows[name].editor.isEnabled() for name in ("probability", "splitting", "min_area", "max_area", "fill_holes")}
    assert len(states) == 1
    return not states.pop()


def test_a_stroke_locks_the_sliders_and_a_run_makes_a_new_layer(tiny, viewer, plane, segmented, settled, qtbot):
    labels = segmented(tiny)
    assert not locked(tiny)
    labels.paint((2, 2), 99)
    assert locked(tiny)
    assert tiny.live_hint.text().startswith("“discs nuclei” was edited by hand, so these are locked")
    assert tiny.run_button.text() == NEW_LAYER
    before = held(labels)
    tiny.form.rows["probability"].set(0.8)
    qtbot.wait(2 * REST_MS)
    assert_holds(labels, before)
    new = segmented(tiny)
    assert names(viewer) == ["discs", "discs nuclei", "discs nuclei [1]"]
    assert_holds(labels, before)
    assert (labels.visible, new.visible) == (False, True)  # else one could not tell them apart
    assert not locked(tiny)
    tiny.form.rows["min_area"].set(200)
    settled(tiny)
    assert new.features["area"].min() >= 200
    assert_holds(labels, before)


def test_an_edit_that_tells_nobody_is_found_when_a_slider_moves(tiny, plane, segmented, settled):
    labels = segmented(tiny)
    labels.data[0, 0] = 77
    before = held(labels)
    tiny.form.rows["probability"].set(0.8)
    settled(tiny)
    assert_holds(labels, before)
    assert locked(tiny)


def test_an_edit_that_tells_nobody_on_another_plane_is_found_when_the_slider_rests(tiny, viewer, segmented, qtbot, settled):
    images = np.stack([discs((64, 64), count=4, seed=seed)[0] for seed in range(3)])
    viewer.add_image(images, name="stack", axis_labels=("z", "y", "x"))
    labels = segmented(tiny)
    labels.data[2, 0, 0] = 77
    tiny.form.rows["min_area"].set(200)
    settled(tiny)
    assert labels.data[2, 0, 0] == 77
    assert locked(tiny)


def test_a_layer_locked_in_the_list_stays(tiny, plane, segmented, qtbot):
    labels = segmented(tiny)
    before = held(labels)
    labels.locked = True
    tiny.form.rows["probability"].set(0.8)
    qtbot.wait(2 * REST_MS)
    assert_holds(labels, before)
    assert tiny.live_hint.text().startswith("“discs nuclei” is locked in the layer list")


class TestRestore:
    def test_the_previous_result_comes_back_and_the_newer_one_too(self, tiny, viewer, plane, segmented, settled, qtbot):
        labels = segmented(tiny)
        assert tiny.restore_button.isHidden()
        first = held(labels)
        tiny.form.rows["diameter"].set(24.0)
        tiny.form.rows["probability"].set(0.7)
        settled(tiny)
        first_followed = held(labels)
        segmented(tiny)
        second = held(labels)
        assert not np.array_equal(second[0], first[0])
        assert not tiny.restore_button.isHidden()

        def restore():
            with qtbot.waitSignal(tiny.job.finished, timeout=WAIT_MS):
                qtbot.mouseClick(tiny.restore_button, Qt.MouseButton.LeftButton)

        restore()
        assert len(viewer.layers) == 2
        assert_holds(labels, first_followed)
        assert (tiny.form.value().diameter, tiny.form.value().probability) == (0, 0.7)
        assert tiny.pending_hint.isHidden()
        assert tiny.status.result.text().startswith(f"{first_followed[0].max()} nucle")
        tiny.form.rows["probability"].set(0.55)
        settled(tiny)
        assert_holds(labels, first)
        restore()
        assert_holds(labels, second)
        assert tiny.form.value().diameter == 24

    def test_its_table_has_the_size_of_a_pixel_that_was_typed_since(self, tiny, plane, segmented, qtbot):
        labels = segmented(tiny)
        tiny.form.rows["diameter"].set(24.0)
        segmented(tiny)
        tiny.pixel_size.number.setValue(0.5)
        with qtbot.waitSignal(tiny.job.finished, timeout=WAIT_MS):
            tiny.restore_button.click()
        np.testing.assert_allclose(labels.features["area_um2"], labels.features["area"] / 4)
        assert not tiny.results.of(plane).edited

    def test_it_never_replaces_what_was_edited(self, tiny, viewer, plane, segmented, qtbot):
        labels = segmented(tiny)
        first = held(labels)
        tiny.form.rows["diameter"].set(24.0)
        segmented(tiny)
        labels.paint((1, 1), 5)
        edited = held(labels)
        with qtbot.waitSignal(tiny.job.finished, timeout=WAIT_MS):
            tiny.restore_button.click()
        assert_holds(labels, edited)
        assert_holds(viewer.layers["discs nuclei [1]"], first)

    def test_a_slider_that_is_still_moving_spoils_nothing(self, tiny, plane, segmented, qtbot):
        labels = segmented(tiny)
        first = held(labels)
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(200)
        segmented(tiny)
        result = tiny.results.of(plane)
        assert result.before is None or np.array_equal(result.before.content.labels, first[0])


class TestWords:
    """What the panel says is about the result of the chosen image."""

    def test_they_vanish_with_the_layer(self, widget, viewer, image, runs, run):
        run(widget)
        assert widget.status.result.isVisibleTo(widget)
        assert widget.limits.used.isVisibleTo(widget)
        viewer.layers.remove("dapi nuclei")
        assert not widget.status.result.isVisibleTo(widget)
        assert not widget.status.detail.isVisibleTo(widget)
        assert not widget.limits.used.isVisibleTo(widget)
        assert widget.run_button.text() == "Segment"

    def test_they_are_those_of_the_chosen_image(self, widget, viewer, image, runs, run):
        run(widget)
        viewer.add_image(np.zeros((64, 64)), name="dapi 2")
        assert not widget.status.result.isVisibleTo(widget)
        runs.count = 1
        run(widget)
        assert widget.status.result.text() == "1 nucleus"
        widget.images.image_box.setCurrentIndex(1)
        assert widget.status.result.text() == "3 nuclei"

    def test_a_notice_is_not_taken_away(self, widget, viewer, image, runs, run):
        runs.notice = "Memory ran out: going on with smaller tiles."
        run(widget)
        viewer.layers.remove("dapi nuclei")
        assert widget.status.message.text.text() == runs.notice
        assert widget.status.message.isVisibleTo(widget)

    def test_cancelled_is_said_although_there_is_a_result(self, widget, image, runs, run, qtbot):
        run(widget)
        runs.go.clear()
        runs.began.clear()
        widget.run_button.click()
        qtbot.waitUntil(runs.began.is_set, timeout=WAIT_MS)
        widget.cancel_button.click()
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()
        assert widget.status.result.text() == "Cancelled"
        assert np.array_equal(widget.results.of(image).labels.data, squares())

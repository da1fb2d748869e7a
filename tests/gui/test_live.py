"""The real sliders, the small network, and the pixels of the real layer."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt

import napari_unet_seg as nus
from napari_unet_seg.core import predict
from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.gui.live import REST_MS, visible_index
from napari_unet_seg.gui.segment_widget import OTHERS_FOLLOW
from napari_unet_seg.gui.standing import ACTS, AGAIN
from napari_unet_seg.settings import SegmentSettings
from tests.gui.conftest import WAIT_MS
from tests.tiny import discs, tiny_model


def found(image, **settings):
    """What a run with these settings finds."""
    return nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=SegmentSettings(**settings)))


def held(layer):
    """A copy of what a layer holds, to compare with later."""
    return layer.data.copy(), layer.features.copy(), dict(layer.metadata["napari_unet_seg"])


def assert_holds(layer, before):
    assert np.array_equal(layer.data, before[0])
    assert layer.features.equals(before[1])
    assert layer.metadata["napari_unet_seg"] == before[2]


@pytest.fixture
def plane(viewer):
    image, _ = discs((160, 160), count=24, seed=3)
    return viewer.add_image(image, name="discs", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def stack(viewer):
    images = np.stack([discs((96, 96), count=8 + seed, seed=seed)[0] for seed in range(4)])
    return viewer.add_image(images, name="stack", axis_labels=("z", "y", "x"))


class TestOnePlane:
    @pytest.mark.parametrize(
        "setting",
        [("probability", 0.8), ("splitting", 0.05), ("min_area", 250), ("max_area", 250), ("exclude_border", True), ("fill_holes", False)],
    )
    def test_each_setting_gives_what_a_run_gives(self, tiny, plane, segmented, settled, setting):
        name, value = setting
        labels = segmented(tiny)
        before = held(labels)
        expected = found(plane.data, **{name: value})
        tiny.form.rows[name].set(value)
        settled(tiny)
        assert np.array_equal(labels.data, expected.labels)
        assert labels.data.dtype == np.int32
        assert labels.features[list(expected.features)].equals(expected.features)
        assert np.allclose(labels.features["area_um2"], labels.features["area"] / 4)
        assert labels.metadata["napari_unet_seg"]["settings"][name] == value
        if name != "fill_holes":  # these discs have no holes
            assert not np.array_equal(labels.data, before[0])
        tiny.form.rows[name].set(getattr(SegmentSettings(), name))
        settled(tiny)
        assert_holds(labels, before)

    def test_the_network_does_not_run(self, tiny, plane, segmented, settled, monkeypatch):
        labels = segmented(tiny)

        def refuse(*_):
            raise AssertionError("the network ran")

        monkeypatch.setattr(predict.Predictor, "run", refuse)
        tiny.form.rows["min_area"].set(250)
        settled(tiny)
        assert labels.features["area"].min() >= 250

    def test_a_slider_is_dragged_with_the_keyboard_and_the_words_follow(self, tiny, plane, segmented, settled, qtbot):
        labels = segmented(tiny)
        count = labels.data.max()
        assert tiny.live_hint.text() == ACTS
        slider = tiny.form.rows["splitting"].editor.slider
        told = []
        tiny.live.shown.connect(told.append)
        for _ in range(8):
            qtbot.keyClick(slider, Qt.Key.Key_Right)
        settled(tiny)
        assert tiny.form.rows["splitting"].get() == pytest.approx(0.9)
        assert np.array_equal(labels.data, found(plane.data, splitting=0.9).labels)
        assert told[-1] == labels.data.max() == len(labels.features)
        assert tiny.status.result.text() == f"{labels.data.max():,} nuclei"
        qtbot.keyClick(slider, Qt.Key.Key_Home)
        qtbot.waitUntil(lambda: tiny.status.result.text() != "", timeout=WAIT_MS)
        tiny.reset_button.click()
        settled(tiny)
        assert labels.data.max() == count

    def test_the_pixels_come_before_the_table(self, tiny, plane, segmented, settled, qtbot):
        labels = segmented(tiny)
        rows = labels.features
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(250)
        assert np.array_equal(labels.data, found(plane.data, min_area=250).labels)
        assert labels.features is rows or labels.features.equals(rows)
        with qtbot.waitSignal(tiny.live.settled, timeout=WAIT_MS):
            pass
        assert len(labels.features) == labels.data.max() < len(rows)

    def test_the_newest_setting_wins(self, tiny, plane, segmented, settled):
        labels = segmented(tiny)
        for value in (0.6, 0.9, 0.3, 0.7, 0.95, 0.45):
            tiny.form.rows["probability"].set(value)
        settled(tiny)
        assert np.array_equal(labels.data, found(plane.data, probability=0.45).labels)
        assert labels.metadata["napari_unet_seg"]["settings"]["probability"] == 0.45

    def test_following_is_no_edit_and_the_next_run_replaces(self, tiny, viewer, plane, segmented, settled):
        labels = segmented(tiny)
        tiny.form.rows["probability"].set(0.8)
        settled(tiny)
        assert segmented(tiny) is labels
        assert len(viewer.layers) == 2
        assert np.array_equal(labels.data, found(plane.data, probability=0.8).labels)

    def test_the_look_stays(self, tiny, plane, segmented, settled):
        labels = segmented(tiny)
        labels.contour, labels.opacity, labels.name = 0, 0.3, "mine"
        tiny.form.rows["probability"].set(0.8)
        settled(tiny)
        assert (labels.contour, labels.opacity, labels.name) == (0, 0.3, "mine")

    def test_contradicting_settings_change_nothing(self, tiny, plane, segmented):
        labels = segmented(tiny)
        before = held(labels)
        tiny.form.rows["max_area"].set(5)
        assert not tiny.live.busy
        assert_holds(labels, before)

    def test_a_slider_moved_during_a_run_acts_after_it(self, tiny, plane, segmented, settled, qtbot):
        tiny.run_button.click()
        tiny.form.rows["probability"].set(0.8)
        qtbot.waitUntil(lambda: not tiny.job.running, timeout=5 * WAIT_MS)
        settled(tiny)
        labels = tiny.results.of(plane).labels
        assert np.array_equal(labels.data, found(plane.data, probability=0.8).labels)

    def test_areas_in_micrometres(self, tiny, plane, segmented, settled, qtbot):
        labels = segmented(tiny)
        area = tiny.form.rows["min_area"].editor
        qtbot.mouseClick(area.unit, Qt.MouseButton.LeftButton)
        assert tiny.form.rows["max_area"].editor.unit.text() == "µm²"
        area.number.selectAll()
        qtbot.keyClicks(area.number, "60")
        settled(tiny)
        assert labels.metadata["napari_unet_seg"]["settings"]["min_area"] == 240
        assert labels.features["area_um2"].min() >= 60
        assert np.array_equal(labels.data, found(plane.data, min_area=240).labels)


class TestStacks:
    def test_the_visible_plane_comes_first_then_the_others(self, tiny, viewer, stack, segmented, settled, qtbot):
        labels = segmented(tiny)
        before = held(labels)
        viewer.dims.set_point(0, 2)
        expected = found(stack.data, min_area=200)
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(200)
        assert np.array_equal(labels.data[2] > 0, expected.labels[2] > 0)
        for other in (0, 1, 3):
            assert np.array_equal(labels.data[other], before[0][other])
        assert tiny.status.detail.text() == OTHERS_FOLLOW
        settled(tiny)
        assert np.array_equal(labels.data, expected.labels)
        assert labels.features.equals(expected.features)
        assert tiny.status.result.text() == f"{expected.count} outlines in 4 planes"
        tiny.form.rows["min_area"].set(20)
        settled(tiny)
        assert_holds(labels, before)

    def test_a_volume_or_another_cut_follows_when_the_slider_rests(self, tiny, viewer, stack, segmented, settled):
        labels = segmented(tiny)
        assert visible_index(viewer, labels) == (viewer.dims.current_step[0],)
        viewer.dims.order = (1, 0, 2)
        assert visible_index(viewer, labels) is None
        tiny.form.rows["probability"].set(0.8)
        settled(tiny)
        assert np.array_equal(labels.data, found(stack.data, probability=0.8).labels)

    def test_channels_in_the_middle(self, tiny, viewer, segmented, settled):
        planes = [discs((96, 96), seed=seed)[0] for seed in range(2)]
        data = np.stack([np.stack([np.zeros_like(plane), plane]) for plane in planes])  # (Z, C, Y, X)
        viewer.add_image(data, name="both", axis_labels=("z", "c", "y", "x"))
        tiny.images.channel_box.setCurrentIndex(1)
        labels = segmented(tiny)
        assert labels.data.shape == (2, 1, 96, 96)
        assert maps_of(labels).plane((1, 0)).shape == (4, 96, 96)
        viewer.dims.set_point(0, 1)
        tiny.form.rows["min_area"].set(200)
        settled(tiny)
        assert np.array_equal(labels.data[:, 0], found(np.stack(planes), min_area=200).labels)

    def test_an_edit_while_the_others_follow_wins(self, tiny, stack, segmented, qtbot):
        labels = segmented(tiny)
        with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
            tiny.form.rows["min_area"].set(200)
        labels.paint((0, 1, 1), 99)  # tells of itself, as a stroke of the mouse does
        after = labels.data.copy()
        qtbot.wait(2 * REST_MS)
        qtbot.waitUntil(lambda: not tiny.live.busy, timeout=WAIT_MS)
        assert np.array_equal(labels.data, after)
        assert tiny.results.of(stack).edited


class TestWhatNeedsARun:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda widget: widget.form.rows["diameter"].set(25.0), "diameter"),
            (lambda widget: widget.form.rows["polarity"].set("dark"), "nuclei are"),
            (lambda widget: widget.form.rows["tile"].set(64), "tile"),
            (lambda widget: widget.limits.mode.setCurrentText("Fixed"), "intensity limits"),
            (lambda widget: widget.engine.device_box.setCurrentIndex(0), "device"),
            (lambda widget: (widget.engine.model_box.addItem("mine"), widget.engine.model_box.setCurrentText("mine")), "model"),
        ],
    )
    def test_it_is_said_and_nothing_changes(self, tiny, plane, segmented, change, words):
        labels = segmented(tiny)
        before = held(labels)
        assert tiny.pending_hint.isHidden()
        assert (tiny.run_button.text(), tiny.run_button.property("kind")) == (AGAIN, "secondary")
        change(tiny)
        assert tiny.pending_hint.text() == f"Press “{AGAIN}” to apply: {words}."
        assert tiny.run_button.property("kind") == "primary"
        assert not tiny.live.busy
        assert_holds(labels, before)

    def test_pressing_it_is_enough(self, tiny, plane, segmented):
        segmented(tiny)
        tiny.form.rows["polarity"].set("bright")
        segmented(tiny)
        assert tiny.pending_hint.isHidden()
        assert tiny.run_button.property("kind") == "secondary"

    def test_an_image_with_other_pixels_makes_sliders_wait(self, tiny, plane, segmented):
        labels = segmented(tiny)
        before = held(labels)
        plane.data = plane.data[::-1].copy()
        tiny.form.rows["probability"].set(0.8)
        assert "the image has changed" in tiny.pending_hint.text()
        assert not tiny.live.busy
        assert_holds(labels, before)
        segmented(tiny)
        assert tiny.live_hint.text() == ACTS

    def test_maps_that_were_let_go_make_sliders_wait_for_a_run(self, tiny, plane, segmented):
        tiny._cache.limit = 1000
        labels = segmented(tiny)
        before = held(labels)
        assert maps_of(labels).plane(()) is None
        tiny.form.rows["probability"].set(0.8)
        assert tiny.pending_hint.text() == f"Press “{AGAIN}” to apply: probability."
        assert_holds(labels, before)

    def test_settings_of_another_image_are_not_put_upon_this_one(self, tiny, viewer, plane, segmented, settled):
        first = segmented(tiny)
        before = held(first)
        viewer.add_image(discs(seed=9)[0], name="other")
        tiny.form.rows["probability"].set(0.8)
        second = segmented(tiny)
        assert second is not first
        tiny.images.image_box.setCurrentIndex(1)
        assert tiny.images.layer.name == "discs"
        assert tiny.pending_hint.text() == f"Press “{AGAIN}” to apply: probability."
        assert_holds(first, before)
        tiny.form.rows["probability"].set(0.7)
        settled(tiny)
        assert np.array_equal(first.data, found(plane.data, probability=0.7).labels)


@pytest.mark.parametrize("what", ["layer", "dock"])
def test_nothing_is_left_behind_when_something_goes_meanwhile(tiny, viewer, plane, segmented, qtbot, what):
    labels = segmented(tiny)
    maps = weakref.ref(maps_of(labels))
    tiny.form.rows["probability"].set(0.8)
    if what == "layer":
        viewer.layers.remove(labels)
        qtbot.waitUntil(lambda: not tiny.live.busy, timeout=WAIT_MS)
        assert tiny.status.message.text.text() == ""
        assert not tiny.status.result.isVisibleTo(tiny)
        del labels
        qtbot.waitUntil(lambda: gc.collect() >= 0 and maps() is None, timeout=WAIT_MS)
    else:
        viewer.window.remove_dock_widget(tiny)
        qtbot.wait(2 * REST_MS)
        assert maps() is maps_of(labels)
        with qtbot.waitSignal(tiny.destroyed, timeout=WAIT_MS):
            tiny.deleteLater()

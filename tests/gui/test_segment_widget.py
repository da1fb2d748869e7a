from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from napari.utils.progress import progress
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QApplication, QLabel, QToolButton

from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.gui import engine_picker
from napari_unet_seg.gui.engine_picker import ON_THE_CPU
from napari_unet_seg.gui.image_picker import NO_IMAGE
from napari_unet_seg.gui.segment_panel import LIMITS
from napari_unet_seg.gui.segment_widget import ADVANCED, BASIC, NOTHING_FOUND, SOON
from napari_unet_seg.progress import Progress
from napari_unet_seg.settings import SegmentSettings, field_options
from tests.gui.conftest import IDLE, READY, RUNNING, SURROUNDINGS, WAIT_MS, begin, buttons, names, squares
from tests.tiny import discs, tiny_model


@pytest.fixture
def notices():
    """What napari tells besides the widget."""
    told = []

    def note(notification):
        told.append(notification.message)

    notification_manager.notification_ready.connect(note)
    yield told
    notification_manager.notification_ready.disconnect(note)


class TestARun:
    def test_without_an_image_nothing_can_be_pressed_and_it_says_why(self, widget, runs):
        assert buttons(widget) == IDLE
        assert widget.run_button.toolTip() == NO_IMAGE
        widget.segment()
        assert runs.requests == []

    def test_the_labels_come_as_a_layer_and_the_count_in_words(self, widget, viewer, image, runs, run):
        assert buttons(widget) == READY
        run(widget)
        assert names(viewer) == ["dapi", "dapi nuclei"]
        assert np.array_equal(viewer.layers["dapi nuclei"].data, squares())
        assert np.array_equal(viewer.layers["dapi nuclei"].scale, image.scale)
        assert widget.status.result.text() == "3 nuclei"
        assert widget.status.detail.text() == "Found in dapi in 0.5 s. To save them: File › Save Selected Layers."
        assert buttons(widget) == READY

    def test_the_request_is_what_the_form_says(self, widget, viewer, image, runs, run):
        widget.form.set_value(SegmentSettings(probability=0.7, diameter=12.0))
        widget.engine.device_box.setCurrentIndex(widget.engine.device_box.findData("cpu"))
        run(widget)
        request = runs.requests[0]
        assert request.settings == SegmentSettings(probability=0.7, diameter=12.0)
        assert (request.model, request.device) == ("nuclei", "cpu")
        assert request.source.data is image.data
        assert request.previous is None
        first = viewer.layers["dapi nuclei"].data
        run(widget)
        assert runs.requests[1].previous.labels is first

    def test_running_again_replaces_the_result_but_not_an_edited_one(self, widget, viewer, image, runs, run):
        run(widget)
        runs.count = 2
        run(widget)
        assert names(viewer) == ["dapi", "dapi nuclei"]
        assert viewer.layers["dapi nuclei"].data.max() == 2
        viewer.layers["dapi nuclei"].paint((1, 1), 9)
        run(widget)
        assert names(viewer) == ["dapi", "dapi nuclei", "dapi nuclei [1]"]
        assert viewer.layers["dapi nuclei"].data.max() == 9

    def test_a_stack_is_counted_in_outlines(self, widget, viewer, runs, run):
        viewer.add_image(np.zeros((5, 64, 64)), axis_labels=("z", "y", "x"), name="stack")
        run(widget)
        assert widget.status.result.text() == "3 outlines in 5 planes"
        assert viewer.layers["stack nuclei"].data.shape == (5, 64, 64)

    def test_no_nuclei_is_a_result_with_advice(self, widget, viewer, image, runs, run):
        runs.count = 0
        run(widget)
        assert (widget.status.result.text(), widget.status.detail.text()) == ("No nuclei found", NOTHING_FOUND)
        assert viewer.layers["dapi nuclei"].data.max() == 0

    def test_the_chosen_channel_is_segmented(self, widget, viewer, runs, run):
        viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
        widget.images.channel_box.setCurrentIndex(1)
        run(widget)
        assert (runs.requests[0].source.axes, runs.requests[0].source.channel) == ("CYX", 1)
        assert viewer.layers["two nuclei"].data.shape == (64, 64)

    def test_during_a_run_it_shows_how_far_it_is(self, widget, image, runs, qtbot):
        runs.steps, runs.notice = 4, "Memory ran out: going on with smaller tiles."
        begin(widget, runs, qtbot)
        qtbot.waitUntil(lambda: widget.status.detail.text() == "Segmenting: 1 of 4 tiles", timeout=WAIT_MS)
        assert buttons(widget) == RUNNING
        assert [(bar.n, bar.total) for bar in progress._all_instances] == [(1, 4)]
        widget.segment()
        assert len(runs.requests) == 1
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()
        assert len(progress._all_instances) == 0
        assert widget.status.message.text.text() == runs.notice
        assert buttons(widget) == READY

    def test_settings_that_contradict_each_other_are_told_and_start_nothing(self, widget, image, runs):
        widget.form.rows["max_area"].set(5)
        widget.segment()
        assert "max_area is 5" in widget.status.message.text.text()
        assert runs.requests == []
        assert buttons(widget) == READY


def test_nothing_starts_before_it_is_known_which_settings_suit_the_model(widget, image, qtbot, monkeypatch):
    known = threading.Event()

    def slow(model):
        while not known.is_set():
            yield Progress("Looking", 0, 0)
        return dataclasses.replace(SURROUNDINGS, model=model)

    widget.engine.refresh()
    qtbot.waitUntil(lambda: widget.engine.model_box.count() == 2 and not widget.engine.looking, timeout=WAIT_MS)
    monkeypatch.setattr(engine_picker, "look_around", slow)
    widget.engine.model_box.setCurrentText("mine")  # of which nothing is known yet
    assert not widget.run_button.isEnabled()
    assert widget.run_button.toolTip() == SOON
    known.set()
    qtbot.waitUntil(widget.run_button.isEnabled, timeout=WAIT_MS)


def test_a_script_that_segments_at_once_gets_the_settings_of_the_model(widget, image, runs, qtbot, monkeypatch):
    widget.engine.refresh()
    qtbot.waitUntil(lambda: widget.engine.model_box.count() == 2 and not widget.engine.looking, timeout=WAIT_MS)
    known = threading.Event()

    def slow(model):
        while not known.is_set():
            yield Progress("Looking", 0, 0)
        return dataclasses.replace(SURROUNDINGS, model=model, defaults=SegmentSettings(probability=0.73))

    monkeypatch.setattr(engine_picker, "look_around", slow)
    widget.engine.model_box.setCurrentText("mine")
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        widget.segment()
        widget.segment()  # who asks twice gets one
        assert runs.requests == []
        assert widget.status.detail.text() == "Preparing …"
        known.set()
    [request] = runs.requests
    assert (request.model, request.settings.probability) == ("mine", 0.73)


def test_an_image_that_goes_meanwhile_is_waited_for_no_more(widget, viewer, image, runs, qtbot):
    widget.engine.refresh()
    widget.engine.model_box.addItem("another")
    widget.engine.model_box.setCurrentText("another")
    widget.segment()
    assert widget.status.detail.text() == "Preparing …"
    viewer.layers.remove(image)
    qtbot.waitUntil(lambda: not widget.engine.looking, timeout=WAIT_MS)
    assert widget.status.detail.isHidden()
    assert runs.requests == []


class TestTheEngineItself:
    """From the button to the labels, with the small network and nothing replaced."""

    def test_discs_are_found(self, widget, viewer, qtbot, tmp_path, monkeypatch):
        tiny_model().save(tmp_path / "tiny")
        monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path)
        pixels, truth = discs()
        viewer.add_image(pixels, name="discs", scale=(0.5, 0.5), units=("um", "um"))
        qtbot.waitUntil(widget.run_button.isEnabled, timeout=WAIT_MS)
        with QSignalBlocker(widget.engine.model_box):  # the list is that of the fixture, which another look would bring back
            widget.engine.model_box.addItem("tiny")
            widget.engine.model_box.setCurrentText("tiny")
        with qtbot.waitSignal(widget.job.finished, timeout=5 * WAIT_MS):
            widget.run_button.click()
        labels = viewer.layers["discs nuclei"]
        assert widget.status.result.text() == f"{truth.max()} nuclei"
        assert labels.data.dtype == np.int32
        assert labels.metadata["napari_unet_seg"]["model"] == "tiny"
        assert np.allclose(labels.features["area_um2"], labels.features["area"] / 4)
        first = labels.features.iloc[0]
        assert labels.get_value((first["centroid_y"], first["centroid_x"])) == first["index"]


class TestTrouble:
    @pytest.mark.parametrize("error", [RuntimeError("the reader broke"), ValueError("odd"), MemoryError(), ZeroDivisionError()])
    @pytest.mark.usefixtures("image")
    def test_any_error_gives_the_buttons_back_and_is_told_twice(self, widget, runs, run, notices, error):
        runs.error = error
        run(widget)
        assert buttons(widget) == READY
        assert widget.status.message.text.text() == notices[-1]
        assert len(progress._all_instances) == 0
        runs.error = None
        run(widget)
        assert widget.status.result.text() == "3 nuclei"
        assert not widget.status.message.isVisibleTo(widget)

    @pytest.mark.usefixtures("image")
    def test_our_own_error_is_told_in_the_widget_alone_when_it_is_seen(self, widget, runs, run, notices, monkeypatch):
        monkeypatch.setattr(widget, "isVisible", lambda: True)
        runs.error = OutOfMemoryError("Memory ran out; use a smaller tile.")
        run(widget)
        assert widget.status.message.text.text() == "Memory ran out; use a smaller tile."
        assert notices == []
        monkeypatch.setattr(widget, "isVisible", lambda: False)
        run(widget)
        assert notices == ["Memory ran out; use a smaller tile."]

    def test_a_result_that_napari_cannot_show_is_told(self, widget, image, runs, run, monkeypatch):
        def refuse(*_):
            raise RuntimeError("the texture is too large")

        monkeypatch.setattr(widget.results, "deliver", refuse)
        run(widget)
        assert "the texture is too large" in widget.status.message.text.text()
        assert not widget.status.bar.isVisibleTo(widget)
        assert buttons(widget) == READY

    def test_a_failed_run_leaves_the_last_result_as_it_is(self, widget, viewer, image, runs, run):
        run(widget)
        before = viewer.layers["dapi nuclei"].data
        runs.error = RuntimeError("no")
        run(widget)
        assert viewer.layers["dapi nuclei"].data is before

    def test_a_machine_that_cannot_be_looked_at_is_told(self, widget, surroundings, qtbot, notices):
        surroundings[:] = [OSError("torch is broken")]
        with qtbot.waitSignal(widget.engine.failed, timeout=WAIT_MS):
            widget.engine.refresh()
        assert "PyTorch" in widget.status.message.text.text()

    def test_such_news_does_not_disturb_a_run(self, widget, image, runs, surroundings, qtbot):
        begin(widget, runs, qtbot)
        surroundings[:] = [OSError("torch is broken")]
        with qtbot.waitSignal(widget.engine.failed, timeout=WAIT_MS):
            widget.engine.refresh()
        assert widget.status.message.text.text() == ""
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()

    def test_no_model_means_nothing_to_press(self, widget, image, surroundings, qtbot):
        surroundings[:] = [dataclasses.replace(SURROUNDINGS, models=())]
        with qtbot.waitSignal(widget.engine.failed, timeout=WAIT_MS):
            widget.engine.refresh()
        assert buttons(widget) == IDLE
        assert "No model" in widget.run_button.toolTip()


class TestCancel:
    def test_it_ends_at_the_next_tile_and_changes_nothing(self, widget, viewer, image, runs, qtbot):
        begin(widget, runs, qtbot)
        widget.cancel_button.click()
        assert buttons(widget) == IDLE
        assert widget.status.detail.text() == "Stopping after this tile …"
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()
        assert runs.closed.is_set()
        assert widget.status.result.text() == "Cancelled"
        assert names(viewer) == ["dapi"]
        assert buttons(widget) == READY
        assert len(progress._all_instances) == 0

    def test_a_tile_that_ends_meanwhile_does_not_hide_that_it_stops(self, widget, image, runs, qtbot):
        begin(widget, runs, qtbot)
        widget.cancel_button.click()
        qtbot.wait(100)
        assert widget.status.detail.text() == "Stopping after this tile …"
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()


class TestTheForm:
    def test_every_setting_is_on_it_once(self):
        shown = [name for name, options in field_options(SegmentSettings).items() if options.get("form", True)]
        assert sorted([*BASIC, *ADVANCED]) == sorted(shown)

    def test_the_rare_ones_are_folded(self, widget):
        rows = widget.form.rows
        assert all(rows[name].editor.isVisibleTo(widget) for name in BASIC if name not in LIMITS)
        assert not any(rows[name].editor.isVisibleTo(widget) for name in ADVANCED)
        widget.advanced_button.click()
        assert all(rows[name].editor.isVisibleTo(widget) for name in ADVANCED)
        widget.advanced_button.click()
        assert not any(rows[name].editor.isVisibleTo(widget) for name in ADVANCED)

    def test_the_settings_of_the_model_are_taken_over_and_come_back(self, widget, surroundings, qtbot):
        surroundings[:] = [dataclasses.replace(SURROUNDINGS, defaults=SegmentSettings(probability=0.42))]
        with qtbot.waitSignal(widget.engine.learned, timeout=WAIT_MS):
            widget.engine.refresh()
        assert widget.form.value().probability == 0.42
        assert widget.reset_button.isHidden()
        widget.form.rows["probability"].set(0.9)
        assert not widget.reset_button.isHidden()
        widget.reset_button.click()
        assert widget.form.value().probability == 0.42

    def test_the_tabulator_goes_from_top_to_bottom(self, widget, image):
        wanted = widget.editors()
        assert wanted.index(widget.form.rows["probability"].editor.slider) < wanted.index(widget.advanced_button)
        chain = [widget.images.image_box]
        while (following := chain[-1].nextInFocusChain()) is not chain[0]:
            chain.append(following)
        assert [editor for editor in chain if editor in wanted] == wanted


class TestShown:
    """What only a window on the screen shows."""

    @pytest.fixture
    def viewer(self, make_napari_viewer_proxy):
        return make_napari_viewer_proxy(show=True)

    def test_it_learns_what_there_is_when_it_comes_into_view(self, widget, qtbot):
        qtbot.waitUntil(lambda: widget.engine.reason.text() == ON_THE_CPU, timeout=WAIT_MS)

    def test_it_follows_the_theme(self, widget, viewer, qtbot):
        dark = widget.styleSheet()
        viewer.theme = "light"
        qtbot.waitUntil(lambda: widget.styleSheet() != dark, timeout=WAIT_MS)

    def test_it_fits_into_300_pixels_with_the_longest_name(self, widget, viewer, image, runs, run, qtbot):
        image.name = "2024-03-11_experiment-07_plate03_wellB02_site4_DAPI_" + "x" * 200
        widget.advanced_button.click()
        run(widget)
        assert widget.minimumSizeHint().width() <= 300
        widget.parent().resize(300, 700)
        qtbot.wait(100)
        buttons_right = widget.cancel_button.mapTo(widget, widget.cancel_button.rect().topRight()).x()
        assert buttons_right <= widget.width()
        for row in widget.form.rows.values():
            assert row.editor.mapTo(widget, row.editor.rect().topRight()).x() <= widget.width()

    def test_napari_shows_that_something_goes_on_without_taking_much_from_it(self, widget, image, runs, qtbot):
        wheel = widget.window().findChild(QToolButton, "QtActivityButton").parentWidget().findChild(QLabel)
        assert wheel.isHidden()
        begin(widget, runs, qtbot)
        assert wheel.isVisible()
        assert wheel.movie().speed() <= 10
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()
        assert wheel.movie().speed() == 100
        qtbot.waitUntil(wheel.isHidden, timeout=WAIT_MS)

    def test_an_error_can_be_copied_with_the_mouse(self, widget, image, runs, run, qtbot):
        runs.error = OutOfMemoryError("Memory ran out; use a smaller tile.")
        run(widget)
        qtbot.mouseClick(widget.status.message.copy, Qt.MouseButton.LeftButton)
        assert QApplication.clipboard().text().startswith("Memory ran out; use a smaller tile.")


def test_neither_the_import_nor_the_widget_loads_torch():
    code = (
        "import sys\n"
        "from napari import Viewer\n"
        "viewer = Viewer(show=False)\n"
        "before = set(sys.modules)\n"
        "from napari_unet_seg.gui.segment_widget import SegmentWidget\n"
        "widget = SegmentWidget(viewer)\n"
        "print(sorted({'torch', 'skimage.segmentation', 'zarr', 'pyqtgraph', 'pandas'} & (set(sys.modules) - before)))\n"
        "viewer.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"

"""From painted nuclei to a model that finds them, with a real viewer; where the engine does not matter, a run that the test leads."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_unet_seg.core import checkpoint
from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.gui import autosave, train_preview, train_widget
from napari_unet_seg.gui.gallery import Sheet
from napari_unet_seg.gui.image_picker import NO_IMAGE
from napari_unet_seg.gui.labels_picker import LabelsPicker
from napari_unet_seg.gui.open_image import window_of
from napari_unet_seg.gui.segment_widget import SegmentWidget
from napari_unet_seg.gui.train_inputs import NO_LABELS
from napari_unet_seg.gui.train_widget import TrainWidget
from napari_unet_seg.gui.train_words import CANCELLED, ENDING
from napari_unet_seg.gui.training import Look, Trained
from napari_unet_seg.io import run_plan
from napari_unet_seg.progress import Command, Progress
from napari_unet_seg.settings import NetworkSettings
from tests.gui.conftest import WAIT_MS, names
from tests.gui.mouse import drag, press_key
from tests.tiny import discs, tiny_model

LONG_MS = 5 * WAIT_MS
REPORT = {"warnings": [], "before": None, "after": None, "few": True, "stopped": "", "curves": {}}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models with the small network, and one for trainings."""
    folder = tmp_path / "models"
    folder.mkdir()
    tiny_model().save(folder / "tiny")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: folder)
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "none")
    monkeypatch.setattr(run_plan, "runs_folder", lambda: tmp_path / "trainings")
    for module in (autosave, train_widget):
        monkeypatch.setattr(module, "autosave_folder", lambda: tmp_path / "edited")
    return folder


@pytest.fixture
def image(viewer):
    return viewer.add_image(discs()[0], name="discs", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def show(viewer, models, qtbot):
    """Show the dock, with settings for a training of seconds."""

    def show(steps=4):
        widget = TrainWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Train on painted labels")
        viewer.window.show()
        qtbot.waitUntil(
            lambda: widget.isVisible() and not widget.engine.looking and widget.engine.model_box.findText("tiny") >= 0, timeout=LONG_MS
        )
        widget.engine.device_box.setCurrentIndex(widget.engine.device_box.findData("cpu"))
        widget.length.setValue(steps)
        for name, value in {"patch": 64, "batch": 2}.items():
            widget.form.rows[name].set(value)
        return widget

    return show


def paint(widget, viewer, count=4):
    """Paint nuclei by mouse, each with its number, where the discs are; the layer."""
    truth = discs()[1]
    widget.inputs.annotate_button.click()
    layer = widget.inputs.labels.layer
    layer.brush_size = 9
    for number in range(1, count + 1):
        if number > 1:
            press_key(layer, "N")
        y, x = np.argwhere(truth == number).mean(axis=0)
        drag(viewer, layer, [(y, x), (y, x + 2)])
    return layer


def counted(widget, qtbot, nuclei):
    qtbot.waitUntil(lambda: widget.learning.count is not None and widget.learning.count.summary.nuclei == nuclei, timeout=WAIT_MS)


def buttons(widget):
    return tuple(button.isEnabled() for button in (widget.start_button, widget.stop_button, widget.resume_button, widget.cancel_button))


READY, TRAINING, GOES_ON = (True, False, False, False), (False, True, False, True), (True, False, True, False)


class Training:
    """Stands for the engine: goes on as long as the test wants, and ends as it says."""

    def __init__(self):
        self.go, self.began, self.sent, self.error, self.plan = threading.Event(), threading.Event(), [], None, None
        self.picture = np.eye(8, dtype=np.int32)

    def __call__(self, plan, material=None):
        self.plan = plan
        step, picture = 0, None
        while not (self.go.is_set() or Command.STOP in self.sent):
            step += 1
            command = yield Progress("Training", min(step, 9), 10, {"loss": 1 / step}, picture)
            picture = self.picture if isinstance(command, Look) else None
            self.sent += [command] if command is not None else []
            self.began.set()
            threading.Event().wait(0.002)
        if self.error is not None:
            raise self.error
        return Trained(plan, REPORT, ("It learned.",), step, 1.0)


@pytest.fixture
def training(monkeypatch):
    training = Training()
    monkeypatch.setattr(train_widget, "train_steps", training)
    yield training
    training.go.set()


@pytest.fixture
def begun(show, viewer, image, training, qtbot):
    """The dock in the middle of a training."""
    widget = show()
    paint(widget, viewer)
    counted(widget, qtbot, 4)
    widget.start_button.click()
    qtbot.waitUntil(widget.stop_button.isEnabled, timeout=WAIT_MS)
    return widget


def finish(qtbot, widget, training):
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        training.go.set()
    settle(qtbot, widget)


def settle(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.chores.job.running, timeout=WAIT_MS)


class TestTheEngineItself:
    def test_paint_train_use_and_find_again(self, viewer, image, show, models, qtbot):
        widget = show()
        assert not widget.start_button.isEnabled()
        layer = paint(widget, viewer)
        assert layer.data.dtype == np.int32
        assert sorted(np.unique(layer.data)) == [0, 1, 2, 3, 4]
        assert np.array_equal(layer.scale, image.scale)
        counted(widget, qtbot, 4)
        assert "4 nuclei" in widget.learning.summary.text()
        assert widget.name.text() == "my-nuclei"
        with qtbot.waitSignal(widget.job.finished, timeout=LONG_MS):
            widget.start_button.click()
        assert widget.status.message.text.text() == ""
        assert widget.curves.steps == [1, 2, 3, 4]
        assert widget.trained.isVisible()
        assert "4 nuclei" in widget.trained.sentences.text()
        widget.trained.use_button.click()
        qtbot.waitUntil(lambda: "discs nuclei" in names(viewer), timeout=LONG_MS)
        assert (models / "my-nuclei.safetensors").is_file()
        assert not list(run_plan.runs_folder().iterdir())
        assert viewer.layers["discs nuclei"].data.max() > 5
        assert viewer.layers["discs nuclei"].metadata["napari_unet_seg"]["model"] == "my-nuclei"
        segment = window_of(viewer).findChild(SegmentWidget)
        assert segment.engine.model == "my-nuclei"
        qtbot.waitUntil(lambda: not segment.job.running and not segment.engine.looking, timeout=LONG_MS)
        again = show()
        assert again.engine.model_box.findText("my-nuclei") >= 0
        assert again.name.text() == "my-nuclei-2"
        assert sorted(np.unique(layer.data)) == [0, 1, 2, 3, 4]

    def test_stop_keeps_the_best_and_a_new_dock_resumes(self, viewer, image, show, models, qtbot, tmp_path):
        widget = show(steps=400)
        paint(widget, viewer)
        counted(widget, qtbot, 4)
        widget.start_button.click()
        qtbot.waitUntil(lambda: len(widget.curves.steps) > 1, timeout=LONG_MS)
        with qtbot.waitSignal(widget.job.finished, timeout=LONG_MS):
            widget.stop_button.click()
        assert "It was stopped after" in widget.trained.sentences.text()
        stopped = widget._result
        assert 1 < stopped.steps < 400
        settle(qtbot, widget)
        assert buttons(widget) == GOES_ON
        again = show(steps=400)
        settle(qtbot, again)
        assert "my-nuclei" in again.resume_button.toolTip()
        assert again.resume_hint.isVisible()
        assert again.resume_hint.text() == "The training of “my-nuclei” has not ended: Resume goes on with it."
        again.resume_button.click()
        qtbot.waitUntil(lambda: len(again.curves.steps) > 1, timeout=LONG_MS)
        assert again.curves.steps[0] > stopped.steps
        with qtbot.waitSignal(again.job.finished, timeout=LONG_MS):
            again.stop_button.click()
        assert again._result.steps > stopped.steps
        settle(qtbot, again)
        self._tries_on_a_folder(again, qtbot, tmp_path)
        again.trained.discard_button.click()
        qtbot.waitUntil(lambda: not again.trained.isVisible(), timeout=WAIT_MS)
        assert list(models.iterdir()) == [models / "tiny.safetensors"]
        assert not list(run_plan.runs_folder().iterdir())

    def _tries_on_a_folder(self, widget, qtbot, tmp_path):
        import tifffile

        (tmp_path / "images").mkdir()
        for seed in (1, 2):
            tifffile.imwrite(tmp_path / "images" / f"{seed}.tif", discs(shape=(64, 64), count=3, seed=seed)[0])
        (tmp_path / "images" / "broken.tif").write_bytes(b"II*\0no")
        widget.try_on(tmp_path / "images")
        qtbot.waitUntil(lambda: widget.findChild(Sheet) is not None, timeout=LONG_MS)
        sheet = widget.findChild(Sheet)
        assert [caption.split("\n")[0] for caption in sheet.captions] == ["1.tif", "2.tif", "broken.tif"]
        assert "nuclei" in sheet.captions[0] or "nucleus" in sheet.captions[0]
        sheet.close()
        settle(qtbot, widget)


class TestClasses:
    def test_paint_classes_train_and_see_the_class_map(self, viewer, image, show, models, qtbot):
        widget = show()
        rows = widget.inputs.classes
        rows.box.setCurrentIndex(rows.box.findData("classes"))
        assert rows.names.isVisible()
        assert not widget.inputs.ground.box.isVisible()
        rows.names.setText("ground, disc")
        layer = self._paint(widget, viewer)
        counted(widget, qtbot, 2)
        assert widget.learning.summary.text().startswith("Learns from ground ")
        widget.nothing_box.setChecked(False)
        with qtbot.waitSignal(widget.job.finished, timeout=LONG_MS):
            widget.start_button.click()
        assert widget.status.message.text.text() == ""
        assert widget.trained.figures.text().startswith("Dice: ground ")
        widget.trained.use_button.click()
        qtbot.waitUntil(lambda: "discs classes" in names(viewer), timeout=LONG_MS)
        result = viewer.layers["discs classes"]
        assert result.data.max() <= 2
        assert set(result.features["class"]) <= {"ground", "disc"}
        assert (result.contour, result.metadata["napari_unet_seg"]["classes"]) == (0, ["background", "ground", "disc"])
        segment = window_of(viewer).findChild(SegmentWidget)
        qtbot.waitUntil(lambda: not segment.job.running and not segment.engine.looking, timeout=LONG_MS)
        assert "class" in segment.status.result.text()
        assert "nuclei" not in segment.status.result.text()
        assert "these are for nuclei" in segment.live_hint.text()
        assert sorted(np.unique(layer.data)) == [0, 1, 2]

    def _paint(self, widget, viewer):
        """Paint ground and discs by mouse; the layer."""
        truth = discs()[1]
        widget.inputs.annotate_button.click()
        layer = widget.inputs.labels.layer
        layer.brush_size = 7
        y, x = np.argwhere(truth == 0)[40]
        drag(viewer, layer, [(y, x), (y, x + 2)])
        press_key(layer, "N")
        assert layer.selected_label == 2
        assert widget.inputs.brush_hint.text() == "Painting 2, disc. Press N for the next class."
        for number in (1, 2):
            y, x = np.argwhere(truth == number).mean(axis=0)
            drag(viewer, layer, [(y, x), (y, x + 2)])
        return layer

    def test_the_shape_of_a_network_is_chosen_where_it_starts_from_nothing(self, viewer, image, show, training, qtbot):
        widget = show()
        paint(widget, viewer, 1)
        counted(widget, qtbot, 1)
        widget.advanced_button.click()
        assert not widget.network.architecture.isVisible()
        widget.nothing_box.setChecked(True)
        assert widget.network.architecture.isVisible()
        assert widget.network.value().to_dict() == NetworkSettings().to_dict()
        widget.network.architecture.setCurrentIndex(widget.network.architecture.findData("residual"))
        widget.network.depth.setValue(3)
        widget.form.rows["supervision"].set(True)
        widget.start_button.click()
        qtbot.waitUntil(lambda: training.plan is not None, timeout=WAIT_MS)
        assert training.plan.network == NetworkSettings(block="residual", depth=3)
        assert training.plan.learned_from.startswith("1 nucleus, "), "it is kept with the training, and told after a crash"
        assert (training.plan.base, training.plan.settings.supervision, training.plan.settings.classes) == ("", True, ())
        finish(qtbot, widget, training)


class TestBeforeATraining:
    def test_it_says_what_to_do_first(self, viewer, show, qtbot):
        widget = show()
        assert widget.learning.summary.text() == NO_IMAGE
        assert not widget.inputs.annotate_button.isEnabled()
        viewer.add_image(discs()[0], name="discs")
        assert widget.inputs.brush_hint.text() == NO_LABELS
        assert widget.inputs.annotate_button.isEnabled()
        assert buttons(widget) == (False,) * 4

    def test_a_name_that_is_taken_is_refused_before_anything_starts(self, viewer, image, show, training, qtbot):
        widget = show()
        paint(widget, viewer, 1)
        counted(widget, qtbot, 1)
        widget.name.setText("tiny")
        assert not widget.start_button.isEnabled()
        assert widget.name_hint.text() == "There is a model named tiny already; choose another name."
        widget.start()
        assert training.plan is None
        assert "tiny already" in widget.status.message.text.text()

    def test_warnings_come_with_the_line(self, viewer, image, show, qtbot):
        widget = show()
        widget.inputs.annotate_button.click()
        layer = widget.inputs.labels.layer
        layer.brush_size = 2
        drag(viewer, layer, [(40, 40)])
        qtbot.waitUntil(lambda: "not as a dot" in widget.learning.warnings.text(), timeout=WAIT_MS)

    def test_every_editor_has_a_name_and_a_tip(self, viewer, image, show):
        widget = show()
        widget.inputs.classes.box.setCurrentIndex(1)
        widget.advanced_button.click()
        inputs, engine = widget.inputs, widget.engine
        editors = (inputs.labels.box, inputs.mode, inputs.classes.box, inputs.classes.names, engine.model_box, engine.device_box)
        for editor in (*editors, widget.length, widget.length_unit, widget.name):
            assert editor.accessibleName(), editor
            assert editor.toolTip(), editor
        assert engine.model_box.accessibleName() == "Start from"
        assert [label.buddy() for label in (widget.length_label, widget.name_label)] == [widget.length, widget.name]
        for name in ("learning_rate", "decay", "blend"):
            assert widget.form.rows[name].editor.text() == "automatic"

    def test_the_length_is_steps_or_minutes(self, viewer, show):
        widget = show(300)
        assert (widget.settings().steps, widget.settings().minutes) == (300, 0.0)
        widget.nothing_box.setChecked(True)
        assert widget.settings().steps == 2000
        assert widget.base == ""
        widget.length_unit.setCurrentIndex(1)
        assert (widget.settings().steps, widget.settings().minutes) == (0, 2.0)


class TestDuringATraining:
    def test_it_shows_how_far_it_is_and_painting_goes_on(self, begun, viewer, training, qtbot):
        assert buttons(begun) == TRAINING
        assert "of 10 steps" in begun.status.detail.text()
        layer = begun.inputs.labels.layer
        drag(viewer, layer, [(2, 2)])
        assert layer.data[2, 2] == 4
        finish(qtbot, begun, training)
        assert buttons(begun) == READY
        assert begun.trained.headline.text() == "“my-nuclei” has learned"

    def test_stop_is_sent_once_and_ends_it(self, begun, training, qtbot):
        with qtbot.waitSignal(begun.job.finished, timeout=WAIT_MS):
            begun.stop_button.click()
            assert not begun.stop_button.isEnabled()
            assert begun.status.detail.text() == ENDING
        assert training.sent.count(Command.STOP) == 1
        assert begun.trained.isVisible()

    def test_cancel_makes_no_model_and_gives_the_buttons_back(self, begun, viewer, training, qtbot):
        before = begun.inputs.labels.layer.data.copy()
        with qtbot.waitSignal(begun.job.finished, timeout=WAIT_MS):
            begun.cancel_button.click()
        settle(qtbot, begun)
        assert (begun.status.result.text(), begun.status.detail.text()) == ("Cancelled", CANCELLED)
        assert buttons(begun) == READY
        assert not begun.trained.isVisible()
        assert not training.plan.folder.exists()
        assert np.array_equal(begun.inputs.labels.layer.data, before)

    def test_an_error_is_told_and_gives_the_buttons_back(self, begun, training, qtbot):
        training.error = OutOfMemoryError("Memory ran out with one patch of 64 px a step; use smaller patches, or close other programs.")
        finish(qtbot, begun, training)
        assert begun.status.message.text.text() == str(training.error)
        assert buttons(begun) == READY

    def test_the_unexpected_is_told_by_napari_too(self, begun, training, qtbot):
        notification_manager.records.clear()
        training.error = RuntimeError("odd")
        finish(qtbot, begun, training)
        assert any("odd" in record.message for record in notification_manager.records)
        notification_manager.records.clear()
        assert buttons(begun) == READY

    def test_the_dock_that_is_closed_ends_it_and_leaves_nothing_behind(self, show, viewer, image, training, qtbot):
        widget = show()
        paint(widget, viewer, 1)
        counted(widget, qtbot, 1)
        widget.start_button.click()
        qtbot.waitUntil(training.began.is_set, timeout=WAIT_MS)
        alive, stop = weakref.ref(widget), widget.job._stop
        viewer.window.remove_dock_widget(widget)
        del widget
        qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=WAIT_MS)
        assert stop.is_set()
        drag(viewer, viewer.layers["discs painted"], [(60, 60)])
        viewer.layers["discs painted"].selected_label = 9
        viewer.theme = "light"


class TestThePreview:
    @pytest.fixture
    def shown(self, monkeypatch, begun, viewer, qtbot):
        """The dock with a first picture."""
        monkeypatch.setattr(train_preview, "EVERY_MS", 1)
        begun.preview.ask()
        qtbot.waitUntil(lambda: begun.preview.layer is not None, timeout=WAIT_MS)
        return begun

    def test_it_lies_on_the_image_and_disturbs_nobody(self, shown, viewer):
        layer, painted = shown.preview.layer, shown.inputs.labels.layer
        assert layer.name == "discs (training preview)"
        assert names(viewer) == ["discs", layer.name, "discs painted"]
        assert viewer.layers.selection.active == painted
        assert painted.mode == "paint"
        assert not layer.editable
        assert np.array_equal(layer.scale, painted.scale)
        assert shown.inputs.labels.box.findText(layer.name) == -1
        assert LabelsPicker(viewer, shown).box.findText(layer.name) == -1

    def test_it_is_renewed_and_goes_with_the_training(self, shown, viewer, training, qtbot):
        layer = shown.preview.layer
        training.picture = 2 * training.picture
        qtbot.waitUntil(lambda: layer.data.max() == 2, timeout=WAIT_MS)
        finish(qtbot, shown, training)
        assert names(viewer) == ["discs", "discs painted"]

    def test_who_deletes_it_does_not_want_it(self, shown, viewer, training, qtbot):
        viewer.layers.remove(shown.preview.layer)
        looks = len(training.sent)
        qtbot.waitUntil(lambda: len(training.sent) > looks + 2, timeout=WAIT_MS)
        assert names(viewer) == ["discs", "discs painted"]
        finish(qtbot, shown, training)

    def test_an_image_that_is_deleted_ends_the_pictures_only(self, shown, viewer, image, training, qtbot):
        viewer.layers.remove("discs")
        finish(qtbot, shown, training)
        assert names(viewer) == ["discs painted"]
        assert shown.trained.isVisible()


class TestAfterATraining:
    def test_a_training_that_was_saved_before_it_was_cancelled_can_go_on(self, begun, training, monkeypatch, qtbot):
        (training.plan.folder / STATE).write_bytes(b"")
        run_plan.write_plan(training.plan, [], [])
        with qtbot.waitSignal(begun.job.finished, timeout=WAIT_MS):
            begun.cancel_button.click()
        settle(qtbot, begun)
        assert "Resume goes on" in begun.status.detail.text()
        assert buttons(begun) == GOES_ON
        monkeypatch.setattr(train_widget, "resume_steps", Training())
        first = training.plan
        begun.resume_button.click()
        qtbot.waitUntil(begun.stop_button.isEnabled, timeout=WAIT_MS)
        assert begun._plan.folder == first.folder
        assert not begun.resume_hint.isVisible()
        assert len(begun.curves.steps) > 1, "the curve goes on"
        assert begun.curves.steps == sorted(set(begun.curves.steps))
        with qtbot.waitSignal(begun.job.finished, timeout=WAIT_MS):
            begun.stop_button.click()

    def test_the_button_to_use_it_is_the_one_that_stands_out(self, begun, training, qtbot):
        assert begun.start_button.property("kind") == "primary"
        finish(qtbot, begun, training)
        assert begun.start_button.property("kind") == "secondary"
        assert begun.trained.use_button.isEnabled()

    def test_a_name_that_was_taken_meanwhile_makes_room_for_a_free_one(self, begun, training, qtbot):
        begun.engine.model_box.addItem("my-nuclei")
        finish(qtbot, begun, training)
        assert begun.name.text() == "my-nuclei-2"

    def test_a_name_that_was_taken_meanwhile_keeps_the_model(self, begun, training, models, qtbot):
        finish(qtbot, begun, training)
        tiny_model().save(training.plan.folder / "best")
        begun.name.setText("tiny")
        begun.trained.use_button.click()
        qtbot.waitUntil(lambda: "tiny" in begun.status.message.text.text(), timeout=LONG_MS)
        settle(qtbot, begun)
        assert begun.trained.isVisible()
        assert (training.plan.folder / "best.safetensors").is_file()

    def test_warnings_come_first_and_figures_in_a_line(self, show, training, tmp_path):
        widget = show()
        warning = "The model is worse than its base (0.40 against 0.60): keep the base, or annotate more and train again."
        figures = {"nuclei": 30, "ap50": 0.6, "mean_ap": 0.4}
        report = REPORT | {"warnings": [warning], "few": False, "before": figures | {"mean_ap": 0.6}, "after": figures}
        plan = run_plan.Plan("mine", "tiny", widget.settings(), folder=tmp_path)
        widget.trained.show_result(Trained(plan, report, (warning, "It learned."), 1200, 61.0))
        assert widget.trained.warning.text() == warning
        assert widget.trained.figures.text() == "Before → after: AP at IoU 0.5 0.60 → 0.60, mean AP 0.60 → 0.40"
        assert widget.trained.sentences.text() == "1,200 steps in 1 min 1 s. It learned."

    def test_labels_of_an_earlier_time_are_offered(self, viewer, image, show, tmp_path):
        (tmp_path / "edited").mkdir()
        (tmp_path / "edited" / "old.labels.tif").write_bytes(b"")
        widget = show()
        assert widget.earlier_button.isVisibleTo(widget)
        widget.inputs.annotate_button.click()
        assert not widget.earlier_button.isVisibleTo(widget)

"""The dock "Segment a folder" in a real viewer: choosing, trying, running, cancelling, and what is told at the end."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import WriteError
from napari_unet_seg.gui import folder_report, folder_rows, folder_widget
from napari_unet_seg.gui.folder_report import done_words
from napari_unet_seg.gui.folder_rows import BY_NAME, NO_FOLDER, shortened
from napari_unet_seg.gui.folder_widget import FolderWidget
from napari_unet_seg.gui.gallery import Sheet
from napari_unet_seg.gui.theme import style_sheet
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.summary import Outcome
from napari_unet_seg.progress import Progress
from tests.gui.conftest import SURROUNDINGS, WAIT_MS
from tests.tiny import discs


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    for number, name in enumerate(("a_DAPI.tif", "sub/b_DAPI.tif", "sub/c.tif")):
        tifffile.imwrite(root / name, discs(seed=number)[0])
    return root


@pytest.fixture
def show(viewer, surroundings, qtbot):
    """Show the dock."""

    def show():
        dock = FolderWidget(viewer)
        viewer.window.add_dock_widget(dock, name="Segment a folder")
        viewer.window.show()
        qtbot.waitUntil(lambda: dock.isVisible() and not dock.engine.looking, timeout=WAIT_MS)
        return dock

    return show


@pytest.fixture
def dock(show):
    return show()


@pytest.fixture
def chosen(dock, folder, qtbot):
    """The dock with a folder that was looked into."""
    dock.rows.folder.line.setText(str(folder))
    settle(dock, qtbot)
    return dock


@pytest.fixture
def engine(monkeypatch, folder):
    """Stands for the engine: tells of one image at a time, when the test lets it go on."""

    class Engine:
        go, error, notice = threading.Event(), None, ""

        def __call__(self, order):
            self.orders.append(order)
            return self.steps(order)

        def steps(self, order):
            for done, source in enumerate(order.sources):
                yield Progress(f"Segmenting {source.shown}", done, len(order.sources), notice=self.notice)
                assert self.go.wait(60)
                if self.error is not None:
                    raise self.error
                outcome = Outcome(source, error="it is damaged" if source.relative.name == "c.tif" else "", nuclei=2, planes=1, times=1)
                yield Progress("Segmenting", done + 1, len(order.sources), preview=outcome)
            return ()

    engine = Engine()
    engine.orders = []
    engine.go.set()
    monkeypatch.setattr(folder_widget, "run_steps", engine)
    return engine


def settle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.rows.looking, timeout=WAIT_MS)


def press(dock, qtbot, button):
    with qtbot.waitSignal(dock.job.finished, timeout=5 * WAIT_MS):
        button.click()
    settle(dock, qtbot)


def ready(dock):
    return dock.try_button.isEnabled(), dock.run_button.isEnabled(), dock.cancel_button.isEnabled()


class TestChoosing:
    def test_without_a_folder_it_says_what_to_do(self, dock):
        assert dock.rows.hint.text() == NO_FOLDER
        assert ready(dock) == (False, False, False)

    def test_a_folder_is_looked_into(self, chosen, folder):
        assert chosen.rows.hint.text() == "3 images, from a_DAPI.tif to sub/c.tif."
        assert chosen.run_button.text() == "Segment 3 images"
        assert chosen.rows.output.line.placeholderText() == str(folder / "nuclei")
        assert ready(chosen) == (True, True, False)
        assert chosen.rows.channel.isHidden()

    def test_the_dialog_fills_the_line(self, dock, folder, qtbot, monkeypatch):
        monkeypatch.setattr(folder_rows.QFileDialog, "getExistingDirectory", lambda *_: str(folder))
        dock.rows.folder.button.click()
        settle(dock, qtbot)
        assert len(dock.rows.sources) == 3

    def test_a_filter_is_typed(self, chosen, qtbot):
        qtbot.keyClicks(chosen.rows.pattern, "dapi")
        assert not chosen.run_button.isEnabled(), "as long as it is not known which images are meant"
        settle(chosen, qtbot)
        assert [source.shown for source in chosen.rows.sources] == ["a_DAPI.tif", "sub/b_DAPI.tif"]
        qtbot.keyClicks(chosen.rows.pattern, "xyz")
        settle(chosen, qtbot)
        assert "None of the 3 images" in chosen.rows.hint.text()
        assert ready(chosen) == (False, False, False)

    def test_a_folder_that_is_not_there(self, dock, tmp_path, qtbot):
        dock.rows.folder.line.setText(str(tmp_path / "nowhere"))
        settle(dock, qtbot)
        assert "does not exist" in dock.rows.hint.text()
        dock.rows.folder.line.clear()
        settle(dock, qtbot)
        assert dock.rows.hint.text() == NO_FOLDER

    def test_channels_are_chosen_by_their_names(self, dock, folder, engine, qtbot):
        tifffile.imwrite(folder / "0.ome.tif", np.zeros((2, 8, 8), np.uint8), metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "RFP"]}})
        dock.rows.folder.line.setText(str(folder))
        settle(dock, qtbot)
        box = dock.rows.channel
        assert [box.itemText(index) for index in range(box.count())] == [BY_NAME, "GFP", "RFP"]
        box.setCurrentText("RFP")
        press(dock, qtbot, dock.run_button)
        assert engine.orders[0].trial.channel == "RFP"

    def test_earlier_results_must_be_replaced_or_left(self, dock, folder, qtbot):
        (folder / "nuclei").mkdir()
        (folder / "nuclei" / "images.csv").write_text("file\n")
        dock.rows.folder.line.setText(str(folder))
        settle(dock, qtbot)
        assert "holds images.csv" in dock.earlier_hint.text()
        assert ready(dock) == (True, False, False)
        dock.replace_box.setChecked(True)
        assert ready(dock) == (True, True, False)
        assert dock.earlier_hint.isHidden()
        dock.replace_box.setChecked(False)
        dock.rows.output.line.setText(str(folder.parent / "elsewhere"))
        settle(dock, qtbot)
        assert ready(dock) == (True, True, False)

    def test_what_was_done_before_is_kept_unless_all_is_done_again(self, dock, folder, engine, qtbot):
        (folder / "nuclei").mkdir()
        (folder / "nuclei" / "images.csv").write_text("file\n")
        for name in ("a_DAPI.labels.tif", "a_DAPI.labels.csv", "sub/b_DAPI.labels.tif"):
            (folder / "nuclei" / name).parent.mkdir(exist_ok=True)
            (folder / "nuclei" / name).write_text("")
        dock.rows.folder.line.setText(str(folder))
        settle(dock, qtbot)
        assert dock.earlier_hint.text().startswith("1 of 3 images were done before, and are kept.")
        assert "Of 1 more there are labels" in dock.earlier_hint.text()
        assert dock.run_button.text() == "Segment 2 more images"
        assert ready(dock) == (True, True, False)
        press(dock, qtbot, dock.run_button)
        dock.replace_box.setChecked(True)
        assert dock.earlier_hint.isHidden()
        press(dock, qtbot, dock.run_button)
        assert [(order.plan().resume, order.plan().overwrite) for order in engine.orders] == [(True, False), (False, True)]
        dock.replace_box.setChecked(False)
        dock.formats.boxes["csv"].setChecked(False)
        assert "holds images.csv" in dock.earlier_hint.text(), "without tables it is not known what was finished"
        assert not dock.run_button.isEnabled()


class TestLook:
    def test_it_fits_into_a_narrow_dock(self, chosen):
        chosen.settings_button.click()
        chosen.stack.times.setCurrentIndex(1)
        assert chosen.minimumSizeHint().width() <= 320

    def test_long_names_are_shortened_in_their_middle(self):
        assert shortened("short.tif") == "short.tif"
        name = "experiment_2026-11-20_plate_12_well_A01_field_3.ome.tif"
        assert len(shortened(name)) <= 36
        assert shortened(name).startswith("experiment")
        assert shortened(name).endswith("3.ome.tif")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_it_follows_the_theme(self, chosen, viewer, theme):
        viewer.theme = theme
        assert chosen.styleSheet() == style_sheet(theme)

    def test_the_tabulator_goes_from_top_to_bottom(self, chosen):
        tops = [editor.mapTo(chosen, QPoint(0, 0)).y() for editor in chosen.editors() if editor.isVisible()]
        assert tops == sorted(tops)
        first, second = chosen.editors()[:2]
        assert first.nextInFocusChain() is second

    def test_every_editor_says_what_it_is(self, chosen):
        for editor in chosen.editors():
            assert editor.toolTip(), editor
            assert editor.accessibleName() or getattr(editor, "text", str)(), editor


class TestSettings:
    def test_they_are_folded_and_reach_the_engine(self, chosen, folder, engine, qtbot):
        row = chosen.form.rows["probability"].editor
        assert row.isHidden()
        assert chosen.stack.box.isHidden()
        chosen.settings_button.click()
        assert not row.isHidden()
        assert not chosen.stack.times.isHidden()
        chosen.form.rows["probability"].set(0.7)
        chosen.stack.box.setCurrentIndex(chosen.stack.box.findData("linked"))
        chosen.formats.boxes["rois"].setChecked(True)
        chosen.measure_box.setChecked(True)
        press(chosen, qtbot, chosen.run_button)
        (order,) = engine.orders
        assert dict(order.trial.wishes.values) == {"probability": 0.7, "stack": "linked"}
        assert order.formats == ("tiff", "csv", "rois")
        assert (order.measure, order.overwrite, order.output) == (True, False, folder / "nuclei")
        assert (order.trial.model, order.trial.device) == ("nuclei", "auto")

    def test_tracks_can_be_written_where_times_are_followed(self, chosen):
        box = chosen.formats.boxes["trackmate"]
        assert box.isHidden()
        chosen.stack.times.setCurrentIndex(chosen.stack.times.findData("overlap"))
        assert not box.isHidden()
        box.setChecked(True)
        assert "trackmate" in chosen.formats.ticked
        chosen.stack.times.setCurrentIndex(0)
        assert "trackmate" not in chosen.formats.ticked

    def test_nothing_to_write_is_nothing_to_do(self, chosen):
        for box in chosen.formats.boxes.values():
            box.setChecked(False)
        assert not chosen.run_button.isEnabled()

    def test_those_of_the_other_dock_are_taken_over(self, chosen, widget, qtbot):
        qtbot.waitUntil(lambda: not widget.engine.looking and widget.engine.model_box.count() > 1, timeout=WAIT_MS)
        widget.form.rows["min_area"].set(77)
        widget.stack.times.setCurrentIndex(1)
        widget.engine.model_box.setCurrentText("mine")
        chosen.take_button.click()
        assert chosen.settings().min_area == 77
        assert chosen.settings().track == "overlap"
        assert chosen.engine.model == "mine"
        assert not chosen.form.rows["min_area"].editor.isHidden()

    def test_without_the_other_dock_it_is_said(self, chosen):
        chosen.take_button.click()
        assert "not open" in chosen.status.message.text.text()


class TestRunning:
    def test_progress_then_the_sum_and_what_failed(self, chosen, engine, folder, qtbot):
        engine.go.clear()
        chosen.run_button.click()
        qtbot.waitUntil(lambda: "a_DAPI.tif: 0 of 3 images" in chosen.status.detail.text(), timeout=WAIT_MS)
        assert ready(chosen) == (False, False, True)
        (folder / "nuclei").mkdir()
        with qtbot.waitSignal(chosen.job.finished, timeout=WAIT_MS):
            engine.go.set()
        assert chosen.status.result.text() == "4 nuclei in 2 images"
        assert str(folder / "nuclei") in chosen.status.detail.text()
        assert [chosen.report.failed.item(0).text(), chosen.report.failed.count()] == ["sub/c.tif: it is damaged", 1]
        assert "1 image could not be segmented" in chosen.report.hint.text()
        assert not chosen.report.folder_button.isHidden()
        assert chosen.report.sheet_button.isHidden(), "no sheet was written"

    def test_a_notice_says_of_which_image_it_is(self, chosen, engine, qtbot):
        engine.notice = "Memory ran out, so smaller tiles are used."
        press(chosen, qtbot, chosen.run_button)
        assert chosen.status.message.text.text() == "sub/c.tif: Memory ran out, so smaller tiles are used."

    def test_nothing_starts_twice(self, chosen, engine, qtbot):
        engine.go.clear()
        chosen.run_button.click()
        chosen.run()
        chosen.try_some()
        with qtbot.waitSignal(chosen.job.finished, timeout=WAIT_MS):
            engine.go.set()
        assert len(engine.orders) == 1

    def test_the_next_run_starts_without_the_failures_of_the_last(self, chosen, engine, qtbot):
        press(chosen, qtbot, chosen.run_button)
        assert chosen.report.failed.count() == 1
        chosen.rows.pattern.setText("dapi")
        settle(chosen, qtbot)
        press(chosen, qtbot, chosen.run_button)
        assert chosen.report.failed.count() == 0
        assert chosen.report.failed.isHidden()
        assert chosen.status.result.text() == "4 nuclei in 2 images"

    def test_cancelling_keeps_what_is_finished(self, chosen, engine, qtbot):
        engine.go.clear()
        chosen.run_button.click()
        qtbot.waitUntil(lambda: chosen.job.running and bool(chosen.status.detail.text()), timeout=WAIT_MS)
        chosen.cancel_button.click()
        assert not chosen.cancel_button.isEnabled()
        with qtbot.waitSignal(chosen.job.finished, timeout=WAIT_MS):
            engine.go.set()
        assert "Cancelled after" in chosen.status.detail.text()
        assert "of 3 images" in chosen.status.detail.text()
        settle(chosen, qtbot)
        assert ready(chosen) == (True, True, False)

    def test_an_error_is_told_and_the_buttons_come_back(self, chosen, engine, qtbot):
        engine.error = WriteError("The disk is full.")
        press(chosen, qtbot, chosen.run_button)
        assert chosen.status.message.text.text() == "The disk is full."
        assert ready(chosen) == (True, True, False)

    def test_the_dock_that_is_closed_ends_it_and_leaves_nothing_behind(self, show, engine, folder, viewer, qtbot):
        dock = show()
        dock.rows.folder.line.setText(str(folder))
        settle(dock, qtbot)
        engine.go.clear()
        dock.run_button.click()
        alive, stop = weakref.ref(dock), dock.job._stop
        viewer.window.remove_dock_widget(dock)
        engine.go.set()
        del dock
        qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=WAIT_MS)
        assert stop.is_set()
        viewer.theme = "light"

    def test_a_failed_image_is_opened_by_a_double_click(self, chosen, engine, monkeypatch, qtbot):
        opened = []
        monkeypatch.setattr(folder_widget, "open_paths", lambda viewer, paths: opened.extend(paths))
        press(chosen, qtbot, chosen.run_button)
        view = chosen.report.failed
        place = QPointF(view.visualItemRect(view.item(0)).center())
        for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease, QEvent.Type.MouseButtonDblClick):
            at = view.viewport().mapToGlobal(place)
            event = QMouseEvent(kind, place, at, Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(view.viewport(), event)
        assert opened[-1].endswith("c.tif")


class TestTheRealEngine:
    @pytest.fixture
    def real(self, chosen, surroundings, tiny_models, monkeypatch, qtbot):
        monkeypatch.setattr(checkpoint, "user_folder", lambda: tiny_models)
        surroundings[:] = [replace(SURROUNDINGS, models=("tiny",), model="tiny")]
        chosen.engine.refresh()
        qtbot.waitUntil(lambda: not chosen.engine.looking and chosen.engine.model == "tiny", timeout=WAIT_MS)
        chosen.engine.device_box.setCurrentIndex(chosen.engine.device_box.findData("cpu"))
        return chosen

    def test_try_run_and_look(self, real, folder, monkeypatch, qtbot):
        (folder / "sub" / "bad.tif").write_bytes(b"II*\0 nothing")
        real.rows.refresh()
        settle(real, qtbot)
        press(real, qtbot, real.try_button)
        (sheet,) = real.findChildren(Sheet)
        assert len(sheet.captions) == 4
        assert any("nuclei" in caption for caption in sheet.captions)
        assert not (folder / "nuclei").exists()
        sheet.close()
        press(real, qtbot, real.run_button)
        assert real.status.result.text().endswith(" nuclei in 3 images")
        assert real.report.failed.item(0).text().startswith("sub/bad.tif: ")
        assert (folder / "nuclei" / "sub" / "b_DAPI.labels.tif").exists()
        shown = []
        monkeypatch.setattr(folder_report.QDesktopServices, "openUrl", lambda url: shown.append(url.toLocalFile()))
        real.report.folder_button.click()
        assert shown == [str(folder / "nuclei")]
        real.report.sheet_button.click()
        (contact,) = [sheet for sheet in real.findChildren(Sheet) if "Contact" in sheet.windowTitle()]
        assert contact.captions == ["contact_sheet.png"]
        assert real.earlier_hint.text().startswith("3 of 4 images were done before")
        before = (folder / "nuclei" / "sub" / "b_DAPI.labels.tif").stat().st_mtime_ns
        press(real, qtbot, real.run_button)
        assert real.status.result.text().endswith(" nuclei in 3 images")
        assert (folder / "nuclei" / "sub" / "b_DAPI.labels.tif").stat().st_mtime_ns == before, "a second click replaces nothing"


def outcome(folder, **options):
    return Outcome(Source(folder, folder), **{"nuclei": 3, "planes": 1, "times": 1, **options})


@pytest.mark.parametrize(
    ("options", "headline"),
    [
        ([{}, {"nuclei": 1}], "4 nuclei in 2 images"),
        ([{"planes": 5}, {}], "6 outlines in 2 images"),
        ([{"planes": 5, "in_3d": True}], "3 nuclei in 1 image"),
        ([{"times": 5, "tracks": 2}], "2 tracks in 1 image"),
        ([{"times": 5, "tracks": 2}, {"times": 4}], "6 outlines in 2 images"),
        ([{"error": "bad", "nuclei": None}], "0 nuclei in 0 images"),
    ],
)
def test_the_sum_has_the_right_words(tmp_path, options, headline):
    outcomes = [outcome(tmp_path, **one) for one in options]
    assert done_words(outcomes, tmp_path, len(outcomes))[0] == headline


def test_remarks_and_what_was_cancelled_are_told(tmp_path):
    detail = done_words([outcome(tmp_path, warnings=("x",)), outcome(tmp_path)], tmp_path, 5)[1]
    assert "Cancelled after 2 of 5 images" in detail
    assert "One has a remark" in detail
    assert "Nothing was written" in done_words([], tmp_path, 5)[1]


def test_a_folder_that_cannot_be_looked_into_says_so_and_offers_no_images_of_another(chosen, tmp_path, monkeypatch, qtbot):
    def refuse(folders, output):
        raise PermissionError(13, "Permission denied")

    assert chosen.run_button.isEnabled()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr("napari_unet_seg.gui.folder_run.find_inputs", refuse)
    chosen.rows.folder.line.setText(str(tmp_path / "other"))
    settle(chosen, qtbot)
    assert "Permission denied" in chosen.rows.hint.text()
    assert chosen.rows.sources == ()
    assert not chosen.run_button.isEnabled()

"""Which images are meant and what is written: the rows alone, without a viewer."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFormLayout

from napari_unet_seg.gui import folder_rows
from napari_unet_seg.gui.exporting import FORMATS
from napari_unet_seg.gui.folder_rows import BY_NAME, NO_FOLDER, FolderRows, FormatBoxes, PathRow, shortened
from napari_unet_seg.gui.folder_run import LOOKING, RESULTS, Found
from napari_unet_seg.io import batch
from napari_unet_seg.progress import Progress
from tests.gui.conftest import WAIT_MS


@pytest.fixture
def rows(owner):
    rows = FolderRows(owner)
    layout = QFormLayout(owner)
    rows.add_rows(layout)
    rows.add_output(layout)
    yield rows
    rows.close()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(root / name, np.zeros((4, 4), np.uint8))
    return root


def multichannel(path, *names):
    metadata = {"axes": "CYX", "Channel": {"Name": list(names)}}
    tifffile.imwrite(path, np.zeros((len(names), 4, 4), np.uint8), metadata=metadata, photometric="minisblack")


def choose(rows, folder, qtbot):
    rows.folder.line.setText(str(folder))
    settle(rows, qtbot)


def settle(rows, qtbot):
    qtbot.waitUntil(lambda: not rows.looking, timeout=WAIT_MS)


class TestNames:
    @pytest.mark.parametrize("length", [1, 20, 21, 22, 23, 60])
    def test_a_shortened_name_has_room_and_both_its_ends(self, length):
        name = "".join(chr(ord("a") + number % 26) for number in range(length))
        short = shortened(name, 21)
        assert len(short) <= 21
        assert (short == name) is (length <= 21)
        assert (short[0], short[-1]) == (name[0], name[-1])

    def test_names_that_differ_at_one_end_stay_apart(self):
        names = [f"{start}_a_very_long_name_of_an_experiment_{end}.tif" for start in "ab" for end in "12"]
        assert len({shortened(name) for name in names}) == 4


class TestPath:
    @pytest.mark.parametrize(("text", "path"), [("", None), ("   ", None), (" /data/x ", Path("/data/x")), ("~/x", Path.home() / "x")])
    def test_what_is_typed_is_a_path(self, owner, text, path):
        row = PathRow(owner, "Choose")
        row.line.setText(text)
        assert row.path == path

    def test_a_dialog_that_is_closed_changes_nothing(self, owner, monkeypatch):
        row, asked = PathRow(owner, "Choose the folder"), []
        row.line.setText("/data/x")
        monkeypatch.setattr(folder_rows.QFileDialog, "getExistingDirectory", lambda *words: asked.append(words[1:3]) or "")
        row.button.click()
        assert asked == [("Choose the folder", "/data/x")], "it begins where one is"
        assert row.line.text() == "/data/x"

    def test_the_button_says_what_it_is_for(self, owner):
        row = PathRow(owner, "Choose the folder")
        assert (row.button.accessibleName(), row.button.toolTip()) == ("Choose the folder", "Choose the folder.")


class TestImages:
    def test_nothing_is_looked_at_before_a_folder_is_chosen(self, rows):
        rows.refresh()
        assert not rows.looking
        assert (rows.sources, rows.output_folder, rows.found) == ((), None, None)
        assert rows.hint.text() == NO_FOLDER
        assert rows.output.line.placeholderText() == "beside the images"

    def test_while_it_is_looked_there_are_no_images(self, rows, folder, qtbot):
        choose(rows, folder, qtbot)
        assert len(rows.sources) == 2
        rows.pattern.setText("a")
        assert rows.sources == (), "those of before are not what is asked for"
        assert rows.hint.text() == f"{LOOKING} …"
        settle(rows, qtbot)
        assert rows.hint.text() == "1 image: a.tif."

    def test_every_change_is_told(self, rows, folder, qtbot):
        told = []
        rows.changed.connect(lambda: told.append((rows.looking, len(rows.sources))))
        choose(rows, folder, qtbot)
        assert told[0] == (True, 0)
        assert told[-1] == (False, 2)

    def test_what_is_typed_during_a_look_is_looked_for_next(self, rows, folder, qtbot, monkeypatch):
        go, asked = threading.Event(), []

        def look(*wanted):
            asked.append(wanted[1])
            yield Progress(LOOKING, 0, 0)
            assert go.wait(60)
            return Found(trouble=f"nothing for {wanted[1]!r}")

        monkeypatch.setattr(folder_rows, "look_steps", look)
        rows.folder.line.setText(str(folder))
        qtbot.waitUntil(lambda: asked == [""], timeout=WAIT_MS)
        rows.pattern.setText("b")
        qtbot.waitUntil(lambda: not rows._timer.isActive(), timeout=WAIT_MS)
        go.set()
        settle(rows, qtbot)
        qtbot.waitUntil(lambda: rows.hint.text() == "nothing for 'b'", timeout=WAIT_MS)
        assert asked == ["", "b"]

    def test_the_same_is_looked_at_again_only_when_asked(self, rows, folder, qtbot):
        choose(rows, folder, qtbot)
        tifffile.imwrite(folder / "c.tif", np.zeros((4, 4), np.uint8))
        rows._look()
        settle(rows, qtbot)
        assert len(rows.sources) == 2
        rows.refresh()
        settle(rows, qtbot)
        assert len(rows.sources) == 3

    def test_a_folder_that_is_taken_away_again_leaves_no_images(self, rows, folder, qtbot):
        choose(rows, folder, qtbot)
        rows.folder.line.clear()
        settle(rows, qtbot)
        assert (rows.sources, rows.found) == ((), None)
        assert rows.hint.text() == NO_FOLDER

    def test_results_go_where_they_are_wanted(self, rows, folder, tmp_path, qtbot):
        choose(rows, folder, qtbot)
        assert rows.output_folder == folder / RESULTS
        rows.output.line.setText(str(tmp_path / "elsewhere"))
        assert rows.output_folder == tmp_path / "elsewhere"
        settle(rows, qtbot)
        assert len(rows.sources) == 2

    def test_results_among_the_images_are_no_images(self, rows, folder, qtbot):
        (folder / "mine").mkdir()
        tifffile.imwrite(folder / "mine" / "a.tif", np.zeros((4, 4), np.uint8))
        choose(rows, folder, qtbot)
        assert len(rows.sources) == 3
        rows.output.line.setText(str(folder / "mine"))
        settle(rows, qtbot)
        assert [source.shown for source in rows.sources] == ["a.tif", "b.tif"]

    def test_each_row_has_a_label_that_leads_to_its_editor(self, rows):
        assert [label.text() for label in rows.labels] == ["Folder", "Only files", "Channel", "Results in"]
        assert [label.buddy() for label in rows.labels] == [rows.folder.line, rows.pattern, rows.channel, rows.output.line]


class TestChannels:
    def test_one_channel_is_no_choice(self, rows, folder, qtbot):
        choose(rows, folder, qtbot)
        assert rows.channel.isHidden()
        assert rows.labels[2].isHidden()

    def test_a_channel_stays_chosen_as_long_as_there_is_one_of_its_name(self, rows, folder, tmp_path, qtbot):
        multichannel(folder / "0.ome.tif", "GFP", "DAPI")
        choose(rows, folder, qtbot)
        assert not rows.channel.isHidden()
        rows.channel.setCurrentText("DAPI")
        multichannel(folder / "0.ome.tif", "DAPI", "RFP", "GFP")
        rows.refresh()
        settle(rows, qtbot)
        assert rows.channel.currentData() == "DAPI"
        multichannel(folder / "0.ome.tif", "RFP", "GFP")
        rows.refresh()
        settle(rows, qtbot)
        assert (rows.channel.currentText(), rows.channel.currentData()) == (BY_NAME, "")


class TestFormats:
    @pytest.fixture
    def formats(self, owner):
        return FormatBoxes(owner)

    def test_what_is_offered_can_be_written(self, formats):
        assert set(formats.boxes) <= set(batch.FORMATS)
        assert formats.ticked == tuple(one.key for one in FORMATS if one.usual)

    def test_each_says_how_its_files_end(self, formats):
        assert all("Ends with ." in box.toolTip() for box in formats.boxes.values())

    def test_a_tick_is_told_and_counts(self, formats):
        told = []
        formats.changed.connect(lambda: told.append(formats.ticked))
        formats.boxes["overlay"].click()
        formats.boxes["tiff"].click()
        assert told == [("tiff", "csv", "overlay"), ("csv", "overlay")]

    def test_tracks_that_are_ticked_are_remembered_while_none_are_followed(self, formats):
        formats.offer_tracks(True)
        formats.boxes["trackmate"].click()
        assert "trackmate" in formats.ticked
        formats.offer_tracks(False)
        assert "trackmate" not in formats.ticked
        assert formats.boxes["trackmate"].isHidden()
        formats.offer_tracks(True)
        assert "trackmate" in formats.ticked

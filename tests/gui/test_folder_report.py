"""The list of images that failed, and what is offered to look at, without a viewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui import folder_report
from napari_unet_seg.gui.folder_report import FolderReport, done_words
from napari_unet_seg.gui.gallery import Sheet
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.summary import Outcome


@pytest.fixture
def owner(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    owner.show()
    return owner


@pytest.fixture
def report(owner, tmp_path):
    report = FolderReport(owner)
    report.begin(tmp_path / "nuclei")
    return report


def outcome(name="a.tif", **options):
    return Outcome(Source(Path("/data") / name, Path(name)), **{"nuclei": 2, "planes": 1, "times": 1, **options})


def failed(name="a.tif", error="it is damaged"):
    return outcome(name, error=error, nuclei=None)


def written(folder, *names):
    folder.mkdir()
    for name in names:
        pixels = QPixmap(4, 4)
        pixels.fill(Qt.GlobalColor.black)
        assert pixels.save(str(folder / name))


class TestFailures:
    def test_nothing_is_shown_at_first(self, report):
        assert report.isHidden()

    def test_images_that_went_well_are_not_listed(self, report):
        report.add(outcome())
        assert report.failed.count() == 0
        assert report.isHidden()

    def test_they_are_named_and_counted_as_they_come(self, report):
        report.add(failed("a.tif"))
        assert report.hint.text().startswith("1 image could not be segmented;")
        report.add(failed("sub/b.tif", "it has no pixels"))
        assert report.hint.text().startswith("2 images could not be segmented;")
        assert [report.failed.item(row).text() for row in range(2)] == ["a.tif: it is damaged", "sub/b.tif: it has no pixels"]
        assert not report.isHidden()
        assert report.folder_button.isHidden(), "the run goes on"

    def test_a_long_name_is_shortened_and_told_whole_by_the_pointer(self, report):
        name = "experiment_2026-11-20_plate_12_well_A01_field_3.ome.tif"
        report.add(failed(name))
        item = report.failed.item(0)
        assert name not in item.text()
        assert item.toolTip() == f"{name}: it is damaged"

    def test_a_few_of_them_are_in_view(self, report):
        heights = []
        for number in range(8):
            report.add(failed(f"{number}.tif"))
            heights.append(report.failed.height())
        assert heights[0] < heights[1] < heights[3] == heights[7]

    def test_one_that_is_activated_is_to_be_opened(self, report):
        opened = []
        report.opened.connect(opened.append)
        report.add(failed("a.tif"))
        report.add(failed("sub/b.tif"))
        report.failed.itemActivated.emit(report.failed.item(1))
        assert opened == [Path("/data/sub/b.tif")]

    def test_the_next_run_begins_without_them(self, report, tmp_path):
        report.add(failed())
        report.begin(tmp_path / "other")
        assert report.failed.count() == 0
        assert report.isHidden()
        report.add(failed())
        assert report.hint.text().startswith("1 image ")


class TestResults:
    def test_a_run_that_wrote_nothing_offers_nothing(self, report):
        report.finish()
        assert report.isHidden()

    def test_without_a_contact_sheet_there_is_the_folder(self, report, tmp_path):
        written(tmp_path / "nuclei")
        report.finish()
        assert not report.isHidden()
        assert (report.folder_button.isHidden(), report.sheet_button.isHidden()) == (False, True)
        assert report.failed.isHidden()

    def test_the_folder_is_that_of_this_run(self, report, tmp_path, monkeypatch):
        shown = []
        monkeypatch.setattr(folder_report.QDesktopServices, "openUrl", lambda url: shown.append(Path(url.toLocalFile())))
        written(tmp_path / "other results")
        report.begin(tmp_path / "other results")
        report.finish()
        report.folder_button.click()
        assert shown == [tmp_path / "other results"]

    def test_all_pages_of_the_sheet_are_shown_in_their_order(self, report, tmp_path):
        written(tmp_path / "nuclei", "contact_sheet.png", "contact_sheet_003.png", "contact_sheet_002.png", "contact_sheet_old.png")
        report.finish()
        report.sheet_button.click()
        (sheet,) = report.findChildren(Sheet)
        assert sheet.captions == ["contact_sheet.png", "contact_sheet_002.png", "contact_sheet_003.png"]
        assert str(tmp_path / "nuclei") in sheet.windowTitle()
        sheet.close()

    def test_failures_stay_in_view_beside_the_results(self, report, tmp_path):
        report.add(failed())
        written(tmp_path / "nuclei", "contact_sheet.png")
        report.finish()
        assert not any(widget.isHidden() for widget in (report, report.hint, report.failed, report.sheet_button, report.folder_button))


class TestWords:
    def test_all_went_well(self, tmp_path):
        words = done_words([outcome(), outcome()], tmp_path, 2)
        assert words == ("4 nuclei in 2 images", f"Labels, tables and the contact sheet are in {tmp_path}.")

    def test_failures_are_no_images_and_their_remarks_no_remarks(self, tmp_path):
        headline, detail = done_words([outcome(), outcome(error="bad", nuclei=None, warnings=("x",))], tmp_path, 2)
        assert headline == "2 nuclei in 1 image"
        assert "remark" not in detail

    def test_several_remarks_are_counted(self, tmp_path):
        detail = done_words([outcome(warnings=("x",)), outcome(warnings=("y", "z")), outcome()], tmp_path, 3)[1]
        assert detail.endswith(" 2 have a remark in images.csv.")

    def test_thousands_are_readable(self, tmp_path):
        headline, detail = done_words([outcome(nuclei=1000)] * 1200, tmp_path, 1500)
        assert headline == "1,200,000 nuclei in 1,200 images"
        assert detail.startswith("Cancelled after 1,200 of 1,500 images. ")

    def test_a_run_that_was_cancelled_at_once_wrote_nothing(self, tmp_path):
        assert done_words([], tmp_path, 3)[1] == "Cancelled after 0 of 3 images. Nothing was written."

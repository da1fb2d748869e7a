"""The tables over all images."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.summary import COLUMNS, Outcome, Summary, refuse_old


def source(name: str) -> Source:
    return Source(Path("data") / name, Path(name))


GOOD = Outcome(source("sub/a.tif"), nuclei=2, touching_border=1, planes=1, per_mm2=50.0, megapixels=0.5, seconds=3.0, device="cpu")
STACK = Outcome(source("b, c.tif"), nuclei=1200, planes=60, touching_border=0, megapixels=1.0, warnings=("Odd.", "Strange."))
BAD = Outcome(source("bad.tif"), error="bad.tif is damaged.")


def test_tables_hold_every_image_and_every_nucleus(tmp_path: Path):
    with closing(Summary(tmp_path)) as summary:
        summary.add(GOOD, pd.DataFrame({"label": [1, 2], "area": [30.0, 40.0], "index": [1, 2]}), np.zeros((4, 4, 3), np.uint8))
        summary.add(BAD)
        summary.add(STACK, pd.DataFrame({"label": [7], "plane_z": [3], "area": [5.0], "mean_x, y": [1.5]}), np.zeros((4, 4, 3), np.uint8))
        written = summary.write()
    assert [path.name for path in written] == ["nuclei.csv", "images.csv", "contact_sheet.png"]
    nuclei = pd.read_csv(tmp_path / "nuclei.csv")
    assert list(nuclei.columns) == ["file", "label", "area", "plane_z", "mean_x, y"]
    assert nuclei["file"].tolist() == ["sub/a.tif", "sub/a.tif", "b, c.tif"]
    assert nuclei["area"].tolist() == [30, 40, 5]
    assert nuclei["plane_z"].isna().tolist() == [True, True, False]
    images = pd.read_csv(tmp_path / "images.csv")
    assert tuple(images.columns) == COLUMNS
    assert images["nuclei"].fillna(-1).tolist() == [2, -1, 1200]
    assert images["per_mm2"].fillna(-1).tolist() == [50, -1, -1]
    assert images["warnings"].fillna("").tolist() == ["", "", "Odd. Strange."]
    assert images["error"].fillna("").tolist() == ["", "bad.tif is damaged.", ""]


def test_equal_runs_give_equal_tables(tmp_path: Path):
    for name, seconds in (("one", 1.0), ("two", 2.0)):
        (tmp_path / name).mkdir()
        with closing(Summary(tmp_path / name)) as summary:
            summary.add(Outcome(source("a.tif"), nuclei=0, planes=1, seconds=seconds), pd.DataFrame({"label": []}))
            summary.write()
    for table in ("nuclei.csv", "images.csv"):
        assert (tmp_path / "one" / table).read_bytes() == (tmp_path / "two" / table).read_bytes()


def test_a_run_that_ends_early_writes_no_tables(tmp_path: Path):
    with closing(Summary(tmp_path)) as summary:
        summary.add(GOOD, pd.DataFrame({"label": [1]}))
    assert list(tmp_path.iterdir()) == []


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_does_not_fit_on_the_disk_is_a_warning_and_the_other_images_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Full:
        """A disk with room for a part of one table."""

        def __init__(self) -> None:
            self.file, self.room = real(buffering=0), 3

        def write(self, data: memoryview) -> int:
            if not self.room:
                refuse()
            self.room -= 1
            return self.file.write(data[:10] if self.room < 2 else data)

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    real = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    full = Full()
    with closing(Summary(tmp_path)) as summary:
        assert summary.add(GOOD, pd.DataFrame({"label": [1]})) == GOOD
        added = summary.add(STACK, pd.DataFrame({"label": [2], "lost": [3]}))
        full.room = 9
        summary.add(GOOD, pd.DataFrame({"label": [4]}))
        summary._spool = full.file
        summary.write()
    assert len(added.warnings) == 3
    assert "nuclei.csv lacks this image" in added.warnings[-1]
    assert "No space left" in pd.read_csv(tmp_path / "images.csv")["warnings"][1]
    assert pd.read_csv(tmp_path / "nuclei.csv").to_dict("list") == {"file": ["sub/a.tif", "sub/a.tif"], "label": [1, 4]}


def test_a_page_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.io.contact_sheet.PER_PAGE", 1)
    monkeypatch.setattr("napari_unet_seg.io.contact_sheet.write_png", refuse)
    with closing(Summary(tmp_path)) as summary:
        added = summary.add(GOOD, pd.DataFrame({"label": [1]}))
        summary.write()
    assert "A page of the contact sheet is missing" in added.warnings[0]
    assert pd.read_csv(tmp_path / "images.csv")["warnings"].tolist() == list(added.warnings)


@pytest.mark.parametrize("broken", ["nuclei.csv", "images.csv"])
def test_one_table_that_cannot_be_written_leaves_the_other(tmp_path: Path, broken: str):
    (tmp_path / broken).mkdir()
    (tmp_path / broken / "mine").touch()
    with closing(Summary(tmp_path)) as summary:
        summary.add(GOOD, pd.DataFrame({"label": [1]}))
        with pytest.raises(WriteError, match=broken):
            summary.write()
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"nuclei.csv", "images.csv", "contact_sheet.png"} - {broken}


@pytest.mark.parametrize(("outcome", "words"), [(GOOD, "2 nuclei"), (STACK, "1,200 outlines in 60 planes")])
def test_what_was_found_in_words(outcome: Outcome, words: str):
    assert outcome.found == words


@pytest.mark.parametrize("name", ["nuclei.csv", "images.csv", "contact_sheet.png", "contact_sheet_002.png"])
def test_results_of_an_earlier_run_are_refused(tmp_path: Path, name: str):
    refuse_old(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(WriteError, match=rf"{name} exists already; .*--overwrite"):
        refuse_old(tmp_path)

"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io import contact_sheet
from napari_unet_seg.io.contact_sheet import THUMBNAIL, ContactSheet


def thumbnail(value: int, shape: tuple[int, int] = (THUMBNAIL, THUMBNAIL)) -> np.ndarray:
    return np.full((*shape, 3), value, np.uint8)


def test_images_stand_in_rows_with_names_below(tmp_path: Path):
    sheet = ContactSheet(tmp_path)
    for number in range(3):
        sheet.add(thumbnail(100 + number), f"image {number}", f"{number} nuclei")
    sheet.finish()
    page = imagecodecs.imread(tmp_path / "contact_sheet.png")
    width, height = THUMBNAIL + 8, THUMBNAIL + 34 + 8
    assert page.shape == (2 * height + 8, 2 * width + 8, 3)
    middle = THUMBNAIL // 2
    assert [int(page[y + middle, x + middle, 0]) for y, x in ((8, 8), (8, 8 + width), (8 + height, 8))] == [100, 101, 102]
    captions = [page[8 + THUMBNAIL : height, 8 : 8 + THUMBNAIL], page[8 + THUMBNAIL : height, 8 + width : 8 + width + THUMBNAIL]]
    assert all((caption > 150).any() for caption in captions)
    assert (captions[0] != captions[1]).any()


def test_small_images_are_centred(tmp_path: Path):
    sheet = ContactSheet(tmp_path)
    sheet.add(thumbnail(200, (10, 20)), "", "")
    sheet.finish()
    rows, columns = np.nonzero(imagecodecs.imread(tmp_path / "contact_sheet.png")[..., 0] == 200)
    assert (rows.min() - 8, columns.min() - 8) == ((THUMBNAIL - 10) // 2, (THUMBNAIL - 20) // 2)
    assert (len(np.unique(rows)), len(np.unique(columns))) == (10, 20)


def test_a_failed_image_has_a_cell_of_its_own_colour(tmp_path: Path):
    sheet = ContactSheet(tmp_path)
    sheet.add(None, "bad.tif", "bad.tif is damaged")
    sheet.finish()
    red, green, _ = imagecodecs.imread(tmp_path / "contact_sheet.png")[8 + THUMBNAIL // 2, 8 + THUMBNAIL // 2]
    assert red > 2 * green


def test_long_names_lose_their_beginning_and_long_remarks_their_end(tmp_path: Path):
    def captions(name: str, remark: str) -> np.ndarray:
        return contact_sheet._caption(name, remark)

    same_end = captions("a" * 200 + "end.tif", "x")
    assert (same_end == captions("b" + "a" * 300 + "end.tif", "x")).all()
    assert (same_end != captions("a" * 200 + "odd.tif", "x")).any()
    same_start = captions("x", "broken " + "a" * 200)
    assert (same_start == captions("x", "broken " + "a" * 200 + "b")).all()


def test_full_pages_are_written_at_once_and_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 2)
    sheet = ContactSheet(tmp_path)
    for number in range(3):
        sheet.add(thumbnail(number), "", "")
        assert (tmp_path / "contact_sheet.png").exists() == (number > 0)
    sheet.finish()
    assert [path.name for path in sheet.pages] == ["contact_sheet.png", "contact_sheet_002.png"]
    assert all(path.exists() for path in sheet.pages)


def test_pages_of_an_earlier_run_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 2)
    for name in ("contact_sheet_002.png", "contact_sheet_003.png", "contact_sheet_1000.png", "contact_sheet_mine.png"):
        (tmp_path / name).touch()
    sheet = ContactSheet(tmp_path)
    for number in range(3):
        sheet.add(thumbnail(number), "", "")
    sheet.finish()
    sheet.remove_old()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["contact_sheet.png", "contact_sheet_002.png", "contact_sheet_mine.png"]


def test_an_old_page_that_cannot_be_deleted_is_named(tmp_path: Path):
    (tmp_path / "contact_sheet_002.png").mkdir()
    with pytest.raises(WriteError, match=r"contact_sheet_002\.png, of an earlier run, cannot be deleted"):
        ContactSheet(tmp_path).remove_old()


def test_a_page_that_cannot_be_written_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 1)
    sheet = ContactSheet(tmp_path / "missing")
    for _ in range(2):
        with pytest.raises(WriteError):
            sheet.add(None, "", "")
    (tmp_path / "missing").mkdir()
    sheet.add(None, "", "")
    assert imagecodecs.imread(tmp_path / "missing" / "contact_sheet.png").shape[0] < 2 * THUMBNAIL


def test_a_sheet_without_images_writes_nothing(tmp_path: Path):
    ContactSheet(tmp_path).finish()
    assert list(tmp_path.iterdir()) == []

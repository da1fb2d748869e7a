"""The contact sheet of a run: every image small, with its outlines, name and count, to see at a glance which one went wrong."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.overlay import write_png

if TYPE_CHECKING:
    from PIL import ImageFont

    Picture = npt.NDArray[np.uint8]

THUMBNAIL = 256
"""Longest edge of an image on the sheet, in pixels."""
PER_PAGE = 100
"""Images on a page; a run of more gives several pages, and needs the memory of one."""
_COLUMNS = 10
_PAGE = re.compile(r"contact_sheet_\d{3,}\.png")
_GAP, _CAPTION, _TEXT = 8, 34, 12
_GROUND, _INK, _NO_PICTURE = 24, 230, (70, 20, 20)


class ContactSheet:
    """Pages of thumbnails, written as they fill up.

    Parameters
    ----------
    folder : Path
        Where ``contact_sheet.png`` is written, and from the second page on ``contact_sheet_002.png`` ...
    """

    def __init__(self, folder: Path) -> None:
        """Start an empty page."""
        self.folder = folder
        self.pages: list[Path] = []
        self._cells: list[Picture] = []

    def add(self, thumbnail: Picture | None, name: str, remark: str) -> None:
        """Add an image.

        Parameters
        ----------
        thumbnail : ndarray of uint8, shape (Y, X, 3), or None
            At most `THUMBNAIL` pixels high and wide; without it a dark red cell says that there is no result.
        name, remark : str
            The two lines below it; what does not fit is cut.

        Raises
        ------
        WriteError
            If a full page cannot be written.
        """
        self._cells.append(_cell(thumbnail, name, remark))
        if len(self._cells) == PER_PAGE:
            self.finish()

    def finish(self) -> None:
        """Write the last page, if it holds anything.

        Raises
        ------
        WriteError
            If the system refuses to write.
        """
        cells, self._cells = self._cells, []  # a page that cannot be written must not grow for ever
        if cells:
            page = len(self.pages) + 1
            path = self.folder / ("contact_sheet.png" if page == 1 else f"contact_sheet_{page:03}.png")
            write_png(path, _arrange(cells))
            self.pages.append(path)

    def remove_old(self) -> None:
        """Delete further pages of an earlier run with more images.

        Raises
        ------
        WriteError
            If the system refuses.
        """
        for path in pages_in(self.folder):
            if path not in self.pages:
                try:
                    path.unlink()
                except OSError as error:
                    raise WriteError(f"{path}, of an earlier run, cannot be deleted: {error.strerror or error}; delete it.") from error


def pages_in(folder: Path) -> list[Path]:
    """Return the pages of a contact sheet in a folder, from the second on."""
    return sorted(path for path in folder.glob("contact_sheet_*.png") if _PAGE.fullmatch(path.name))


def _cell(thumbnail: Picture | None, name: str, remark: str) -> Picture:
    """Centre a thumbnail above its caption."""
    cell = np.full((THUMBNAIL + _CAPTION, THUMBNAIL, 3), _GROUND, np.uint8)
    if thumbnail is None:
        cell[:THUMBNAIL] = _NO_PICTURE
    else:
        height, width = thumbnail.shape[:2]
        top, left = (THUMBNAIL - height) // 2, (THUMBNAIL - width) // 2
        cell[top : top + height, left : left + width] = thumbnail
    cell[THUMBNAIL:] = _caption(name, remark)[..., None]
    return cell


def _caption(name: str, remark: str) -> npt.NDArray[np.uint8]:
    """Draw two lines of text: (Y, X), grey."""
    from PIL import Image, ImageDraw

    font = _font()
    picture = Image.new("L", (THUMBNAIL, _CAPTION), _GROUND)
    draw = ImageDraw.Draw(picture)
    for line, text in enumerate((name, remark)):
        # The end of a path tells more than its beginning, and a sentence is understood from its beginning.
        while draw.textlength(text, font) > THUMBNAIL:
            text = f"...{text.removeprefix('...')[1:]}" if line == 0 else f"{text.removesuffix('...')[:-1]}..."  # noqa: PLW2901
        draw.text((0, 2 + line * (_CAPTION // 2 - 1)), text, _INK, font)
    return np.asarray(picture)


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the letters, which take as long to load as ten captions to draw."""
    from PIL import ImageFont

    return ImageFont.load_default(_TEXT)


def _arrange(cells: list[Picture]) -> Picture:
    """Put cells on a page, row by row, near to a square when they are few."""
    columns = min(_COLUMNS, math.ceil(math.sqrt(len(cells))))
    rows = math.ceil(len(cells) / columns)
    height, width = cells[0].shape[0] + _GAP, cells[0].shape[1] + _GAP
    page = np.full((rows * height + _GAP, columns * width + _GAP, 3), _GROUND, np.uint8)
    for number, cell in enumerate(cells):
        top, left = _GAP + number // columns * height, _GAP + number % columns * width
        page[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return page

"""Pictures to look at: one after the other in a dock, and as a sheet in a window of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.words import count_words

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

    from napari_unet_seg.gui.trying import Tried

_COLUMNS, _EDGE = 3, 300
"""Of a sheet: pictures in a row, and the longest edge of one in pixels."""
_ENLARGED = 900
"""The same edge where each picture has a row of its own."""
_STRIP = 220
"""The largest height of a picture in a dock."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with words.

    Parameters
    ----------
    pixels : QPixmap
        Empty when there is none.
    caption : str
    """

    pixels: QPixmap
    caption: str


def to_pixmap(array: Any) -> QPixmap:
    """Turn pixels into what Qt draws.

    Parameters
    ----------
    array : ndarray of uint8, shape (Y, X, 3), or None
        None gives an empty picture.

    Returns
    -------
    QPixmap
    """
    if array is None:
        return QPixmap()
    pixels = np.ascontiguousarray(array)
    height, width = pixels.shape[:2]
    # Copied, since Qt would go on looking at the array.
    return QPixmap.fromImage(QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy())


class Strip(QWidget):
    """One picture at a time, and buttons for the others.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._pictures: list[Picture] = []
        self._place = 0
        self.picture, self.caption = QLabel(self), Hint(self)
        self.back, self.forward, self.enlarge = QPushButton("‹", self), QPushButton("›", self), QPushButton("Enlarge", self)
        self.enlarge.setProperty("kind", "link")
        self.enlarge.setToolTip("Show all of them in a window, large.")
        self.enlarge.clicked.connect(self._enlarge)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        below = QHBoxLayout()
        below.setSpacing(4)
        below.addWidget(self.caption, 1)
        below.addWidget(self.enlarge)
        for button, tip in ((self.back, "The picture before."), (self.forward, "The next picture.")):
            button.setToolTip(tip)
            button.setFixedWidth(28)
            button.clicked.connect(self._step)
            below.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.picture)
        layout.addLayout(below)
        self.set_pictures(())

    def set_pictures(self, pictures: Sequence[Picture]) -> None:
        """Show other pictures, beginning with the first; hidden when there is none."""
        self._pictures, self._place = list(pictures), 0
        self.setVisible(bool(pictures))
        self._draw()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Fill the width."""
        super().resizeEvent(event)
        self._draw()

    def _step(self) -> None:
        self._place += 1 if self.sender() is self.forward else -1
        self._draw()

    def _enlarge(self) -> None:
        Sheet(self, "Pictures", self._pictures, 1).show()

    def _draw(self) -> None:
        if not self._pictures:
            return
        shown, count = self._pictures[self._place], len(self._pictures)
        scaled = _scaled(shown.pixels, QSize(max(self.width(), 1), _STRIP))
        self.picture.setPixmap(scaled)
        self.picture.setFixedHeight(max(scaled.height(), 1))
        self.caption.setText(shown.caption + (f" {self._place + 1}/{count}" if count > 1 else ""))
        self.back.setEnabled(self._place > 0)
        self.forward.setEnabled(self._place < count - 1)
        for button in (self.back, self.forward):
            button.setVisible(count > 1)


class Sheet(QWidget):
    """A window with all pictures.

    Parameters
    ----------
    parent : QWidget
        Its owner, with which it is closed.
    title : str
    pictures : sequence of Picture
    columns : int
        Pictures in a row; alone in its row, a picture is larger.
    """

    def __init__(self, parent: QWidget, title: str, pictures: Sequence[Picture], columns: int = _COLUMNS) -> None:
        """Lay the pictures out; `show` shows them."""
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.captions: list[str] = []
        self._edge = _ENLARGED if columns == 1 else _EDGE
        grid = QGridLayout()
        grid.setSpacing(10)
        for place, picture in enumerate(pictures):
            grid.addWidget(self._cell(picture), *divmod(place, columns))
        inner = QWidget()
        inner.setLayout(grid)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(area)
        self.resize(columns * (self._edge + 20) + 40, 2 * (_EDGE + 60) + 40)

    def _cell(self, picture: Picture) -> QWidget:
        cell, shown, words = QWidget(self), QLabel(self), QLabel(picture.caption, self)
        shown.setPixmap(_scaled(picture.pixels, QSize(self._edge, self._edge)))
        shown.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom)
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        words.setMaximumWidth(self._edge)
        layout = QVBoxLayout(cell)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(shown)
        layout.addWidget(words)
        layout.addStretch()
        self.captions.append(picture.caption)
        return cell


def tried_sheet(parent: QWidget, name: str, tried: Sequence[Tried]) -> Sheet:
    """Make a window of the images that a model was tried on.

    Parameters
    ----------
    parent : QWidget
        Its owner, with which it is closed.
    name : str
        Of the model.
    tried : sequence of Tried

    Returns
    -------
    Sheet
        Not shown yet.
    """
    pictures = [Picture(to_pixmap(one.picture), f"{one.name}\n{one.trouble or one.classes or count_words(one.count)}") for one in tried]
    return Sheet(parent, f"“{name}” on {len(tried)} images", pictures)


def _scaled(pixels: QPixmap, size: QSize) -> QPixmap:
    if pixels.isNull():
        return pixels
    return pixels.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)

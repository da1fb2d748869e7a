"""What is going on, and what came of it: the progress bar, the number of nuclei, and messages that can be copied."""

from __future__ import annotations

import io
import traceback
from typing import TYPE_CHECKING

from napari.utils import progress
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.steady import Steady
from napari_unet_seg.gui.theme import set_kind
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from qtpy.QtGui import QMovie

    from napari_unet_seg.progress import Progress

_USUAL, _SLOW = 100, 5
"""Percent of the usual speed of napari's turning wheel."""
FINISHING = "Separating the nuclei"
CANCELLING = "Stopping after this tile"


class StatusPanel(Steady):
    """The lower part of the widget.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    unit : str
        What the steps of a run are called; empty when they are none that a user would count.
    """

    def __init__(self, parent: QWidget | None = None, unit: str = "tiles") -> None:
        """Start with nothing to say."""
        layout = QVBoxLayout()
        super().__init__(layout, parent)
        self._unit = unit
        self.bar, self.result, self.detail, self.message = QProgressBar(self), QLabel(self), Hint(self), Message(self)
        self.bar.setTextVisible(False)  # the words are below it, where there is room for them
        self.result.setProperty("kind", "result")
        self.result.setWordWrap(True)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.bar, self.result, self.detail, self.message):
            layout.addWidget(widget)
        for label in (self.result, self.detail):
            label.setTextInteractionFlags(_SELECTABLE)
        self.clear()

    def clear(self) -> None:
        """Say nothing."""
        for widget in (self.bar, self.result, self.detail, self.message):
            widget.hide()

    def show_progress(self, step: Progress) -> None:
        """Show how far a run is.

        Parameters
        ----------
        step : Progress
            A total of 0 is shown as an empty bar: one that moves without an end is drawn 60 times a second, for which the network waits.
        """
        self.bar.setRange(0, step.total or 1)
        self.bar.setValue(step.done)
        finishing = 0 < step.total == step.done and self._unit == "tiles"
        part = f"{step.stage}: {step.done:,} of {step.total:,} {self._unit}"
        self._show(self.bar, self.detail)
        self.detail.setText(part if step.total and self._unit and not finishing else f"{FINISHING if finishing else step.stage} …")
        if step.notice:
            self.message.show_text(step.notice, "notice")

    def show_cancelling(self) -> None:
        """Say that the run ends as soon as it can."""
        self.detail.setText(f"{CANCELLING if self._unit == 'tiles' else 'Stopping'} …")

    def show_result(self, headline: str, detail: str = "") -> None:
        """Say what came out; a notice of the run stays."""
        self.bar.hide()
        self.result.setText(headline)
        self._show(self.result, self.detail)
        self.detail.setText(detail)

    def forget_progress(self) -> None:
        """Say nothing of how far a run is; its result and a message stay."""
        self.bar.hide()
        self.detail.setVisible(not self.result.isHidden())

    def forget_result(self) -> None:
        """Say nothing of a result any more; a message stays."""
        self.result.hide()
        self.detail.hide()

    def forget_error(self) -> None:
        """Say nothing of an error any more, since what it was about is another; a notice stays."""
        if self.message.property("kind") == "error":
            self.message.hide()

    def show_error(self, error: BaseException) -> None:
        """Say what went wrong, in one sentence; its copy has the traceback too."""
        self.clear()
        self.message.show_text(explain(error), "error", "".join(traceback.format_exception(error)))

    def _show(self, *widgets: QWidget) -> None:
        for widget in widgets:
            widget.show()


_SELECTABLE = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard


class Message(QFrame):
    """A sentence in a frame, and a button that copies it.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start hidden."""
        super().__init__(parent)
        self.setObjectName("message")
        self.text, self.copy = QLabel(self), QPushButton("Copy", self)
        self._details = ""
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(_SELECTABLE)
        self.copy.setToolTip("Copy this message, with the details that a report needs.")
        self.copy.clicked.connect(self._copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 6, 6, 6)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)

    def show_text(self, text: str, kind: str, details: str = "") -> None:
        """Show a sentence.

        Parameters
        ----------
        text : str
        kind : {"error", "notice"}
        details : str
            What is copied besides.
        """
        self.text.setText(text)
        self._details = details
        set_kind(self, kind)
        self.show()

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n\n".join(filter(None, (self.text.text(), self._details))))


class Activity:
    """The bar of a run in napari's activity dock."""

    def __init__(self) -> None:
        """Start without a bar."""
        self._bar: progress | None = None
        self._wheels: list[QMovie] = []

    def start(self, description: str) -> None:
        """Show an empty bar; napari draws it at once.

        Parameters
        ----------
        description : str
            What is being done.
        """
        self.close()
        # tqdm, below, would write into the terminal, which is not ours, and fails where a program has none.
        self._bar = progress(total=0, desc=description, file=io.StringIO())
        self._wheels = _find_wheels()
        self._turn_wheels(_SLOW)

    def show_progress(self, step: Progress) -> None:
        """Show how far the run is."""
        if self._bar is None:
            return
        if self._bar.total != step.total:
            self._bar.total = step.total
        self._bar.update(step.done - self._bar.n)

    def close(self) -> None:
        """Take the bar away, if there is one."""
        bar, self._bar = self._bar, None
        if bar is not None:
            self._turn_wheels(_USUAL)
            bar.close()

    def _turn_wheels(self, percent: int) -> None:
        """Set how fast the wheel turns that napari shows beside the word "activity" as long as there is a bar.

        With each of its pictures, 34 a second, the whole window is put together anew, canvas and all. Where a processor draws instead of
        a graphics card, as on many remote desktops, this takes a fifth of a core: a run was 8 % slower, and three times on a busy machine.
        """
        for wheel in self._wheels:
            if isalive(wheel):  # type: ignore[no-untyped-call]  # this may be the end of the window
                wheel.setSpeed(percent)


def _find_wheels() -> list[QMovie]:
    """Return the wheels of all windows of napari, which all show every bar; none when it is another napari that has them elsewhere."""
    buttons = (window.findChild(QToolButton, "QtActivityButton") for window in QApplication.topLevelWidgets())
    items = (button.parentWidget() for button in buttons if button is not None)
    labels = (item.findChild(QLabel) for item in items if item is not None)
    movies = (label.movie() for label in labels if label is not None)
    return [movie for movie in movies if movie is not None]

"""The window "Why no GPU?": the reason, what to do, and the command to copy."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QApplication, QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.core.apart import iter_apart, torch_trouble
from napari_unet_seg.core.gpu import Diagnosis, diagnose
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.words import explain
from napari_unet_seg.progress import Progress, Steps

LOOKING = "Looking for a GPU …"
_FIELD_LINES = 3
APART = "PyTorch does not start within napari here ({}), and therefore runs in a process of its own. All works, the first run later."
_WIDTH = 460


def diagnosing() -> Steps[Diagnosis]:
    """Find out why no GPU computes, step by step.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Diagnosis
    """
    yield Progress(LOOKING, 0, 0)
    return diagnose()


class GpuPanel(QDialog):
    """Says why no GPU computes, and what to do about it.

    Parameters
    ----------
    parent : QWidget
        The widget that asks, whose look it takes over.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Build the window, and begin to look."""
        super().__init__(parent)
        self.setWindowTitle("Why no GPU?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.reason, self.advice, self.note = _text(self), _text(self), _text(self)
        self.command = QPlainTextEdit(self)
        self.copy_button, self.close_button = QPushButton("Copy command", self), QPushButton("Close", self)
        self._dress()
        self._place()
        self.job = Job(self)
        self.job.returned.connect(self.show_diagnosis)
        self.job.failed.connect(self._show_error)
        self.reason.setText(LOOKING)
        self.job.start(iter_apart(diagnosing))

    def show_diagnosis(self, found: Diagnosis) -> None:
        """Show what was found.

        Parameters
        ----------
        found : Diagnosis
        """
        self.reason.setText(found.reason)
        trouble = torch_trouble()
        _show(self.note, APART.format(trouble) if trouble else "")
        _show(self.advice, found.advice)
        self.command.setPlainText(found.command)
        for widget in (self.command, self.copy_button):
            widget.setVisible(bool(found.command))
        self.adjustSize()

    def _dress(self) -> None:
        self.reason.setProperty("kind", "headline")
        self.command.setProperty("kind", "command")
        self.command.setReadOnly(True)
        self.command.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.command.setFixedHeight(_FIELD_LINES * self.command.fontMetrics().lineSpacing() + 22)
        self.command.setAccessibleName("Command")
        self.copy_button.setToolTip("Copy the command, to paste it into a terminal (Command Prompt on Windows).")
        for button in (self.copy_button, self.close_button):
            button.setProperty("kind", "secondary")
            button.setAutoDefault(False)
        self.copy_button.clicked.connect(self._copy)
        self.close_button.clicked.connect(self.close)

    def _place(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy_button)
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(10)
        for widget in (self.reason, self.note, self.advice, self.command):
            layout.addWidget(widget)
        layout.addStretch(1)  # the room that wrapped texts ask for in vain
        layout.addLayout(buttons)
        for hidden in (self.note, self.advice, self.command, self.copy_button):
            hidden.hide()
        self.setMinimumWidth(_WIDTH)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command.toPlainText())
            self.copy_button.setText("Copied")

    def _show_error(self, error: BaseException) -> None:
        self.reason.setText(explain(error))


def _text(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _show(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))

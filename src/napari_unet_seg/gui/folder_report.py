"""What came of a folder: the number of nuclei, the images that failed, the contact sheet and the folder of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtGui import QDesktopServices, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.folder_rows import shortened
from napari_unet_seg.gui.folder_run import failures, sheet_pages
from napari_unet_seg.gui.gallery import Picture, Sheet

if TYPE_CHECKING:
    from napari_unet_seg.io.summary import Outcome

_FAILED = "{} could not be segmented; the others are finished. Double-click one to open it."
_ROWS = 4
"""Failed images in view; the others are scrolled to."""


def done_words(outcomes: Sequence[Outcome], output: Path, asked: int) -> tuple[str, str]:
    """Say what came of a run.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Those that were finished.
    output : Path
        Folder of the results.
    asked : int
        Images that were asked for; more than were finished if the run was cancelled.

    Returns
    -------
    headline, detail : str
    """
    from napari_unet_seg.io.summary import summed

    good = len(outcomes) - len(failures(outcomes))
    images = f"{good:,} {'image' if good == 1 else 'images'}"
    warned = sum(bool(outcome.warnings) for outcome in outcomes if not outcome.error)
    notes = f" {warned:,} have a remark in images.csv." if warned > 1 else " One has a remark in images.csv." if warned else ""
    stopped = f"Cancelled after {len(outcomes):,} of {asked:,} images. " if len(outcomes) < asked else ""
    kept = f"Labels, tables and the contact sheet are in {output}." if outcomes else "Nothing was written."
    return f"{summed(outcomes)} in {images}", f"{stopped}{kept}{notes}"


class FolderReport(QWidget):
    """The list of images that failed, and what to look at.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    opened = Signal(object)
    """The path of a failed image that somebody wants to see."""

    def __init__(self, parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._output = Path()
        self.hint, self.failed = Hint(self), QListWidget(self)
        self.sheet_button, self.folder_button = QPushButton("Contact sheet", self), QPushButton("Open folder", self)
        self.sheet_button.setToolTip("Show all images with their outlines: one look tells where something went wrong.")
        self.folder_button.setToolTip("Show the results in the file manager of this computer.")
        self.failed.setAccessibleName("Images that failed")
        self.failed.setWordWrap(True)
        self.failed.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.failed.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        buttons = QHBoxLayout()
        for button in (self.sheet_button, self.folder_button):
            button.setProperty("kind", "secondary")
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.hint)
        layout.addWidget(self.failed)
        layout.addLayout(buttons)
        self.sheet_button.clicked.connect(self.show_sheet)
        self.folder_button.clicked.connect(self._open_folder)
        self.failed.itemActivated.connect(self._open)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.failed.clear()
        self.hide()

    def begin(self, output: Path) -> None:
        """Prepare for a run.

        Parameters
        ----------
        output : Path
            Folder of its results.
        """
        self.clear()
        self._output = output

    def add(self, outcome: Outcome) -> None:
        """Name an image that failed, as soon as it did; others are not shown one by one."""
        if not outcome.error:
            return
        item = QListWidgetItem(f"{shortened(outcome.source.shown)}: {outcome.error}", self.failed)
        item.setData(Qt.ItemDataRole.UserRole, outcome.source.path)
        item.setToolTip(f"{outcome.source.shown}: {outcome.error}")
        count = self.failed.count()
        self.hint.setText(_FAILED.format("1 image" if count == 1 else f"{count:,} images"))
        self._show(finished=False)

    def finish(self) -> None:
        """Offer what there is to look at."""
        self._show(finished=True)

    def show_sheet(self) -> None:
        """Show the contact sheet in a window."""
        pictures = [Picture(QPixmap(str(path)), path.name) for path in sheet_pages(self._output)]
        Sheet(self, f"Contact sheet of {self._output}", pictures, 1).show()

    def _show(self, finished: bool) -> None:
        failed = self.failed.count() > 0
        lines = 2 * min(max(self.failed.count(), 1), _ROWS)
        self.failed.setFixedHeight(lines * self.failed.fontMetrics().lineSpacing() + 20)
        for widget in (self.hint, self.failed):
            widget.setVisible(failed)
        self.sheet_button.setVisible(finished and bool(sheet_pages(self._output)))
        self.folder_button.setVisible(finished and self._output.is_dir())
        self.setVisible(failed or not self.folder_button.isHidden())

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._output)))

    def _open(self, item: QListWidgetItem) -> None:
        self.opened.emit(item.data(Qt.ItemDataRole.UserRole))

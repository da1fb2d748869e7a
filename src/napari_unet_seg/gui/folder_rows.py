"""The rows of the dock "Segment a folder": where images and results are, which images are meant, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.exporting import FORMATS, Format
from napari_unet_seg.gui.folder_run import LOOKING, RESULTS, Found, look_steps
from napari_unet_seg.gui.form import name_row, tooltip
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.open_image import dialog_options
from napari_unet_seg.io.failures import explain

if TYPE_CHECKING:
    from napari_unet_seg.io.inputs import Source

WAIT_MS = 300
"""After typing, the folder is looked into when nothing was typed for so long."""
BY_NAME = "By its name"
NO_FOLDER = "Choose the folder that holds your images. Its subfolders are searched, too."
OVERLAY = Format("overlay", "Outlined pictures", ".overlay.png", "Each image with its outlines, to look at and to show.")
_FOLDER_TIP = "Where your images are: TIFF of every kind, PNG, JPEG, OME-Zarr. Its subfolders are searched, too."
_FILTER_TIP = "A part of the name, such as _DAPI, or a pattern, such as *_w1.tif or plate1/*. Empty takes all images."
_OUTPUT_TIP = "Labels and tables go here, in the same subfolders as the images. Nothing that is there is replaced, unless you say so."
_CHANNEL_TIP = "The channel that shows the nuclei. By its name: DAPI, Hoechst and other stains of DNA are found by themselves."


def shortened(name: str, most: int = 34) -> str:
    """Return a name that fits into a narrow panel: names of files differ at both ends.

    Examples
    --------
    >>> shortened("plate_1_well_A01_field_3.tif", 15)
    'plate_1 … 3.tif'
    """
    half = (most - 3) // 2
    return name if len(name) <= most else f"{name[: half + 1]} … {name[-half + 1 :]}"


class PathRow(QWidget):
    """A line with the path of a folder, and a button that asks for it.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    question : str
        Title of the dialog.
    """

    def __init__(self, parent: QWidget, question: str) -> None:
        """Start empty."""
        super().__init__(parent)
        self._question = question
        self.line, self.button = QLineEdit(self), QPushButton("…", self)
        self.line.setMinimumWidth(60)
        self.button.setFixedWidth(28)
        self.button.setAccessibleName(question)
        self.button.setToolTip(f"{question}.")
        self.button.clicked.connect(self.ask)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)

    @property
    def path(self) -> Path | None:
        """The folder; None when nothing is typed."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def ask(self) -> None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self, self._question, self.line.text(), dialog_options())
        if chosen:
            self.line.setText(chosen)


class FolderRows(QObject):
    """Which images, and where the results go.

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()
    """What is asked for, or what is known to be there, has changed."""

    def __init__(self, parent: QWidget) -> None:
        """Make the rows; nothing is looked at before a folder is chosen."""
        super().__init__(parent)
        self.folder, self.output = PathRow(parent, "Choose the folder of the images"), PathRow(parent, "Choose the folder of the results")
        self.pattern, self.channel, self.hint = QLineEdit(parent), Choice(parent), Hint(parent)
        self.found: Found | None = None
        self._asked: tuple[Path, str, Path] | None = None
        self._job, self._timer = Job(self), QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._look)
        self.folder.line.setPlaceholderText("no folder chosen")
        self.pattern.setPlaceholderText("all images")
        self._dress(parent)
        self._offer_channels(())
        for line in (self.folder.line, self.pattern, self.output.line):
            line.textChanged.connect(self._wait)
        self._job.returned.connect(self._learn)
        self._job.failed.connect(self._fail)
        self._job.finished.connect(self._look_again)
        self._show()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows of the images in a form."""
        layout.addRow(self.labels[0], self.folder)
        layout.addRow(self.labels[1], self.pattern)
        layout.addRow(self.hint)
        layout.addRow(self.labels[2], self.channel)

    def add_output(self, layout: QFormLayout) -> None:
        """Place the row of the results in a form."""
        layout.addRow(self.labels[3], self.output)

    @property
    def looking(self) -> bool:
        """Whether it is still being found out which images there are."""
        return self._timer.isActive() or self._job.running

    @property
    def sources(self) -> tuple[Source, ...]:
        """The images; none while it is not known which."""
        return self.found.sources if self.found is not None and not self.looking else ()

    @property
    def output_folder(self) -> Path | None:
        """Where the results go: a folder in that of the images, unless another one was chosen."""
        folder = self.folder.path
        return self.output.path or (None if folder is None else folder / RESULTS)

    def refresh(self) -> None:
        """Look again, since files come and go."""
        if self.folder.path is not None:
            self._asked = None
            self._look()

    def close(self) -> None:
        """End a look that goes on."""
        self._timer.stop()
        self._job.cancel()

    def _dress(self, parent: QWidget) -> None:
        rows = ((self.folder, "Folder", _FOLDER_TIP), (self.pattern, "Only files", _FILTER_TIP))
        others = ((self.channel, "Channel", _CHANNEL_TIP), (self.output, "Results in", _OUTPUT_TIP))
        self.labels: list[QLabel] = []
        for editor, title, tip in (*rows, *others):
            label = QLabel(title, parent)
            name_row(label, editor.line if isinstance(editor, PathRow) else editor, tip)
            self.labels.append(label)

    def _wanted(self) -> tuple[Path, str, Path] | None:
        folder, output = self.folder.path, self.output_folder
        return None if folder is None or output is None else (folder, self.pattern.text(), output)

    def _wait(self, text: str = "") -> None:
        self._timer.start()
        self._show()

    def _look(self) -> None:
        wanted = self._wanted()
        if wanted is None:
            self.found = self._asked = None
            self._show()
        elif wanted != self._asked and self._job.start(look_steps(*wanted)):
            self._asked = wanted
            self._show()

    def _look_again(self) -> None:
        if self._wanted() != self._asked:
            self._look()
        self._show()

    def _learn(self, found: Found) -> None:
        self.found = found
        self._offer_channels(found.channels)

    def _fail(self, error: BaseException) -> None:
        self._learn(Found(trouble=explain(error)))

    def _offer_channels(self, names: tuple[str, ...]) -> None:
        chosen = self.channel.currentData()
        self.channel.clear()
        self.channel.addItem(BY_NAME, "")
        for name in names:
            self.channel.addItem(name, name)
        self.channel.setCurrentIndex(max(0, self.channel.findData(chosen)))
        for widget in (self.labels[2], self.channel):
            widget.setVisible(len(names) > 1)

    def _show(self) -> None:
        self.output.line.setPlaceholderText(str(self.output_folder or "beside the images"))
        self.hint.setText(self._words())
        self.changed.emit()

    def _words(self) -> str:
        """Say which images are meant."""
        if self.folder.path is None:
            return NO_FOLDER
        if self.looking or self.found is None:
            return f"{LOOKING} …"
        if self.found.trouble:
            return self.found.trouble
        names = [source.shown for source in self.found.sources]
        first, last = (shortened(name) for name in (names[0], names[-1]))
        return f"{len(names):,} images, from {first} to {last}." if len(names) > 1 else f"1 image: {first}."


class FormatBoxes(QWidget):
    """Check boxes of what is written.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        """Tick what is usual."""
        super().__init__(parent)
        formats = (*FORMATS, OVERLAY)
        self.boxes = {one.key: QCheckBox(one.title, self) for one in formats}
        self.tracks = False
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(2)
        for place, one in enumerate(one for one in formats if one.key != "trackmate"):
            grid.addWidget(self.boxes[one.key], place // 2, place % 2)
        grid.addWidget(self.boxes["trackmate"], grid.rowCount(), 0)
        for one in formats:
            self.boxes[one.key].setChecked(one.usual)
            self.boxes[one.key].setToolTip(tooltip(f"{one.tip} Ends with {one.ending}"))
            self.boxes[one.key].toggled.connect(self._tell)
        self.offer_tracks(False)

    @property
    def ticked(self) -> tuple[str, ...]:
        """Keys of `napari_unet_seg.io.batch.FORMATS`."""
        return tuple(key for key, box in self.boxes.items() if box.isChecked() and (self.tracks or key != "trackmate"))

    def offer_tracks(self, there: bool) -> None:
        """Offer files of tracks where nuclei are followed."""
        self.tracks = there
        self.boxes["trackmate"].setVisible(there)

    def _tell(self, ticked: bool = False) -> None:
        self.changed.emit()

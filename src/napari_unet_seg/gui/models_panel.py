"""The models as files: what there is, and what can be done with it. In a window of its own, and as a dock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QGridLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_unet_seg.core.apart import iter_apart, iter_outside
from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.models_questions import ask_export, ask_file, ask_name, may_delete
from napari_unet_seg.gui.models_work import Done, delete_steps, export_steps, import_steps, list_steps, rename_steps
from napari_unet_seg.gui.status import StatusPanel
from napari_unet_seg.io.model_formats import SAFETENSORS

if TYPE_CHECKING:
    from napari_unet_seg.gui.models_work import ModelNote
    from napari_unet_seg.progress import Progress, Steps

LOOKING = "Looking for models …"
BUNDLED = "It came with the plugin and stays. Train it further, and the result is a model of your own."
_ADD = "Add a model that somebody gave you: a .safetensors file of this plugin."
_EXPORT = "Write the model to a file: for a colleague, for another program, or for bioimage.io."
_RENAME = "Give the model another name. Nothing else about it changes."
_DELETE = "Delete the model's file, after a question."


class ModelsPanel(QWidget):
    """A list of the models, what is known of the one that is chosen, and buttons.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    changed = Signal(str, str)
    """A model was added, renamed or deleted: its name before and now, of which one may be empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Build it; `refresh` fills it."""
        super().__init__(parent)
        self._notes: list[ModelNote] = []
        self._wanted = ""
        self.list, self.facts, self.status = QListWidget(self), Hint(self), StatusPanel(self, unit="")
        self.import_button = narrow_button("Import …", "secondary", _ADD, self)
        self.export_button = narrow_button("Export …", "secondary", _EXPORT, self)
        self.rename_button = narrow_button("Rename …", "secondary", _RENAME, self)
        self.delete_button = narrow_button("Delete …", "secondary", _DELETE, self)
        self.look, self.job = Job(self), Job(self)
        self._place()
        self._connect()
        self._update()

    @property
    def chosen(self) -> ModelNote | None:
        """The model that is chosen; None when there is none."""
        row = self.list.currentRow()
        return self._notes[row] if 0 <= row < len(self._notes) else None

    def refresh(self) -> None:
        """Find out again which models there are."""
        self.look.start(iter_apart(list_steps))
        self._update()

    def choose(self, name: str) -> None:
        """Choose a model of the list."""
        self._wanted = name
        for row, note in enumerate(self._notes):
            if note.name == name or (name == "nuclei" and note.default):
                self.list.setCurrentRow(row)

    def add(self, path: Path, name: str = "") -> None:
        """Add a model file to the user's own.

        Parameters
        ----------
        path : Path
        name : str
            What to call it; as it was called when empty.
        """
        self._run(iter_apart(import_steps, path, name))

    def rename(self, name: str) -> None:
        """Rename the chosen model."""
        if self.chosen is not None and name != self.chosen.name:
            self._run(iter_apart(rename_steps, self.chosen.name, name))

    def delete(self) -> None:
        """Delete the chosen model without a question."""
        if self.chosen is not None:
            self._run(iter_apart(delete_steps, self.chosen.name))

    def export(self, path: Path, kind: str, authors: tuple[str, ...] = (), licence: str = "") -> None:
        """Write the chosen model to a file, in place of one that is there.

        Parameters
        ----------
        path : Path
        kind : str
            A key of `napari_unet_seg.io.model_formats.FORMATS`.
        authors : tuple of str
        licence : str
        """
        if self.chosen is not None:
            run = iter_apart if kind == SAFETENSORS else iter_outside  # the exporters of other formats load what a window must not
            self._run(run(export_steps, self.chosen.name, path, kind, authors, licence))

    def close_jobs(self) -> None:
        """End what goes on."""
        self.look.cancel()
        self.job.cancel()

    def _place(self) -> None:
        self.list.setAccessibleName("Models")
        self.list.setAlternatingRowColors(False)
        self.list.setWordWrap(True)
        self.list.setMinimumHeight(120)
        buttons = QGridLayout()
        buttons.setSpacing(4)
        placed = (self.import_button, self.export_button, self.rename_button, self.delete_button)
        for place, button in enumerate(placed):
            buttons.addWidget(button, *divmod(place, 2))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.facts)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        pressed = (
            (self.import_button, self._ask_import),
            (self.export_button, self._ask_export),
            (self.rename_button, self._ask_rename),
            (self.delete_button, self._ask_delete),
        )
        for button, slot in pressed:
            button.clicked.connect(slot)
        self.list.currentRowChanged.connect(self._update)
        self.look.returned.connect(self._show)
        self.look.failed.connect(self.status.show_error)
        self.look.finished.connect(self._update)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._tell)
        self.job.failed.connect(self.status.show_error)
        self.job.finished.connect(self._update)

    def _run(self, steps: Steps[Done]) -> None:
        if self.job.start(steps):
            self.status.clear()
            self._update()

    def _update(self, row: int = 0) -> None:
        """Enable what can be done with the chosen model, and say what is known of it."""
        note, free = self.chosen, not self.job.running
        own = note is not None and not note.bundled
        self.import_button.setEnabled(free)
        self.export_button.setEnabled(free and note is not None and not note.trouble)
        self.rename_button.setEnabled(free and own and not (note is not None and note.trouble))
        self.delete_button.setEnabled(free and own)
        self.facts.setText(LOOKING if note is None else _words(note))

    def _show(self, notes: list[ModelNote]) -> None:
        wanted = self._wanted or (self.chosen.name if self.chosen else "nuclei")
        self._notes = notes
        self.list.blockSignals(True)
        self.list.clear()
        for note in notes:
            origin = "default" if note.default else "comes with the plugin" if note.bundled else "yours"
            item = QListWidgetItem(f"{note.name}  ·  {'damaged' if note.trouble else origin}")
            item.setToolTip(note.trouble or note.title)
            item.setData(Qt.ItemDataRole.UserRole, note.name)
            self.list.addItem(item)
        self.list.setCurrentRow(0 if notes else -1)
        self.list.blockSignals(False)
        self.choose(wanted)
        self._wanted = ""
        self._update()

    def _show_progress(self, step: Progress) -> None:
        self.status.show_progress(step)

    def _tell(self, done: Done) -> None:
        self.status.show_result(done.headline, done.detail)
        self._wanted = done.name
        if done.name != done.before:
            self.changed.emit(done.before, done.name)
            self.refresh()

    def _ask_import(self) -> None:
        path = ask_file(self)
        if path is None:
            return
        taken = {note.name.casefold() for note in self._notes}
        name = ask_name(self, path.stem, taken) if path.stem.casefold() in taken else ""
        if name is not None:
            self.add(path, name)

    def _ask_rename(self) -> None:
        if self.chosen is not None:
            name = ask_name(self, self.chosen.name, set())
            if name:
                self.rename(name)

    def _ask_delete(self) -> None:
        if self.chosen is not None and may_delete(self, self.chosen):
            self.delete()

    def _ask_export(self) -> None:
        if self.chosen is not None:
            wanted = ask_export(self, self.chosen.name)
            if wanted is not None:
                self.export(wanted.path, wanted.kind, wanted.authors, wanted.licence)


def _words(note: ModelNote) -> str:
    if note.trouble:
        return note.trouble
    lines = [note.title, *(f"{word}: {value}" for word, value in note.facts), *([BUNDLED] if note.bundled else [])]
    return "\n".join(lines)

"""What a user is asked before something is done with a model: which file, which name, in which format, and whether really."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.history import get_open_history, get_save_history, update_open_history, update_save_history
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QInputDialog,
    QLineEdit,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.open_image import dialog_options
from napari_unet_seg.io.model_formats import FORMATS, export_path

if TYPE_CHECKING:
    from napari_unet_seg.gui.models_work import ModelNote

BIOIMAGEIO = "bioimageio"
LICENCES = ("", "CC-BY-4.0", "CC0-1.0", "MIT", "BSD-3-Clause", "Apache-2.0")
"""Offered for a package; any other can be typed."""
_FILTER = "Model of this plugin (*.safetensors);;All files (*)"
_PUBLISH = "Both can be left empty as long as you do not publish the package."
_WIDTH = 380


@dataclass(frozen=True)
class Wanted:
    """An export that a user asked for.

    Parameters
    ----------
    path : Path
        To be replaced if it is there; the user has agreed.
    kind : str
        A key of `napari_unet_seg.io.model_formats.FORMATS`.
    authors : tuple of str
    licence : str
    """

    path: Path
    kind: str
    authors: tuple[str, ...] = ()
    licence: str = ""


def ask_file(parent: QWidget) -> Path | None:
    """Ask for a model file; None when the user thinks better of it."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Import a model", get_open_history()[0], _FILTER, options=dialog_options())
    if chosen:
        update_open_history(chosen)
    return Path(chosen) if chosen else None


def ask_name(parent: QWidget, name: str, taken: AbstractSet[str]) -> str | None:
    """Ask what a model is to be called.

    Parameters
    ----------
    parent : QWidget
    name : str
        What it is called now, or would be.
    taken : set of str
        Names that are in use, in small letters; if `name` is among them, the question says so and offers a free one.

    Returns
    -------
    str or None
        None when the user thinks better of it.
    """
    clash = name.casefold() in taken
    free = next(offer for offer in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if offer.casefold() not in taken)
    question = f"There is a model called “{name}” already. Call the new one:" if clash else "Letters, digits, - and _:"
    answer, agreed = QInputDialog.getText(parent, "Name of the model", question, text=free)
    return answer.strip() if agreed and answer.strip() else None


def may_delete(parent: QWidget, note: ModelNote) -> bool:
    """Ask whether a model may be deleted."""
    question = f"Delete the model “{note.name}”? Its file {note.path} is gone then. Segmentations that were made with it stay."
    return bool(QMessageBox.question(parent, "Delete the model?", question) == QMessageBox.StandardButton.Yes)


def ask_export(parent: QWidget, name: str) -> Wanted | None:
    """Ask in which format a model is to be exported, and where to.

    Parameters
    ----------
    parent : QWidget
    name : str
        Of the model.

    Returns
    -------
    Wanted or None
        None when the user thinks better of it.
    """
    asked = ExportDialog(name, parent)
    agreed = asked.exec() == QDialog.DialogCode.Accepted
    kind, authors, licence = asked.kind, asked.authors, asked.licence
    asked.deleteLater()
    if not agreed:
        return None
    form = FORMATS[kind]
    start = str(Path(get_save_history()[0]) / (name + form.ending))
    ending = f"*.{form.ending.rpartition('.')[2]}"
    # The ending may still be added; we ask below whether a file that is there may be replaced.
    options = dialog_options() | QFileDialog.Option.DontConfirmOverwrite
    chosen, _ = QFileDialog.getSaveFileName(parent, f"Export {name}", start, f"{form.title} ({ending})", options=options)
    path = export_path(chosen, name, kind) if chosen else None
    if path is None or not _may_replace(parent, path):
        return None
    update_save_history(str(path))
    return Wanted(path, kind, authors, licence)


def _may_replace(parent: QWidget, path: Path) -> bool:
    question = f"{path.name} exists in {path.parent} already. Replace it?"
    return not path.exists() or QMessageBox.question(parent, "Replace the file?", question) == QMessageBox.StandardButton.Yes


class ExportDialog(QDialog):
    """Asks for the format of an export, and for bioimage.io whose the model is.

    Parameters
    ----------
    name : str
        Of the model.
    parent : QWidget
        Its owner.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """Build it."""
        super().__init__(parent)
        self.setWindowTitle(f"Export “{name}”")
        self.format_box, self.author_line, self.licence_box, self.hint = Choice(self), QLineEdit(self), Choice(self), Hint(self)
        for key, form in FORMATS.items():
            self.format_box.addItem(form.title, key)
        self.licence_box.addItems(LICENCES)
        self.licence_box.setEditable(True)
        self.author_line.setPlaceholderText("Your name, and others after a comma")
        self.rows = QFormLayout()
        for words, editor in (("Format", self.format_box), ("Authors", self.author_line), ("Licence", self.licence_box)):
            editor.setAccessibleName(words)
            self.rows.addRow(words, editor)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(10)
        layout.addLayout(self.rows)
        layout.addWidget(self.hint)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(_WIDTH)
        self.format_box.currentIndexChanged.connect(self._update)
        self._update()

    @property
    def kind(self) -> str:
        """The chosen format, a key of `FORMATS`."""
        return str(self.format_box.currentData())

    @property
    def authors(self) -> tuple[str, ...]:
        """The names that were typed."""
        return tuple(filter(None, (name.strip() for name in self.author_line.text().split(",")))) if self.kind == BIOIMAGEIO else ()

    @property
    def licence(self) -> str:
        """The licence that was chosen or typed."""
        return self.licence_box.currentText().strip() if self.kind == BIOIMAGEIO else ""

    def _update(self, index: int = 0) -> None:
        publishes = self.kind == BIOIMAGEIO
        for editor in (self.author_line, self.licence_box):
            self.rows.setRowVisible(editor, publishes)
        self.hint.setText(FORMATS[self.kind].purpose + (f" {_PUBLISH}" if publishes else ""))
        self.adjustSize()

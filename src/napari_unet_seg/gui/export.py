"""The tab "Save": which formats, where to, and a question before anything is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.history import get_save_history, update_save_history
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.exporting import FORMATS, NO_CLASSES, file_name, has_classes
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.tracks import has_tracks

if TYPE_CHECKING:
    from napari.layers import Labels

_HINT = "Files are called like the layer. What a file held is kept until the new one is whole."
_NOTHING = "Tick at least one format."
_NAMED = 4
"""Files that the question names."""


class ExportPanel(QWidget):
    """Check boxes of the formats, and a button.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    wanted = Signal(object)
    """Where to save: a dict of format to Path, once the user has chosen and agreed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without a layer."""
        super().__init__(parent)
        self._name = ""
        self._free = False
        self.boxes = {one.key: QCheckBox(one.title, self) for one in FORMATS}
        self.button, self.hint = QPushButton("Save …", self), Hint(self)
        self.button.setProperty("kind", "secondary")
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        for one in FORMATS:
            box = self.boxes[one.key]
            box.setChecked(one.usual)
            box.setToolTip(tooltip(f"{one.tip} Ends with {one.ending}"))
            box.toggled.connect(self._update)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addLayout(self._grid)
        layout.addWidget(self.button)
        layout.addWidget(self.hint)
        layout.addStretch()
        self.hint.setText(_HINT)
        self.button.clicked.connect(self.ask)
        self.offer(None, False)

    @property
    def ticked(self) -> list[str]:
        """The formats that were ticked and are there."""
        return [one.key for one in FORMATS if self.boxes[one.key].isChecked() and self.boxes[one.key].isEnabled()]

    def offer(self, layer: Labels | None, free: bool) -> None:
        """Say of what layer files can be saved.

        Parameters
        ----------
        layer : napari.layers.Labels or None
        free : bool
            Whether nothing else is going on.
        """
        self._name, self._free = "" if layer is None else layer.name, free
        classes = layer is not None and has_classes(layer)
        tip = next(one.tip for one in FORMATS if one.key == "classes")
        self.boxes["classes"].setEnabled(classes)
        self.boxes["classes"].setToolTip(tooltip(tip if classes else NO_CLASSES))
        self.boxes["trackmate"].setVisible(layer is not None and has_tracks(layer.features))
        self.boxes["trackmate"].setEnabled(not self.boxes["trackmate"].isHidden())
        self._arrange()
        self._update()

    def ask(self) -> None:
        """Ask for a file when there is one format, else for a folder, and whether what is there may be replaced."""
        formats = [one for one in FORMATS if one.key in self.ticked]
        start, stem = Path(get_save_history()[0]), file_name(self._name)
        if len(formats) == 1:
            options = QFileDialog.Option.DontConfirmOverwrite  # the ending may still be added; we ask below
            chosen, _ = QFileDialog.getSaveFileName(self, "Save nuclei", str(start / (stem + formats[0].ending)), options=options)
            paths = {formats[0].key: _with_ending(Path(chosen), formats[0].ending)} if chosen else {}
        else:
            chosen = QFileDialog.getExistingDirectory(self, "Save nuclei in this folder", str(start))
            paths = {one.key: Path(chosen) / (stem + one.ending) for one in formats}
        if chosen and paths and self._may_replace([path for path in paths.values() if path.exists()]):
            update_save_history(str(next(iter(paths.values()))))
            self.wanted.emit(paths)

    def _arrange(self) -> None:
        """Place the boxes that are shown in two columns, without a hole for one that is not."""
        shown = [box for box in self.boxes.values() if not box.isHidden()]
        rows = -(-len(shown) // 2)
        for place, box in enumerate(shown):
            self._grid.addWidget(box, place % rows, place // rows)

    def _may_replace(self, existing: list[Path]) -> bool:
        if not existing:
            return True
        names = ", ".join(path.name for path in existing[:_NAMED])
        more = f" and {len(existing) - _NAMED} more" if len(existing) > _NAMED else ""
        question = f"{names}{more} in {existing[0].parent} {'exists' if len(existing) == 1 else 'exist'} already. Replace?"
        answer = QMessageBox.question(self, "Replace files?", question)
        return answer == QMessageBox.StandardButton.Yes

    def _update(self, ticked: bool = False) -> None:
        ready = bool(self._name) and bool(self.ticked)
        self.button.setEnabled(ready and self._free)
        self.button.setToolTip(tooltip(_NOTHING if self._name and not ready else "Choose where the ticked formats are saved."))


def _with_ending(path: Path, ending: str) -> Path:
    """Add the ending of a format to a name that has none of its own."""
    last = "." + ending.rpartition(".")[2]
    named = path.name.lower().endswith((last, ".tiff") if last == ".tif" else last)
    if ending == ".classes.tif" and not path.name.lower().endswith((".classes.tif", ".classes.tiff")):
        return path.with_name(path.name.removesuffix(last) + ending)
    return path if named else path.with_name(path.name + ending)

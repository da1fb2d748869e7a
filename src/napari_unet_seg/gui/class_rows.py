"""Whether nuclei or classes of pixels are painted, and what the classes are called: rows of the training dock."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget

from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import name_row
from napari_unet_seg.gui.learning import INSIDE, MODES, PAINTED, WHOLE, names_of

NUCLEI, CLASSES = "nuclei", "classes"
WORDS = {NUCLEI: "Nuclei", CLASSES: "Classes"}
_TIP = (
    "Nuclei: each is painted with a number of its own, and the model outlines nuclei. Classes: all that is of one kind has one number, "
    "such as 1 for stroma and 2 for epithelium, and the model says of each pixel what it is."
)
_NAMES_TIP = "What the classes 1, 2, 3 ... are called, divided by commas. Without a name they are class 1, class 2, ..."
_HINTS = {
    PAINTED: "Paint some of each class; what you did not paint is unknown.",
    INSIDE: "Inside the shapes, what is not painted is background.",
    WHOLE: "On each plane with something painted, the rest is background.",
}
_PAINTED = "What is painted"
_BRUSH = "Painting {}. Press N for the next class."
_NO_LABELS = "Press Annotate and paint some of each class with its number: 1, 2, 3 ..."


class ClassRows(QObject):
    """What is painted.

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        """Start with nuclei."""
        super().__init__(parent)
        self.label, self.box = QLabel("You paint", parent), Choice(parent)
        self.names_label, self.names = QLabel("Class names", parent), QLineEdit(parent)
        for kind, words in WORDS.items():
            self.box.addItem(words, kind)
        self.names.setPlaceholderText("class 1, class 2, …")
        for label, editor, tip in ((self.label, self.box, _TIP), (self.names_label, self.names, _NAMES_TIP)):
            name_row(label, editor, tip)
        self._show()
        self.box.currentIndexChanged.connect(self._show)
        self.names.editingFinished.connect(self.changed)

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self.label, self.box)
        layout.addRow(self.names_label, self.names)

    @property
    def on(self) -> bool:
        """Whether classes are painted."""
        return bool(self.box.currentData() == CLASSES)

    @property
    def given(self) -> tuple[str, ...]:
        """The names that were written."""
        return tuple(filter(None, (name.strip() for name in self.names.text().split(","))))

    def classes(self, highest: int) -> tuple[str, ...]:
        """Return the classes up to a number, as `TrainSettings` has them; none when nuclei are painted."""
        return names_of(self.given, highest) if self.on else ()

    @property
    def mode_title(self) -> str:
        """What the mode is called in which all else is unknown."""
        return _PAINTED if self.on else MODES[PAINTED]

    def hint(self, mode: str) -> str:
        """Say what teaches in a mode of `napari_unet_seg.gui.learning.MODES`; empty when nuclei are painted."""
        return _HINTS[mode] if self.on else ""

    def brush_hint(self, number: int, highest: int) -> str:
        """Say what the brush paints, or with 0 what to do first; empty when nuclei are painted."""
        if not self.on:
            return ""
        return _BRUSH.format(f"{number}, {self.classes(max(number, highest))[number - 1]}") if number else _NO_LABELS

    def _show(self, index: int = 0) -> None:
        for widget in (self.names_label, self.names):
            widget.setVisible(self.on)
        self.changed.emit()

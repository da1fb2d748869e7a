"""A form from a settings dataclass: one row a field, built from its declaration alone.

Qt's editors are used rather than magicgui's, because those for integers can neither say "automatic" for 0 nor carry a unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, TypeVar, get_type_hints

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.area_editor import PIXELS, AreaEditor
from napari_unet_seg.gui.editors import Choice, Number, Whole
from napari_unet_seg.gui.slider import Slide
from napari_unet_seg.settings import Checked, field_docs, field_options

Settings = TypeVar("Settings", bound=Checked)

WORDS_FOR_ZERO = dict.fromkeys(("diameter", "tile", "blend", "learning_rate", "decay", "patch"), "automatic") | {"max_area": "no limit"}
"""What a 0 means, where it is no number."""
WORDS_FOR_CHOICES = {"auto": "Automatic", "bright": "Bright on dark", "dark": "Dark on bright"}
"""How choices are shown, where not as they are."""
EQUAL_IS_AUTOMATIC = (("low", "high"),)
"""Pairs that say "automatic" by being equal."""
_WIDEST = {int: 2**31 - 1, float: 1e12}


@dataclass(frozen=True)
class Row:
    """One field of the form.

    Parameters
    ----------
    label : QLabel or None
        None for a check box, which carries its own text.
    editor : QWidget
    get : callable
        Returns the value.
    set : callable
        Shows a value.
    changed : signal
        Emitted when the value changes.
    """

    label: QLabel | None
    editor: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]
    changed: Any


class SettingsForm(QObject, Generic[Settings]):
    """The rows of a settings dataclass, and what they start from.

    Parameters
    ----------
    settings : type
        A dataclass that derives from `Checked`.
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()

    def __init__(self, settings: type[Settings], parent: QWidget) -> None:
        """Build the rows; `add_rows` places them."""
        super().__init__(parent)
        self._type = settings
        kinds, docs = get_type_hints(settings), field_docs(settings)
        options = {name: given for name, given in field_options(settings).items() if given.get("form", True)}
        self.rows = {name: _make_row(name, kinds[name], options[name], docs.get(name, ""), parent) for name in options}
        self.start = settings()
        self.set_value(self.start)
        for row in self.rows.values():
            row.changed.connect(self._tell)
        self._tell()

    def add_rows(self, layout: QFormLayout, names: Iterable[str]) -> None:
        """Place some rows.

        Parameters
        ----------
        layout : QFormLayout
        names : iterable of str
            Fields, in the order of the rows.
        """
        for name in names:
            row = self.rows[name]
            layout.addRow(row.label, row.editor) if row.label else layout.addRow("", row.editor)

    def set_visible(self, names: Iterable[str], visible: bool) -> None:
        """Show or hide some rows."""
        for name in names:
            row = self.rows[name]
            for widget in (row.label, row.editor):
                if widget is not None:
                    widget.setVisible(visible)

    def value(self) -> Settings:
        """Return what the form says.

        Raises
        ------
        SettingsError
            If two fields contradict each other.
        """
        return self._type(**self._values())

    def set_value(self, settings: Settings) -> None:
        """Show settings."""
        for name, row in self.rows.items():
            row.set(getattr(settings, name))

    def set_start(self, settings: Settings) -> None:
        """Start from other settings, such as those of another model: fields that the user did not change follow.

        Parameters
        ----------
        settings : Checked
            What `reset` returns to from now on.
        """
        old, self.start = self.start, settings
        for name, row in self.rows.items():
            if row.get() == getattr(old, name):
                row.set(getattr(settings, name))
        self.changed.emit()

    def reset(self) -> None:
        """Show again what the form started from."""
        self.set_value(self.start)

    @property
    def is_start(self) -> bool:
        """Whether the form shows what it started from."""
        return all(value == getattr(self.start, name) for name, value in self._values().items())

    def _values(self) -> dict[str, Any]:
        return {name: row.get() for name, row in self.rows.items()}

    def _tell(self) -> None:
        for pair in EQUAL_IS_AUTOMATIC:
            rows = [self.rows[name] for name in pair if name in self.rows]
            equal = len({row.get() for row in rows}) == 1
            for row in rows:
                row.editor.setSuffix(" (automatic)" if equal else "")  # type: ignore[attr-defined]
        self.changed.emit()


def tooltip(text: str) -> str:
    """Return a text as a tooltip that breaks its lines."""
    return f"<p>{escape(text.replace('`', ''), quote=False)}</p>" if text else ""


def name_row(label: QLabel, editor: QWidget, tip: str) -> None:
    """Let a label name an editor, for its key and for screen readers, and let both tell what it is for.

    Parameters
    ----------
    label : QLabel
        With its text.
    editor : QWidget
    tip : str
    """
    label.setBuddy(editor)
    editor.setAccessibleName(label.text())
    for widget in (label, editor):
        widget.setToolTip(tooltip(tip))


def _make_row(name: str, kind: type, options: dict[str, Any], doc: str, parent: QWidget) -> Row:
    title, unit = _title_and_unit(options.get("label", name))
    if "choices" in options:
        row = _choice_row(options["choices"], parent)
    elif kind is bool:
        box = QCheckBox(title, parent)
        row = Row(None, box, box.isChecked, box.setChecked, box.toggled)
    else:
        row = _number_row(kind, name, options, unit, parent)
    label = None if kind is bool else QLabel(title, parent)
    for widget in (label, row.editor):
        if widget is not None:
            widget.setToolTip(tooltip(doc))
    row.editor.setObjectName(name)
    row.editor.setAccessibleName(title)
    if label is not None:
        label.setBuddy(row.editor)
    return Row(label, row.editor, row.get, row.set, row.changed)


def _title_and_unit(label: str) -> tuple[str, str]:
    """Split "Diameter (px)" into what stands before the editor and what stands in it."""
    match = re.fullmatch(r"(.*) \((.+)\)", label)
    return (match[1], f" {match[2]}") if match else (label, "")


def _choice_row(choices: Iterable[str], parent: QWidget) -> Row:
    box = Choice(parent)
    for choice in choices:
        box.addItem(WORDS_FOR_CHOICES.get(choice, choice), choice)
    return Row(None, box, box.currentData, lambda value: box.setCurrentIndex(box.findData(value)), box.currentIndexChanged)


def _number_row(kind: type, name: str, options: dict[str, Any], unit: str, parent: QWidget) -> Row:
    if unit.strip() == PIXELS:
        box: Any = AreaEditor(parent, least=name.startswith("min"))
    else:
        box = Slide(parent) if options.get("slider") else Whole(parent) if kind is int else Number(parent)
    box.setRange(options.get("min", -_WIDEST[kind]), options.get("max", _WIDEST[kind]))
    box.setSingleStep(options.get("step", 1))
    box.setSuffix(unit)
    if name in WORDS_FOR_ZERO and options.get("min") == 0:
        box.setSpecialValueText(WORDS_FOR_ZERO[name])
    return Row(None, box, box.value, box.setValue, box.valueChanged)


def fields_besides(settings: type, names: Iterable[str]) -> list[str]:
    """Return the fields of a dataclass that have a row and are not among `names`, in their order."""
    return [name for name, options in field_options(settings).items() if name not in set(names) and options.get("form", True)]

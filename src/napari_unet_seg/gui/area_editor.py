"""An area, kept in square pixels, and shown in square micrometres if a person likes that better and the size of a pixel is known."""

from __future__ import annotations

import math

from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from napari_unet_seg.gui.editors import Number

PIXELS, MICROMETRES = "px²", "µm²"
_UNIT_WIDTH = 40
_DIGITS = 3
"""Significant digits of an area that was given in the other unit."""
_TIP = "Areas are shown and typed in {}; click for {}."


class AreaEditor(QWidget):
    """A number and its unit.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    least : bool
        Whether it is the least area that is kept, rather than the largest: it decides how a part of a pixel is rounded.
    """

    valueChanged = Signal(int)  # noqa: N815  # named as Qt's own editors name it
    unitChanged = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None, least: bool = True) -> None:
        """Make the editor; it begins with pixels."""
        super().__init__(parent)
        self._least, self._pixels, self._most = least, 0, 0
        self._pixel_area: float | None = None
        self.number, self.unit = Number(self), QPushButton(PIXELS, self)
        self._dress()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number, 1)
        layout.addWidget(self.unit)
        self.number.valueChanged.connect(self._take)
        self.unit.clicked.connect(self._switch)

    def value(self) -> int:
        """Return the area in px2."""
        return self._pixels

    def setValue(self, pixels: int) -> None:  # noqa: N802
        """Show an area that is given in px2."""
        changed, self._pixels = pixels != self._pixels, pixels
        self._show()
        if changed:
            self.valueChanged.emit(pixels)

    def text(self) -> str:
        """Return the number as it is shown."""
        return self.number.text()

    def set_pixel_area(self, area: float | None) -> None:
        """Take the size of a pixel; an area that is shown in square micrometres stays what it is, and means other pixels.

        Parameters
        ----------
        area : float or None
            Square micrometres of a pixel; None when that is not known, and only pixels can be meant.
        """
        if area == self._pixel_area:
            return
        shown = self.number.value()
        self._pixel_area = area
        self.unit.setVisible(area is not None)
        if area is None:
            self._change_unit(PIXELS)
        elif self._physical:
            self._fit()
            self._take(shown)
        else:
            self._show()

    def set_unit(self, unit: str) -> None:
        """Choose the unit, if it can be used."""
        if self._pixel_area is not None and unit != self.unit.text():
            self._change_unit(unit)

    def setRange(self, least: int, most: int) -> None:  # noqa: N802
        """Set the ends, in px2; the lower one is 0."""
        self._most = most
        self._fit()

    def setSingleStep(self, step: int) -> None:  # noqa: N802
        """Set how far an arrow key goes, in either unit."""
        self.number.setSingleStep(step)

    def setSuffix(self, suffix: str) -> None:  # noqa: N802
        """Leave the unit to the list beside the number, or to the number when there is no list."""
        self._show()

    def setSpecialValueText(self, text: str) -> None:  # noqa: N802
        """Set what is shown for 0."""
        self.number.setSpecialValueText(text)

    def setAccessibleName(self, name: str | None) -> None:  # noqa: N802
        """Tell both parts apart for a screen reader."""
        super().setAccessibleName(name)
        self.number.setAccessibleName(name)
        self.unit.setAccessibleName(f"{name}, unit")

    @property
    def _unit_area(self) -> float:
        """Size of a pixel in the unit that is shown."""
        return self._pixel_area if self._pixel_area is not None and self._physical else 1.0

    @property
    def _physical(self) -> bool:
        return self.unit.text() == MICROMETRES

    def _dress(self) -> None:
        self.unit.setFixedWidth(_UNIT_WIDTH)
        self.unit.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.unit.setProperty("kind", "unit")
        self.unit.setToolTip(_TIP.format(PIXELS, MICROMETRES))
        self.unit.hide()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.number)

    def _take(self, shown: float) -> None:
        """Turn what was typed into whole pixels: those of a nucleus that is just not too small, or just not too large."""
        exact = round(shown / self._unit_area, 6)
        pixels = math.ceil(exact) if self._least else max(math.floor(exact), int(shown > 0))
        if pixels != self._pixels:
            self._pixels = pixels
            self.valueChanged.emit(pixels)

    def _show(self) -> None:
        shown = self._pixels * self._unit_area
        if self._physical and shown:
            shown = round(shown, max(0, _DIGITS - 1 - math.floor(math.log10(shown))))
        self.number.blockSignals(True)
        self.number.setSuffix("" if self._pixel_area is not None else f" {PIXELS}")
        self.number.setValue(shown)
        self.number.blockSignals(False)

    def _fit(self) -> None:
        self.number.blockSignals(True)
        self.number.setRange(0, self._most * self._unit_area)
        self.number.blockSignals(False)

    def _switch(self) -> None:
        self._change_unit(PIXELS if self._physical else MICROMETRES)

    def _change_unit(self, unit: str) -> None:
        self.unit.setText(unit)
        self.unit.setToolTip(_TIP.format(unit, PIXELS if self._physical else MICROMETRES))
        self._fit()
        self._show()
        self.unitChanged.emit(unit)


def link_units(first: AreaEditor, second: AreaEditor) -> None:
    """Show two areas in the same unit, whichever of them is switched."""
    first.unitChanged.connect(second.set_unit)
    second.unitChanged.connect(first.set_unit)

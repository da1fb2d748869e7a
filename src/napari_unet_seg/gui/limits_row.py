"""Which intensities become black and white for the network: chosen automatically, those the layer is shown with, or two numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QHBoxLayout, QLabel, QWidget

from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.form import Row, tooltip

if TYPE_CHECKING:
    from napari.layers import Image

AUTOMATIC, CONTRAST, FIXED = "Automatic", "As the layer is shown", "Fixed"
_TIP = (
    "Intensities at or below the lower limit are black for the network, those at or above the upper one are white. Automatic takes nearly "
    "the darkest and nearly the brightest pixel of each plane; “as the layer is shown” takes the contrast limits of the layer, and follows "
    "them; fixed limits make images comparable that were taken alike."
)


class LimitsRow(QObject):
    """The row "Intensity limits" above the two numbers.

    Parameters
    ----------
    low, high : Row
        The rows of the form that hold the limits; equal ones are automatic.
    parent : QWidget
        Owner of the editors.
    """

    def __init__(self, low: Row, high: Row, parent: QWidget) -> None:
        """Begin with what the rows say."""
        super().__init__(parent)
        self._low, self._high = low, high
        self._layer: Image | None = None
        self._used: tuple[float, float] | None = None
        self._setting = False
        self.label, self.mode, self.used = QLabel("Intensity limits", parent), Choice(parent), Hint(parent)
        self.numbers = QWidget(parent)
        self._dress()
        self.mode.currentTextChanged.connect(self._choose)
        for row in (low, high):
            row.changed.connect(self._follow_numbers)
        self._follow_numbers()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self.label, self.mode)
        layout.addRow("", self.numbers)
        layout.addRow("", self.used)

    def set_layer(self, layer: Image | None) -> None:
        """Say which image is segmented: its contrast limits can be taken, unless it is coloured.

        Parameters
        ----------
        layer : napari.layers.Image or None
        """
        if layer is not self._layer:
            if self._layer is not None:
                self._layer.events.contrast_limits.disconnect(self._follow_layer)
            self._layer = layer
            if layer is not None:
                layer.events.contrast_limits.connect(self._follow_layer)
        item = self.mode.model().item(1)  # type: ignore[union-attr]  # a list to choose from has items
        item.setEnabled(layer is not None and not layer.rgb)
        if self.mode.currentText() == CONTRAST and (layer is None or layer.rgb):
            self.mode.setCurrentText(AUTOMATIC)
        self._follow_layer()

    def show_used(self, limits: Iterable[Mapping[str, Any]]) -> None:
        """Show the limits that a run used.

        Parameters
        ----------
        limits : iterable of mapping
            Those of each plane, as the provenance holds them; empty for nothing to show.
        """
        planes = list(limits)
        self.used.setVisible(bool(planes))
        if not planes:
            self._used = None
            return
        lows, highs = ([float(plane[end]) for plane in planes] for end in ("low", "high"))
        self._used = min(lows), max(highs)
        nuclei = " and ".join(sorted({str(plane["polarity"]) for plane in planes}))
        self.used.setText(f"Used: {_span(lows)} to {_span(highs)}, {nuclei} nuclei.")

    def _dress(self) -> None:
        self.mode.addItems([AUTOMATIC, CONTRAST, FIXED])
        self.mode.setAccessibleName("Intensity limits")
        self.label.setBuddy(self.mode)
        for widget in (self.label, self.mode):
            widget.setToolTip(tooltip(_TIP))
        layout = QHBoxLayout(self.numbers)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._low.editor, 1)
        layout.addWidget(QLabel("to", self.numbers))
        layout.addWidget(self._high.editor, 1)
        self.used.hide()
        for row in (self._low, self._high):
            row.editor.setProperty("kind", "narrow")
            row.editor.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)  # type: ignore[attr-defined]  # all room for the digits
            row.editor.setKeyboardTracking(False)  # type: ignore[attr-defined]  # half a number is no limit
            if row.label is not None:
                row.label.hide()  # "Intensity limits" stands for both

    def _choose(self, mode: str) -> None:
        if mode == AUTOMATIC:
            self._set_numbers(0.0, 0.0)
        elif mode == CONTRAST:
            self._follow_layer()
        elif self._low.get() == self._high.get():
            self._set_numbers(*(self._used or self._shown() or (0.0, 1.0)))
        self._show_numbers()

    def _follow_layer(self, event: object = None) -> None:
        shown = self._shown() if isalive(self.mode) else None  # type: ignore[no-untyped-call]  # the layer may outlive the window
        if shown is not None and self.mode.currentText() == CONTRAST:
            self._set_numbers(*shown)

    def _shown(self) -> tuple[float, float] | None:
        """Return the contrast limits of the layer."""
        if self._layer is None or self._layer.rgb:
            return None
        low, high = self._layer.contrast_limits
        return float(low), float(high)

    def _set_numbers(self, low: float, high: float) -> None:
        self._setting = True
        self._low.set(low)
        self._high.set(high)
        self._setting = False

    def _follow_numbers(self) -> None:
        """Follow what somebody else sets, such as the settings of a model."""
        if not self._setting:
            self.mode.blockSignals(True)
            self.mode.setCurrentText(self._mode_of(self._low.get(), self._high.get()))
            self.mode.blockSignals(False)
        self._show_numbers()

    def _mode_of(self, low: float, high: float) -> str:
        known = self.mode.currentText()
        if low == high and (low == 0 or known != FIXED):
            return AUTOMATIC
        return CONTRAST if known == CONTRAST and (low, high) == self._shown() else FIXED

    def _show_numbers(self) -> None:
        mode = self.mode.currentText()
        self.numbers.setVisible(mode != AUTOMATIC)
        self.numbers.setEnabled(mode == FIXED)


def _span(values: list[float]) -> str:
    """Write the one value, or the least and the largest of several."""
    least, most = (f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}" for value in (min(values), max(values)))
    return least if least == most else f"{least}–{most}"

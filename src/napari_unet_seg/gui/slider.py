"""A number that can be dragged as well as typed, for settings whose effect is seen at once."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QWidget

from napari_unet_seg.gui.editors import Number, StillUnlessFocused

_NUMBER_WIDTH = 84
"""Of the number, in pixels: the rest of the row is for dragging."""
_LEAST_WIDTH = 50


class Slide(QWidget):
    """A slider, and beside it the exact number.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    valueChanged = Signal(float)  # noqa: N815  # named as Qt's own editors name it

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make the editor."""
        super().__init__(parent)
        self.slider, self.number = _Drag(self), Number(self)
        self.number.setFixedWidth(_NUMBER_WIDTH)
        self.number.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.slider.setMinimumWidth(_LEAST_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.slider)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        self.slider.valueChanged.connect(self._take_slider)
        self.number.valueChanged.connect(self._take_number)

    def value(self) -> float:
        """Return the number."""
        return self.number.value()

    def setValue(self, value: float) -> None:  # noqa: N802
        """Show a number, which need not be one of the slider's steps."""
        self.number.setValue(value)

    def text(self) -> str:
        """Return the number as it is shown."""
        return self.number.text()

    def setRange(self, least: float, most: float) -> None:  # noqa: N802
        """Set the ends of the slider."""
        self.number.setRange(least, most)
        self._scale()

    def setSingleStep(self, step: float) -> None:  # noqa: N802
        """Set how far an arrow key goes."""
        self.number.setSingleStep(step)
        self._scale()

    def setSuffix(self, suffix: str) -> None:  # noqa: N802
        """Set the unit."""
        self.number.setSuffix(suffix)

    def setAccessibleName(self, name: str | None) -> None:  # noqa: N802
        """Tell both parts apart for a screen reader."""
        super().setAccessibleName(name)
        self.slider.setAccessibleName(f"{name}, slider")
        self.number.setAccessibleName(name)

    def _scale(self) -> None:
        number = self.number
        steps = max(1, round((number.maximum() - number.minimum()) / number.singleStep()))
        self.slider.blockSignals(True)
        self.slider.setRange(0, steps)
        self.slider.setPageStep(max(1, steps // 10))
        self.slider.blockSignals(False)
        self._show()

    def _show(self) -> None:
        """Put the slider where the number is, without rounding the number to it."""
        number = self.number
        self.slider.blockSignals(True)
        self.slider.setValue(round((number.value() - number.minimum()) / number.singleStep()))
        self.slider.blockSignals(False)

    def _take_slider(self, position: int) -> None:
        number = self.number
        number.setValue(min(round(number.minimum() + position * number.singleStep(), 9), number.maximum()))

    def _take_number(self, value: float) -> None:
        self._show()
        self.valueChanged.emit(value)


class _Drag(StillUnlessFocused, QSlider):
    """What is dragged."""

    def __init__(self, parent: QWidget) -> None:
        """Lie from left to right."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

"""Qt's own editors and labels, made to suit a narrow, scrolled panel: nothing changes by accident or grows with what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QLocale, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

_DIGITS = 9
_ANY_HEIGHT = 10_000
_USUAL_WIDTH, _LEAST_WIDTH = 320, 100
"""In pixels: of the panel, and of one editor, whatever it shows."""
if TYPE_CHECKING:
    from qtpy.QtGui import QFocusEvent, QPaintEvent, QResizeEvent, QShowEvent, QWheelEvent

    _Widget = QWidget
    _SpinBox = QAbstractSpinBox
else:  # Qt's own class comes second in those that inherit from both
    _Widget = _SpinBox = object


def _shrinkable(editor: QWidget) -> None:
    """Let an editor take the width that there is, rather than that of its longest text."""
    editor.setMinimumWidth(_LEAST_WIDTH)
    editor.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)


class Choice(QComboBox):
    """A list to choose from; a long text is elided in the middle, since names of files differ at both ends.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty list."""
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        _shrinkable(self)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the present text as far as there is room."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        if style is None:
            return
        if self.currentIndex() < 0:
            option.currentText = self.placeholderText()
        room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self)
        option.currentText = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideMiddle, room.width() - 4)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Scroll the panel rather than the choice."""
        if event is not None:
            event.ignore()


class StillUnlessFocused(_Widget):
    """An editor that the wheel changes only when it has the focus, else the panel is scrolled; named before Qt's own class."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Change the number only when it has the focus; else scroll the panel."""
        if self.hasFocus():
            super().wheelEvent(event)
        elif event is not None:
            event.ignore()


class _Calm(StillUnlessFocused, _SpinBox):
    """What both kinds of number share."""

    def _dress(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)  # as napari's own, whose buttons are on both sides
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        _shrinkable(self)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Select what is there, so that typing replaces it, words such as "automatic" too."""
        super().focusInEvent(event)
        QTimer.singleShot(0, self.selectAll)  # after the click that gave the focus has placed its cursor


class Whole(_Calm, QSpinBox):
    """A whole number.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make the editor."""
        super().__init__(parent)
        self._dress()


class Number(_Calm, QDoubleSpinBox):
    """A real number, kept to nine decimals; zeros at its end are shown only as far as its step goes.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make the editor."""
        super().__init__(parent)
        self._dress()
        self.setDecimals(_DIGITS)

    def setSuffix(self, suffix: str | None) -> None:  # noqa: N802
        """Set the unit; Qt would have the panel laid out anew for the same one too."""
        if suffix != self.suffix():
            super().setSuffix(suffix)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Write a number, 0.5 with a step of 0.01 as "0.50"."""
        locale = self.locale()
        locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
        whole, point, decimals = locale.toString(value, "f", _DIGITS).partition(locale.decimalPoint())
        step = self.singleStep()
        wanted = 0 if step >= 1 else len(f"{step:g}".partition(".")[2])
        decimals = decimals.rstrip("0").ljust(wanted, "0")
        return whole + point + decimals if decimals else whole


class Hint(QLabel):
    """A small text that takes exactly the lines it needs; Qt itself reserves more for a text that wraps.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self.setWordWrap(True)
        self.setIndent(0)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("kind", "hint")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.fontMetrics().height())

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Show a text."""
        super().setText(text)
        if self.isVisible():  # before, its width is not known
            self._fit()

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Say no, for a form keeps the height that it was first told."""
        return False

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Break the lines anew: the text may be another than when it was last seen, at the same width."""
        super().showEvent(event)
        QTimer.singleShot(0, self._fit)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Break the lines anew, once the layout is done, which would not notice a change while it is at work."""
        super().resizeEvent(event)
        QTimer.singleShot(0, self._fit)

    def _fit(self) -> None:
        # Not `heightForWidth`, which takes a style sheet's padding off twice and then asks for a line too much.
        inside = self.contentsRect()
        wrapped = self.fontMetrics().boundingRect(0, 0, inside.width(), _ANY_HEIGHT, Qt.TextFlag.TextWordWrap, self.text())
        self.setFixedHeight(wrapped.height() + self.height() - inside.height())


class Panel(QScrollArea):
    """A scrolled area that is as high as its content where there is room, and scrolls where there is not.

    Parameters
    ----------
    content : QLayout
        What is in it.
    """

    def __init__(self, content: QLayout) -> None:
        """Take over the content."""
        super().__init__()
        self._told: tuple[QSize, QSize] | None = None
        self._inner = QWidget()
        self._inner.setObjectName("rows")
        self._inner.setLayout(content)
        self._inner.installEventFilter(self)
        self.setWidget(self._inner)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the height of the content, at a width at which most names can be read."""
        return QSize(max(_USUAL_WIDTH, self._inner.minimumSizeHint().width()), self._inner.sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the width that the content needs beside a scroll bar."""
        bar = self.verticalScrollBar()
        return QSize(self._inner.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0), super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ask for another height when rows are folded or wrap."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._ask()
        return super().eventFilter(watched, event)

    def _ask(self) -> None:
        """Hand on what another size is needed for, and nothing else: all of the window would be laid out."""
        needed = (self.sizeHint(), self.minimumSizeHint())
        if needed != self._told:
            self._told = needed
            self.updateGeometry()

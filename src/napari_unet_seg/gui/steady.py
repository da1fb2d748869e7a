"""A part of a dock whose texts may change many times a second without the window being laid out anew each time."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QLayout, QSizePolicy, QWidget

_UNKNOWN = (-1, False)


class Steady(QWidget):
    """Holds a layout, and asks what is around it for another size only when it needs one.

    Qt hands each change of a label, even of one digit, on from layout to layout up to the window, which is then laid out and put together
    anew two or three times, canvas and all: as long as it takes to decode a plane, where a processor draws.

    Parameters
    ----------
    content : QLayout
        What is in it.
    parent : QWidget
        Its owner.
    """

    def __init__(self, content: QLayout, parent: QWidget | None = None) -> None:
        """Take over the content."""
        super().__init__(parent)
        self._inner = QWidget(self)
        self._inner.setLayout(content)
        self._told = _UNKNOWN
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return what the content would like."""
        return self._inner.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return what the content needs."""
        return self._inner.minimumSizeHint()

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Return the height of the content at some width."""
        return self._inner.heightForWidth(width) if self._inner.hasHeightForWidth() else self._inner.sizeHint().height()

    def event(self, event: QEvent | None) -> bool:
        """Follow the content, and what is around: Qt asks for a layout here, since this has none."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.LayoutRequest:
            self._ask()
        elif kind == QEvent.Type.Resize:
            self._inner.setGeometry(self.rect())
            self._ask()
        elif kind == QEvent.Type.Show:  # what changed while it was hidden was not told
            self._told = _UNKNOWN
            self._ask()
        return super().event(event)

    def _ask(self) -> None:
        needed = (self.heightForWidth(self.width()), self.minimumSizeHint().width() > self.width())
        if needed != self._told:
            self._told = needed
            self.updateGeometry()

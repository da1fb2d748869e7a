"""What every dock of ours does: it follows napari's theme, tells of errors, and lets go of everything when it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.theme import style_sheet
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from napari import Viewer


class Dock(QWidget):
    """The base of the docks."""

    _viewer: Viewer

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow napari's theme, which comes as another style of the window; end what goes on when the dock is closed."""
        super().changeEvent(event)
        kind = None if event is None else event.type()
        if kind == QEvent.Type.StyleChange:
            self._paint()
        elif kind == QEvent.Type.ParentChange and self.parent() is None:
            self._close()

    def _paint(self) -> None:
        sheet = style_sheet(self._viewer.theme)
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)
            self._paint_plots(self._viewer.theme)

    def _paint_plots(self, theme: str) -> None:
        """Give the theme's colours to what takes them from no style sheet."""

    def _close(self) -> None:
        """End what goes on, and let go of the viewer."""

    def _notify(self, error: BaseException) -> None:
        """Let napari tell of an error, too, if it is not one of ours, or nobody sees the dock."""
        if not isinstance(error, UnetSegError) or not self.isVisible():
            show_error(explain(error))

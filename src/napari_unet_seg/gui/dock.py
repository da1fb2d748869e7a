"""What every dock of ours does: it follows napari's theme, tells of errors, and lets go of everything when it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.theme import style_sheet
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QShowEvent
    from qtpy.QtWidgets import QPushButton

    from napari_unet_seg.gui.job import Job
    from napari_unet_seg.gui.status import Activity, StatusPanel
    from napari_unet_seg.progress import Progress

Around = TypeVar("Around", bound=QWidget)


class Dock(QWidget):
    """The base of the docks."""

    _viewer: Viewer
    _placed = False
    _height = 0
    """Of the window, in pixels, before the dock came into it."""

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Join the other docks of ours as a tab when the dock is seen first; whoever takes them apart has them apart."""
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            QTimer.singleShot(0, self._join_others)  # once napari has placed it

    def come_to_front(self) -> None:
        """Show the dock before the others of the same tabs."""
        dock = _around(self, QDockWidget)
        if dock is not None:
            dock.show()
            dock.raise_()

    def _join_others(self) -> None:
        """Lie behind or before the docks of ours at the same side: below one another, they would need more than a small screen's height."""
        dock = _around(self, QDockWidget)
        window = _around(dock, QMainWindow)
        if dock is None or window is None:
            return
        dock.visibilityChanged.connect(self._come_to_front)
        if dock.isFloating():
            return
        side = window.dockWidgetArea(dock)
        for other in window.findChildren(QDockWidget):
            there = other is not dock and not other.isFloating() and window.dockWidgetArea(other) == side  # a hidden one may come back
            if there and other.findChild(Dock) is not None:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                self._shrink(window)
                return

    def _shrink(self, window: QMainWindow) -> None:
        """Give the window its height back: for a moment all docks lay below one another, and it may have grown beyond the screen."""
        layout = window.layout()
        if layout is not None and 0 < self._height < window.height() and not window.isMaximized() and not window.isFullScreen():
            layout.activate()
            window.resize(window.width(), self._height)

    def _come_to_front(self, front: bool) -> None:
        """Do what there is to do when the dock comes to the front of the tabs, or goes behind another one; Qt hides none of them."""

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow napari's theme, which comes as another style of the window; end what goes on when the dock is closed."""
        super().changeEvent(event)
        kind = None if event is None else event.type()
        if kind == QEvent.Type.StyleChange:
            self._paint()
        elif kind == QEvent.Type.ParentChange and self.parent() is None:
            self._close()
        elif kind == QEvent.Type.ParentChange and not self._placed:
            self._height = self._viewer.window.geometry()[3]

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


class WorkingDock(Dock):
    """The base of the docks with a button that starts something long, and one that ends it; both stand beside `status`."""

    job: Job
    status: StatusPanel
    cancel_button: QPushButton
    _activity: Activity

    def cancel(self) -> None:
        """End what goes on after its present step."""
        self.job.cancel()
        self.status.show_cancelling()
        self.cancel_button.setEnabled(False)

    def _show_progress(self, step: Progress) -> None:
        """Show how far it is, in the dock and in napari's bar; once it was cancelled, the dock says so instead."""
        if self.cancel_button.isEnabled():
            self.status.show_progress(step)
        self._activity.show_progress(step)

    def _close(self) -> None:
        self.job.cancel()
        self._activity.close()


def _around(widget: QWidget | None, kind: type[Around]) -> Around | None:
    """Return the nearest widget of a kind that holds another one."""
    parent = None if widget is None else widget.parentWidget()
    while parent is not None and not isinstance(parent, kind):
        parent = parent.parentWidget()
    return parent

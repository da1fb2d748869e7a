"""The dock "Models", and the window of the same content that the row "Model" opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from napari_unet_seg.gui.dock import Dock
from napari_unet_seg.gui.engine_picker import EnginePicker
from napari_unet_seg.gui.models_panel import ModelsPanel
from napari_unet_seg.gui.open_image import window_of

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QShowEvent

_WIDTH, _HEIGHT = 460, 460


class ModelsWidget(Dock):
    """Lists the models, and imports, renames, deletes and exports them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose docks learn of changes.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the dock; it looks for models when it is first seen."""
        super().__init__()
        self._viewer = napari_viewer
        self.panel = ModelsPanel(self)
        self.panel.changed.connect(self._pass_on)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.panel)
        self._paint()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for models whenever the dock comes into view."""
        super().showEvent(event)
        self.panel.refresh()

    def _close(self) -> None:
        self.panel.close_jobs()

    def _pass_on(self, before: str, now: str) -> None:
        tell_pickers(window_of(self._viewer), before, now)


class ModelsWindow(QDialog):
    """The same as a window beside a dock.

    Parameters
    ----------
    parent : QWidget
        The dock that asks, whose look it takes over.
    chosen : str
        The model that is shown first.
    """

    def __init__(self, parent: QWidget, chosen: str = "") -> None:
        """Build the window, and begin to look."""
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.panel = ModelsPanel(self)
        self.panel.changed.connect(self._pass_on)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.addWidget(self.panel)
        self.resize(_WIDTH, _HEIGHT)
        self.panel.choose(chosen)
        self.panel.refresh()

    def _pass_on(self, before: str, now: str) -> None:
        tell_pickers(cast("QWidget", self.parent()).window(), before, now)


def tell_pickers(window: QWidget | None, before: str, now: str) -> None:
    """Let every row "Model" of a window know that a model was added, renamed or deleted.

    Parameters
    ----------
    window : QWidget or None
    before, now : str
        Names of the model; one of them may be empty.
    """
    for picker in [] if window is None else window.findChildren(EnginePicker):
        if before and now and picker.model == before:
            picker.choose(now)
        picker.refresh()

"""One row that offers the layers of a viewer of one kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip

if TYPE_CHECKING:
    from napari import Viewer

TEMPORARY_KEY = "napari_unet_seg_temporary"
"""Metadata of layers that show something for a while, and are not offered anywhere."""

Test = Callable[[Any], bool]


class LayerChoice(QObject):
    """A list of layers; what is chosen stays chosen as long as it is there, whatever is active in the layer list.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget
        Owner of the editor.
    words : tuple of str
        Title and tooltip; and what is shown when no layer is chosen.
    accepts : callable
        Whether a layer is offered.
    prefers : callable, optional
        Whether a layer is chosen by itself; without it, none is.
    """

    changed = Signal()
    """Another layer was chosen."""

    def __init__(self, viewer: Viewer, parent: QWidget, words: tuple[str, str, str], accepts: Test, prefers: Test | None = None) -> None:
        """Make the editor and follow the layers."""
        super().__init__(parent)
        self._viewer, self._accepts, self._prefers = viewer, accepts, prefers
        self._layers: list[Any] = []
        self._told: Any = None
        title, tip, self._nothing = words
        self.label, self.box = QLabel(title, parent), Choice(parent)
        self.label.setBuddy(self.box)
        self.box.setAccessibleName(title)
        for widget in (self.label, self.box):
            widget.setToolTip(tooltip(tip))
        self.box.currentIndexChanged.connect(self._tell)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            emitter.connect(self.refresh)
        self.refresh()

    @property
    def layer(self) -> Any:
        """The chosen layer; None when there is none."""
        index = self.box.currentIndex() - 1
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Any) -> None:
        """Choose a layer; None for none."""
        self.box.setCurrentIndex(1 + self._layers.index(layer) if layer in self._layers else 0)

    def refresh(self, event: object = None) -> None:
        """Offer the layers that there are, topmost first as in the layer list."""
        if not isalive(self.box):  # type: ignore[no-untyped-call]  # the viewer may outlive the window
            return
        chosen = self.layer
        layers = [layer for layer in reversed(list(self._viewer.layers)) if TEMPORARY_KEY not in layer.metadata]
        self._layers = [layer for layer in layers if self._accepts(layer)]
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([self._nothing, *(layer.name for layer in self._layers)])
        self.box.blockSignals(False)
        fallback = next((layer for layer in self._layers if self._prefers(layer)), None) if self._prefers else None
        self.choose(chosen if chosen in self._layers else fallback)
        self._tell()

    def _tell(self, index: int = 0) -> None:
        if self.layer != self._told:  # not "is": napari hands plugins a new proxy each time
            self._told = self.layer
            self.changed.emit()

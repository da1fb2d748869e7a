"""Which labels layer is corrected: a row that follows the viewer's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY

if TYPE_CHECKING:
    from napari import Viewer

NO_LABELS = "There is nothing to correct yet: segment an image, or open labels."
_TIP = "The labels to correct: a result of this plugin, or any other labels."
_READ_ONLY = "These labels are not kept in memory, so napari cannot edit them. “Correct here” opens the part in view as a layer of its own."
_LOCKED = "This layer is locked; unlock it in the layer list to correct it."


def why_not(layer: Labels) -> str:
    """Say why a layer cannot be corrected.

    Parameters
    ----------
    layer : napari.layers.Labels

    Returns
    -------
    str
        Empty when it can.
    """
    if needs_crop(layer):
        return _READ_ONLY
    locked = getattr(layer, "locked", False) or not layer.editable  # napari before 0.9 locks no layers
    return _LOCKED if locked or not layer.data.flags.writeable else ""


def needs_crop(layer: Labels) -> bool:
    """Say whether a layer can only be corrected part by part: a pyramid, or pixels that are not in memory."""
    return bool(layer.multiscale) or not isinstance(layer.data, np.ndarray)


class LabelsPicker(QObject):
    """The row "Labels".

    Parameters
    ----------
    viewer : napari.Viewer
        Its labels layers are offered; one that is made active in the list is chosen.
    parent : QWidget
        Owner of the editor.
    """

    changed = Signal()
    """Another layer was chosen."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the editor and follow the layers."""
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Labels] = []
        self._told: Labels | None = None
        self.box, self.label = Choice(parent), QLabel("Labels", parent)
        self.box.setPlaceholderText("no labels")
        self.box.setAccessibleName("Labels")
        self.label.setBuddy(self.box)
        for widget in (self.box, self.label):
            widget.setToolTip(tooltip(_TIP))
        self.box.currentIndexChanged.connect(self._tell)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            emitter.connect(self.refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self.refresh()
        self._follow()

    def add_row(self, layout: QFormLayout) -> None:
        """Place the row in a form."""
        layout.addRow(self.label, self.box)

    @property
    def layer(self) -> Labels | None:
        """The chosen layer; None when there is none."""
        index = self.box.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def refresh(self, event: object = None) -> None:
        """Offer the labels layers that there are, topmost first as in the layer list."""
        if not self._alive:
            return
        chosen = self.layer
        labels = [layer for layer in reversed(list(self._viewer.layers)) if isinstance(layer, Labels)]
        self._layers = [layer for layer in labels if TEMPORARY_KEY not in layer.metadata]
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([layer.name for layer in self._layers])
        self.box.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else min(0, len(self._layers) - 1))
        self.box.blockSignals(False)
        self._tell()

    @property
    def _alive(self) -> bool:
        return bool(isalive(self.box))  # type: ignore[no-untyped-call]  # the viewer may outlive the window

    def _follow(self, event: object = None) -> None:
        active = self._viewer.layers.selection.active
        if self._alive and active in self._layers:
            self.box.setCurrentIndex(self._layers.index(active))

    def _tell(self, index: int = 0) -> None:
        if self.layer != self._told:  # not "is": napari hands plugins a new proxy each time
            self._told = self.layer
            self.changed.emit()

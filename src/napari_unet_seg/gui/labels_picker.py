"""Which labels layer is corrected: a row that follows the viewer's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_unet_seg.gui.layer_choice import LayerList, is_labels

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from qtpy.QtWidgets import QFormLayout, QWidget

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


class LabelsPicker(LayerList):
    """The row "Labels".

    Parameters
    ----------
    viewer : napari.Viewer
        Its labels layers are offered; one that is made active in the list is chosen.
    parent : QWidget
        Owner of the editor.
    """

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the editor and follow the layers."""
        super().__init__(viewer, parent, ("Labels", _TIP, "no labels"), is_labels)
        viewer.layers.selection.events.active.connect(self._follow)
        self._follow()

    def add_row(self, layout: QFormLayout) -> None:
        """Place the row in a form."""
        layout.addRow(self.label, self.box)

    def _follow(self, event: object = None) -> None:
        if self.alive:
            self.choose(self._viewer.layers.selection.active)

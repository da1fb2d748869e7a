"""What of a stack is segmented: each slice by itself, or the maximum projection. A row that is there for stacks alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.layers import stack_dimension
from napari_unet_seg.settings import STACKS

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel

_TITLES = {"planes": "One by one", "maximum": "Max projection"}
_TIP = (
    "A nucleus that shows in several slices has an outline in each of them. The maximum projection takes the brightest value along the "
    "slices first, so that each nucleus is outlined once; it suits fluorescence whose nuclei do not lie above one another. Times are "
    "always segmented one by one."
)


class StackPicker(QObject):
    """The row "Slices".

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        """Make the row; hidden until there is a stack."""
        super().__init__(parent)
        self.label, self.box = QLabel("Slices", parent), Choice(parent)
        for name in STACKS:
            self.box.addItem(_TITLES[name], name)
        self.label.setBuddy(self.box)
        self.box.setAccessibleName("Slices")
        for widget in (self.label, self.box):
            widget.setToolTip(tooltip(_TIP))
            widget.hide()
        self._there = False
        self.box.currentIndexChanged.connect(self._tell)

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the row in a form."""
        layout.addRow(self.label, self.box)

    @property
    def value(self) -> str:
        """The setting `stack`: "planes" where there are no slices."""
        return str(self.box.currentData()) if self._there else STACKS[0]

    def set_layer(self, layer: Image | None, channel: Channel | None) -> None:
        """Show the row if the image has slices.

        Parameters
        ----------
        layer : napari.layers.Image or None
        channel : Channel or None
            The dimension of the channels is none of slices.
        """
        self._there = layer is not None and stack_dimension(layer, channel) is not None
        for widget in (self.label, self.box):
            widget.setVisible(self._there)

    def _tell(self, index: int = 0) -> None:
        self.changed.emit()

"""The shape of a network that starts from nothing: rows of the training dock."""

from __future__ import annotations

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.editors import Choice, Whole
from napari_unet_seg.gui.form import name_row
from napari_unet_seg.settings import ARCHITECTURES, NetworkSettings, field_docs, field_options

WORDS = {"unet": "U-Net", "residual": "Residual U-Net", "attention": "Attention U-Net", "residual-attention": "Residual attention U-Net"}
_TIP = (
    "The kind of network. The plain U-Net is the fastest, and as good on most images. Residual blocks learn deep and wide networks more "
    "easily; attention lets the network weigh which details to pass on."
)


class NetworkRows(QObject):
    """Kind, width, depth and stride of a network.

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    def __init__(self, parent: QWidget) -> None:
        """Start with the usual network."""
        super().__init__(parent)
        self.architecture = Choice(parent)
        self.width, self.depth, self.stride = (Whole(parent) for _ in range(3))
        for name in ARCHITECTURES:
            self.architecture.addItem(WORDS[name], name)
        usual, docs, options = NetworkSettings(), field_docs(NetworkSettings), field_options(NetworkSettings)
        for name, box in (("width", self.width), ("depth", self.depth), ("stride", self.stride)):
            box.setRange(options[name]["min"], options[name]["max"])
            box.setValue(getattr(usual, name))
        rows = (
            ("Network", self.architecture, _TIP),
            ("Width", self.width, docs.get("width", "")),
            ("Depth", self.depth, docs.get("depth", "")),
            ("Stride", self.stride, docs.get("stride", "")),
        )
        self.rows: list[tuple[QLabel, QWidget]] = [_row(title, editor, tip, parent) for title, editor, tip in rows]

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        for label, editor in self.rows:
            layout.addRow(label, editor)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the rows."""
        for row in self.rows:
            for widget in row:
                widget.setVisible(visible)

    def value(self) -> NetworkSettings:
        """Return the shape."""
        shape = {"width": self.width.value(), "depth": self.depth.value(), "stride": self.stride.value()}
        return NetworkSettings.of(self.architecture.currentData(), **shape)


def _row(title: str, editor: QWidget, tip: str, parent: QWidget) -> tuple[QLabel, QWidget]:
    label = QLabel(title, parent)
    name_row(label, editor, tip)
    return label, editor

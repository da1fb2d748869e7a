"""Which image, and which of its channels: rows that follow the viewer's layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.layer_choice import LayerList
from napari_unet_seg.gui.layers import Channel, describe, layer_axes, layer_channels
from napari_unet_seg.io.channels import is_nuclear_name
from napari_unet_seg.io.napari_reader import FILE_KEY

if TYPE_CHECKING:
    from napari import Viewer

NO_IMAGE = "Open an image to begin: drop a file onto the window, or take one from File › Open Sample."
_IMAGE_TIP = "The image whose nuclei are outlined. It is never changed."
_CHANNEL_TIP = (
    "The channel that shows the nuclei, such as DAPI or Hoechst. If the images along this axis are no channels but planes of a stack or "
    "a series, choose “each plane”: they are then segmented one by one."
)
EACH_PLANE = "none: segment each plane"
THIS_LAYER = "this layer"
EVERY = "all {}, one after the other"
UNNAMED = "Are these {} images channels? The file does not say: then choose the one that shows nuclei."


class _Images(LayerList):
    """The list of images, which moves on to one that was just opened, if it is the one to segment."""

    def _pick(self, chosen: Image | None, come: list[Image]) -> Image | None:
        if chosen is not None and come and _outranks(come[0].name, chosen.name):
            return come[0]
        return chosen if chosen in self.layers else self._preferred()

    def _preferred(self) -> Image | None:
        """Return the layer that is active in the list, else the topmost; of the channels of a file, the one that shows nuclei."""
        if not self.layers:
            return None
        active = self._viewer.layers.selection.active
        first: Image = active if active in self.layers else self.layers[0]
        alike = [] if is_nuclear_name(first.name) else siblings(self.layers, first)
        return next((one for one in alike if is_nuclear_name(one.name)), first)


class ImagePicker(QObject):
    """The rows "Image" and "Channel".

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered; one that is chosen stays chosen as long as it is there.
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the editors and follow the layers."""
        super().__init__(parent)
        self._viewer = viewer
        self._alike = 0
        self._channels: list[Channel | None] = []
        self._every: list[tuple[Image, Channel | None]] = []
        self._watched: Image | None = None
        self.images = _Images(viewer, parent, ("Image", _IMAGE_TIP, "no image open"), lambda layer: isinstance(layer, Image))
        self.image_box, self.image_label = self.images.box, self.images.label
        self.channel_box, self.channel_label = Choice(parent), QLabel("Channel", parent)
        self.about, self.channel_hint = Hint(parent), Hint(parent)
        self._dress()
        self.images.changed.connect(self._show_layer)
        self.images.offered.connect(self._look_again)
        self.channel_box.currentIndexChanged.connect(self._tell)
        self._look_again()
        self._show_layer()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self.image_label, self.image_box)
        layout.addRow("", self.about)
        layout.addRow(self.channel_label, self.channel_box)
        layout.addRow("", self.channel_hint)

    @property
    def layer(self) -> Image | None:
        """The chosen layer; None when there is none."""
        layer: Image | None = self.images.layer
        return layer

    @property
    def channel(self) -> Channel | None:
        """The chosen channel; None when each plane is segmented."""
        index = self.channel_box.currentIndex()
        return self._channels[index] if 0 <= index < len(self._channels) else None

    @property
    def every(self) -> list[tuple[Image, Channel | None]]:
        """The layers and channels that are segmented one after the other; empty when one alone is chosen."""
        return list(self._every) if self.channel_box.currentIndex() >= len(self._channels) > 0 else []

    @property
    def _alive(self) -> bool:
        return self.images.alive

    def choose(self, layer: Image) -> None:
        """Choose a layer, if it is offered."""
        self.images.choose(layer)

    def _look_again(self) -> None:
        """Name the layers in the list, and show the channels again if those of the same file have become more or fewer."""
        for index, layer in enumerate(self.images.layers):
            self.image_box.setItemData(index, layer.name, Qt.ItemDataRole.ToolTipRole)
        self._name_layer()
        alike = len(siblings(self.images.layers, self.layer))
        if alike != self._alike:
            self._show_layer()

    def _name_layer(self) -> None:
        self.image_box.setToolTip(tooltip(NO_IMAGE if self.layer is None else f"{self.layer.name}: {_IMAGE_TIP}"))

    def _dress(self) -> None:
        self.channel_box.setAccessibleName("Channel")
        self.channel_label.setBuddy(self.channel_box)
        for widget in (self.channel_label, self.channel_box):
            widget.setToolTip(tooltip(_CHANNEL_TIP))

    def _show_layer(self, event: object = None) -> None:
        if not self._alive:
            return
        layer = self.layer
        self._watch(layer)
        self._describe()
        self._name_layer()
        self._show_channels(layer)
        self.changed.emit()

    def _watch(self, layer: Image | None) -> None:
        """Follow the chosen layer, whose data, dimensions or scale may change."""
        if self._watched is not None:
            for emitter, slot in self._slots(self._watched):
                emitter.disconnect(slot)
        self._watched = layer
        if layer is not None:
            for emitter, slot in self._slots(layer):
                emitter.connect(slot)

    def _slots(self, layer: Image) -> list[tuple[Any, Callable[..., None]]]:
        events = layer.events
        return [
            (events.data, self._show_layer),
            (events.axis_labels, self._show_layer),
            (events.scale, self._follow_scale),
            (events.units, self._follow_scale),
        ]

    def _follow_scale(self, event: object = None) -> None:
        if self._alive:
            self._describe()
            self.changed.emit()

    def _describe(self, event: object = None) -> None:
        if self._alive:
            self.about.setText(NO_IMAGE if self.layer is None else describe(self.layer))

    def _show_channels(self, layer: Image | None) -> None:
        found = [] if layer is None else layer_channels(layer)
        named = layer is not None and "C" in layer_axes(layer)
        self._channels = [*([] if named or not found else [None]), *found]
        titles = [EACH_PLANE if channel is None else channel.title for channel in self._channels]
        alike = siblings(self.images.layers, layer)
        self._alike = len(alike)
        self._every = [(one, None) for one in alike] if not found else [(layer, channel) for channel in found if layer is not None]
        if not found and len(alike) > 1:
            self._channels, titles = [None], [THIS_LAYER]
        several = len(self._every) > 1 and len({channel.axis for channel in found}) <= 1
        self.channel_box.blockSignals(True)
        self.channel_box.clear()
        self.channel_box.addItems([*titles, *([EVERY.format(len(self._every))] if several else [])])
        self.channel_box.setCurrentIndex(self._shown_channel(layer, found) if named else 0)
        self.channel_box.blockSignals(False)
        for widget in (self.channel_label, self.channel_box):
            widget.setVisible(self.channel_box.count() > 1)
        self._show_channel_hint()

    def _shown_channel(self, layer: Any, channels: list[Channel]) -> int:
        """Return the channel at which the viewer's slider stands."""
        axis = self._viewer.dims.ndim - layer.ndim + channels[0].axis
        step = self._viewer.dims.current_step
        return min(int(step[axis]), len(channels) - 1) if 0 <= axis < len(step) else 0

    def _show_channel_hint(self) -> None:
        """Ask whether a short axis without a name is channels, as long as nobody said so."""
        unsure = self.layer is not None and self.channel is None and len(self._channels) > 1 and not self.every
        self.channel_hint.setVisible(unsure)
        if unsure:
            count = max(channel.index for channel in self._channels if channel is not None) + 1
            self.channel_hint.setText(UNNAMED.format(count))

    def _tell(self, index: int = 0) -> None:
        self._show_channel_hint()
        self.changed.emit()


def siblings(layers: list[Image], layer: Image | None) -> list[Image]:
    """Return the layers that show channels of the same file, in its order.

    Parameters
    ----------
    layers : list of napari.layers.Image
        Where to look.
    layer : napari.layers.Image or None
        One of the channels.

    Returns
    -------
    list of napari.layers.Image
        With itself; empty for a layer that is no channel of a file.
    """
    record = {} if layer is None else layer.metadata.get(FILE_KEY, {})
    if record.get("channel") is None:
        return []
    records = [(other.metadata.get(FILE_KEY, {}), other) for other in layers]
    alike = [(other["channel"], one) for other, one in records if other.get("path") == record["path"] and other.get("channel") is not None]
    return [one for _, one in sorted(alike, key=lambda pair: pair[0])]


def _outranks(opened: str, chosen: str) -> bool:
    """Say whether an image that was just opened is the one to segment; of the channels of a file, the one that shows nuclei stays."""
    return is_nuclear_name(opened) or not is_nuclear_name(chosen)

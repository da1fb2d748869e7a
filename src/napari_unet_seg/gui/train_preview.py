"""What the network finds by now in the part of the image that is in view: a layer that is there while a training goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.core.axes import as_array, resolve_axes
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.training import Look
from napari_unet_seg.gui.where import shown_index, view_of
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel

EVERY_MS = 2000
"""Shortest time between two pictures."""
SHARE = 4
"""A picture that took a second is followed by a rest of so many, so that most of the time is spent on learning."""
MOST = 768
"""Edge of the largest part that is shown, in pixels; of a larger view, its middle is."""
NAME = "{} (training preview)"
_CONTOUR = 2
"""Outlines leave the nucleus visible, and what is painted on it."""


class TrainPreview(QObject):
    """The layer of the preview, and when it is renewed.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
        Its owner.
    """

    wanted = Signal(object)
    """A `Look` for the training."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        """Start without a layer."""
        super().__init__(parent)
        self._viewer = viewer
        self._image: Image | None = None
        self._channel: Channel | None = None
        self._settings = SegmentSettings()
        self._known: dict[tuple[int, ...], dict[str, SegmentSettings]] = {}
        self._asked: tuple[dict[str, Any], float] | None = None
        self.layer: Labels | None = None
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.timeout.connect(self.ask)

    def start(self, image: Image | None, channel: Channel | None) -> None:
        """Begin to show pictures of an image.

        Parameters
        ----------
        image : napari.layers.Image or None
            Without one there are none.
        channel : Channel or None
            The one that shows nuclei.
        """
        self.stop()
        self._image, self._channel = image, channel
        self._known = {}
        self.timer.start(EVERY_MS)

    def set_settings(self, settings: SegmentSettings) -> None:
        """Set how pictures are segmented from the next training on."""
        self._settings = settings

    def ask(self) -> None:
        """Ask for a picture of what is in view now, unless one is on its way."""
        image = self._image
        if image is None or self._asked is not None or image not in self._viewer.layers:
            return
        try:
            look, place = self._look(image)
        except InputError:  # nothing is in view
            self.timer.start(EVERY_MS)
            return
        self._asked = (place, time.monotonic())
        self.wanted.emit(look)

    def show(self, labels: npt.NDArray[np.int32] | None) -> None:
        """Show a picture that came.

        Parameters
        ----------
        labels : ndarray of int32, shape (Y, X), or None
            None when there is none after all.
        """
        if self._asked is None or self._image is None:
            return
        (place, asked), self._asked = self._asked, None
        self.timer.start(max(EVERY_MS, round(SHARE * 1000 * (time.monotonic() - asked))))
        if labels is not None:
            self._put(labels, place)

    def stop(self) -> None:
        """Take the layer away."""
        self.timer.stop()
        self._image = self._asked = None
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _look(self, image: Image) -> tuple[Look, dict[str, Any]]:
        """Return what to look at, and where that lies in the world."""
        source = read_source(image, self._channel)
        array = as_array(source.data)
        layout = resolve_axes(array, source.axes, source.channel)
        shown = dict(zip(source.axes, shown_index(self._viewer, image), strict=False))
        index = tuple(shown[axis] for axis in layout.labels_axes[:-2])
        box = _middle(np.asarray(view_of(self._viewer, image)[0]), layout.labels_shape[-2:])
        look = Look(layout.plane(array, index), box, self._settings, self._known.setdefault(index, {}))
        return look, _shifted(source.placement, (*index, box[0].start, box[1].start), source.singles)

    def _put(self, labels: npt.NDArray[np.int32], place: dict[str, Any]) -> None:
        data = labels.reshape((1,) * (len(place["scale"]) - 2) + labels.shape)
        layer = self.layer
        if layer is not None and layer in self._viewer.layers:
            layer.data = data
            layer.translate = place["translate"]
        elif layer is None and self._image is not None:  # somebody who deletes it does not want it
            self._add(Labels(data, name=NAME.format(self._image.name), metadata={TEMPORARY_KEY: True}, **place), self._image)

    def _add(self, layer: Labels, image: Image) -> None:
        """Add the layer right above the image, and leave what is active as it is: somebody may be painting."""
        layers = self._viewer.layers
        chosen = layers.selection.active
        self.layer = layer
        self._viewer.add_layer(layer)
        layer.editable = False
        layer.contour = _CONTOUR
        layers.move(len(layers) - 1, layers.index(image) + 1)
        layers.selection.active = chosen


def _middle(corners: npt.NDArray[np.float64], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the middle of a rectangle, as whole pixels of a plane."""
    sides = []
    for low, high, size in zip(np.ceil(corners.min(axis=0)), np.floor(corners.max(axis=0)) + 1, shape, strict=True):
        cut = max(0, int(high - low) - MOST) // 2
        sides.append(slice(max(int(low) + cut, 0), min(int(high) - cut, int(size))))
    return sides[0], sides[1]


def _shifted(place: Any, start: tuple[int, ...], singles: tuple[int, ...]) -> dict[str, Any]:
    """Return the placement of a part that begins at a pixel; dimensions of length 1 in place of channels stay where they are."""
    offset = np.array(start, float)
    for dimension in singles:
        offset = np.insert(offset, dimension, 0.0)
    linear = np.asarray(place["rotate"]) @ np.asarray(place["shear"])
    return {**place, "translate": np.asarray(place["translate"]) + linear @ (np.asarray(place["scale"]) * offset)}

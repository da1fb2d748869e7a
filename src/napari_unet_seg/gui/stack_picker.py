"""What of a stack or a movie is segmented: each slice by itself, the maximum projection, or nuclei in 3D; each time by itself, or followed.

Rows that are there for stacks and movies alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.core.lap import is_installed
from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import name_row
from napari_unet_seg.gui.layers import layer_axes, stack_dimension
from napari_unet_seg.io.napari_writers import info_of_layer
from napari_unet_seg.settings import STACKS, TRACKS

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel

_TITLES = {"planes": "One by one", "maximum": "Max projection", "linked": "Linked to nuclei in 3D"}
_TRACK_TITLES = {"none": "One by one", "overlap": "Followed: tracks", "laptrack": "Followed by LapTrack"}
_TIP = (
    "A nucleus that shows in several slices has an outline in each of them. Linked, the outlines that lie on one another become one "
    "nucleus in 3D, with one number and a volume; the distance of the slices is taken from the layer's scale. The maximum projection takes "
    "the brightest value along the slices first; it suits fluorescence whose nuclei do not lie above one another, and its outlines are "
    "drawn over every slice, also of nuclei that are sharp in another one."
)
_TRACK_TIP = (
    "Followed, a nucleus keeps its colour through time, and the table tells its track, and its mother after a division. A nucleus is "
    "found again where it overlaps the one before; LapTrack, which is installed apart, goes by distance and suits nuclei that move far."
)


class StackPicker(QObject):
    """The rows "Slices" and "Times".

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        """Make the rows; hidden until there is a stack or a movie."""
        super().__init__(parent)
        self.label, self.box = QLabel("Slices", parent), Choice(parent)
        self.times_label, self.times = QLabel("Times", parent), Choice(parent)
        for name in STACKS:
            self.box.addItem(_TITLES[name], name)
        for name in TRACKS:
            if name != "laptrack" or is_installed():
                self.times.addItem(_TRACK_TITLES[name], name)
        for label, box, tip in ((self.label, self.box, _TIP), (self.times_label, self.times, _TRACK_TIP)):
            name_row(label, box, tip)
            box.currentIndexChanged.connect(self._tell)
            label.hide()
            box.hide()
        self._there = self._moves = False
        self._spacing = 0.0

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self.label, self.box)
        layout.addRow(self.times_label, self.times)

    @property
    def value(self) -> str:
        """The setting `stack`: "planes" where there are no slices."""
        return str(self.box.currentData()) if self._there else STACKS[0]

    @property
    def of_a_plane(self) -> str:
        """The same where a single slice is looked at: it cannot be linked."""
        return "planes" if self.value == "linked" else self.value

    @property
    def settings(self) -> dict[str, Any]:
        """The settings `stack`, `track` and `spacing`."""
        track = str(self.times.currentData()) if self._moves else TRACKS[0]
        deep = self.value == "linked" or (track != TRACKS[0] and self._there)
        return {"stack": self.value, "track": track, "spacing": self._spacing if deep else 0.0}

    def set_layer(self, layer: Image | None, channel: Channel | None) -> None:
        """Show the rows that the image has a use for.

        Parameters
        ----------
        layer : napari.layers.Image or None
        channel : Channel or None
            The dimension of the channels is none of slices.
        """
        self._there = layer is not None and stack_dimension(layer, channel) is not None
        self._moves = layer is not None and _has_times(layer, channel)
        self._spacing = 0.0 if layer is None else plane_spacing(layer, channel)
        for widgets, there in (((self.label, self.box), self._there), ((self.times_label, self.times), self._moves)):
            for widget in widgets:
                widget.setVisible(there)

    def offer(self, visible: bool) -> None:
        """Use the rows for images that nobody has seen: slices and times are what their files say; the rows may be hidden."""
        self._there = self._moves = True
        for widget in (self.label, self.box, self.times_label, self.times):
            widget.setVisible(visible)

    def _tell(self, index: int = 0) -> None:
        self.changed.emit()


def plane_spacing(layer: Image, channel: Channel | None = None) -> float:
    """Return the distance of two slices over the size of a pixel.

    Parameters
    ----------
    layer : napari.layers.Image
    channel : Channel, optional
        Its dimension is none of slices.

    Returns
    -------
    float
        0 when it is not known: the layer has no slices, or no sizes at all.
    """
    place = stack_dimension(layer, channel)
    if place is None:
        return 0.0
    chosen = (place, -2, -1)
    attributes = {name: tuple(getattr(layer, name)[i] for i in chosen) for name in ("scale", "units")}
    known = info_of_layer({**attributes, "axis_labels": ("z", "y", "x")}).step("Z") is not None
    scale = np.abs(attributes["scale"])
    # Sizes without a unit tell how far slices are apart, unless all of them are 1, as those of a layer that nobody gave any.
    return round(float(scale[0] / np.sqrt(scale[1] * scale[2])), 6) if known or not np.allclose(scale, 1) else 0.0


def _has_times(layer: Image, channel: Channel | None) -> bool:
    """Say whether a layer holds several times."""
    axes = layer_axes(layer)
    place = axes.find("T")
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return place >= 0 and shape[place] > 1 and (channel is None or channel.axis != place)

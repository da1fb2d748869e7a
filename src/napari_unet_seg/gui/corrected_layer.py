"""What a labels layer that is corrected says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
from qtpy.QtCore import QObject

from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.gui.layers import micrometres
from napari_unet_seg.io.labels_info import PROVENANCE_KEY
from napari_unet_seg.io.napari_writers import info_of_layer

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_unet_seg.gui.kept_maps import Index

_MOST_DIMENSIONS = 5
"""Files of labels have no more."""


class CorrectedLayer(QObject):
    """A labels layer whose pixels are in memory.

    Parameters
    ----------
    layer : napari.layers.Labels
    parent : QObject
        Its owner.
    """

    def __init__(self, layer: Labels, parent: QObject) -> None:
        """Keep the layer."""
        super().__init__(parent)
        self.layer = layer

    @property
    def leading(self) -> Index:
        """Lengths of the axes before Y and X."""
        return tuple(int(length) for length in self.layer.data.shape[:-2])

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the labels, as far as the layer says; see `napari_unet_seg.io.labels_info`."""
        found = self.layer.metadata.get(PROVENANCE_KEY)
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def axes(self) -> str:
        """One letter a dimension, as files name them; empty when there are more than files have."""
        layer = self.layer
        if layer.ndim > _MOST_DIMENSIONS:
            return ""
        return info_of_layer({"scale": tuple(layer.scale), "axis_labels": layer.axis_labels}).axes

    @property
    def micrometres(self) -> tuple[float, float] | None:
        """Size of a pixel (Y, X), when the layer's units tell it."""
        return micrometres(self.layer)

    def plane(self, index: Index) -> npt.NDArray[Any]:
        """Return one plane, which is a view of the layer's pixels: not to be written to."""
        plane: npt.NDArray[Any] = self.layer.data[index]
        return plane

    def background(self, index: Index) -> npt.NDArray[Any] | None:
        """Return the probability of each pixel of a plane to be of no nucleus, if the maps behind the layer are kept."""
        kept = maps_of(self.layer)
        maps = None if kept is None else kept.plane(index)
        return None if maps is None or maps.shape[1:] != self.layer.data.shape[-2:] else maps[0]

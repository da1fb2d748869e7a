"""What the correcting dock draws over the image: the line that splits, and a ring around the place to look at.

A layer of vectors is used: it can be drawn in with napari's public means alone, and nobody takes it for a region or an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels, Vectors

from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.layers import placement

if TYPE_CHECKING:
    from napari import Viewer

NAME = "Correcting (marks)"
_SEGMENTS = 48
_DASHES_OF_STEP = 4
"""Into so many dashes each step of a line is parted, since two points may be all of it."""
_THICK = 3.0
"""Pixels of the screen."""
_DASHES = np.repeat([(1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0)], 2, axis=0)
"""Colours of the segments in turn: white and black, one of which stands out from any image, and from a canvas of either theme."""

Index = tuple[int, ...]


class Marks:
    """The layer of marks, which is there as long as something is marked.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        """Start without a layer."""
        self._viewer = viewer
        self._layer: Vectors | None = None

    def show_line(self, labels: Labels, index: Index, path: npt.NDArray[Any]) -> None:
        """Draw a line.

        Parameters
        ----------
        labels : napari.layers.Labels
            In whose pixels it is.
        index : tuple of int
            Of the plane.
        path : ndarray of float, shape (points, 2)
            (y, x).
        """
        places = np.linspace(0, len(path) - 1, _DASHES_OF_STEP * (len(path) - 1) + 1)
        steps = np.arange(len(path))
        self._show(labels, index, np.stack([np.interp(places, steps, side) for side in np.asarray(path, float).T], axis=1))

    def show_ring(self, labels: Labels, index: Index, middle: tuple[float, float], diameter: float) -> None:
        """Draw a ring; parameters as `show_line`.

        Parameters
        ----------
        labels : napari.layers.Labels
        index : tuple of int
        middle : tuple of float
            (y, x).
        diameter : float
            In pixels.
        """
        turn = np.linspace(0, 2 * np.pi, _SEGMENTS + 1)
        circle = np.stack([np.sin(turn), np.cos(turn)], axis=1)
        self._show(labels, index, np.asarray(middle) + diameter / 2 * circle)

    def prepare(self, labels: Labels) -> None:
        """Add the layer now, since a layer that is added becomes the active one, and a tool needs the labels to be that."""
        if self._layer is None or self._layer not in self._viewer.layers or self._layer.ndim != labels.ndim:
            self.remove()
            active = self._viewer.layers.selection.active
            nothing = np.zeros((0, 2, labels.ndim))
            # In the units of the labels from the start, or napari warns of layers that do not fit together.
            look = {"vector_style": "line", "edge_color": "white", "opacity": 1.0, "name": NAME}
            self._layer = Vectors(nothing, ndim=labels.ndim, **look, **placement(labels))
            self._viewer.add_layer(self._layer)
            self._viewer.layers.selection.active = active

    def clear(self) -> None:
        """Show nothing."""
        if self._layer is not None and len(self._layer.data):
            self._layer.data = np.zeros((0, 2, self._layer.ndim))

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _show(self, labels: Labels, index: Index, path: npt.NDArray[np.float64]) -> None:
        self.prepare(labels)
        layer = self._layer
        if layer is None:
            return
        for name, value in placement(labels).items():
            if not np.array_equal(getattr(layer, name), value):
                setattr(layer, name, value)
        points = np.hstack([np.tile(index, (len(path), 1)).reshape(len(path), len(index)), path])
        layer.edge_width = _THICK / camera_of(self._viewer).zoom / float(np.mean(np.abs(labels.scale[-2:])))
        layer.data = np.stack([points[:-1], np.diff(points, axis=0)], axis=1)  # (segments, start and step, axes)
        if len(layer.data):
            layer.edge_color = np.resize(_DASHES, (len(layer.data), 4))

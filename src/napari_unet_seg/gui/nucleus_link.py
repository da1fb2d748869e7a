"""Between the table and the picture: going to a nucleus in the viewer, and learning which one was clicked there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.gui.camera import go_to

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels
    from qtpy.QtWidgets import QWidget

_LOOKING = "pan_zoom"
"""The mode of a layer in which a click means nothing else."""
_STILL = 3
"""Pixels of the screen that a hand may move in a click."""


class NucleusLink(QObject):
    """Follows one labels layer.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget
        Its owner.
    """

    clicked = Signal(int)
    """The number of the nucleus that was clicked, or made the selected label in another way."""

    def __init__(self, viewer: Viewer, parent: QWidget | None) -> None:
        """Listen to clicks; nothing is kept alive by it."""
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._going = False
        self._callback = _weak_callback(weakref.ref(self))
        viewer.mouse_drag_callbacks.append(self._callback)

    def close(self) -> None:
        """Listen no more."""
        self.follow(None)
        if self._callback in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._callback)

    def follow(self, layer: Labels | None) -> None:
        """Follow another layer.

        Parameters
        ----------
        layer : napari.layers.Labels or None
            None to follow none.
        """
        if layer == self._layer:
            return
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._tell)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self._tell)

    def go_to(self, label: int, row: dict[str, Any]) -> None:
        """Make a nucleus the selected label, and bring it to the middle of the canvas, in its plane.

        Parameters
        ----------
        label : int
            Its number.
        row : dict
            Its row of the table, for its place: ``centroid_y``, ``centroid_x``, and ``plane_z`` ... or ``centroid_z`` ... in a stack.
        """
        layer = self._layer
        if layer is None or not {"centroid_y", "centroid_x"} <= set(row) or not np.isfinite(row["centroid_y"]):
            return
        self._going = True
        try:
            layer.selected_label = label
        finally:
            self._going = False
        go_to(self._viewer, layer, _place(layer, row))

    def on_mouse(self, event: Any) -> Iterator[None]:
        """Take a click on a nucleus, unless the mouse is dragged, or some layer is being edited."""
        active = self._viewer.layers.selection.active
        if self._layer is None or event.button != 1 or str(getattr(active, "mode", _LOOKING)) != _LOOKING:
            return
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - start).max() > _STILL:
                return
            yield
        label = self._label_at(event)
        if label:
            self._layer.selected_label = label
            self.clicked.emit(label)

    def _label_at(self, event: Any) -> int:
        layer = self._layer
        if layer is None or not layer.visible or layer not in self._viewer.layers:
            return 0
        displayed, direction = event.dims_displayed, event.view_direction
        value = layer.get_value(event.position, view_direction=direction, dims_displayed=displayed, world=True)
        value = value[1] if isinstance(value, tuple) else value  # of a pyramid with the level
        return int(value or 0)

    def _tell(self, event: object = None) -> None:
        if self._layer is not None and not self._going and isalive(self):  # type: ignore[no-untyped-call]
            self.clicked.emit(int(self._layer.selected_label))


def _weak_callback(link: weakref.ref[NucleusLink]) -> Callable[[Any, Any], Iterator[None]]:
    """Return a function for napari's list of callbacks, which would keep a method's object alive."""

    def _callback(viewer: Any, event: Any) -> Iterator[None]:
        alive = link()
        if alive is not None and isalive(alive):  # type: ignore[no-untyped-call]
            yield from alive.on_mouse(event)

    return _callback


def _place(layer: Labels, row: dict[str, Any]) -> list[float]:
    """Return the coordinates of a nucleus in the layer's data; dimensions of length 1 have no column."""
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    planes = [row[name] for name in row if name.startswith("plane_")]
    centres = [row[name] for name in row if name.startswith("centroid_") and name not in _FLAT and not name.endswith("_um")]
    long = [length > 1 for length in shape[:-2]]
    found = iter(_fitting(planes, long) or _fitting(centres, long) or [0.0] * sum(long))
    leading = [float(next(found)) if is_long else 0.0 for is_long in long]
    return [*leading, float(row["centroid_y"]), float(row["centroid_x"])]


_FLAT = ("centroid_y", "centroid_x")


def _fitting(values: list[float], long: list[bool]) -> list[float]:
    """Return the values along the dimensions that are longer than 1, however many of the others have one; none if they do not fit."""
    if len(values) == len(long):
        return [value for value, is_long in zip(values, long, strict=True) if is_long]
    return values if len(values) == sum(long) else []

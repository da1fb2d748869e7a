"""Mouse and keys on the canvas, handed to the active layer as napari's canvas hands them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from napari.utils.key_bindings import coerce_keybinding

from napari_unet_seg.gui.camera import camera_of


@dataclass
class Event:
    type: str
    position: tuple[float, ...]
    dims_displayed: tuple[int, ...]
    button: int = 1
    modifiers: tuple[str, ...] = ()
    is_dragging: bool = True
    view_direction: Any = None
    pos: Any = field(default_factory=lambda: np.zeros(2))


def _send(viewer, kind, position, first, button=1, modifiers=()):
    layer = viewer.layers.selection.active
    layer = getattr(layer, "__wrapped__", layer)
    pixels = (np.asarray(position) - first)[-2:][::-1] * camera_of(viewer).zoom
    event = ReadOnlyWrapper(Event(kind, tuple(position), tuple(viewer.dims.displayed), button, modifiers, pos=pixels))
    callbacks = {"mouse_press": mouse_press_callbacks, "mouse_move": mouse_move_callbacks, "mouse_release": mouse_release_callbacks}
    callbacks[kind](layer, event)


def world(viewer, layer, pixel):
    """Where a pixel of a layer is, with the viewer's dimensions before the layer's."""
    place = np.asarray(layer.data_to_world(pixel), float)
    return np.concatenate([np.asarray(viewer.dims.point)[: viewer.dims.ndim - layer.ndim], place])


def click(viewer, layer, pixel, **options):
    """Press and release at a pixel of a layer."""
    drag(viewer, layer, [pixel], **options)


def drag(viewer, layer, pixels, **options):
    """Press at the first pixel, move along the others, release at the last."""
    places = [world(viewer, layer, pixel) for pixel in pixels]
    _send(viewer, "mouse_press", places[0], places[0], **options)
    for place in places[1:]:
        _send(viewer, "mouse_move", place, places[0], **options)
    _send(viewer, "mouse_release", places[-1], places[0], **options)


def press_key(layer, key):
    """Press a key with the focus in the canvas: bound in the layer, else in its class."""
    layer = getattr(layer, "__wrapped__", layer)
    binding = coerce_keybinding(key)
    action = layer.keymap.get(binding) or type(layer).class_keymap.get(binding)
    assert action is not None, f"{key} does nothing"
    return SimpleNamespace(result=action(layer))

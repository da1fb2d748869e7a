"""The camera of a viewer, which moved between versions of napari."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


def camera_of(viewer: Viewer) -> Any:
    """Return the camera: ``viewer.scene.camera`` from napari 0.9 on, where ``viewer.camera`` warns, and that before.

    Parameters
    ----------
    viewer : napari.Viewer

    Returns
    -------
    napari.components.Camera
    """
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def go_to(viewer: Viewer, layer: Layer, place: Sequence[float]) -> None:
    """Bring a place to the middle of the canvas, in its plane.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Layer
    place : sequence of float
        In pixels of the layer, one a dimension.
    """
    world, dims = np.asarray(layer.data_to_world(place)), viewer.dims
    first = dims.ndim - layer.ndim
    hidden = [axis for axis in dims.not_displayed if axis >= first]
    if hidden:
        dims.set_point(hidden, [float(world[axis - first]) for axis in hidden])
    camera_of(viewer).center = tuple(float(world[axis - first]) for axis in dims.displayed if axis >= first)

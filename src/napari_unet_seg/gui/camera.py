"""The camera of a viewer, which moved between versions of napari."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

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


def corners_in_view(viewer: Viewer, layer: Layer) -> npt.NDArray[np.float64]:
    """Return what of a layer the window shows.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Image or Labels

    Returns
    -------
    ndarray of float64, shape (2, 2)
        First and last pixel (y, x) of the full-size layer; of a turned layer, those of the rectangle around what is seen.
    """
    loaded: npt.NDArray[np.float64] = np.asarray(layer.corner_pixels, float)[:, -2:]
    if not layer.multiscale:
        return loaded
    if not hasattr(viewer, "canvas") or viewer.dims.ndisplay != 2:  # napari before 0.9, or a volume
        factors: npt.NDArray[np.float64] = np.asarray(layer.downsample_factors, float)[layer.data_level, -2:]
        return loaded * factors
    # Of a pyramid, napari tells what it has loaded, which is more than what is seen.
    camera = camera_of(viewer)
    half, centre = np.asarray(viewer.canvas.size, float) / 2 / camera.zoom, np.asarray(camera.center, float)[-2:]
    points = np.repeat(np.asarray(viewer.dims.point, float)[None, -layer.ndim :], 4, axis=0)
    points[:, -2:] = centre + half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    pixels = np.array([layer.world_to_data(point) for point in points])[:, -2:]
    return np.array([np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))])


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

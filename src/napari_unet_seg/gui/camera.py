"""The camera of a viewer, which moved between versions of napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari import Viewer


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

"""Where in an image, from what a viewer shows: its view, and the shapes that a person drew, in the image's own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pint

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.camera import corners_in_view

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels, Shapes

    from napari_unet_seg.settings import Polygons

AREAS = ("rectangle", "polygon", "ellipse")
"""Kinds of shape that enclose something."""
_DIGITS = 4
"""A ten-thousandth of a pixel: what turning and scaling leave beyond is no place."""
_ARC = 64
"""Corners of the polygon that stands for an ellipse: it is off by a thousandth of its radius."""

Points = npt.NDArray[np.float64]


def view_of(viewer: Viewer, layer: Image) -> Polygons:
    """Return what of an image the view shows, as one rectangle.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Image

    Returns
    -------
    tuple of tuple of (float, float)
        Corners (y, x) in pixels of the full-size image; of a turned image, the rectangle around them.

    Raises
    ------
    InputError
        If nothing of the image is in view.
    """
    shape = np.asarray((layer.data[0] if layer.multiscale else layer.data).shape[layer.ndim - 2 : layer.ndim])
    low, high = np.clip(corners_in_view(viewer, layer), 0, shape - 1)
    if not (low < high).all():
        raise InputError("Nothing of the image is in view; move it into the window, or choose “Whole layer”.")
    (top, left), (bottom, right) = low - 0.5, high + 0.5
    return (((top, left), (top, right), (bottom, right), (bottom, left)),)


def areas_of(shapes: Shapes, layer: Image) -> Polygons:
    """Return the areas that shapes enclose, in the pixels of an image.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        Rectangles, polygons and ellipses; lines and paths enclose nothing. Those of a stack count for all its planes.
    layer : napari.layers.Image

    Returns
    -------
    tuple of tuple of (float, float)
        Corners (y, x) in pixels of the full-size image, wherever scale, translation and rotation of the two layers put them.

    Raises
    ------
    InputError
        If no shape encloses an area.
    """
    pairs = zip(shapes.data, shapes.shape_type, strict=True)
    areas = [_ellipse(corners) if kind == "ellipse" else np.asarray(corners, float) for corners, kind in pairs if kind in AREAS]
    if not areas:
        raise InputError(f"“{shapes.name}” holds no area; draw a rectangle, a polygon or an ellipse there.")
    return tuple(tuple((round(float(y), _DIGITS), round(float(x), _DIGITS)) for y, x in _in_pixels(area, shapes, layer)) for area in areas)


def lengths_of(shapes: Shapes, layer: Image) -> list[float]:
    """Return how long the straight lines are that a person drew.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        Other shapes than lines do not count.
    layer : napari.layers.Image

    Returns
    -------
    list of float
        In pixels of the full-size image.
    """
    lines = [corners for corners, kind in zip(shapes.data, shapes.shape_type, strict=True) if kind == "line"]
    return [float(np.hypot(*np.diff(_in_pixels(np.asarray(line, float), shapes, layer), axis=0)[0])) for line in lines]


def shown_index(viewer: Viewer, layer: Image | Labels) -> tuple[int, ...]:
    """Return where the viewer's sliders stand, in steps along the dimensions of a layer.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Image or Labels

    Returns
    -------
    tuple of int
        One a dimension of the layer, Y and X among them.
    """
    point = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(int(np.clip(round(float(place)), 0, size - 1)) for place, size in zip(point, shape, strict=False))


def _ellipse(corners: Any) -> Points:
    """Return points on the ellipse that four corners enclose."""
    box = np.asarray(corners, float)
    angle = np.linspace(0, 2 * np.pi, _ARC, endpoint=False)[:, None]
    points: Points = box.mean(axis=0) + np.cos(angle) * (box[1] - box[0]) / 2 + np.sin(angle) * (box[3] - box[0]) / 2
    return points


def _in_pixels(points: Points, shapes: Shapes, layer: Image) -> Points:
    """Bring points of one layer into the last two dimensions of another; dimensions are counted from the last."""
    world = np.array([shapes.data_to_world(point) for point in points]) * _factors(shapes, layer)
    full = np.zeros((len(world), layer.ndim)) + np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    common = min(layer.ndim, shapes.ndim)
    full[:, layer.ndim - common :] = world[:, shapes.ndim - common :]
    pixels: Points = np.array([layer.world_to_data(point) for point in full])[:, -2:]
    return pixels


def _factors(shapes: Shapes, layer: Image) -> Points:
    """Return how long the shapes' units are in those of the image; 1 where they do not compare, as napari itself has it."""
    factors = np.ones(shapes.ndim)
    for back in range(1, min(layer.ndim, shapes.ndim) + 1):
        try:
            factors[-back] = (1 * shapes.units[-back]).to(layer.units[-back]).magnitude
        except pint.DimensionalityError:
            return np.ones(shapes.ndim)
    return factors

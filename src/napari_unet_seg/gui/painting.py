"""Layers to paint in, and the numbers that the brush takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.learning import labels_shape
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel

PAINTED_KEY = "napari_unet_seg_painted"
"""Metadata of the layers that this module makes: what they are for."""
NUCLEI, BACKGROUND = "nuclei", "background"
MOST_PIXELS = 2**29
"""Larger layers are not made, of which a copy would fill the memory of a common computer."""
_BRUSH_SHARE, _SMALLEST, _LARGEST = 100, 3, 15
"""A brush is this share of a plane, between these many pixels."""
_TOO_LARGE = "“{}” has {:,.0f} megapixels, too many to paint on as a whole; crop it first (Layers › Data › Crop), or open a part of it."


def new_layer(viewer: Viewer, image: Image, channel: Channel | None, purpose: str = NUCLEI, data: Any = None) -> Labels:
    """Add a layer to paint in, on the pixels of an image, and take the brush.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
    channel : Channel or None
        The one that shows nuclei.
    purpose : str
        `NUCLEI` or `BACKGROUND`.
    data : ndarray of int32, optional
        What is in it; nothing if not given.

    Returns
    -------
    napari.layers.Labels

    Raises
    ------
    InputError
        If the image is too large, or cannot be used.
    """
    source = read_source(image, channel)
    shape = labels_shape(source)
    if math.prod(shape) > MOST_PIXELS:
        raise InputError(_TOO_LARGE.format(image.name, math.prod(shape) / 1e6))
    words = {NUCLEI: "painted", BACKGROUND: BACKGROUND}[purpose] if data is None else "corrected"
    layer = Labels(
        np.zeros(shape, np.int32) if data is None else data,
        name=f"{image.name} {words}",
        metadata={PAINTED_KEY: purpose},
        opacity=0.6,
        **source.placement,
    )
    viewer.add_layer(layer)
    layer.brush_size = int(np.clip(max(shape[-2:]) / _BRUSH_SHARE, _SMALLEST, _LARGEST))
    take_brush(viewer, layer, 1)
    return layer


def take_brush(viewer: Viewer, layer: Labels, number: int) -> None:
    """Let the next stroke paint a number.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels
    number : int
    """
    viewer.layers.selection.active = layer
    layer.selected_label = number
    layer.mode = "paint"


def is_painted(layer: Any) -> bool:
    """Say whether a layer is likely to hold what somebody painted: not the result of a model that nobody has edited."""
    if not isinstance(layer, Labels) or layer.metadata.get(PAINTED_KEY) == BACKGROUND:
        return False
    provenance = layer.metadata.get(PROVENANCE_KEY)
    return not isinstance(provenance, dict) or bool(provenance.get(EDITED_KEY))


def copy_steps(labels: Any) -> Steps[Any]:
    """Copy labels, to be edited.

    Parameters
    ----------
    labels : array-like of int
        NumPy, dask or zarr.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    ndarray of int32

    Raises
    ------
    InputError
        If they are too large, or a number does not fit into int32.
    """
    yield Progress("Copying", 0, 0)
    if math.prod(labels.shape) > MOST_PIXELS:
        raise InputError(_TOO_LARGE.format("the segmentation", math.prod(labels.shape) / 1e6))
    copied = np.array(labels)
    if copied.size and int(copied.max()) > np.iinfo(np.int32).max:
        raise InputError(f"These labels have the number {int(copied.max()):,}; napari edits numbers up to {np.iinfo(np.int32).max:,}.")
    return copied.astype(np.int32, copy=False)

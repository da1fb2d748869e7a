"""Which image a labels layer belongs to, and its planes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_unet_seg.core.axes import Layout, as_array, resolve_axes
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.crop_panel import levels_of, origin_of
from napari_unet_seg.gui.layers import Channel, Source, layer_axes, layer_channels, read_source
from napari_unet_seg.io.channels import is_nuclear_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer

    from napari_unet_seg.core.edits import Box
    from napari_unet_seg.gui.edit_history import EditHistory
    from napari_unet_seg.gui.kept_maps import Index

NO_IMAGE = "No image of the size of these labels is open; open theirs, or paint the nucleus (N)."


@dataclass(frozen=True)
class ImagePlane:
    """One plane of an image, not read yet.

    Parameters
    ----------
    source : Source
    layout : Layout
    index : tuple of int
        As the engine counts planes.
    box : tuple of slice, optional
        Of a part of the plane; without it, all of it is meant.
    """

    source: Source
    layout: Layout
    index: Index
    box: Box | None = None

    @property
    def number(self) -> int:
        """How many planes come before it."""
        leading = self.layout.labels_shape[:-2]
        return int(np.ravel_multi_index(self.index, leading)) if leading else 0

    def whole(self) -> Any:
        """Return all pixels of the plane, shape (Y, X) or (Y, X, S); lazily where the image is lazy."""
        return self.layout.plane(as_array(self.source.data), self.index)

    def read(self) -> Any:
        """Return the pixels that are meant."""
        return self.whole() if self.box is None else self.whole()[self.box]

    def gray(self) -> npt.NDArray[Any]:
        """Return its pixels as one channel, shape (Y, X): the mean of red, green and blue."""
        pixels = np.asarray(self.read())
        return pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=-1)


def image_plane(viewer: Viewer, history: EditHistory, index: Index) -> ImagePlane:
    """Find the image plane below a plane of labels.

    Parameters
    ----------
    viewer : napari.Viewer
    history : EditHistory
        Of the labels.
    index : tuple of int
        Of the plane, along the leading axes of the labels layer.

    Returns
    -------
    ImagePlane

    Raises
    ------
    InputError
        If no image has the pixels of the labels.
    """
    provenance, origin = history.provenance, origin_of(history.layer)
    shape, box = history.layer.data.shape, None
    if origin is not None:
        shape, index, box = levels_of(origin.layer)[0].shape, origin.crop.index, origin.crop.box
    fitting = [plane for layer in viewer.layers if isinstance(layer, Image) for plane in _fitting(layer, shape, index, provenance)]
    if not fitting:
        raise InputError(NO_IMAGE)
    best = max(fitting, key=lambda plane: (plane.source.name == provenance.get("input"), is_nuclear_name(plane.source.name)))
    return replace(best, box=box)


def _fitting(layer: Image, shape: tuple[int, ...], index: Index, provenance: Mapping[str, Any]) -> list[ImagePlane]:
    """Return the plane of an image, if its labels would have this shape; its channels are tried where it is not known which it was."""
    channels: list[Channel | None] = [*layer_channels(layer)]
    wanted = [channel for channel in channels if channel is not None and channel.index == provenance.get("channel")]
    unnamed: list[Channel | None] = [] if "C" in layer_axes(layer) else [None]
    tried: list[Channel | None] = [*wanted] or [*unnamed, *channels]
    for channel in tried:
        source = read_source(layer, channel)
        layout = resolve_axes(as_array(source.data), source.axes, source.channel)
        single = source.single
        labels_shape = layout.labels_shape if single is None else _inserted(layout.labels_shape, single)
        if labels_shape == tuple(shape):
            return [ImagePlane(source, layout, index if single is None else index[:single] + index[single + 1 :])]
    return []


def _inserted(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis:])

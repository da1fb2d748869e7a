"""From a napari image layer to what the engine takes, and to the place of the labels in the world."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.io.napari_writers import info_of_layer

if TYPE_CHECKING:
    from napari.layers import Image, Labels

MOST_CHANNELS = 8
"""A leading axis without a name may be channels when it is this short; longer ones are planes."""

_LETTERS = {
    "t": "T", "time": "T", "frame": "T",
    "c": "C", "ch": "C", "channel": "C", "channels": "C",
    "z": "Z", "depth": "Z", "slice": "Z",
}  # fmt: skip
_UNKNOWN = "QIABDEFGHJ"
_PLURALS = {"T": "times", "Z": "slices", "C": "channels"}


@dataclass(frozen=True)
class Channel:
    """One choice of channel.

    Parameters
    ----------
    axis : int
        Dimension of the layer that holds channels.
    index : int
        Which of them.
    title : str
        What the choice is called.
    """

    axis: int
    index: int
    title: str


@dataclass(frozen=True)
class Source:
    """What of an image layer is segmented; it holds fast what it needs, so the layer may be changed or deleted meanwhile.

    Parameters
    ----------
    name : str
        Name of the layer.
    data : array-like or list of array-like
        Its data, or its levels, largest first.
    axes : str
        One letter a dimension of the data.
    channel : int or None
        Index along C.
    planes : int
        Number of (Y, X) planes that are gone through.
    placement : mapping
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units`` and ``axis_labels`` of the labels.
    single : int or None
        Dimension of length 1 that the labels have in place of the channels, or None when they have none.
    micrometres : tuple of float or None
        Size of a pixel (Y, X), when the layer's units tell it.
    """

    name: str
    data: Any
    axes: str
    channel: int | None
    planes: int
    placement: Mapping[str, Any]
    single: int | None
    micrometres: tuple[float, float] | None

    def arrange(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give labels the dimensions of the layer: a dimension of 1 for channels that are not the first dimension.

        Parameters
        ----------
        labels : ndarray, shape (..., Y, X)
            As the engine returns them.

        Returns
        -------
        ndarray
        """
        return labels if self.single is None else np.expand_dims(labels, self.single)


def layer_axes(layer: Image) -> str:
    """Name the dimensions of a layer, without the samples of RGB.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    str
        T, C and Z where the layer's axis labels say so, other letters for what is not known, YX last.
    """
    letters = ""
    for label in layer.axis_labels[: layer.ndim - 2]:
        known = _LETTERS.get(str(label).lower(), "")
        letters += known if known and known not in letters else next(free for free in _UNKNOWN if free not in letters)
    return letters + "YX"


def layer_channels(layer: Image) -> list[Channel]:
    """List the channels that a layer holds as a dimension.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    list of Channel
        Those along C; without C, what could be channels: short leading dimensions without a name. Empty for RGB and plain stacks.
    """
    axes, shape = layer_axes(layer), _shape(layer)
    if layer.rgb:
        return []
    possible = [i for i, axis in enumerate(axes[:-2]) if axis in _UNKNOWN and 1 < shape[i] <= MOST_CHANNELS]
    candidates = [axes.index("C")] if "C" in axes else possible
    title = "{} of {}" if len(candidates) < 2 else "{} of {} along axis {}"
    return [Channel(axis, index, title.format(index + 1, shape[axis], axis)) for axis in candidates for index in range(shape[axis])]


def read_source(layer: Image, channel: Channel | None = None) -> Source:
    """Take from a layer what a run needs.

    Parameters
    ----------
    layer : napari.layers.Image
    channel : Channel, optional
        One of `layer_channels`; None goes through every leading dimension plane by plane.

    Returns
    -------
    Source
    """
    axes, shape = layer_axes(layer), _shape(layer)
    if channel is not None:
        axes = axes[: channel.axis] + "C" + axes[channel.axis + 1 :]
    leading = [size for axis, size in zip(axes[:-2], shape, strict=False) if axis != "C"]
    return Source(
        name=layer.name,
        data=list(layer.data) if layer.multiscale else layer.data,
        axes=axes + "S" * bool(layer.rgb),
        channel=None if channel is None else channel.index,
        planes=math.prod(leading),
        placement=placement(layer, channel),
        single=channel.axis if channel is not None and channel.axis > 0 else None,
        micrometres=_micrometres(layer),
    )


def describe(layer: Image) -> str:
    """Say in a few words what a layer holds: planes, pixels, and the size of a pixel.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    str
    """
    *leading, height, width = _shape(layer)
    stack = " × ".join(f"{length:,} {_PLURALS.get(axis, 'planes')}" for axis, length in zip(layer_axes(layer), leading, strict=False))
    pixel = _micrometres(layer)
    known = "pixel size unknown" if pixel is None else f"{pixel[1]:.3g} µm/px"
    return f"{stack + ' of ' if stack else ''}{width:,} × {height:,} px, {known}"


def _shape(layer: Image | Labels) -> tuple[int, ...]:
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return tuple(int(size) for size in shape[: layer.ndim])


def placement(layer: Image | Labels, channel: Channel | None = None) -> dict[str, Any]:
    """Return where the labels of a layer lie: as the layer itself, less a first dimension of channels.

    Channels that are not the first dimension stay as one step as long as all of them, so that the labels are seen with each of them.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
    channel : Channel, optional
        One of `layer_channels`.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units`` and ``axis_labels``, as napari's layers take them.
    """
    scale, translate = np.array(layer.scale, float), np.array(layer.translate, float)
    kept = list(range(layer.ndim))
    if channel is not None and channel.axis == 0:
        kept = kept[1:]
    elif channel is not None:
        count = _shape(layer)[channel.axis]
        translate[channel.axis] += scale[channel.axis] * (count - 1) / 2
        scale[channel.axis] *= count
    homogeneous = [*kept, layer.ndim]
    return {
        "scale": scale[kept],
        "translate": translate[kept],
        "rotate": np.asarray(layer.rotate)[np.ix_(kept, kept)],
        "shear": _shear_matrix(layer)[np.ix_(kept, kept)],
        "affine": np.asarray(layer.affine.affine_matrix)[np.ix_(homogeneous, homogeneous)],
        "units": tuple(layer.units[i] for i in kept),
        "axis_labels": tuple(layer.axis_labels[i] for i in kept),
    }


def _shear_matrix(layer: Image | Labels) -> npt.NDArray[np.float64]:
    """Return the shear as a matrix; napari gives the upper triangle alone where there is no more."""
    shear = np.asarray(layer.shear, float)
    if shear.ndim == 2:
        return shear
    matrix = np.eye(layer.ndim)
    matrix[np.triu_indices(layer.ndim, 1)] = shear
    return matrix


def _micrometres(layer: Image) -> tuple[float, float] | None:
    info = info_of_layer({"scale": tuple(map(float, layer.scale[-2:])), "units": layer.units[-2:], "axis_labels": ("y", "x")})
    y, x = info.step("Y"), info.step("X")
    return None if y is None or x is None else (y, x)

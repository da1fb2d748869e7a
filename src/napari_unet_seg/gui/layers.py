"""From a napari image layer to what the engine takes, and to the place of the labels in the world."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.axes import stack_axis
from napari_unet_seg.io.napari_writers import info_of_layer

if TYPE_CHECKING:
    from napari.layers import Image, Labels

MOST_CHANNELS = 8
"""A leading axis without a name may be channels when it is this short; longer ones are planes."""

MOST_DIMENSIONS = 5
"""Axes that files of labels have names for."""

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
    slices : int
        Of how many slices each plane is the maximum; 0 when they are not projected.
    placement : mapping
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units`` and ``axis_labels`` of the labels.
    sizes : mapping of str to int
        Lengths of the axes that the planes are counted by, by letter.
    singles : tuple of int
        Dimensions of length 1 that the labels have in place of channels and projected slices.
    part : str
        Which of several channels that are segmented one after the other; else empty.
    micrometres : tuple of float or None
        Size of a pixel (Y, X), when the layer's units tell it.
    """

    name: str
    data: Any
    axes: str
    channel: int | None
    planes: int
    placement: Mapping[str, Any]
    singles: tuple[int, ...]
    micrometres: tuple[float, float] | None
    slices: int = 0
    part: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def scale(self) -> dict[str, float]:
        """Micrometres of a step of the labels along Z, Y and X, as far as known."""
        pixel = {} if self.micrometres is None else dict(zip("YX", self.micrometres, strict=True))
        step = info_of_layer(self.placement).step("Z") if len(self.placement.get("scale", ())) <= MOST_DIMENSIONS else None
        return pixel if step is None else {"Z": step, **pixel}

    @property
    def single(self) -> int | None:
        """The only one of `singles`, or None."""
        return self.singles[0] if len(self.singles) == 1 else None

    def arrange(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give labels the dimensions of the layer: one of 1 for channels, or projected slices, that are not the first dimension.

        Parameters
        ----------
        labels : ndarray, shape (..., Y, X)
            As the engine returns them.

        Returns
        -------
        ndarray
        """
        return np.expand_dims(labels, self.singles)


def layer_axes(layer: Image | Labels) -> str:
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


def read_source(layer: Image, channel: Channel | None = None, stack: str = "planes", part: str = "") -> Source:
    """Take from a layer what a run needs.

    Parameters
    ----------
    layer : napari.layers.Image
    channel : Channel, optional
        One of `layer_channels`; None goes through every leading dimension plane by plane.
    stack : {"planes", "maximum", "linked"}
        Whether slices are projected.
    part : str
        As in `Source`.

    Returns
    -------
    Source
    """
    axes, shape = _axes_with(layer, channel), _shape(layer)
    flat = stack_dimension(layer, channel) if stack == "maximum" else None
    gone = sorted(dimension for dimension in (None if channel is None else channel.axis, flat) if dimension is not None)
    leading = [size for dimension, size in enumerate(shape[:-2]) if dimension not in gone]
    return Source(
        name=layer.name,
        data=list(layer.data) if layer.multiscale else layer.data,
        axes=axes + "S" * bool(layer.rgb),
        channel=None if channel is None else channel.index,
        planes=math.prod(leading),
        placement=placement(layer, gone),
        singles=tuple(dimension - _leading(gone) for dimension in gone[_leading(gone) :]),
        micrometres=micrometres(layer),
        slices=0 if flat is None else shape[flat],
        part=part,
        sizes={axis: size for dimension, (axis, size) in enumerate(zip(axes[:-2], shape, strict=False)) if dimension not in gone},
    )


def stack_dimension(layer: Image, channel: Channel | None = None) -> int | None:
    """Return the dimension along which the slices of a stack lie.

    Parameters
    ----------
    layer : napari.layers.Image
    channel : Channel, optional
        Its dimension is none of slices.

    Returns
    -------
    int or None
        None when there are no slices, or only one.
    """
    axes = _axes_with(layer, channel)
    axis = stack_axis(axes)
    return axes.index(axis) if axis and _shape(layer)[axes.index(axis)] > 1 else None


def _axes_with(layer: Image, channel: Channel | None) -> str:
    """Name the dimensions of a layer, that of the chosen channel C."""
    axes = layer_axes(layer)
    return axes if channel is None else axes[: channel.axis] + "C" + axes[channel.axis + 1 :]


def _leading(gone: Sequence[int]) -> int:
    """Count the dimensions at the front that labels do without."""
    return sum(place == dimension for place, dimension in enumerate(gone))


def describe(layer: Image) -> str:
    """Say in a few words what a layer holds: planes and pixels.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    str
    """
    *leading, height, width = _shape(layer)
    stack = " × ".join(f"{length:,} {_PLURALS.get(axis, 'planes')}" for axis, length in zip(layer_axes(layer), leading, strict=False))
    return f"{stack + ' of ' if stack else ''}{width:,} × {height:,} px"


def _shape(layer: Image | Labels) -> tuple[int, ...]:
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return tuple(int(size) for size in shape[: layer.ndim])


def placement(layer: Image | Labels, gone: Sequence[int] = ()) -> dict[str, Any]:
    """Return where the labels of a layer lie: as the layer itself, less its first dimensions if labels do not have them.

    Dimensions that labels do not have, and that are not the first, stay as one step as long as all of them, so that the labels are seen
    with each channel and slice.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
    gone : sequence of int
        Dimensions of channels and projected slices, ascending.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``, ``units`` and ``axis_labels``, as napari's layers take them.
    """
    scale, translate = np.array(layer.scale, float), np.array(layer.translate, float)
    kept = list(range(_leading(gone), layer.ndim))
    for dimension in gone[_leading(gone) :]:
        count = _shape(layer)[dimension]
        translate[dimension] += scale[dimension] * (count - 1) / 2
        scale[dimension] *= count
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


def micrometres(layer: Image | Labels) -> tuple[float, float] | None:
    """Return the size of a pixel (Y, X), when the layer's units tell it."""
    info = info_of_layer({"scale": tuple(map(float, layer.scale[-2:])), "units": layer.units[-2:], "axis_labels": ("y", "x")})
    y, x = info.step("Y"), info.step("X")
    return None if y is None or x is None else (y, x)

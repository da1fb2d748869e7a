"""From any layer's array to (Y, X) planes, and what shape the labels then have.

Axes are a string with one capital letter a dimension: ``YX`` always; ``S`` the samples of a colour image (3 or 4, red, green, blue, alpha);
``C`` channels, of which one is segmented; every other letter (``Z``, ``T``, ``Q`` for unknown) is gone through plane by plane.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_unet_seg.errors import InputError

COLOUR_SAMPLES = (3, 4)
_GUESSES = {2: "YX", 3: "ZYX", 4: "TZYX"}


@dataclass(frozen=True)
class Layout:
    """What the dimensions of an image mean.

    Parameters
    ----------
    axes : str
        One letter a dimension.
    shape : tuple of int
        Sizes, in the same order.
    channel : int
        Index along ``C``; ignored without it.
    flat : str
        The axis along which a plane is the maximum of all; empty when each plane stands for itself.
    """

    axes: str
    shape: tuple[int, ...]
    channel: int = 0
    flat: str = ""

    @property
    def labels_axes(self) -> str:
        """Axes of the labels: those of the image less ``C``, ``S`` and what is projected, with ``YX`` last."""
        return "".join(axis for axis in self.axes if axis not in "CSYX" + self.flat) + "YX"

    def projected(self) -> Layout:
        """Return the layout of maximum projections along the axis that `stack_axis` names; the same when there is none."""
        return replace(self, flat=stack_axis(self.axes))

    @property
    def labels_shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return tuple(self.shape[self.axes.index(axis)] for axis in self.labels_axes)

    @property
    def plane_count(self) -> int:
        """Number of (Y, X) planes."""
        return math.prod(self.labels_shape[:-2])

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Go through the planes: indices along the leading axes of the labels."""
        return itertools.product(*(range(size) for size in self.labels_shape[:-2]))

    def plane(self, image: Any, index: tuple[int, ...]) -> Any:
        """Take one plane without reading it, if the image is lazy.

        Parameters
        ----------
        image : array-like
            NumPy or dask array of this layout.
        index : tuple of int
            One of `indices`.

        Returns
        -------
        array-like
            Shape (Y, X), or (Y, X, S).
        """
        places = dict(zip(self.labels_axes, index, strict=False)) | {"C": self.channel}
        plane = image[tuple(places.get(axis, slice(None)) for axis in self.axes)]
        kept = "".join(axis for axis in self.axes if axis in "YXS" + self.flat)
        if self.flat:
            plane, kept = plane.max(axis=kept.index(self.flat)), kept.replace(self.flat, "")
        return plane.transpose([kept.index(axis) for axis in "YXS" if axis in kept])


def stack_axis(axes: str) -> str:
    """Return the axis along which the slices of a stack lie.

    Parameters
    ----------
    axes : str
        One letter a dimension.

    Returns
    -------
    str
        ``Z``, or the last axis whose meaning is not known; empty when there is neither.

    Examples
    --------
    >>> stack_axis("TZCYX"), stack_axis("QYX"), stack_axis("TYX")
    ('Z', 'Q', '')
    """
    return "Z" if "Z" in axes else next((axis for axis in reversed(axes) if axis not in "TCSYX"), "")


def resolve_axes(image: Any, axes: str | None = None, channel: int | None = None) -> Layout:
    """Say what the dimensions of an image mean, or why they cannot be used.

    Parameters
    ----------
    image : array-like
        Anything with a ``shape``.
    axes : str, optional
        One letter a dimension. Without it, 2 dimensions are (Y, X); a last dimension of 3 or 4 is colour; others go plane by plane.
    channel : int, optional
        Which channel to segment; needed when there are several. Negative counts from the end.

    Returns
    -------
    Layout

    Raises
    ------
    InputError
        If the axes do not fit the shape, a dimension is empty or of unknown size, or the channel is missing or out of range.
    """
    shape = _known_shape(image)
    axes = _guess(shape) if axes is None else axes.upper()
    letters = axes.isascii() and axes.isalpha() and len(set(axes)) == len(axes)
    if not letters or len(axes) != len(shape) or not set("YX") <= set(axes):
        raise InputError(f"The axes {axes!r} do not fit the image's shape {shape}; give each dimension its own letter, Y and X among them.")
    if 0 in shape:
        raise InputError(f"The image has shape {shape} with axes {axes!r}; an empty dimension holds no pixels.")
    sizes = dict(zip(axes, shape, strict=True))
    if sizes.get("S", 3) not in COLOUR_SAMPLES:
        raise InputError(f"The image of shape {shape} has {sizes['S']} colour samples, not 3 or 4; name that axis C and choose a channel.")
    return Layout(axes, shape, _resolve_channel(sizes, channel))


def as_array(image: Any) -> Any:
    """Return the largest level of an image as something that slices lazily.

    Parameters
    ----------
    image : array-like or sequence of array-like
        NumPy, dask or zarr, or the levels of a pyramid, largest first (a list, or what a multiscale layer of napari holds); anything else
        is converted to NumPy.

    Returns
    -------
    numpy.ndarray or dask.array.Array

    Raises
    ------
    InputError
        If it is no array of real numbers, or a list whose arrays are no pyramid.
    """
    # A multiscale layer's data has a shape itself, but converts to its *smallest* level: so this comes first.
    if isinstance(image, Sequence) and len(image) and hasattr(image[0], "shape"):
        image = _largest(image)
    array = _sliceable(image)
    if array.dtype.kind not in "buif":
        raise InputError(f"The image has dtype {array.dtype}; use real numbers (bool, integers or floats).")
    return array


def _largest(levels: Sequence[Any]) -> Any:
    shapes = [tuple(level.shape) for level in levels]
    if any(math.prod(shape) >= math.prod(shapes[0]) for shape in shapes[1:]):
        raise InputError(f"A list of arrays is a pyramid, largest first, but their shapes are {shapes}; join planes into one array.")
    return levels[0]


def _sliceable(image: Any) -> Any:
    import numpy as np

    if hasattr(image, "dask"):
        return image
    if type(image).__module__.startswith("zarr"):
        from dask.array import from_zarr

        if not hasattr(image, "shape"):
            raise InputError(f"The image is {image!r}, which holds no pixels itself; choose one of its arrays.")
        return from_zarr(image)  # type: ignore[no-untyped-call]
    try:
        return np.asarray(image)
    except (TypeError, ValueError) as error:
        raise InputError(f"The image, a {type(image).__name__}, is no array: {error}") from error


def _known_shape(image: Any) -> tuple[int, ...]:
    try:
        return tuple(operator.index(size) for size in image.shape)
    except TypeError as error:  # dask writes NaN for what it does not know
        raise InputError(f"The image has shape {image.shape}; compute its unknown sizes first (`compute_chunk_sizes` in dask).") from error


def _guess(shape: tuple[int, ...]) -> str:
    coloured = len(shape) > 2 and shape[-1] in COLOUR_SAMPLES
    dimensions = len(shape) - coloured
    if dimensions not in _GUESSES:
        raise InputError(f"The image has shape {shape}; give `axes`, one letter a dimension, such as 'TCZYX'.")
    return _GUESSES[dimensions] + "S" * coloured


def _resolve_channel(sizes: dict[str, int], channel: int | None) -> int:
    count = sizes.get("C", 1)
    if channel is None and count > 1:
        raise InputError(f"The image has {count} channels; choose the one that shows nuclei, by `channel` from 0 to {count - 1}.")
    channel = channel or 0
    if isinstance(channel, float | str) or not -count <= channel < count:
        known = f"the image has {count}; use 0 to {count - 1}" if "C" in sizes else "no axis is named C; name it in `axes`, such as 'CYX'"
        raise InputError(f"The channel is {channel!r}, but {known}.")
    return int(channel) % count

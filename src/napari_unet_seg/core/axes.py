"""From any layer's array to (Y, X) planes, and what shape the labels then have.

Axes are a string with one capital letter a dimension: ``YX`` always; ``S`` the samples of a colour image (3 or 4, red, green, blue, alpha);
``C`` channels, of which one is segmented; every other letter (``Z``, ``T``, ``Q`` for unknown) is gone through plane by plane.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
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
    """

    axes: str
    shape: tuple[int, ...]
    channel: int = 0

    @property
    def labels_axes(self) -> str:
        """Axes of the labels: those of the image less ``C`` and ``S``, with ``YX`` last."""
        return "".join(axis for axis in self.axes if axis not in "CSYX") + "YX"

    @property
    def labels_shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return tuple(self.shape[self.axes.index(axis)] for axis in self.labels_axes)

    @property
    def plane_count(self) -> int:
        """Number of (Y, X) planes."""
        return len(list(self.indices()))

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
        kept = "".join(axis for axis in self.axes if axis in "YXS")
        return plane.transpose([kept.index(axis) for axis in "YXS" if axis in kept])


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
        If the axes do not fit the shape, a dimension is empty, or the channel is missing or out of range.
    """
    shape = tuple(int(size) for size in image.shape)
    axes = _guess(shape) if axes is None else axes.upper()
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not set("YX") <= set(axes):
        raise InputError(f"The axes {axes!r} do not fit an image of shape {shape}; give one different letter a dimension, Y and X among them.")
    if 0 in shape:
        raise InputError(f"The image has shape {shape} with axes {axes!r}; an empty dimension holds no pixels.")
    sizes = dict(zip(axes, shape, strict=True))
    if sizes.get("S", 3) not in COLOUR_SAMPLES:
        raise InputError(f"The image of shape {shape} has {sizes['S']} colour samples; use 3 or 4, or name that axis C and choose a channel.")
    return Layout(axes, shape, _resolve_channel(sizes.get("C", 1), channel))


def as_array(image: Any) -> Any:
    """Return the largest level of an image as something that slices lazily.

    Parameters
    ----------
    image : array-like or list of array-like
        NumPy, dask or zarr, or a list of levels, largest first; anything else is converted to NumPy.

    Returns
    -------
    numpy.ndarray or dask.array.Array

    Raises
    ------
    InputError
        If nothing array-like is given.
    """
    import numpy as np

    if isinstance(image, (list, tuple)) and len(image) and hasattr(image[0], "shape"):
        image = image[0]
    if type(image).__module__.startswith("zarr"):
        from dask.array import from_zarr

        return from_zarr(image)  # type: ignore[no-untyped-call]
    array = image if hasattr(image, "transpose") and hasattr(image, "shape") else np.asarray(image)
    if array.dtype.kind not in "buif":
        raise InputError(f"The image has dtype {array.dtype}; use real numbers (bool, integers or floats).")
    return array


def _guess(shape: tuple[int, ...]) -> str:
    coloured = len(shape) > 2 and shape[-1] in COLOUR_SAMPLES
    dimensions = len(shape) - coloured
    if dimensions not in _GUESSES:
        raise InputError(f"The image has shape {shape}; give `axes`, one letter a dimension, such as 'TCZYX'.")
    return _GUESSES[dimensions] + "S" * coloured


def _resolve_channel(count: int, channel: int | None) -> int:
    if channel is None and count > 1:
        raise InputError(f"The image has {count} channels; choose the one that shows nuclei, by `channel` from 0 to {count - 1}.")
    channel = channel or 0
    if not -count <= channel < count:
        raise InputError(f"The channel is {channel}, but the image has {count}; use 0 to {count - 1}.")
    return channel % count

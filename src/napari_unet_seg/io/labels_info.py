"""What goes into a file besides the pixels of the labels, and the labels array as every writer takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

PROVENANCE_KEY = "napari_unet_seg"
"""Under this name files, and the metadata of napari layers, hold what made the labels."""
EDITED_KEY = "edited"
"""Under this name the provenance says, with True, that somebody has corrected the labels since they were made."""

_STACK_AXES = "ZTC"  # in this order an axis without a meaning takes the first that is free, as ImageJ takes pages for slices
_BAND_PIXELS = 2**22
_BLOCK_PIXELS = 2**26


@dataclass(frozen=True)
class LabelsInfo:
    """What is known about labels besides their pixels.

    Parameters
    ----------
    axes : str
        One capital letter a dimension, ``"YX"`` last; ``Z``, ``T`` and ``C`` before them, or ``Q`` or ``I`` where the meaning is not known.
    scale : mapping of str to float
        Size of a step along ``Z``, ``Y``, ``X`` in micrometres and along ``T`` in seconds, as far as known.
    name : str
        Name of the labels, kept where a format has a place for it.
    provenance : mapping
        What made the labels: version, model, settings ... as JSON can hold it.
    features : pandas.DataFrame, optional
        One row a nucleus; its column ``label`` (else ``index``, else the row's number) is the number of the nucleus.
    """

    axes: str = "YX"
    scale: Mapping[str, float] = field(default_factory=dict)
    name: str = "nuclei"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    features: pd.DataFrame | None = field(default=None, compare=False)

    @property
    def stored_axes(self) -> str:
        """The axes with a meaning for each: what a format calls them that knows only ``T``, ``C``, ``Z``, ``Y`` and ``X``."""
        stored = ["Y", "X"]
        free = [axis for axis in _STACK_AXES if axis not in self.axes]
        for axis in reversed(self.axes[:-2]):
            known = axis in _STACK_AXES and axis not in stored
            stored.insert(0, axis if known else free.pop(0))
        return "".join(stored)

    @property
    def record(self) -> dict[str, Any]:
        """The provenance under our key, as plain JSON: what JSON has no word for becomes a string, NaN and infinities null."""
        text = json.dumps({PROVENANCE_KEY: dict(self.provenance)}, default=str)
        record: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
        return record

    def step(self, axis: str) -> float | None:
        """Return the size of a step along `axis` (micrometres; seconds along ``T``), or None when it is not known."""
        size = self.scale.get(axis)
        return float(size) if size is not None and np.isfinite(size) and size > 0 else None


def open_labels(labels: Any, info: LabelsInfo) -> Any:
    """Return labels as one array that can be sliced, checked against what is said about them.

    Parameters
    ----------
    labels : array-like or sequence of array-like
        Integers or bools, (..., Y, X): NumPy, dask or zarr; of a pyramid, the largest level is taken.
    info : LabelsInfo
        Its axes must fit the array.

    Returns
    -------
    numpy.ndarray or dask.array.Array

    Raises
    ------
    InputError
        If the labels are no integers, hold no pixels, or do not have the dimensions that `info` names.
    """
    array = labels[0] if isinstance(labels, Sequence) and len(labels) and hasattr(labels[0], "shape") else labels
    if type(array).__module__.startswith("zarr"):
        from dask.array import from_zarr

        array = from_zarr(array)  # type: ignore[no-untyped-call]
    elif type(array).__module__.partition(".")[0] != "dask":
        array = np.asarray(array)
    _check_array(array, info.axes)
    return array


def _check_array(array: Any, axes: str) -> None:
    if array.dtype.kind not in "bui":
        raise InputError(f"The labels have dtype {array.dtype}; labels must be whole numbers.")
    if array.ndim != len(axes) or not axes.endswith("YX") or len(axes) > 2 + len(_STACK_AXES):
        raise InputError(f"The labels (shape {array.shape}) do not fit the axes {axes!r}; Y and X come last, after three at most.")
    if 0 in array.shape:
        raise InputError(f"The labels (shape {array.shape}) hold no pixel; there is nothing to write.")


def stored_dtype(array: Any) -> np.dtype[Any]:
    """Return int32, which holds 2,147,483,647 nuclei; or uint32 when an array of a wider type has larger labels.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        Integers or bools.
    """
    if np.can_cast(array.dtype, np.int32) or int(array.max()) <= np.iinfo(np.int32).max:
        return np.dtype(np.int32)
    return np.dtype(np.uint32)


def as_stored(block: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """Read one block of labels and convert it to the type of the file.

    Raises
    ------
    InputError
        If a label is negative or too large for `dtype`.
    """
    values = np.asarray(block)
    if values.dtype == dtype and dtype.kind == "u":
        return values
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0:
        raise InputError(f"The labels hold {low}; nuclei are numbered from 1, and 0 is background.")
    if high > np.iinfo(dtype).max:
        raise InputError(f"The labels hold {high}, and the file's numbers end at {np.iinfo(dtype).max}; number the nuclei from 1.")
    return values.astype(dtype, copy=False)


def iter_planes(array: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Go through the (Y, X) planes of an array, reading no more than needed at a time.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        Shape (..., Y, X).

    Yields
    ------
    index : tuple of int
        Position along the leading axes, the last counting fastest; empty for a single plane.
    plane : array-like
        Shape (Y, X); not read yet, unless it lay in one chunk with others.
    """
    if array.ndim == 2:
        yield (), array
        return
    depth = _planes_at_once(array)
    for outer in np.ndindex(*array.shape[:-3]):
        for start in range(0, array.shape[-3], depth):
            block = array[(*outer, slice(start, start + depth))]  # (depth, Y, X)
            block = np.asarray(block) if depth > 1 else block
            for offset in range(len(block)):
                yield (*outer, start + offset), block[offset]


def _planes_at_once(array: Any) -> int:
    """Planes that share a chunk are read together, or the chunk would be read for each of them; unless they are too large."""
    depth = int(getattr(array, "chunksize", (1,) * array.ndim)[-3])
    return depth if depth * array.shape[-2] * array.shape[-1] <= _BLOCK_PIXELS else 1


def iter_bands(plane: Any) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[Any]]]]:
    """Read a plane in bands of rows, each chunk once, so that a plane larger than memory can be gone through.

    Parameters
    ----------
    plane : array-like
        Labels, shape (Y, X).

    Yields
    ------
    row : int
        First row of the band.
    band : numpy.ndarray
        Shape (rows, X); int32, or a wider type when that of the plane is.

    Raises
    ------
    InputError
        If a label is negative.
    """
    narrow = (np.dtype(name) for name in ("int32", "uint32") if np.can_cast(plane.dtype, name))
    dtype = next(narrow, np.dtype(np.int64))
    height, width = plane.shape
    rows = max(1, _BAND_PIXELS // width)
    if hasattr(plane, "chunksize"):
        rows = max(1, round(rows / plane.chunksize[0])) * plane.chunksize[0]
    for row in range(0, height, rows):
        yield row, as_stored(plane[row : row + rows], dtype)

"""Labels as OME-Zarr 0.5 on zarr 3: a pyramid in chunks, for images of any size.

Written with zarr itself, which is needed for reading anyhow: the metadata are one dictionary, whereas the `ome-zarr` library would bring
a web server and the clients of cloud storage along. The root of the folder is the label image, with ``multiscales`` and ``image-label``:
the image that such a label image usually lies in is another file.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.labels_info import as_stored, open_labels, stored_dtype

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import zarr

    from napari_unet_seg.io.labels_info import LabelsInfo

CHUNK = 512
"""Pixels of a chunk along Y and X: a viewer reads whole chunks, and of larger ones more than it shows (`benchmarks/scale_napari.py`)."""
SMALLEST = 1024
"""Edge up to which a level has no smaller one."""
_PART = 2048
"""Edge of what is halved at a time, whole chunks of both levels."""
_ORDER = "TCZYX"
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def write_zarr(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write labels as an OME-Zarr folder, int32 (uint32 when a label needs it).

    Each level holds every second pixel of the one before in Y and X, so that labels are never mixed. Axes are put in the order that the
    format asks for (t, c, z, y, x).

    Parameters
    ----------
    path : path-like
        Replaced only when all is written; a folder there must be labels, too.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X); dask arrays are read chunk by chunk.
    info : LabelsInfo
        Axes, micrometres, name and provenance.

    Raises
    ------
    InputError
        If the array holds no labels that can be written.
    WriteError
        If the system refuses to write, or the folder there holds something other than labels.
    """
    array = open_labels(labels, info)
    refuse_other_folder(Path(path))
    array = array.transpose(stored_order(info))
    with atomic_path(path) as temporary:
        _fill(create_zarr(temporary, array.shape, stored_dtype(array), info), array)
        finish_zarr(temporary, info)


def refuse_other_folder(path: Path) -> None:
    """Keep a slip of the mouse from replacing the folder of an image, or any other, by its labels.

    Raises
    ------
    WriteError
        If something other than labels is in it.
    """
    if not path.is_dir() or not any(path.iterdir()):
        return
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        is_labels = "image-label" in attributes["ome"]
    except (OSError, ValueError, KeyError, TypeError):
        is_labels = False
    if not is_labels:
        raise WriteError(f"{path} was not written, because that folder holds something other than labels; choose another name.")


def stored_order(info: LabelsInfo) -> tuple[int, ...]:
    """Return which axis of the labels comes first, second ... in the file: time, channel, z, y, x."""
    axes = info.stored_axes
    return tuple(axes.index(axis) for axis in sorted(axes, key=_ORDER.index))


def create_zarr(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, info: LabelsInfo) -> zarr.Array[Any]:
    """Make a folder of labels that are still to come.

    Parameters
    ----------
    path : Path
        Must not exist.
    shape : tuple of int
        Of the labels, in the order of `stored_order`.
    dtype : dtype
    info : LabelsInfo
        Its axes.

    Returns
    -------
    zarr.Array
        The largest level, full of 0, in chunks of `CHUNK` pixels.
    """
    import zarr

    axes = "".join(info.stored_axes[place] for place in stored_order(info))
    return _create(zarr.create_group(path, zarr_format=3), 0, shape, np.dtype(dtype), axes)


def finish_zarr(path: Path, info: LabelsInfo) -> None:
    """Add the smaller levels and the metadata to a folder whose largest level is filled; what there is of them is made anew.

    Parameters
    ----------
    path : Path
        From `create_zarr`.
    info : LabelsInfo
        Axes, micrometres, name and provenance.
    """
    import zarr

    root = zarr.open_group(path, mode="a")
    largest = root["0"]
    assert isinstance(largest, zarr.Array)  # made by `create_zarr`
    levels = [largest]
    axes = "".join(info.stored_axes[place] for place in stored_order(info))
    while max(levels[-1].shape[-2:]) > SMALLEST:
        above = levels[-1]
        halved = (*above.shape[:-2], *(-(-size // 2) for size in above.shape[-2:]))
        levels.append(_create(root, len(levels), halved, above.dtype, axes))
        _halve(above, levels[-1])
    root.attrs.update(_attributes(levels, axes, info))


def _create(root: zarr.Group, level: int, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> zarr.Array[Any]:
    chunks = (*(1 for _ in shape[:-2]), *(min(CHUNK, size) for size in shape[-2:]))
    from zarr.codecs import ZstdCodec

    codec = ZstdCodec(level=0, checksum=True)  # level 0 is the usual one; with the checksum, whoever reads a damaged chunk is told
    options: dict[str, Any] = {"dimension_names": list(axes.lower()), "compressors": codec, "fill_value": 0, "overwrite": True}
    return root.create_array(str(level), shape=shape, dtype=dtype, chunks=chunks, **options)


def _fill(target: zarr.Array[Any], array: Any) -> None:
    """Write chunk by chunk in threads that have ended when this returns or raises.

    Given several chunks at once, zarr raises when the first fails and goes on with the others, as dask does in its own pool: they would
    fill the folder again that is being removed.
    """
    from dask.array import from_array, store
    from dask.system import CPU_COUNT

    is_here = isinstance(array, np.ndarray)
    lazy = from_array(array, name=False) if is_here else array  # type: ignore[no-untyped-call]
    blocks = lazy.rechunk(target.chunks).map_blocks(as_stored, target.dtype, dtype=target.dtype)
    with ThreadPoolExecutor(CPU_COUNT) as pool:
        # What is in memory is not sent to a cluster, of which one is asked by itself where a user has connected to it.
        where = "threads" if is_here else None
        store(blocks, target, lock=False, scheduler=where, pool=pool)  # type: ignore[arg-type]  # dask takes all that slices


def _halve(source: zarr.Array[Any], target: zarr.Array[Any]) -> None:
    """Copy chunk by chunk from the level before, never from the array given: reading that again may be dear."""
    height, width = target.shape[-2:]
    for index in np.ndindex(*target.shape[:-2]):
        for y in range(0, height, _PART // 2):
            for x in range(0, width, _PART // 2):
                block = np.asarray(source[(*index, slice(2 * y, 2 * y + _PART), slice(2 * x, 2 * x + _PART))])
                target[(*index, slice(y, y + _PART // 2), slice(x, x + _PART // 2))] = block[::2, ::2]


def _attributes(levels: list[zarr.Array[Any]], axes: str, info: LabelsInfo) -> dict[str, Any]:
    datasets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": _steps(2**level, axes, info)}]}
        for level in range(len(levels))
    ]
    multiscale = {"name": info.name, "axes": [_axis(axis, info) for axis in axes], "datasets": datasets, "type": "nearest"}
    ome = {"version": "0.5", "multiscales": [multiscale], "image-label": {"version": "0.5"}}
    return {"ome": ome} | info.record


def _steps(factor: int, axes: str, info: LabelsInfo) -> list[float]:
    return [(info.step(axis) or 1.0) * (factor if axis in "YX" else 1) for axis in axes]


def _axis(axis: str, info: LabelsInfo) -> dict[str, str]:
    """Name a unit only where the size is known: 1 without a unit is a pixel."""
    known = {"name": axis.lower(), "type": _TYPES[axis]}
    unit = "second" if axis == "T" else "micrometer"
    return known | {"unit": unit} if info.step(axis) else known

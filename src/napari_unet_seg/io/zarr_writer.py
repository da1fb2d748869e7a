"""Labels as OME-Zarr 0.5 on zarr 3: a pyramid in chunks, for images of any size.

Written with zarr itself, which is needed for reading anyhow: the metadata are one dictionary, whereas the `ome-zarr` library would bring
a web server and the clients of cloud storage along. The root of the folder is the label image, with ``multiscales`` and ``image-label``:
the image that such a label image usually lies in is another file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.atomic import atomic_path
from napari_unet_seg.io.labels_info import as_stored, open_labels, stored_dtype

if TYPE_CHECKING:
    import os

    import zarr

    from napari_unet_seg.io.labels_info import LabelsInfo

_CHUNK = 1024
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
    _refuse_other_folder(Path(path))
    axes = info.stored_axes
    order = sorted(axes, key=_ORDER.index)
    array = array.transpose([axes.index(axis) for axis in order])
    with atomic_path(path) as temporary:
        _write(temporary, array, "".join(order), info)


def _refuse_other_folder(path: Path) -> None:
    """Keep a slip of the mouse from replacing the folder of an image, or any other, by its labels."""
    if not path.is_dir() or not any(path.iterdir()):
        return
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        is_labels = "image-label" in attributes["ome"]
    except (OSError, ValueError, KeyError, TypeError):
        is_labels = False
    if not is_labels:
        raise WriteError(f"{path} was not written, because that folder holds something other than labels; choose another name.")


def _write(path: Path, array: Any, axes: str, info: LabelsInfo) -> None:
    import zarr

    root = zarr.create_group(path, zarr_format=3)
    levels = [_create(root, 0, array.shape, stored_dtype(array), axes)]
    _fill(levels[0], array)
    while max(levels[-1].shape[-2:]) > _CHUNK:
        above = levels[-1]
        halved = (*above.shape[:-2], *(-(-size // 2) for size in above.shape[-2:]))
        levels.append(_create(root, len(levels), halved, above.dtype, axes))
        _halve(above, levels[-1])
    root.attrs.update(_attributes(levels, axes, info))


def _create(root: zarr.Group, level: int, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> zarr.Array[Any]:
    chunks = (*(1 for _ in shape[:-2]), *(min(_CHUNK, size) for size in shape[-2:]))
    return root.create_array(str(level), shape=shape, dtype=dtype, chunks=chunks, dimension_names=list(axes.lower()), fill_value=0)


def _fill(target: zarr.Array[Any], array: Any) -> None:
    if isinstance(array, np.ndarray):
        target[...] = as_stored(array, target.dtype)
        return
    from dask.array import store

    blocks = array.rechunk(target.chunks).map_blocks(as_stored, target.dtype, dtype=target.dtype)
    store(blocks, target, lock=False)  # type: ignore[arg-type]  # dask takes all that slices; each task writes whole chunks of its own


def _halve(source: zarr.Array[Any], target: zarr.Array[Any]) -> None:
    """Copy chunk by chunk from the level before, never from the array given: reading that again may be dear."""
    height, width = target.shape[-2:]
    for index in np.ndindex(*target.shape[:-2]):
        for y in range(0, height, _CHUNK):
            for x in range(0, width, _CHUNK):
                block = np.asarray(source[(*index, slice(2 * y, 2 * (y + _CHUNK)), slice(2 * x, 2 * (x + _CHUNK)))])
                target[(*index, slice(y, y + _CHUNK), slice(x, x + _CHUNK))] = block[::2, ::2]


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

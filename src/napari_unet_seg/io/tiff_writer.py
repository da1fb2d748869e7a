"""Labels and class maps as OME-TIFF.

OME-TIFF has 32-bit integers, physical sizes and a place for our provenance; ImageJ's own TIFF has no 32-bit integers. ImageJ's plain opener
knows nothing of OME, so the pixel size is repeated in the resolution tags, which it reads. For the same opener a plane is stored in strips;
only above 128 megapixels, where a viewer needs a pyramid and ImageJ hardly goes, in tiles with smaller levels.
Compression is deflate without predictor: lossless, and known to every reader.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.labels_info import as_stored, iter_bands, iter_planes, open_labels, stored_dtype

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import tifffile

    from napari_unet_seg.io.labels_info import LabelsInfo

_TILED_FROM = 2**27
_TILE = 512
_CLASSIC_LIMIT = 2**32 - 2**24
"""Bytes of pixels that a TIFF with 32-bit offsets surely has room for; compressed it may take less, but that is not known beforehand."""
_UUID_NAMESPACE = uuid.UUID("5f2c1bb0-5d6e-5a53-9f0e-0d3a2b8c4e71")


def write_tiff(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write labels as OME-TIFF, int32 (uint32 when a label needs it).

    ImageJ shows them as 32-bit float: labels above 16,777,216 are rounded there, not in the file.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X); dask arrays are read plane by plane, or tile by tile when a plane is large.
    info : LabelsInfo
        Axes, micrometres, name and provenance.

    Raises
    ------
    InputError
        If the labels cannot be stored: not whole numbers, negative, or without a pixel.
    WriteError
        If the system refuses to write.
    """
    array = open_labels(labels, info)
    _write(path, array, stored_dtype(array), info)


def write_classes(path: str | os.PathLike[str], classes: Any, info: LabelsInfo) -> None:
    """Write a class map (0 background, 1 foreground, 2 outline) as OME-TIFF, uint8.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    classes : array-like or sequence of array-like
        Integers from 0 to 255, (..., Y, X).
    info : LabelsInfo
        Axes, micrometres, name and provenance.

    Raises
    ------
    InputError
        If a value is outside 0 to 255, or the array has no pixel or does not fit the axes.
    WriteError
        If the system refuses to write.
    """
    _write(path, open_labels(classes, info), np.dtype(np.uint8), info)


def _write(path: str | os.PathLike[str], array: Any, dtype: np.dtype[Any], info: LabelsInfo) -> None:
    import tifffile

    bigtiff = array.size * dtype.itemsize > _CLASSIC_LIMIT
    tiled = array.shape[-2] * array.shape[-1] > _TILED_FROM
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=bigtiff, ome=True) as writer:
        (_write_pyramid if tiled else _write_strips)(writer, array, dtype, info)


def _write_strips(writer: tifffile.TiffWriter, array: Any, dtype: np.dtype[Any], info: LabelsInfo) -> None:
    planes = (as_stored(plane, dtype) for _, plane in iter_planes(array))
    writer.write(planes, shape=array.shape, dtype=dtype, metadata=_ome(array.shape, info), **_options(info, 1))


def _write_pyramid(writer: tifffile.TiffWriter, array: Any, dtype: np.dtype[Any], info: LabelsInfo) -> None:
    """Write each level from every second, fourth ... pixel: labels must not be mixed."""
    count = int(np.ceil(np.log2(max(array.shape[-2:]) / _TILE)))
    for level in range(count):
        step = 2**level
        small = array[..., ::step, ::step]
        place = {"subifds": count - 1, "metadata": _ome(array.shape, info)} if level == 0 else {"subfiletype": 1, "metadata": None}
        writer.write(_tiles(small, dtype), shape=small.shape, dtype=dtype, tile=(_TILE, _TILE), **place, **_options(info, step))


def _tiles(array: Any, dtype: np.dtype[Any]) -> Iterator[np.ndarray[Any, np.dtype[Any]]]:
    for _, plane in iter_planes(array):
        for row in _tile_rows(plane):
            padded = np.pad(row, ((0, _TILE - len(row)), (0, -row.shape[1] % _TILE)))
            for x in range(0, padded.shape[1], _TILE):
                yield np.ascontiguousarray(as_stored(padded[:, x : x + _TILE], dtype))


def _tile_rows(plane: Any) -> Iterator[np.ndarray[Any, np.dtype[Any]]]:
    """Cut bands, which are as high as the source's chunks make them, to the height of a tile."""
    waiting = np.empty((0, plane.shape[1]), np.int32)
    for _, band in iter_bands(plane):
        waiting = np.concatenate([waiting, band]) if len(waiting) else band
        while len(waiting) >= _TILE:
            yield waiting[:_TILE]
            waiting = waiting[_TILE:]
    if len(waiting):
        yield waiting


def _options(info: LabelsInfo, step: int) -> dict[str, Any]:
    options: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack", "software": "napari-unet-seg"}
    width, height = info.step("X"), info.step("Y")
    if width and height:
        per_centimetre = 10_000 / step
        options |= {"resolution": (per_centimetre / width, per_centimetre / height), "resolutionunit": "CENTIMETER"}
    return options


def _ome(shape: tuple[int, ...], info: LabelsInfo) -> dict[str, Any]:
    """Return the metadata that tifffile turns into OME-XML. The UUID depends on them alone, so that equal runs give equal files."""
    description = json.dumps(info.record)
    metadata: dict[str, Any] = {"axes": info.stored_axes, "Name": info.name, "Description": description, "Creator": "napari-unet-seg"}
    for axis in "ZYX":
        if size := info.step(axis):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    if seconds := info.step("T"):
        metadata |= {"TimeIncrement": seconds, "TimeIncrementUnit": "s"}
    key = json.dumps([metadata, shape])
    return metadata | {"UUID": str(uuid.uuid5(_UUID_NAMESPACE, key))}

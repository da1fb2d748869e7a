"""One function that writes labels in the format that the name of the file asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.geojson_writer import write_geojson
from napari_unet_seg.io.roi_writer import write_rois
from napari_unet_seg.io.table_writer import write_csv
from napari_unet_seg.io.tiff_writer import write_classes, write_tiff
from napari_unet_seg.io.trackmate_writer import write_trackmate
from napari_unet_seg.io.zarr_writer import write_zarr

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_unet_seg.io.labels_info import LabelsInfo

    Writer = Callable[[str | os.PathLike[str], Any, LabelsInfo], None]

_WRITERS: dict[str, Writer] = {  # the first ending that fits decides
    ".classes.tif": write_classes,
    ".classes.tiff": write_classes,
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".zip": write_rois,
    ".csv": write_csv,
    ".geojson": write_geojson,
    ".zarr": write_zarr,
    ".xml": write_trackmate,
}


def write_labels(path: str | os.PathLike[str], labels: Any, *, info: LabelsInfo) -> None:
    """Write labels in the format of the ending of `path`.

    ``.tif`` is OME-TIFF (``.classes.tif`` a class map), ``.zarr`` OME-Zarr, ``.zip`` ImageJ ROIs, ``.csv`` the table of the nuclei and
    ``.geojson`` detections for QuPath; ``.xml`` the tracks for TrackMate.

    Parameters
    ----------
    path : path-like
        File (a folder for ``.zarr``) to write; one that exists is replaced, and only when all is written.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X): NumPy, dask or zarr; of a pyramid, the largest level is taken.
    info : LabelsInfo
        Axes, scale in micrometres, name, provenance and features.

    Raises
    ------
    InputError
        If the labels cannot be stored: not whole numbers, negative, without a pixel, or not of the axes named.
    WriteError
        If the ending is none of the above, or the system refuses to write; an older file is unchanged.
    """
    name = os.path.basename(os.fspath(path)).lower()
    writer = next((writer for ending, writer in _WRITERS.items() if name.endswith(ending)), None)
    if writer is None:
        raise WriteError(f"{os.fspath(path)} was not written, because its ending names no format; use one of {', '.join(_WRITERS)}.")
    writer(path, labels, info)

"""Outlines as a zip of ImageJ ROIs, for its ROI manager."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.labels_info import iter_planes, open_labels
from napari_unet_seg.io.outlines import trace_outlines

if TYPE_CHECKING:
    import os

    from roifile import ImagejRoi

    from napari_unet_seg.io.labels_info import LabelsInfo
    from napari_unet_seg.io.outlines import Outline

    Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST_INTEGER = 60_535
"""Beyond, ImageJ takes 16-bit coordinates for negative ones."""
_EARLIEST_DATE = (1980, 1, 1, 0, 0, 0)
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def write_rois(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write one ROI a nucleus and plane, named by its label, with exactly the nucleus' area.

    A nucleus in one part without holes is a traced ROI, any other one composite ROI with all its parts and holes. In a stack the name says
    the plane too (``17_z3`` in the third slice), and the ROI has its position: the slice or frame when the stack has one axis, slice and
    frame of a hyperstack when it has both.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X).
    info : LabelsInfo
        The axes say which position a plane has.

    Raises
    ------
    InputError
        If the array holds no labels that can be written.
    WriteError
        If the system refuses to write.
    """
    array = open_labels(labels, info)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, plane in iter_planes(array):
            places = {axis: place + 1 for axis, place in zip(info.stored_axes, index, strict=False)}  # ImageJ counts from 1
            for outline in trace_outlines(plane):
                roi = _roi(outline, places)
                entry = zipfile.ZipInfo(f"{roi.name}.roi", _EARLIEST_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, roi.tobytes())


def _roi(outline: Outline, places: dict[str, int]) -> ImagejRoi:
    rings = [ring for polygon in outline.polygons for ring in polygon]
    corners = np.concatenate(rings)  # (corners, 2)
    if len(rings) > 1:
        roi = _composite(rings)
    elif corners.max() > _LARGEST_INTEGER:
        roi = _subpixel(corners)
    else:
        roi = _traced(corners)
    roi.left, roi.top = (int(value) for value in corners.min(axis=0))
    roi.right, roi.bottom = (int(value) for value in corners.max(axis=0))
    roi.name = "_".join([str(outline.label), *(f"{axis.lower()}{place}" for axis, place in places.items())])
    _set_position(roi, places)
    return roi


def _traced(corners: Array) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    roi = ImagejRoi(roitype=ROI_TYPE.TRACED)
    roi.integer_coordinates = (corners - corners.min(axis=0)).astype(np.int32)
    roi.n_coordinates = len(corners)
    return roi


def _subpixel(corners: Array) -> ImagejRoi:
    """Store coordinates as float32, exact for whole numbers to 16 million; ImageJ then ignores the integers."""
    from roifile import ROI_OPTIONS, ROI_TYPE

    roi = _traced(corners)
    roi.roitype, roi.options = ROI_TYPE.POLYGON, ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.subpixel_coordinates = corners.astype(np.float32)
    return roi


def _composite(rings: list[Array]) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    path = [_path(ring) for ring in rings]
    roi = ImagejRoi(roitype=ROI_TYPE.RECT)
    roi.multi_coordinates = np.concatenate(path).astype(np.float32)
    roi.shape_roi_size = len(roi.multi_coordinates)
    return roi


def _path(ring: Array) -> Array:
    steps = np.insert(ring.astype(np.float64), 0, _LINE, axis=1)  # (corners, 3): what to do, x, y
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE)


def _set_position(roi: ImagejRoi, places: dict[str, int]) -> None:
    """Set what ImageJ follows: the plain position works for slices and for frames, but hides the one in a hyperstack."""
    if len(places) == 1:
        (roi.position,) = places.values()
    else:
        roi.c_position, roi.z_position, roi.t_position = (places.get(axis, 0) for axis in "CZT")

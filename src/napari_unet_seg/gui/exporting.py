"""Saving the nuclei of a layer in several formats at once, as a generator. No Qt and no thread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.gui.measuring import layer_info
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_unet_seg.gui.kept_maps import KeptMaps
    from napari_unet_seg.io.labels_info import LabelsInfo

NO_CLASSES = "Only there for a result of “Segment nuclei” of this session: the classes are read from what the network saw."


@dataclass(frozen=True)
class Format:
    """One format.

    Parameters
    ----------
    key : str
        As `napari_unet_seg.io.batch.FORMATS` and the command line call it.
    title : str
        What it is called.
    ending : str
        Of its files.
    tip : str
        What it is good for.
    usual : bool
        Whether it is ticked at first.
    """

    key: str
    title: str
    ending: str
    tip: str
    usual: bool = False


FORMATS = (
    Format("tiff", "OME-TIFF labels", ".labels.tif", "Every nucleus with its number, for Fiji, QuPath, Python and this program.", True),
    Format("csv", "CSV table", ".labels.csv", "The measurements, one row a nucleus, for a spreadsheet or a statistics program.", True),
    Format("rois", "ImageJ ROIs", ".rois.zip", "The outlines for the ROI manager of ImageJ and Fiji."),
    Format("geojson", "QuPath GeoJSON", ".labels.geojson", "The outlines with their measurements, as detections for QuPath."),
    Format("zarr", "OME-Zarr labels", ".labels.zarr", "A folder in pieces, for very large images and for the cloud."),
    Format("classes", "Class map", ".classes.tif", "0 background, 1 nucleus, 2 outline, as the network saw each pixel."),
    Format("trackmate", "TrackMate tracks", ".tracks.xml", "Nuclei that were followed through time, for TrackMate in Fiji."),
)


@dataclass(frozen=True)
class ExportRequest:
    """What is saved.

    Parameters
    ----------
    labels : array-like of int, or list of them
        The layer's data.
    info : LabelsInfo
        What the layer says about itself.
    paths : mapping of str to Path
        Keys of `FORMATS`, and where each goes.
    maps : KeptMaps or None
        What the network saw, for the class map.
    """

    labels: Any
    info: LabelsInfo
    paths: Mapping[str, Path]
    maps: KeptMaps | None = None


def request_of(layer: Labels, paths: Mapping[str, Path]) -> ExportRequest:
    """Take from a layer what saving it needs.

    Parameters
    ----------
    layer : napari.layers.Labels
    paths : mapping of str to Path
        By format.

    Returns
    -------
    ExportRequest

    Raises
    ------
    InputError
        If the layer has more dimensions than files have.
    """
    return ExportRequest(list(layer.data) if layer.multiscale else layer.data, layer_info(layer), dict(paths), maps_of(layer))


def has_classes(layer: Labels) -> bool:
    """Whether the class map of a layer can be saved."""
    maps = maps_of(layer)
    return maps is not None and maps.complete and all(plane.whole is not None for plane in list(maps.planes.values()))


def file_name(name: str) -> str:
    """Return the name of a layer as that of a file, without what some system forbids.

    Examples
    --------
    >>> file_name("plate 3: A/2 nuclei ")
    'plate 3_ A_2 nuclei'
    """
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(" .") or "nuclei"


def export_steps(request: ExportRequest) -> Steps[tuple[Path, ...]]:
    """Save in each format; a file is written whole or not at all.

    Parameters
    ----------
    request : ExportRequest

    Yields
    ------
    Progress
        Before each file.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    WriteError
        If the system refuses. Files that were written before stay.
    InputError
        If the labels cannot be stored.
    """
    from napari_unet_seg.io.writers import write_labels

    for number, (key, path) in enumerate(request.paths.items()):
        yield Progress(f"Saving {path.name}", number, len(request.paths))
        data = class_map(request.maps, np.shape(request.labels)) if key == "classes" and request.maps else request.labels
        write_labels(path, data, info=request.info)
    return tuple(request.paths.values())


def class_map(maps: KeptMaps, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return the most likely class of each pixel of a layer.

    Parameters
    ----------
    maps : KeptMaps
        Of every plane.
    shape : tuple of int
        Of the layer's data, (..., Y, X).

    Returns
    -------
    ndarray of uint8
        0 background, 1 nucleus, 2 outline; background where the maps were let go meanwhile.
    """
    from napari_unet_seg.core.instances import classes

    result = np.zeros(shape, np.uint8)
    for index in np.ndindex(shape[:-2]):
        plane = maps.plane(index)
        if plane is not None:
            result[index] = classes(plane, len(plane) - 1)  # the last map is the distance
    return result

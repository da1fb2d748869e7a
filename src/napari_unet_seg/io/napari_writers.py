"""What napari calls to save one Labels layer; the manifest names these functions.

napari passes the name as typed into its dialog. One without an ending that the format has gets the usual ending, and then must not exist,
since napari asked about the name as typed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.io.labels_info import PROVENANCE_KEY, LabelsInfo
from napari_unet_seg.io.units import micrometres, seconds
from napari_unet_seg.io.writers import write_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

_AXIS_NAMES = {
    "t": "T", "time": "T", "frame": "T",
    "z": "Z", "depth": "Z", "slice": "Z", "plane": "Z",
    "c": "C", "channel": "C",
}  # fmt: skip


def write_tiff(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a Labels layer as OME-TIFF.

    Parameters
    ----------
    path : str
        File to write.
    data : array-like or sequence of array-like
        The layer's data, or its levels.
    attributes : dict
        The layer's state, as napari passes it.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    InputError, WriteError
        See `napari_unet_seg.io.writers.write_labels`.
    """
    return _write(path, data, attributes, (".labels.tif", ".tif", ".tiff"))


def write_zarr(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a Labels layer as OME-Zarr; parameters, result and errors as for `write_tiff`."""
    return _write(path, data, attributes, (".labels.zarr", ".zarr"))


def write_rois(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save the outlines of a Labels layer as ImageJ ROIs; parameters, result and errors as for `write_tiff`."""
    return _write(path, data, attributes, (".rois.zip", ".zip"))


def write_csv(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save the features of a Labels layer as CSV; parameters, result and errors as for `write_tiff`."""
    return _write(path, data, attributes, (".labels.csv", ".csv"))


def write_geojson(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save the outlines of a Labels layer as GeoJSON for QuPath; parameters, result and errors as for `write_tiff`."""
    return _write(path, data, attributes, (".labels.geojson", ".geojson"))


def _write(path: str, data: Any, attributes: dict[str, Any], endings: Sequence[str]) -> list[str]:
    if not path.lower().endswith(tuple(endings)):
        path += endings[0]
        if os.path.exists(path):
            raise WriteError(f"{path} was not written, because it exists already; type its whole name to replace it.")
    write_labels(path, data, info=info_of_layer(attributes))
    return [path]


def info_of_layer(attributes: Mapping[str, Any]) -> LabelsInfo:
    """Return what a Labels layer says about itself.

    Parameters
    ----------
    attributes : mapping
        The layer's state: ``scale``, ``units``, ``axis_labels``, ``name``, ``features``, ``metadata``. Without ``scale`` it is taken for a
        plain plane.

    Returns
    -------
    LabelsInfo
        The scale in micrometres (seconds along ``T``), where the unit is one of length (time); a scale in pixels is not known.

    Raises
    ------
    InputError
        If the layer has more dimensions than files of labels have.
    """
    count = len(attributes.get("scale", (1, 1)))
    labels = attributes.get("axis_labels") or [""] * count
    leading = "".join(_AXIS_NAMES.get(str(label).lower(), "Q") for label in labels[: count - 2])
    if len(leading) > 3:
        raise InputError(f"The layer has {count} dimensions; files of labels have at most 5, so save it in parts.")
    axes = LabelsInfo(axes=leading + "YX").stored_axes
    provenance = (attributes.get("metadata") or {}).get(PROVENANCE_KEY, {})
    return LabelsInfo(
        axes=axes,
        scale=_known_scale(axes, attributes),
        name=str(attributes.get("name") or "nuclei"),
        provenance=provenance if isinstance(provenance, Mapping) else {},
        features=attributes.get("features"),
    )


def _known_scale(axes: str, attributes: Mapping[str, Any]) -> dict[str, float]:
    scale, units = ([] if value is None else list(value) for value in (attributes.get("scale"), attributes.get("units")))
    steps = zip(axes, scale, units, strict=False)
    factors = {axis: (float(size), (seconds if axis == "T" else micrometres)(str(unit))) for axis, size, unit in steps}
    return {axis: size * factor for axis, (size, factor) in factors.items() if factor is not None}

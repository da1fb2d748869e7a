"""What the metadata of a TIFF say: OME-XML, ImageJ's own, those of slide scanners, and plain resolution tags."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_unet_seg.io.description import Description, useful_colors, useful_limits
from napari_unet_seg.io.labels_info import PROVENANCE_KEY
from napari_unet_seg.io.units import micrometres, seconds

if TYPE_CHECKING:
    import numpy as np
    from tifffile import TiffFile, TiffPage, TiffPageSeries

LARGEST_PIXEL = 10.0
"""Micrometres. Resolution tags that make a pixel larger than this are taken for a printer's: cameras, scanners and drawing programs put
72 to 2400 dots an inch (350 to 11 µm) into every file, and microscopes have smaller pixels with any objective from 1x on."""

_PRINTED = {micrometres("inch"), micrometres("cm")}
"""Units, as micrometres, in which ImageJ hands on a printer's resolution that it found in a picture."""

_RESOLUTION_UNITS = {2: 25_400.0, 3: 10_000.0, 4: 1_000.0, 5: 1.0}  # of the tag ResolutionUnit: inch, cm, mm, µm

_COMPOSITE = ("#ff0000", "#00ff00", "#0000ff", "#ffffff", "#00ffff", "#ff00ff", "#ffff00")
"""The colours that ImageJ gives to the channels of a composite when the file names none."""


def describe_tiff(tif: TiffFile, series: TiffPageSeries) -> Description:
    """Return what the metadata say of one image.

    Parameters
    ----------
    tif : TiffFile
        The open file.
    series : TiffPageSeries
        The image in it.

    Returns
    -------
    Description
        Scale in micrometres and seconds, names, colours and limits of channels, and the provenance of our own labels.
    """
    if series.kind == "ome" and tif.ome_metadata:
        found = describe_ome(tif.ome_metadata)
    elif series.kind == "imagej":
        found = describe_imagej(tif.imagej_metadata or {}, _resolution(series.keyframe))
    elif series.kind == "svs":
        found = Description(_svs_scale(series.keyframe.description))
    else:
        found = Description()
    if "X" in found.scale:
        return found
    return dataclasses.replace(found, scale=found.scale | _tag_scale(series.keyframe))


def describe_ome(xml: str) -> Description:
    """Return what OME-XML says of its first image.

    Parameters
    ----------
    xml : str
        An OME-XML document of any version.

    Returns
    -------
    Description
        Empty when the document is no XML or has no image.
    """
    try:
        image = ElementTree.fromstring(xml).find("{*}Image")
    except (ElementTree.ParseError, ValueError):
        return Description()
    pixels = None if image is None else image.find("{*}Pixels")
    if image is None or pixels is None:
        return Description()
    scale = {axis: _ome_step(pixels, f"PhysicalSize{axis}", "µm") for axis in "ZYX"} | {"T": _ome_step(pixels, "TimeIncrement", "s")}
    channels = pixels.findall("{*}Channel")
    provenance = _provenance(image.findtext("{*}Description"))
    return Description(
        scale={axis: step for axis, step in scale.items() if step},
        channel_names=tuple(channel.get("Name", "") for channel in channels),
        colors=useful_colors(tuple(_ome_color(channel.get("Color")) for channel in channels)),
        is_labels=provenance is not None,
        provenance=provenance or {},
    )


def describe_imagej(metadata: dict[str, Any], resolution: tuple[float, float]) -> Description:
    """Return what ImageJ's metadata say.

    Parameters
    ----------
    metadata : dict
        As tifffile reads them: ``unit``, ``spacing``, ``finterval``, ``Ranges``, ``LUTs``, ``Labels`` ...
    resolution : (float, float)
        Pixels per unit along X and Y, from the resolution tags; 0 when there are none.

    Returns
    -------
    Description
        The scale is empty when the unit is no unit of length, such as "pixel".
    """
    channels = int(metadata.get("channels", 1))
    return Description(
        scale=_imagej_scale(metadata, resolution),
        channel_names=_imagej_names(metadata, channels),
        colors=_imagej_colors(metadata, channels),
        contrast_limits=_imagej_limits(metadata, channels),
    )


def _ome_step(pixels: ElementTree.Element, name: str, default: str) -> float | None:
    unit = pixels.get(f"{name}Unit", default)
    factor = seconds(unit) if name == "TimeIncrement" else micrometres(unit)
    return _positive(pixels.get(name), factor)


def _ome_color(value: str | None) -> str | None:
    # A signed 32-bit number of red, green, blue and opacity, a byte each.
    try:
        return None if value is None else f"#{(int(value) >> 8) & 0xFFFFFF:06x}"
    except ValueError:
        return None


def _provenance(text: str | None) -> dict[str, Any] | None:
    """Return what our writer put into the description, or None when it is not of our writer."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    provenance = found.get(PROVENANCE_KEY) if isinstance(found, dict) else None
    return provenance if isinstance(provenance, dict) else None


def _imagej_scale(metadata: dict[str, Any], resolution: tuple[float, float]) -> dict[str, float]:
    factor = micrometres(str(metadata.get("unit", "")))
    interval = _positive(metadata.get("finterval"), seconds(str(metadata.get("tunit", "s"))))
    sizes = {
        "Z": _positive(metadata.get("spacing"), factor),
        "Y": _positive(1 / resolution[1] if resolution[1] else None, factor),
        "X": _positive(1 / resolution[0] if resolution[0] else None, factor),
    }
    if factor in _PRINTED and max(sizes["Y"] or 0, sizes["X"] or 0) > LARGEST_PIXEL:
        sizes = {}  # the distance of planes, in the same unit, means no more than the size of pixels
    return {axis: step for axis, step in (sizes | {"T": interval}).items() if step}


def _imagej_names(metadata: dict[str, Any], channels: int) -> tuple[str, ...]:
    """Return the titles of the first plane's channels, less the "c:1/3 z:1/5 - " that Bio-Formats puts in front."""
    titles = metadata.get("Labels") or []
    if len(titles) < channels:
        return ()
    return tuple(re.sub(r"^(\w:\d+/\d+\s*)+(-\s*)?", "", str(title)).split("\n")[0].strip() for title in titles[:channels])


def _imagej_colors(metadata: dict[str, Any], channels: int) -> tuple[str | None, ...]:
    tables = metadata.get("LUTs") or []
    if len(tables) == channels:
        return useful_colors(tuple(_ramp_color(table) for table in tables))
    return _COMPOSITE[:channels] if metadata.get("mode") == "composite" and 1 < channels <= len(_COMPOSITE) else ()


def _ramp_color(table: np.ndarray[Any, Any]) -> str | None:
    """Return the brightest colour of a (3, 256) look-up table, or None when it is no even ramp from black to one colour."""
    if table.shape != (3, 256) or max(abs(int(table[i, 128]) - int(table[i, 255]) // 2) for i in range(3)) > 2:
        return None
    return "#" + "".join(f"{int(value):02x}" for value in table[:, 255])


def _imagej_limits(metadata: dict[str, Any], channels: int) -> tuple[tuple[float, float] | None, ...]:
    ranges = metadata.get("Ranges") or ()
    if len(ranges) == 2 * channels:
        return tuple(useful_limits(*ranges[i : i + 2]) for i in range(0, 2 * channels, 2))
    return (useful_limits(metadata.get("min"), metadata.get("max")),) if channels == 1 else ()


def _svs_scale(description: str) -> dict[str, float]:
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", description)  # micrometres per pixel
    step = _positive(found.group(1), 1.0) if found else None
    return {"Y": step, "X": step} if step else {}


def _tag_scale(page: TiffPage) -> dict[str, float]:
    factor = _RESOLUTION_UNITS.get(int(page.tags.valueof(296, default=1)))
    across, down = _resolution(page)
    steps = {"Y": _positive(1 / down if down else None, factor), "X": _positive(1 / across if across else None, factor)}
    return {axis: step for axis, step in steps.items() if step and max(filter(None, steps.values())) <= LARGEST_PIXEL}


def _resolution(page: TiffPage) -> tuple[float, float]:
    """Return the pixels per unit along X and Y; 0 where the tag is missing or senseless."""
    values = []
    for tag in (282, 283):  # XResolution, YResolution
        value = page.tags.valueof(tag, default=(0, 1))
        number, unit = value if isinstance(value, tuple) and len(value) == 2 else (0, 1)
        values.append(number / unit if number and unit else 0.0)
    return values[0], values[1]


def _positive(value: Any, factor: float | None) -> float | None:
    """Return `value` in other units, or None when it is no positive number or the unit is not known."""
    if factor is None or value is None:
        return None
    try:
        step = abs(float(value)) * factor  # ImageJ writes a negative spacing for a stack taken downwards
    except (TypeError, ValueError):
        return None
    return step if 0 < step < math.inf else None

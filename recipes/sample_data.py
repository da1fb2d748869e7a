"""Draws the sample images and their exact truth: ``python -m recipes.sample_data [FOLDER]``.

Everything is synthetic and made by this file and those it imports, so that the samples can be given away without conditions (CC0) and the
truth is known to the pixel. The same seed gives the same pictures on every system.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import tifffile
from numpy.typing import NDArray

from recipes.sample_classes import tissue_types
from recipes.sample_envelope import envelopes
from recipes.sample_scenes import blurred, cells, crowded, fluorescence, histology
from recipes.sample_series import movie, stack

FOLDER = Path(__file__).parents[1] / "src" / "napari_unet_seg" / "sample_data"
BLUE, GREEN = 0x4D8DFFFF, 0x00FF00FF  # RGBA; pure blue is hardly seen on black


@dataclass(frozen=True)
class Sample:
    """One sample file.

    Parameters
    ----------
    draw : callable
        Returns the image and its labels.
    axes : str
        Letters of the image's dimensions.
    pixel : float
        Edge of a pixel in µm.
    channels : tuple of str
        What was stained.
    more : dict
        Further OME metadata, such as the distance of the planes.
    """

    draw: Callable[[], tuple[NDArray[Any], NDArray[np.uint16]]]
    axes: str
    pixel: float
    channels: tuple[str, ...]
    more: dict[str, Any]


SAMPLES = {
    "nuclei": Sample(fluorescence, "YX", 0.325, ("DAPI",), {}),  # a 20x objective on a common camera
    "tissue": Sample(histology, "YXS", 0.5, ("H&E",), {}),  # a slide scanned at 20x
    "blurred": Sample(blurred, "YX", 0.325, ("Hoechst",), {}),
    "crowded": Sample(crowded, "YX", 0.325, ("DAPI",), {}),
    "envelope": Sample(envelopes, "YX", 0.325, ("Lamin B1",), {}),
    "cells": Sample(cells, "CYX", 0.325, ("DAPI", "GFP"), {}),
    "classes": Sample(tissue_types, "YXS", 0.5, ("H&E",), {}),
    "stack": Sample(stack, "ZYX", 0.3, ("DAPI",), {"PhysicalSizeZ": 0.9, "PhysicalSizeZUnit": "µm"}),
    "movie": Sample(movie, "TYX", 0.65, ("H2B-GFP",), {"TimeIncrement": 600.0, "TimeIncrementUnit": "s"}),
}


def write(folder: Path, names: tuple[str, ...] = tuple(SAMPLES)) -> None:
    """Write images as OME-TIFF into `folder`, and their labels into its subfolder ``truth``."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for name in names:
        sample = SAMPLES[name]
        image, labels = sample.draw()
        _write(folder / f"{name}.ome.tif", image, sample, _metadata(name, sample))
        _write(folder / "truth" / f"{name}.tif", labels, sample, None)


def _metadata(name: str, sample: Sample) -> dict[str, Any]:
    size, names = sample.pixel, sample.channels
    channel: dict[str, Any] = {"Name": names[0] if len(names) == 1 else list(names)}
    if len(names) == 2:
        channel["Color"] = [_signed(BLUE), _signed(GREEN)]
    metadata: dict[str, Any] = {"axes": sample.axes, "Channel": channel, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    metadata |= {"PhysicalSizeX": size, "PhysicalSizeY": size, "Creator": "napari-unet-seg", "UUID": str(uuid5(NAMESPACE_URL, name))}
    return metadata | sample.more


def _signed(color: int) -> int:
    """Return a colour as OME-XML holds it: a signed number of 32 bits."""
    return color - 2**32 if color >= 2**31 else color


def _write(path: Path, pixels: NDArray[Any], sample: Sample, metadata: dict[str, Any] | None) -> None:
    shared: dict[str, Any] = {"compression": "zlib", "compressionargs": {"level": 9}, "predictor": True}
    shared |= {"resolution": (1e4 / sample.pixel, 1e4 / sample.pixel), "resolutionunit": "CENTIMETER"}
    photometric = "rgb" if metadata and sample.axes == "YXS" else "minisblack"
    tifffile.imwrite(path, pixels, ome=metadata is not None, photometric=photometric, metadata=metadata, **shared)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

"""The sample images that come with the package: where they are, and napari's File > Open Sample.

They are synthetic, so that the truth is known to the pixel; ``sample_data/README.md`` says more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.errors import ReadError

if TYPE_CHECKING:
    from napari_unet_seg.io.napari_reader import LayerTuple

SAMPLES = ("nuclei", "tissue")
"""Fluorescence, and histology."""

_FOLDER = Path(__file__).parents[1] / "sample_data"


def sample_path(name: str = "nuclei") -> Path:
    """Return the file of a sample image.

    Parameters
    ----------
    name : str
        One of `SAMPLES`: "nuclei" is uint16 (Y, X) with 0.325 µm a pixel, "tissue" uint8 (Y, X, 3) with 0.5 µm a pixel.

    Returns
    -------
    Path
        An OME-TIFF.

    Raises
    ------
    ReadError
        If there is no such sample, or the installation lacks its file.
    """
    return _existing(name, _FOLDER / f"{name}.ome.tif")


def truth_path(name: str = "nuclei") -> Path:
    """Return the file with the true labels of a sample image.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.

    Returns
    -------
    Path
        A TIFF of uint16 (Y, X), 0 where there is no nucleus.

    Raises
    ------
    ReadError
        If there is no such sample, or the installation lacks its file.
    """
    return _existing(name, _FOLDER / "truth" / f"{name}.tif")


def open_fluorescence() -> list[LayerTuple]:
    """Return the layers of the fluorescence sample: one image named after its channel, in micrometres."""
    return _layers("nuclei")


def open_histology() -> list[LayerTuple]:
    """Return the layers of the histology sample: one RGB image, in micrometres."""
    return _layers("tissue")


def _layers(name: str) -> list[LayerTuple]:
    from napari_unet_seg.io.napari_reader import read_layers  # tifffile is loaded only when a sample is opened

    return read_layers(sample_path(name))


def _existing(name: str, path: Path) -> Path:
    if name not in SAMPLES:
        raise ReadError(f"There is no sample named {name!r}; there are {', '.join(map(repr, SAMPLES))}.")
    if not path.is_file():
        raise ReadError(f"The sample {path} is missing from the installation; install napari-unet-seg again.")
    return path

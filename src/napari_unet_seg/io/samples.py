"""The sample images that come with the package: where they are, and napari's File > Open Sample.

They are synthetic, so that the truth is known to the pixel; ``sample_data/README.md`` says more. Each opens with its truth as a labels
layer that is hidden at first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import ReadError

if TYPE_CHECKING:
    from napari_unet_seg.io.napari_reader import LayerTuple

SAMPLES = ("nuclei", "tissue", "blurred", "crowded", "envelope", "cells", "stack", "movie")
"""Names of the files of nuclei."""
OF_CLASSES = "classes"
"""Name of the file whose truth is a class of each pixel."""
DEMO = ("nuclei", "tissue")
"""Fluorescence and histology, which the demo segments."""
TRUTH = "{} truth"
"""Name of the labels layer with the truth of a sample."""

_FOLDER = Path(__file__).parents[1] / "sample_data"


def sample_path(name: str = "nuclei") -> Path:
    """Return the file of a sample image.

    Parameters
    ----------
    name : str
        One of `SAMPLES` or `OF_CLASSES`: "nuclei" is uint16 (Y, X) with 0.325 µm a pixel, "tissue" uint8 (Y, X, 3) with 0.5 µm a pixel,
        "cells" has two channels, "stack" planes 0.9 µm apart, "movie" a time every ten minutes.

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
        A TIFF of uint16, the image's axes less channels and colours, 0 where there is no nucleus; of "classes" 1 glass, 2 stroma,
        3 epithelium, 4 blood.

    Raises
    ------
    ReadError
        If there is no such sample, or the installation lacks its file.
    """
    return _existing(name, _FOLDER / "truth" / f"{name}.tif")


def open_fluorescence() -> list[LayerTuple]:
    """Return the layers of sharp nuclei in uneven light, many of them touching, in micrometres."""
    return sample_layers("nuclei")


def open_histology() -> list[LayerTuple]:
    """Return the layers of a stained section: an RGB image, in micrometres."""
    return sample_layers("tissue")


def open_blurred() -> list[LayerTuple]:
    """Return the layers of nuclei out of focus, in little and uneven light."""
    return sample_layers("blurred")


def open_crowded() -> list[LayerTuple]:
    """Return the layers of packed nuclei with bright spots."""
    return sample_layers("crowded")


def open_envelope() -> list[LayerTuple]:
    """Return the layers of nuclei of which only the envelope is stained, which the bundled model does not know."""
    return sample_layers("envelope")


def open_cells() -> list[LayerTuple]:
    """Return the layers of two channels: nuclei, and a protein to measure in them."""
    return sample_layers("cells")


def open_classes() -> list[LayerTuple]:
    """Return the layers of a stained section of four types of tissue, whose truth has one number a type."""
    return sample_layers(OF_CLASSES)


def open_stack() -> list[LayerTuple]:
    """Return the layers of a confocal stack (Z, Y, X), whose truth has one number a nucleus through all planes."""
    return sample_layers("stack")


def open_movie() -> list[LayerTuple]:
    """Return the layers of a time series (T, Y, X) of moving nuclei, one of which divides."""
    return sample_layers("movie")


def sample_layers(name: str) -> list[LayerTuple]:
    """Return the layers of a sample: the channels of the image, and its truth.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.

    Returns
    -------
    list of (data, dict, str)
        Image layers, named after what was stained, with scale and units; then a Labels layer of int32 called "... truth", not visible.

    Raises
    ------
    ReadError
        If there is no such sample, or the installation lacks its files.
    """
    from napari_unet_seg.io.napari_reader import read_layers  # tifffile is loaded only when a sample is opened

    layers = read_layers(sample_path(name))
    return [*layers, truth_layer(_read_truth(name), name, layers[0][1])]


def truth_layer(labels: Any, name: str, image: dict[str, Any]) -> LayerTuple:
    """Return a layer of true labels that lies on its image.

    Parameters
    ----------
    labels : ndarray of int
        One number a nucleus.
    name : str
        Of what it is the truth.
    image : dict
        Options of the image's layer.

    Returns
    -------
    (data, dict, str)
        Hidden, so that a result is not judged before it is made.
    """
    shared = {key: image[key] for key in ("scale", "units", "axis_labels")}
    axes = image["metadata"]["axes"].replace("S", "")
    return labels, {"name": TRUTH.format(name), "visible": False, "metadata": {"axes": axes}, **shared}, "labels"


def _read_truth(name: str) -> Any:
    import numpy as np

    from napari_unet_seg.io.image import open_image

    return np.asarray(open_image(truth_path(name)).levels[0]).astype(np.int32)


def _existing(name: str, path: Path) -> Path:
    if name not in (*SAMPLES, OF_CLASSES):
        raise ReadError(f"There is no sample named {name!r}; there are {', '.join(map(repr, (*SAMPLES, OF_CLASSES)))}.")
    if not path.is_file():
        raise ReadError(f"The sample {path} is missing from the installation; install napari-unet-seg again.")
    return path

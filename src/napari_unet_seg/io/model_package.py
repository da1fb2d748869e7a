"""Models as packages of bioimage.io, which ilastik, deepImageJ, BioEngine and others open: a zip with weights, description and a test.

The description follows version 0.5 of https://github.com/bioimage-io/spec-bioimage-io, whose own checker and runner the tests of this
package let loose on what is written here. Equal models give equal files.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.normalize import CLIP, HIGH_PERCENTILE, LOW_PERCENTILE, estimate_limits, normalize
from napari_unet_seg.errors import ModelError
from napari_unet_seg.io.model_words import citations, describe_model, documentation
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

FORMAT = "0.5.4"
"""Version of the description: not the newest, so that programs that were not updated lately read it."""
_SMALLEST = 256
"""Edge of the test image at least, in pixels: a few dozen nuclei."""
_COVER = (256, 512)
"""Height and width of the cover in pixels: twice as wide as high, as the site asks."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip."""
_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+- ()")
"""All that the name of a model may consist of."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Credits:
    """Whose a model is, and what others may do with it.

    Parameters
    ----------
    authors : tuple of str
        Names.
    licence : str
        SPDX identifier, such as "CC-BY-4.0"; empty when none is given.
    """

    authors: tuple[str, ...] = ()
    licence: str = ""

    @property
    def gap(self) -> str:
        """One sentence on what a published model still needs; empty when nothing is missing."""
        missing = [word for word, value in (("author", self.authors), ("licence", self.licence)) if not value]
        return f"It names no {' and no '.join(missing)}; add {' and '.join(missing)} before you publish it." if missing else ""


def credits_of(model: Model, authors: tuple[str, ...] = (), licence: str = "") -> Credits:
    """Return what is given, and else what the model's card says.

    Parameters
    ----------
    model : Model
    authors : tuple of str
    licence : str

    Returns
    -------
    Credits
    """
    known = model.card.get("authors", ())
    named = (known,) if isinstance(known, str) else tuple(map(str, known))
    return Credits(authors or named, licence or str(model.card.get("licence", "")))


def write_package(path: Path, model: Model, credit: Credits) -> None:
    """Write a model as a package of bioimage.io.

    Parameters
    ----------
    path : Path
        A zip file, replaced when all is written.
    model : Model
        Of planes of one channel.
    credit : Credits

    Raises
    ------
    ModelError
        If the packages that this needs are missing, or the model is not for planes of one channel.
    WriteError
        If the system refuses to write.
    """
    files = package_files(model, credit)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)


def package_files(model: Model, credit: Credits) -> dict[str, bytes]:
    """Make the files of a package; parameters and errors as in `write_package`.

    Returns
    -------
    dict of str to bytes
        By name.
    """
    import yaml

    from napari_unet_seg.core.portable import run_portable, to_onnx, to_torchscript

    if (model.settings.spatial_dims, model.settings.in_channels) != (2, 1):
        raise ModelError(f"{model.name} is not for planes of one channel, and only such models go to bioimage.io; export it to ONNX.")
    image = sample_image(least_edge(model))
    given = normalize(image, estimate_limits(image, SegmentSettings()))[None, None]  # (1, 1, Y, X)
    files = {
        "model.onnx": to_onnx(model),
        "model.pt": to_torchscript(model),
        "test_input.npy": _npy(image[None, None].astype(np.float32)),
        "test_output.npy": _npy(run_portable(model, given)),
        "README.md": documentation(model).encode(),
        "cover.png": _cover(model),
    }
    described = yaml.safe_dump(description(model, credit, files), sort_keys=False, allow_unicode=True, width=120)
    return {"bioimageio.yaml": described.encode(), **files}


def description(model: Model, credit: Credits, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the description of a package.

    Parameters
    ----------
    model : Model
    credit : Credits
    files : mapping of str to bytes
        The other files, whose hashes it holds.

    Returns
    -------
    dict
        What YAML can hold.
    """
    from napari_unet_seg import __version__

    return {
        "format_version": FORMAT,
        "type": "model",
        "name": _plain(f"{model.name} (napari-unet-seg)"),
        "description": describe_model(model),
        "authors": [{"name": name.replace("/", " ")} for name in credit.authors],
        **({"license": credit.licence} if credit.licence else {}),
        "cite": citations(model),
        "documentation": "README.md",
        "covers": ["cover.png"],
        "tags": ["segmentation", "nuclei", "instance-segmentation", "unet", "2d", "pytorch", "napari"],
        "inputs": [_input(model, files)],
        "outputs": [_output(model, files)],
        "weights": _weights(files),
        "config": {"napari_unet_seg": {"version": __version__, "model": model.name, "sha256": model.sha256}},
    }


def least_edge(model: Model) -> int:
    """Return the edge of the smallest image that a program should give to a model, in pixels.

    Parameters
    ----------
    model : Model

    Returns
    -------
    int
        Such that something is left of it when the halo is taken off.
    """
    from napari_unet_seg.core.portable import multiple

    step = multiple(model)
    return -(-max(_SMALLEST, 2 * halo(model) + step) // step) * step


def halo(model: Model) -> int:
    """Return how many pixels at the edge of a tile are not to be believed: as far as the network sees."""
    from napari_unet_seg.core.portable import multiple
    from napari_unet_seg.core.unet import receptive_radius

    step = multiple(model)
    return -(-receptive_radius(model.settings) // step) * step


def sample_image(size: int) -> npt.NDArray[np.uint16]:
    """Return a square of the fluorescence sample, mirrored where it is not large enough: (Y, X)."""
    from napari_unet_seg.io.image import open_image
    from napari_unet_seg.io.samples import sample_path

    plane = np.asarray(open_image(sample_path("nuclei")).data)
    room = max(0, size - min(plane.shape))
    padded: npt.NDArray[np.uint16] = np.pad(plane, (0, room), mode="symmetric")[:size, :size]
    return padded


def _input(model: Model, files: Mapping[str, bytes]) -> dict[str, Any]:
    from napari_unet_seg.core.portable import INPUT, multiple

    size = {"min": least_edge(model), "step": multiple(model)}
    percentiles = {"axes": ["channel", "y", "x"], "min_percentile": LOW_PERCENTILE, "max_percentile": HIGH_PERCENTILE}
    return {
        "id": INPUT,
        "description": "One channel with bright nuclei; turn dark ones bright first.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["nuclei"]},
            *({"type": "space", "id": axis, "size": size} for axis in "yx"),
        ],
        "data": {"type": "float32"},
        "test_tensor": _source("test_input.npy", files),
        "preprocessing": [
            {"id": "scale_range", "kwargs": percentiles},
            {"id": "clip", "kwargs": {"min": CLIP[0], "max": CLIP[1]}},
        ],
    }


def _output(model: Model, files: Mapping[str, bytes]) -> dict[str, Any]:
    from napari_unet_seg.core.portable import INPUT, OUTPUT

    axes = [{"type": "space", "id": axis, "size": {"tensor_id": INPUT, "axis_id": axis}, "halo": halo(model)} for axis in "yx"]
    return {
        "id": OUTPUT,
        "description": f"Maps between 0 and 1: {', '.join(model.settings.maps)}.",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": list(model.settings.maps)}, *axes],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _source("test_output.npy", files),
    }


def _weights(files: Mapping[str, bytes]) -> dict[str, Any]:
    from napari_unet_seg.core.portable import OPSET, TORCH_VERSION

    return {
        "onnx": {**_source("model.onnx", files), "parent": "torchscript", "opset_version": OPSET},
        "torchscript": {**_source("model.pt", files), "pytorch_version": TORCH_VERSION},
    }


def _source(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def _plain(name: str) -> str:
    """Write a name in the letters that the site allows: accents go, the rest becomes a dash."""
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return "".join(letter if letter in _LETTERS else "-" for letter in letters)


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _cover(model: Model) -> bytes:
    """Draw what the model finds: the sample on the left, with outlines on the right, where it tells nuclei apart."""
    from PIL import Image

    from napari_unet_seg.core.segment import segment
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.overlay import draw_overlay

    height, width = _COVER
    plane = sample_image(_SMALLEST)
    nothing = np.zeros(plane.shape, np.int32)
    found = segment(plane, model, "cpu", axes="YX") if model.settings.distance else nothing
    halves = [draw_overlay(ImageFile(Path(), plane, "YX"), labels) for labels in (nothing, found)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(halves, axis=1)).resize((width, height)).save(buffer, "png", optimize=True)
    return buffer.getvalue()

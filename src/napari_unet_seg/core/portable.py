"""Models for other programs: the network and its activation as ONNX or TorchScript, for any network of this package.

What they take is a normalised image (see `NORMALISATION`), and what they give are maps between 0 and 1. PyTorch's ONNX exporter loads parts
of it that a process with a window had better not have (see `napari_unet_seg.core.optimizer.AdamW`): a window lets `iter_outside` export.
"""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet_seg.core.normalize import CLIP, HIGH_PERCENTILE, LOW_PERCENTILE
from napari_unet_seg.core.unet import UNet, activate
from napari_unet_seg.errors import ModelError

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

OPSET = 18
"""Version of ONNX's operators: the oldest that the exporter writes, and so the one that most programs read."""
TORCH_VERSION = torch.__version__.partition("+")[0]
"""By which TorchScript is written."""
INPUT, OUTPUT = "image", "maps"
"""Names of the graph's input and output."""
NEEDED = ("onnx", "onnxscript")
"""Packages that an export to ONNX needs besides PyTorch."""
INSTALL = 'python -m pip install "napari-unet-seg[export]"'
NORMALISATION = (
    f"One channel, nuclei bright. Take the {LOW_PERCENTILE:g} and {HIGH_PERCENTILE:g} percentiles of the whole image, "
    f"scale them to 0 and 1, and clip to {CLIP[0]:g} and {CLIP[1]:g}; turn dark nuclei bright first."
)
"""What the input has to be like, in words."""


class Portable(nn.Module):
    """A network with its activation, as other programs run it.

    Parameters
    ----------
    network : UNet
        Is copied, and its normalisation folded into the convolutions.
    """

    def __init__(self, network: UNet) -> None:
        """Copy the network."""
        super().__init__()
        self.network = copy.deepcopy(network).cpu().eval().fold()
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Return the maps.

        Parameters
        ----------
        image : Tensor of float32, shape (B, C, Y, X)
            Normalised; Y and X are multiples of `NetworkSettings.multiple`.

        Returns
        -------
        Tensor of float32, shape (B, maps, Y, X)
            0 to 1.
        """
        return activate(self.network(image), self.network.settings)


def check_export() -> None:
    """Raise `ModelError` if what an export to ONNX needs is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(f"To export to ONNX and bioimage.io, {' and '.join(missing)} must be installed: {INSTALL}")


def multiple(model: Model) -> int:
    """Return what the height and the width of an image must be multiples of."""
    return model.settings.multiple


def to_onnx(model: Model) -> bytes:
    """Export a model to ONNX.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bytes
        The file: input ``image`` (batch, channels, Y, X), output ``maps`` (batch, maps, Y, X), both float32; batch, Y and X are free. Its
        metadata hold the names of the maps, how to normalise, the name and the hash of the model, and its licence.

    Raises
    ------
    ModelError
        If ONNX is not installed, or cannot express the network.
    """
    check_export()
    step, dims = multiple(model), model.settings.spatial_dims
    size = torch.export.Dim
    free = {0: size("batch"), **{axis + 2: step * size("zyx"[-dims:][axis] + "_blocks") for axis in range(dims)}}
    with _quiet():
        try:
            program = torch.onnx.export(
                Portable(model.network),
                (_example(model),),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=(free,),
                verbose=False,
            )
        except (RuntimeError, ValueError, TypeError) as error:  # torch's own exporter errors are RuntimeErrors
            raise ModelError(f"The model {model.name!r} cannot be expressed in ONNX: {str(error).splitlines()[0]}") from error
    return _described(program, model)


def to_torchscript(model: Model) -> bytes:
    """Export a model to TorchScript, which `torch.jit.load` and programs on LibTorch run.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bytes
        The file; input and output as in `to_onnx`.
    """
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        torch.jit.save(torch.jit.trace(Portable(model.network), _example(model)), buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def run_portable(model: Model, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute what an exported model should give.

    Parameters
    ----------
    model : Model
    image : ndarray of float32, shape (B, C, Y, X)
        Normalised.

    Returns
    -------
    ndarray of float32, shape (B, maps, Y, X)
    """
    with torch.inference_mode():
        maps: npt.NDArray[np.float32] = Portable(model.network)(torch.from_numpy(image)).numpy()
    return maps


def _example(model: Model) -> Tensor:
    """Return an image of two sizes that differ, so that neither can be taken for fixed."""
    step = multiple(model)
    sizes = [(index + 2) * step for index in range(model.settings.spatial_dims)]
    return torch.zeros(2, model.settings.in_channels, *sizes)


def _described(program: Any, model: Model) -> bytes:
    proto = program.model_proto
    proto.doc_string = f"{model.name}: {NORMALISATION}"
    facts = {
        "name": model.name,
        "sha256": model.sha256,
        "maps": json.dumps(model.settings.maps),
        "multiple": str(multiple(model)),
        "normalisation": NORMALISATION,
        "licence": str(model.card.get("licence", "")),
    }
    for key, value in facts.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    return bytes(proto.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on themselves from the user: what they deprecate is ours to follow, not the user's."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

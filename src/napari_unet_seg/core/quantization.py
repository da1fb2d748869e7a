"""Numbers of 8 bits for the layers of a network: twice as fast on processors as 16 bits.

What a layer gives is rounded to 256 steps of the range that its values were seen to have, and each filter's weights to 255 of their own
(Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018; here after the
training, without another). A narrow range has fine steps but clips more: that with the least squared error is taken (Nagel et al., "A White
Paper on Neural Network Quantization", 2021, section 3.1). Sums of whole numbers are exact, so that windows of any size give the same bits.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet_seg.core.normalize import estimate_limits, normalize
from napari_unet_seg.core.unet import AttentionGate, Block, Convolution

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.unet import UNet

CARD_KEY = "ranges"
"""Under this name a model's card holds the ranges."""
STEPS = 256
"""Of 8 bits."""
SAMPLE = 20_000
"""Values of each layer in each image that tell its range."""
_SHARES = np.geomspace(0.05, 1, 40)
"""Ranges that are tried, in parts of the widest; their neighbours differ by a twelfth."""
_DIGITS = 5
"""Of the ends of a range in the card, wherever the point is: a layer may hand on numbers that are small throughout."""
_WIDEST = 1e30
"""More, and less than its inverse, is a damaged card's: what a network computes in float32 could not go further."""

Ranges = Mapping[str, tuple[float, float]]
"""The lowest and the highest value of what a part of the network gives, by the name of the part."""


def with_ranges(model: Model, images: Iterable[Any]) -> Model:
    """Look at what the layers of a model give for some images, and write it into the card, so that the model can be run in 8 bits.

    Parameters
    ----------
    model : Model
    images : iterable of array-like, shape (Y, X) or (Y, X, 3 or 4)
        Of the kinds that the model is for; those that it learned from will do.

    Returns
    -------
    Model
        With `ranges` in its card: those of the ``layers``, and the number of ``images``.
    """
    windows = []
    for image in images:
        window = normalize(np.asarray(image), estimate_limits(image, model.defaults))
        windows.append(fitted(window, model.settings.multiple))
    return ranged(model, measure_ranges(model.network, windows), len(windows))


def fitted(window: npt.NDArray[np.float32], multiple: int) -> npt.NDArray[np.float32]:
    """Cut the edges of a window down to a multiple; one that is smaller is continued as it ends.

    Parameters
    ----------
    window : ndarray of float32, shape (Y, X)
    multiple : int
        `NetworkSettings.multiple`.

    Returns
    -------
    ndarray of float32, shape (Y, X)
    """
    window = np.pad(window, [(0, max(multiple - size, 0)) for size in window.shape], mode="edge")
    height, width = (size // multiple * multiple for size in window.shape)
    return np.ascontiguousarray(window[:height, :width])


def ranged(model: Model, ranges: Ranges, images: int) -> Model:
    """Write ranges into the card of a model.

    Parameters
    ----------
    model : Model
    ranges : mapping
        From `measure_ranges`.
    images : int
        On how many they were seen.

    Returns
    -------
    Model
        As of `with_ranges`.
    """
    layers = {name: [float(f"{end:.{_DIGITS}g}") for end in ends] for name, ends in ranges.items()}
    return replace(model, card={**model.card, CARD_KEY: {"layers": layers, "images": images}})


def measure_ranges(network: UNet, windows: Iterable[npt.NDArray[np.float32]], sample: int = SAMPLE) -> dict[str, tuple[float, float]]:
    """Look at what the parts of a network give for some images.

    Parameters
    ----------
    network : UNet
        It is not changed.
    windows : iterable of ndarray of float32, shape (Y, X)
        Normalised images of the kinds that the model is for; edges are multiples of `NetworkSettings.multiple`.
    sample : int
        About as many values of each layer in each image are looked at.

    Returns
    -------
    dict
        For each part that hands on a layer, the range in which `STEPS` steps are nearest to its values.
    """
    network = copy.deepcopy(network).eval().fold()
    seen: dict[str, list[npt.NDArray[np.float32]]] = defaultdict(list)
    hooks = [part.register_forward_hook(partial(_note, seen[name], sample)) for name, part in parts(network).items()]
    with torch.inference_mode():
        for window in windows:
            network(torch.from_numpy(window)[None, None])
    for hook in hooks:
        hook.remove()
    return {name: _best_range(np.concatenate(values)) for name, values in seen.items()}


def parts(network: UNet) -> dict[str, nn.Module]:
    """Return the parts of a network that hand on a layer, by name: blocks, the first convolution of each, and what comes up or is gated."""
    handing: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        if isinstance(module, Block):
            handing |= {f"{name}.0": module[0], name: module}
        elif isinstance(module, AttentionGate) or name.startswith("upsample."):
            handing[name] = module
    return handing


def grids(network: UNet, ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Fit the ranges of a network to what whole numbers can hold: 0 is one of the steps, and what is joined has the same steps.

    So a convolution is a sum of whole numbers, which every library and device adds up alike. Left to itself, OpenVINO would fit them in a
    way of its own, which changes twice as many pixels.

    Parameters
    ----------
    network : UNet
    ranges : mapping
        As measured, by the name of the part.

    Returns
    -------
    dict
        The lowest and the highest step of each part.

    Raises
    ------
    KeyError
        If they are of another network.
    """
    fitted = {name: ranges[name] for name in parts(network)}
    for level in range(network.settings.depth):
        skip, below = f"{'gates' if network.gates else 'encoder'}.{level}", f"upsample.{level}"
        ends = list(zip(fitted[skip], fitted[below], strict=True))
        fitted[skip] = fitted[below] = (min(ends[0]), max(ends[1]))
    return {name: _with_zero(low, high) for name, (low, high) in fitted.items()}


def ranges_of(card: Mapping[str, Any]) -> Ranges:
    """Read the ranges from the card of a model.

    Parameters
    ----------
    card : mapping

    Returns
    -------
    mapping
        Empty when the card holds none.

    Raises
    ------
    ValueError
        If what it holds are no ranges.
    """
    found = card.get(CARD_KEY, {}).get("layers", {})
    ranges = {str(name): (float(low), float(high)) for name, (low, high) in found.items()}
    if not all(low < high and 1 / _WIDEST < max(-low, high) < _WIDEST for low, high in ranges.values()):
        raise ValueError("its ranges are no numbers that fit into 32 bits, the lower before the higher")
    return ranges


def _with_zero(low: float, high: float) -> tuple[float, float]:
    step = (high - low) / (STEPS - 1)
    below = round(-low / step)
    return -below * step, (STEPS - 1 - below) * step


def _note(values: list[npt.NDArray[np.float32]], sample: int, part: nn.Module, _: Any, given: Tensor) -> None:
    """Take in some of what a part gives for an image."""
    found = torch.relu(given) if isinstance(part, Convolution) else given  # a block rectifies what it hands on
    values.append(found.flatten()[:: max(1, found.numel() // sample)].numpy().copy())


def _best_range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the range with the least squared error; that of a layer which is 0 everywhere is as good as any."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0) or 1.0
    ranges = [(low * share, high * share) for share in _SHARES]
    return min(ranges, key=lambda ends: _error(values, *ends))


def _error(values: npt.NDArray[np.float32], low: float, high: float) -> float:
    step = (high - low) / (STEPS - 1)
    rounded = np.round((values - low) / step).clip(0, STEPS - 1) * step + low
    return float(np.square(rounded - values).mean())

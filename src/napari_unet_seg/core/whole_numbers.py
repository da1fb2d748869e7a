"""A network in numbers of 8 bits by torch, for devices with nothing of their own for it: to find there what processors find.

Computes what `core.graph` has OpenVINO compute. What a layer hands on is a whole number from 0 to 255 less that of zero, its weights are
whole numbers from -127 to 127, and sums of their products stay below 2 ** 24 but for the most extraordinary image, so that float32 holds
each exactly in whatever order a device adds them up. Only the first layer and what comes after a sum are rounded otherwise by another
library: at the end, a few values in a hundred are one step off. Between torch and OpenVINO that changes the nucleus of 0.03 % of the pixels
(``benchmarks/agreement.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from napari_unet_seg.core.quantization import STEPS, Ranges, grids, parts
from napari_unet_seg.core.unet import AttentionGate, Block, UNet

if TYPE_CHECKING:
    from napari_unet_seg.core.unet import Convolution

_MOST = STEPS // 2 - 1
"""Weights have as many steps above 0 as below."""

_Layer = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d


def in_whole_numbers(network: UNet, ranges: Ranges) -> UNet:
    """Make a network compute in whole numbers.

    Parameters
    ----------
    network : UNet
        Folded, in evaluation mode; it is changed.
    ranges : mapping
        Of what its parts give, see `core.quantization`.

    Returns
    -------
    UNet
        The same.

    Raises
    ------
    KeyError
        If the ranges are of another network.
    """
    grid = grids(network, ranges)
    steps = {name: (high - low) / (STEPS - 1) for name, (low, high) in grid.items()}
    given = {f"gates.{level}": steps[f"encoder.{level}"] for level in range(len(network.gates))}  # a gate weighs whole numbers
    for layer, source in _sources(network):
        _round_weights(layer, steps[source])
    for name, part in parts(network).items():
        low, high = (round(end / steps[name]) for end in grid[name])
        part.register_forward_hook(partial(_handed_on, given.get(name, 1.0) / steps[name], low, high))
    return network


def _sources(network: UNet) -> Iterator[tuple[_Layer, str]]:
    """Yield each layer that sees whole numbers, and the name of the part that hands them on; the first sees the image."""
    down = [f"encoder.{level}" for level in range(network.settings.depth)]
    for (source, name), block in zip(pairwise(["", *down, "bottleneck"]), [*network.encoder, network.bottleneck], strict=True):
        yield from _of_block(block, name, source)
    below = "bottleneck"
    for level in reversed(range(network.settings.depth)):
        raised = f"upsample.{level}"
        yield network.upsample[level], below  # type: ignore[misc]  # torch knows modules alone
        if network.gates:
            gate: AttentionGate = network.gates[level]  # type: ignore[assignment]
            yield from ((gate.skip.conv, down[level]), (gate.signal.conv, raised))  # type: ignore[misc]
        below = f"decoder.{level}"
        yield from _of_block(network.decoder[level], below, raised)  # what is joined has the same steps
    yield network.head, below


def _of_block(block: nn.Module, name: str, source: str) -> Iterator[tuple[_Layer, str]]:
    assert isinstance(block, Block)
    first, second, *shortcut = (convolution.conv for convolution in block.children())
    if source:
        yield from ((layer, source) for layer in (first, *shortcut))  # type: ignore[misc]
    yield second, f"{name}.0"  # type: ignore[misc]


def _round_weights(layer: _Layer, step: float) -> None:
    """Make the weights of a layer whole numbers; what they sum up is brought back to what it means afterwards."""
    filters = 1 if layer.transposed else 0
    others = [axis for axis in range(layer.weight.ndim) if axis != filters]
    with torch.no_grad():
        high = layer.weight.abs().amax(dim=others, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        layer.weight.copy_((layer.weight / high * _MOST).round())
    shape = (1, -1, *(1,) * (layer.weight.ndim - 2))
    shift = torch.zeros(high.numel()) if layer.bias is None else layer.bias.detach()
    layer.register_buffer("scale", (high.double() * step / _MOST).float().reshape(shape))
    layer.register_buffer("shift", shift.reshape(shape))
    layer.bias = None
    layer.register_forward_hook(_meant)


def _meant(layer: nn.Module, _: object, sums: Tensor) -> Tensor:
    """Return the real numbers that sums of whole numbers stand for."""
    return torch.addcmul(cast("Tensor", layer.shift), sums, cast("Tensor", layer.scale))


def _handed_on(factor: float, low: int, high: int, part: Convolution | Block, _: object, found: Tensor) -> Tensor:
    """Return the whole numbers that stand for what a part found; those below 0 are no more, where it rectifies."""
    return (found * factor).round_().clamp_(low, high)

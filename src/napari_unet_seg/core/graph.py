"""A network as OpenVINO's graph, layer by layer. The only module that imports OpenVINO: its package tells its makers of each import."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor, nn

_TELEMETRY = "openvino_telemetry"
_TOLD_BEFORE = _TELEMETRY in sys.modules  # somebody else's import of OpenVINO, which is none of ours
if not _TOLD_BEFORE:
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # as if it were not installed: OpenVINO then takes an empty stand-in
try:
    import openvino
    from openvino import opset13 as ops
finally:
    if not _TOLD_BEFORE:
        del sys.modules[_TELEMETRY]

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_unet_seg.core.unet import AttentionGate, Block, Convolution, UNet

Value = Any
"""What a node of the graph gives, (B, C, Y, X)."""


def compiled(network: UNet, precision: str, threads: int) -> openvino.CompiledModel:
    """Compile a network for this processor.

    Parameters
    ----------
    network : UNet
        As of `graph`.
    precision : {"f32", "bf16"}
        The number format of all layers but the last.
    threads : int
        How many compute.

    Returns
    -------
    openvino.CompiledModel

    Raises
    ------
    RuntimeError
        If OpenVINO cannot run it here.
    """
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",  # one window at a time, on all threads
        "ENABLE_CPU_PINNING": False,  # two processes side by side would take the same cores
    }
    return openvino.Core().compile_model(graph(network), "CPU", options)


def graph(network: UNet) -> openvino.Model:
    """Build what `UNet.forward` and `activate` do.

    Parameters
    ----------
    network : UNet
        Folded, in evaluation mode, on the processor.

    Returns
    -------
    openvino.Model
        From an image, float32, (1, C, Y, X), of any extent in multiples of 2 ** depth, to its maps, float16, (1, maps, Y, X).
    """
    settings = network.settings
    image = ops.parameter([1, settings.in_channels, *[-1] * settings.spatial_dims], np.float32)
    x, skips = image, []
    for block in network.encoder:
        x = _block(block, x)
        skips.append(x)
        x = _pooled(x, settings.spatial_dims)
    x = _block(network.bottleneck, x)
    for level in reversed(range(settings.depth)):
        x, skip = _upsampled(network.upsample[level], x), skips.pop()
        joined = [_gated(cast("AttentionGate", network.gates[level]), skip, x) if network.gates else skip, x]
        x = _block(network.decoder[level], ops.concat(joined, 1))
    return openvino.Model([_activated(_answer(network.head, x), len(settings.classes))], [image], "unet")


def _block(block: nn.Module, x: Value) -> Value:
    first, second, *shortcut = cast("Iterable[Convolution]", cast("Block", block))
    features = _convolved(second.conv, ops.relu(_convolved(first.conv, x)))
    return ops.relu(ops.add(features, _convolved(shortcut[0].conv, x)) if shortcut else features)


def _gated(gate: AttentionGate, skip: Value, signal: Value) -> Value:
    known = ops.relu(ops.add(_convolved(gate.skip.conv, skip), _convolved(gate.signal.conv, signal)))
    return ops.multiply(skip, ops.sigmoid(_convolved(gate.weigh.conv, known)))


def _convolved(conv: nn.Module, x: Value) -> Value:
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    pads = [int(pad) for pad in conv.padding]
    return _shifted(ops.convolution(x, _constant(conv.weight), list(conv.stride), pads, pads, list(conv.dilation)), conv.bias)


def _upsampled(conv: nn.Module, x: Value) -> Value:
    assert isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
    return _shifted(ops.convolution_backprop_data(x, _constant(conv.weight), list(conv.stride)), conv.bias)


def _answer(head: nn.Module, x: Value) -> Value:
    """Run the last layer in float32, as `UNet.answer` does: written as a transposed convolution, which is not rounded to 16 bits."""
    assert isinstance(head, nn.Conv2d | nn.Conv3d)
    return _shifted(ops.convolution_backprop_data(x, _constant(head.weight.transpose(0, 1)), list(head.stride)), head.bias)


def _pooled(x: Value, dims: int) -> Value:
    return ops.max_pool(x, [2] * dims, [1] * dims, [0] * dims, [0] * dims, [2] * dims).output(0)


def _activated(logits: Value, classes: int) -> Value:
    count = logits.get_output_partial_shape(0)[1].get_length()
    maps = [ops.softmax(ops.slice(logits, [0], [classes], [1], [1]), 1)]
    if count > classes:
        maps.append(ops.clamp(ops.slice(logits, [classes], [count], [1], [1]), 0.0, 1.0))
    return ops.convert(ops.concat(maps, 1), np.float16)


def _shifted(x: Value, bias: Tensor | None) -> Value:
    dims = x.get_output_partial_shape(0).rank.get_length() - 2
    return x if bias is None else ops.add(x, _constant(bias.reshape(1, -1, *[1] * dims)))


def _constant(weights: Tensor) -> Value:
    return ops.constant(np.ascontiguousarray(weights.detach().float().numpy()))

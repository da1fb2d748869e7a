"""A network as OpenVINO's graph, layer by layer. The only module that imports OpenVINO: its package tells its makers of each import."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor, nn

from napari_unet_seg.core.quantization import STEPS, Ranges, grids, parts

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
_Layer = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d
_WEIGHT_STEPS = STEPS - 1
"""Weights have as many above 0 as below."""


def compiled(network: UNet, precision: str, threads: int, ranges: Ranges) -> openvino.CompiledModel:
    """Compile a network for this processor.

    Parameters
    ----------
    network : UNet
        As of `Graph`.
    precision : {"f32", "bf16"}
        The number format of the layers that are not of 8 bits.
    threads : int
        How many compute.
    ranges : mapping
        As of `Graph`.

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
    return _core().compile_model(Graph(network, ranges).whole(), "CPU", options)


@functools.cache
def _core() -> openvino.Core:
    """Return the one that stays: each that goes leaves the thread a signal stack that is no more, and Ctrl+C would end in a crash."""
    return openvino.Core()


class Graph:
    """What `UNet.forward` and `activate` do, to be built once.

    Parameters
    ----------
    network : UNet
        Folded, in evaluation mode, on the processor.
    ranges : mapping
        Of what its parts give, see `core.quantization`: layers of 8 bits. None are, if it is empty.
    """

    def __init__(self, network: UNet, ranges: Ranges) -> None:
        """Find the parts that hand on layers of 8 bits."""
        self.network = network
        steps = grids(network, ranges) if ranges else {}
        self.ranges = {part: steps[name] for name, part in parts(network).items() if ranges}
        first, _, *shortcut = cast("Iterable[Convolution]", network.encoder[0])
        self.exact = [first.conv, *(each.conv for each in shortcut)]  # they see the image, which is of no 8 bits

    def whole(self) -> openvino.Model:
        """Build the graph.

        Returns
        -------
        openvino.Model
            From an image, float32, (1, C, Y, X), Y and X multiples of `NetworkSettings.multiple`, to its maps, float16, (1, maps, Y * X).
        """
        network, settings = self.network, self.network.settings
        image = ops.parameter([1, settings.in_channels, *[-1] * settings.spatial_dims], np.float32)
        x, skips = image, []
        for block in network.encoder:
            x = self._block(block, x)
            skips.append(x)
            x = _pooled(x, settings.spatial_dims)
        x = self._block(network.bottleneck, x)
        for level in reversed(range(settings.depth)):
            x, skip = self._upsampled(network.upsample[level], x), skips.pop()
            joined = [self._gated(network.gates[level], skip, x) if network.gates else skip, x]
            x = self._block(network.decoder[level], ops.concat(joined, 1))
        return openvino.Model([self._maps(x)], [image], "unet")

    def _block(self, block: nn.Module, x: Value) -> Value:
        first, second, *shortcut = cast("Iterable[Convolution]", cast("Block", block))
        features = self._convolved(second.conv, self._handed(first, ops.relu(self._convolved(first.conv, x))))
        return self._handed(block, ops.relu(ops.add(features, self._convolved(shortcut[0].conv, x)) if shortcut else features))

    def _gated(self, gate: nn.Module, skip: Value, signal: Value) -> Value:
        gate = cast("AttentionGate", gate)
        known = ops.relu(ops.add(self._convolved(gate.skip.conv, skip), self._convolved(gate.signal.conv, signal)))
        return self._handed(gate, ops.multiply(skip, ops.sigmoid(_shifted(_convolution(gate.weigh.conv, known), gate.weigh.conv))))

    def _upsampled(self, conv: nn.Module, x: Value) -> Value:
        return self._handed(conv, self._parted(conv, x))

    def _parted(self, conv: nn.Module, x: Value) -> Value:
        assert isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
        return _shifted(ops.convolution_backprop_data(x, self._weights(conv, each=1), list(conv.stride)), conv)

    def _convolved(self, conv: nn.Module, x: Value) -> Value:
        return _shifted(_convolution(conv, x, self._weights(conv)), conv)

    def _maps(self, x: Value) -> Value:
        """Do as `activate` does, on whole planes: to divide what lies pixel by pixel takes a twentieth of the time of all."""
        settings = self.network.settings
        count = len(settings.classes)
        logits = ops.reshape(self._answer(self.network.head, x), np.array([0, 0, -1]), special_zero=True)
        maps = [ops.softmax(ops.slice(logits, [0], [count], [1], [1]), 1)]
        if settings.distance:
            maps.append(ops.clamp(ops.slice(logits, [count], [count + 1], [1], [1]), 0.0, 1.0))
        return ops.convert(ops.concat(maps, 1), np.float16)

    def _answer(self, head: nn.Module, x: Value) -> Value:
        """Run the last layer in float32, as `UNet.answer` does: written as a transposed convolution, which is not rounded to 16 bits."""
        if self.ranges:
            return self._convolved(head, x) if isinstance(head, nn.Conv2d | nn.Conv3d) else self._parted(head, x)
        assert isinstance(head, _Layer)
        weights = head.weight.transpose(0, 1) if isinstance(head, nn.Conv2d | nn.Conv3d) else head.weight
        return _shifted(ops.convolution_backprop_data(x, _constant(weights), list(head.stride)), head)

    def _handed(self, part: nn.Module, x: Value) -> Value:
        """Round what a part hands on."""
        if part not in self.ranges:
            return x
        low, high = (np.float32(end) for end in self.ranges[part])
        return ops.fake_quantize(x, low, high, low, high, STEPS)

    def _weights(self, conv: nn.Module, each: int = 0) -> Value:
        """Return the weights of a layer, rounded for each filter of the axis `each`."""
        weights = cast("Tensor", conv.weight).detach().float()
        if not self.ranges or conv in self.exact:
            return _constant(weights)
        others = [axis for axis in range(weights.ndim) if axis != each]
        high = weights.abs().amax(dim=others, keepdim=True).clamp(min=float(np.finfo(np.float32).tiny)).numpy()
        return ops.fake_quantize(_constant(weights), -high, high, -high, high, _WEIGHT_STEPS)


def _convolution(conv: nn.Module, x: Value, weights: Value = None) -> Value:
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    pads = [int(pad) for pad in conv.padding]
    return ops.convolution(x, _constant(conv.weight) if weights is None else weights, list(conv.stride), pads, pads, list(conv.dilation))


def _pooled(x: Value, dims: int) -> Value:
    return ops.max_pool(x, [2] * dims, [1] * dims, [0] * dims, [0] * dims, [2] * dims).output(0)


def _shifted(x: Value, conv: nn.Module) -> Value:
    if conv.bias is None:
        return x
    dims = x.get_output_partial_shape(0).rank.get_length() - 2
    return ops.add(x, _constant(cast("Tensor", conv.bias).reshape(1, -1, *[1] * dims)))


def _constant(weights: Tensor) -> Value:
    return ops.constant(np.ascontiguousarray(weights.detach().float().numpy()))

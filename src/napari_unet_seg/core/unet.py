"""The U-Net: encoder, bottleneck, decoder and skips, to be read top to bottom.

Method: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, with padded
convolutions and BatchNorm. Variants: residual blocks (Zhang, Liu and Wang, "Road Extraction by Deep Residual U-Net", 2018) and attention
gates on the skips (Oktay et al., "Attention U-Net", MIDL 2018). Each sees as far as the plain network: shortcuts and gates look at one
pixel. With a stride S of 2 or more, the first convolution joins S x S pixels into one, and the last layer parts them again (as sub-pixel
convolution does: Shi et al., "Real-Time Single Image and Video Super-Resolution ...", CVPR 2016): most of the time of a U-Net goes into
its finest level. In the shape comments B is the batch, C the features, Y and X the pixels, divided by S; F is the width of the first level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from napari_unet_seg.settings import NetworkSettings

_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_UPSAMPLING: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_POOLING: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}

BLOCK_REACH = 2
"""Pixels that a block of two 3 x 3 convolutions looks to each side."""


class Convolution(nn.Module):
    """A convolution and a normalisation, of the same extent, or of one that is `stride` times as small along each axis."""

    def __init__(self, inputs: int, outputs: int, settings: NetworkSettings, size: int = 3, stride: int = 1) -> None:
        """Build the layer for `inputs` and `outputs` features; `size` is the edge of what it looks at, 3 or 1 times the stride."""
        super().__init__()
        normed, kind = settings.norm == "batch", _CONVOLUTION[settings.spatial_dims]
        self.conv: nn.Module = kind(inputs, outputs, size * stride, stride, padding=size // 2 * stride, bias=not normed)
        self.norm: nn.Module = _NORM[settings.spatial_dims](outputs) if normed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return features, not rectified."""
        normed: Tensor = self.norm(self.conv(x))
        return normed

    def rectified(self, x: Tensor) -> Tensor:
        """Return features, rectified."""
        return torch.relu_(self(x))

    def fold(self) -> None:
        """Put the normalisation into the convolution: the same result with one pass over the pixels less."""
        if not isinstance(self.norm, nn.Identity):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)  # type: ignore[type-var, arg-type]  # its stub knows Conv2d alone
            self.norm = nn.Identity()


class Block(nn.Sequential):
    """Two rectified convolutions: the unit of every level."""

    def __init__(self, inputs: int, outputs: int, settings: NetworkSettings, stride: int = 1) -> None:
        """Build the block for `inputs` and `outputs` features."""
        super().__init__(Convolution(inputs, outputs, settings, stride=stride), Convolution(outputs, outputs, settings))

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, Y, X) -> (B, outputs, Y / stride, X / stride)
        """Return features."""
        first, second = cast("Iterable[Convolution]", self)
        return second.rectified(first.rectified(x))


class ResidualBlock(Block):
    """The same, of which the second convolution only learns what is to be added to the input."""

    def __init__(self, inputs: int, outputs: int, settings: NetworkSettings, stride: int = 1) -> None:
        """Build the block for `inputs` and `outputs` features; a 1 x 1 convolution brings the input to as many as the output has."""
        super().__init__(inputs, outputs, settings, stride)
        self.add_module("shortcut", Convolution(inputs, outputs, settings, size=1, stride=stride))

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, Y, X) -> (B, outputs, Y / stride, X / stride)
        """Return features."""
        first, second, shortcut = cast("Iterable[Convolution]", self)
        return torch.relu_(second(first.rectified(x)) + shortcut(x))


_BLOCK: dict[str, type[Block]] = {"plain": Block, "residual": ResidualBlock}


class AttentionGate(nn.Module):
    """Weighs each pixel of a skip by what the decoder knows there; pixel by pixel, so that tiles change nothing."""

    def __init__(self, features: int, settings: NetworkSettings) -> None:
        """Build the gate for a skip, and a decoder's signal at the same extent, of so many features each."""
        super().__init__()
        self.skip = Convolution(features, features // 2, settings, size=1)
        self.signal = Convolution(features, features // 2, settings, size=1)
        self.weigh = Convolution(features // 2, 1, settings, size=1)

    def forward(self, skip: Tensor, signal: Tensor) -> Tensor:  # (B, C, Y, X) twice
        """Return the skip, (B, C, Y, X), each pixel times a weight from 0 to 1."""
        weights = torch.sigmoid(self.weigh(torch.relu_(self.skip(skip) + self.signal(signal))))  # (B, 1, Y, X)
        return skip * weights


class UNet(nn.Module):
    """An encoder that halves the image `depth` times, a bottleneck, and a decoder that joins each level with its skip.

    Parameters
    ----------
    settings : NetworkSettings
        Width, depth, kind of block, attention and the maps to predict.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.settings = settings
        dims, block = settings.spatial_dims, _BLOCK[settings.block]
        widths = [settings.width * 2**level for level in range(settings.depth + 1)]  # F, 2F, 4F, ...
        inputs = [settings.in_channels, *widths]
        strides = [settings.stride, *(1,) * settings.depth]
        self.encoder = nn.ModuleList(block(inputs[i], widths[i], settings, strides[i]) for i in range(settings.depth))
        self.pool = _POOLING[dims](2)
        self.bottleneck = block(inputs[settings.depth], widths[-1], settings)
        self.upsample = nn.ModuleList(_UPSAMPLING[dims](widths[i + 1], widths[i], 2, stride=2) for i in range(settings.depth))
        self.gates = nn.ModuleList(AttentionGate(widths[i], settings) for i in range(settings.depth) if settings.attention)
        self.decoder = nn.ModuleList(block(2 * widths[i], widths[i], settings) for i in range(settings.depth))
        head = _CONVOLUTION if settings.stride == 1 else _UPSAMPLING
        self.head = head[dims](widths[0], len(settings.maps), settings.stride, settings.stride)

    def forward(self, x: Tensor, levels: list[Tensor] | None = None) -> Tensor:
        """Predict the maps before their activation.

        Parameters
        ----------
        x : Tensor, float, shape (B, C, Y, X)
            Normalised image; Y and X, here in pixels, are multiples of `NetworkSettings.multiple`.
        levels : list, optional
            Is given what the decoder makes at each level, the coarsest first: (B, F * 2**level, Y / 2**level, X / 2**level).

        Returns
        -------
        Tensor, shape (B, maps, Y, X)
            Logits of the classes, then the distance, of each pixel.
        """
        skips = []
        for block in self.encoder:
            x = block(x)  # (B, F * 2**level, Y / 2**level, X / 2**level)
            skips.append(x)
            x = self.pool(x)  # (B, F * 2**level, Y / 2**(level + 1), X / 2**(level + 1))
        x = self.bottleneck(x)  # (B, F * 2**depth, Y / 2**depth, X / 2**depth)
        for level in reversed(range(self.settings.depth)):
            x = self.upsample[level](x)  # (B, F * 2**level, Y / 2**level, X / 2**level)
            x = self.decoder[level](self.joined(level, skips.pop(), x))  # (B, F * 2**level, ...)
            if levels is not None:
                levels.append(x)
        return self.answer(x)  # (B, maps, S * Y, S * X)

    def joined(self, level: int, skip: Tensor, x: Tensor) -> Tensor:
        """Return a skip and what comes from the level below, (B, F * 2**level, ...) both, as one: (B, 2F * 2**level, ...)."""
        return torch.cat((self.gates[level](skip, x) if self.gates else skip, x), dim=1)

    def answer(self, x: Tensor) -> Tensor:
        """Run the last layer in float32: its answers rounded to 16 bits would differ between devices by more than all layers before."""
        if not torch.is_autocast_enabled(x.device.type):
            return cast("Tensor", self.head(x))
        with torch.autocast(x.device.type, enabled=False):
            return cast("Tensor", self.head(x.float()))

    def fold(self) -> UNet:
        """Fold every normalisation into its convolution, for inference; the network must be in evaluation mode."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fold()
        return self


def activate(logits: Tensor, settings: NetworkSettings) -> Tensor:
    """Turn what the network returns into maps between 0 and 1.

    Parameters
    ----------
    logits : Tensor, shape (B, maps, Y, X)
        From `UNet.forward`.
    settings : NetworkSettings
        Says which channels are classes.

    Returns
    -------
    Tensor of float32, shape (B, maps, Y, X)
        Class probabilities (softmax), then the distance.
    """
    count = len(settings.classes)
    classes = torch.softmax(logits[:, :count].float(), dim=1)
    return torch.cat((classes, logits[:, count:].float().clamp(0, 1)), dim=1)


def receptive_radius(settings: NetworkSettings) -> int:
    """Compute how far, in pixels, an input pixel can be from an output pixel that it changes.

    Parameters
    ----------
    settings : NetworkSettings
        Only depth and stride matter: shortcuts and gates look at one pixel.

    Returns
    -------
    int
        The largest distance over all positions of the pixel relative to the grid of the deepest level.
    """
    stride = settings.stride
    reaches = [(x, *_needed(x // stride, x // stride, 0, settings.depth)) for x in range(settings.multiple)]
    return max(max(x - stride * low, stride * (high + 1) - 1 - x) for x, low, high in reaches)


def _needed(low: int, high: int, level: int, depth: int) -> tuple[int, int]:
    """Follow the interval [low, high] of a level's output back to the level's input, both in what the level sees as pixels."""
    low, high = low - BLOCK_REACH, high + BLOCK_REACH
    if level == depth:
        return low, high
    below_low, below_high = _needed(low // 2, high // 2, level + 1, depth)
    low, high = min(low, 2 * below_low), max(high, 2 * below_high + 1)  # a pooled pixel sees two
    return low - BLOCK_REACH, high + BLOCK_REACH


def describe(network: UNet, size: int = 256) -> list[dict[str, Any]]:
    """List the layers of a network in the order in which they run.

    Parameters
    ----------
    network : UNet
        Any network of this package.
    size : int
        Edge of the square image, in pixels, for which shapes are given; the next that the network can take.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``shape`` (C, Y, X) and ``parameters`` of each layer.
    """
    rows: list[dict[str, Any]] = []
    hooks = [module.register_forward_hook(_recorder(name, rows)) for name, module in _layers(network)]
    settings = network.settings
    edge = math.ceil(size / settings.multiple) * settings.multiple
    image = torch.zeros(1, settings.in_channels, *(edge,) * settings.spatial_dims, device=next(network.parameters()).device)
    training = network.training
    with torch.inference_mode():
        network.eval()(image)
    network.train(training)
    for hook in hooks:
        hook.remove()
    return rows


def _layers(network: UNet) -> Iterable[tuple[str, nn.Module]]:
    skipped = (nn.Identity,)
    return [(name, m) for name, m in network.named_modules() if not list(m.children()) and not isinstance(m, skipped)]


def _recorder(name: str, rows: list[dict[str, Any]]) -> Any:
    def _record(module: nn.Module, inputs: Any, output: Tensor) -> None:
        count = sum(parameter.numel() for parameter in module.parameters())
        rows.append({"name": name, "kind": type(module).__name__, "shape": tuple(output.shape[1:]), "parameters": count})

    return _record

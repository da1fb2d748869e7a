"""A U-Net on a processor, level by level in bands of rows that stay in its cache: the same numbers, sooner, in half the memory.

What a level makes of a large window does not fit the cache, and would go to memory and back for every rectification, joining and pooling.
A band is run through all layers of its level at once, with as many rows around it as its two convolutions see; at the edge of the window
they pad as they do for all of it. So each pixel is the sum that it is for the whole window, as with the tiles of `core.tiling`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from napari_unet_seg.core.unet import BLOCK_REACH, UNet, activate

BYTES = 2**23
"""Of what a level makes of a band; half and twice as much are as fast within a twentieth."""
_LEAST = 16


class _Band(NamedTuple):
    """Some rows, and those that must be known to compute them."""

    rows: slice
    seen: slice

    @property
    def inner(self) -> slice:
        """The rows, counted from the first that is seen."""
        return slice(self.rows.start - self.seen.start, self.rows.stop - self.seen.start)


def predict_in_bands(network: UNet, image: Tensor) -> Tensor:
    """Predict the maps of one window.

    Parameters
    ----------
    network : UNet
        Folded, in two dimensions, in evaluation mode, on the processor.
    image : Tensor, float, shape (1, C, Y, X)
        Normalised; Y and X are multiples of 2 ** depth.

    Returns
    -------
    Tensor of float16, shape (maps, Y, X)
        What `activate` makes of `UNet.forward`, rounded; NaN all over a band in which something is no number.
    """
    skips: list[Tensor] = []
    x = image
    for level in range(network.settings.depth):
        skip, x = _encode(network, level, x)  # (1, F * 2**level, Y / 2**level, X / 2**level), and half as high and wide
        skips.append(skip)
    x = network.bottleneck(x)  # (1, F * 2**depth, Y / 2**depth, X / 2**depth)
    for level in reversed(range(1, network.settings.depth)):
        x = _decode(network, level, skips.pop(), x)  # (1, F * 2**level, Y / 2**level, X / 2**level)
    return _answer(network, skips.pop(), x)


def _encode(network: UNet, level: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Run one level of the encoder: its features, and those pooled."""
    skip = pooled = x[:, :0]
    for band in _bands(x, network.settings.width * 2**level):
        features = network.encoder[level](x[:, :, band.seen])[:, :, band.inner]
        if not band.rows.start:
            skip = _empty(features, *x.shape[2:])
            pooled = _empty(features, x.shape[2] // 2, x.shape[3] // 2)
        skip[:, :, band.rows] = features
        pooled[:, :, band.rows.start // 2 : band.rows.stop // 2] = network.pool(features)
    return skip, pooled


def _decode(network: UNet, level: int, skip: Tensor, x: Tensor) -> Tensor:
    """Run one level of the decoder."""
    decoded = skip[:, :0]
    for band in _bands(skip, skip.shape[1]):
        features = _decoded(network, level, band, (skip, x))
        if not band.rows.start:
            decoded = _empty(features, *skip.shape[2:])
        decoded[:, :, band.rows] = features
    return decoded


def _answer(network: UNet, skip: Tensor, x: Tensor) -> Tensor:
    """Run the last level of the decoder and the last layer."""
    maps = torch.empty((len(network.settings.maps), *skip.shape[2:]), dtype=torch.float16)
    for band in _bands(skip, skip.shape[1]):
        features = _decoded(network, 0, band, (skip, x))
        active = activate(network.answer(features), network.settings)[0]  # (maps, rows, X)
        maps[:, band.rows] = active
        if torch.isnan(active.sum()):  # a sum is quicker than to ask each
            maps[:, band.rows] = torch.nan
    return maps


def _decoded(network: UNet, level: int, band: _Band, known: tuple[Tensor, Tensor]) -> Tensor:
    """Return the features of a band at a level of the decoder, from the skip and the level below."""
    skip, below = known
    x = network.upsample[level](below[:, :, band.seen.start // 2 : band.seen.stop // 2])
    features: Tensor = network.decoder[level](network.joined(level, skip[:, :, band.seen], x))[:, :, band.inner]
    return features


def _bands(x: Tensor, channels: int) -> Iterator[_Band]:
    """Cut the rows of (1, C, Y, X) into bands of an even number, for so many features of 16 bits."""
    height, width = x.shape[2:]
    rows = max(_LEAST, BYTES // (2 * channels * width) // 2 * 2)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        yield _Band(slice(start, stop), slice(max(start - BLOCK_REACH, 0), min(stop + BLOCK_REACH, height)))


def _empty(like: Tensor, height: int, width: int) -> Tensor:
    return torch.empty((*like.shape[:2], height, width), dtype=like.dtype, memory_format=torch.channels_last)

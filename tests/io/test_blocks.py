"""Blocks are a whole number of those that are stored, of one plane, and of a size that is worth a task."""

from __future__ import annotations

import math

import pytest

from napari_unet_seg.io.blocks import BLOCK_BYTES, grow_block


@pytest.mark.parametrize(
    ("smallest", "shape", "axes", "itemsize"),
    [
        ((1, 256, 256), (9, 30_000, 20_000), "ZYX", 2),
        ((1, 1, 30_000), (9, 30_000, 30_000), "ZYX", 2),
        ((240, 240, 3), (30_000, 20_000, 3), "YXS", 1),
        ((1, 64, 64), (9, 64, 64), "TYX", 2),
        ((5_000, 5_000), (5_000, 5_000), "YX", 8),  # a single strip, larger than wanted
        ((64, 64), (3, 4), "YX", 1),
    ],
)
def test_blocks(smallest: tuple[int, ...], shape: tuple[int, ...], axes: str, itemsize: int):
    block = grow_block(smallest, shape, axes, itemsize)
    whole = [min(pair) for pair in zip(smallest, shape, strict=True)]
    assert all(c % w == 0 or c == s for c, w, s in zip(block, whole, shape, strict=True))
    assert all(c <= s for c, s in zip(block, shape, strict=True))
    assert all(c == w for c, w, axis in zip(block, whole, axes, strict=True) if axis not in "YX")
    plane = math.prod(s for s, axis in zip(shape, axes, strict=True) if axis in "YXS") * itemsize
    assert min(plane, BLOCK_BYTES) / 2 <= math.prod(block) * itemsize <= max(BLOCK_BYTES, math.prod(whole) * itemsize)

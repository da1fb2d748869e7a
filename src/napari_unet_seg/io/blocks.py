"""How large the blocks are in which images larger than memory are read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK_BYTES = 8 * 2**20
"""Blocks are enlarged to about this size, a whole number of the file's own: dask spends a millisecond on each, however small."""


def grow_block(smallest: Sequence[int], shape: Sequence[int], axes: str, itemsize: int) -> tuple[int, ...]:
    """Return a block of one plane that is a whole number of the stored ones along Y and X, and near `BLOCK_BYTES`.

    Parameters
    ----------
    smallest : sequence of int
        Extent of the blocks that are stored.
    shape : sequence of int
        Extent of the array.
    axes : str
        One letter a dimension.
    itemsize : int
        Bytes of a pixel.

    Returns
    -------
    tuple of int
        The extent of a block, nowhere beyond the array.

    Examples
    --------
    >>> grow_block((1, 256, 256), (5, 10_000, 10_000), "ZYX", 1)
    (1, 4096, 2048)
    >>> grow_block((1, 1, 10_000), (5, 10_000, 10_000), "ZYX", 2)
    (1, 256, 10000)
    """
    block = [min(small, length) for small, length in zip(smallest, shape, strict=True)]
    growing = [axes.index(axis) for axis in "YX" if block[axes.index(axis)] < shape[axes.index(axis)]]
    while growing and 2 * math.prod(block) * itemsize <= BLOCK_BYTES:
        axis = min(growing, key=block.__getitem__)
        block[axis] = min(2 * block[axis], shape[axis])
        if block[axis] == shape[axis]:
            growing.remove(axis)
    return tuple(block)

"""What a step of napari's history touched: which planes, where, and which nuclei."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_unet_seg.core.edits import Box, joined

Index = tuple[int, ...]


@dataclass(frozen=True)
class Touch:
    """What a step touched.

    Parameters
    ----------
    planes : tuple of tuple of int
        Indices along the leading axes.
    box : tuple of slice
        Around the pixels, (Y, X).
    numbers : frozenset of int
        Of the nuclei, before and after; 0 among them for background.
    pixel : tuple of int
        One pixel that changed, along all axes.
    before : int
        Its number before.
    """

    planes: tuple[Index, ...]
    box: Box
    numbers: frozenset[int]
    pixel: Index
    before: int


def read_item(item: list[Any]) -> Touch | None:
    """Read a step as napari's event ``paint`` hands it over.

    Parameters
    ----------
    item : list
        Its parts: triples of indices, old and new numbers, as ``data_setitem`` leaves them and all of napari before 0.9; or, from the brush
        and the bucket of napari 0.9, objects with ``slice_key``, ``mask``, ``old_values`` and ``new_value``.

    Returns
    -------
    Touch or None
        None for a step that cannot be read.
    """
    parts = [_read_masked(part) if hasattr(part, "slice_key") else _read_triple(part) for part in item]
    touches = [part for part in parts if part is not None]
    if not touches or len(touches) < len(parts):
        return None
    planes = dict.fromkeys(plane for touch in touches for plane in touch.planes)
    numbers = frozenset().union(*(touch.numbers for touch in touches))
    return Touch(tuple(planes), joined(*(touch.box for touch in touches)), numbers, touches[0].pixel, touches[0].before)


def _read_masked(part: Any) -> Touch:
    *leading, y, x = part.slice_key
    old, mask = np.asarray(part.old_values), part.mask
    first = [0] * len(part.slice_key) if mask is None else np.argwhere(mask)[0]
    pixel = tuple(int(side.start + place) for side, place in zip(part.slice_key, first, strict=True))
    planes = tuple(itertools.product(*(range(side.start, side.stop) for side in leading)))
    return Touch(planes, (y, x), _numbers(old, part.new_value), pixel, int(old.flat[0]))


def _read_triple(part: Any) -> Touch | None:
    indices, old, new = part
    indices = [np.ravel(places) for places in indices]
    if not all(places.size and places.dtype.kind in "iu" for places in indices):
        return None
    *leading, rows, columns = indices
    planes = {tuple(int(place) for place in plane) for plane in zip(*leading, strict=True)} if leading else {()}
    box = (slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1))
    pixel = tuple(int(places[0]) for places in indices)
    return Touch(tuple(sorted(planes)), box, _numbers(old, new), pixel, int(np.ravel(old)[0]))


def _numbers(old: Any, new: Any) -> frozenset[int]:
    return frozenset(int(number) for number in np.unique(np.concatenate([np.ravel(old), np.ravel(new)])))

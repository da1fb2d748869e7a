"""Holes of nuclei: background that one nucleus encloses alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet_seg.core.bands import bands, each, looked_up
from napari_unet_seg.core.tally import Tally, tally

Labels = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


def fill_beyond_specks(filled: Labels, min_area: int, found: Tally | None = None) -> Labels:
    """Drop specks, and fill the holes that they had kept open.

    Parameters
    ----------
    filled : ndarray of int32, shape (Y, X)
        From `fill_holes`.
    min_area : int
        Pixels below which a nucleus is a speck.
    found : Tally, optional
        That of `filled`, if it is known.

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    area = (found or tally(filled)).area
    specks = np.flatnonzero((area > 0) & (area < min_area))
    if not specks.size:
        return filled
    number = np.arange(area.size, dtype=np.int32)
    number[specks] = 0
    return fill_holes(looked_up(number, filled))


def fill_holes(labels: Labels) -> Labels:
    """Give background that one nucleus encloses alone to that nucleus.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)

    Returns
    -------
    ndarray of int32, shape (Y, X)
    """
    pixels, hole = _enclosed(labels)
    filled: Labels = labels.copy().ravel()
    if pixels.size:
        low, high = np.full(hole.max() + 1, np.iinfo(np.int32).max, np.int32), np.zeros(hole.max() + 1, np.int32)
        for step in (-labels.shape[1], -1, 1, labels.shape[1]):  # enclosed pixels have all four neighbours
            beside = filled[pixels + step]
            np.minimum.at(low, hole[beside > 0], beside[beside > 0])
            np.maximum.at(high, hole[beside > 0], beside[beside > 0])
        filled[pixels] = np.where(low == high, high, 0)[hole]
    return filled.reshape(labels.shape)


def _enclosed(labels: Labels) -> tuple[Integers, Integers]:
    """Return the pixels of background that hangs together nowhere with the edge of the plane, and to which hole each belongs."""
    rows = bands(labels.shape)
    parts = each(lambda band: ndimage.label(labels[band] == 0), rows)
    starts = np.cumsum([0, *(count for _, count in parts)])
    hole = _over_seams([part for part, _ in parts], starts)
    open_ = np.zeros(hole.max(initial=0) + 1, bool)
    sides = [(0, parts[0][0][0]), (len(parts) - 1, parts[-1][0][-1])]
    sides += [(which, part[:, edge]) for which, (part, _) in enumerate(parts) for edge in (0, -1)]
    for which, side in sides:
        open_[hole[starts[which] + side[side > 0] - 1]] = True

    def _pixels(which: int) -> tuple[Integers, Integers]:
        part, count = parts[which]
        mine = hole[starts[which] : starts[which] + count]
        inside = np.concatenate([[False], ~open_[mine]])
        pixels = np.flatnonzero(inside[part]) if inside.any() else np.zeros(0, np.int64)
        return pixels + rows[which].start * labels.shape[1], mine[part.ravel()[pixels] - 1]

    found = each(_pixels, range(len(parts)))
    return np.concatenate([pixels for pixels, _ in found]), np.concatenate([mine for _, mine in found])


def _over_seams(parts: list[Labels], starts: Integers) -> Integers:
    """Return for each part of the background, which are numbered through all bands, which one it is over the seams between bands."""
    pairs = []
    for which, (above, below) in enumerate(pairwise(parts)):
        both = (above[-1] > 0) & (below[0] > 0)
        pairs.append(np.stack([above[-1][both] - 1 + starts[which], below[0][both] - 1 + starts[which + 1]]))
    if not pairs:
        return np.arange(starts[-1])
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(first.size, bool), (first, second)), shape=(int(starts[-1]), int(starts[-1])))
    whole: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return whole

"""Outlines of single planes to nuclei in 3D, by how much those of neighbouring planes overlap.

Each plane is joined to the next one to one, so that no outline can bring two nuclei together, as the stitching of Cellpose does by IoU
(Stringer et al. 2021, *Nature Methods* 18, 100) and CellStitch by optimal transport (Liu et al. 2023, *BMC Bioinformatics* 24, 480). Two
things differ. A pair is judged by the share of the *smaller* outline that lies on the other, since the caps of a nucleus are much smaller
than its middle; the IoU decides between those that are possible. And a chain that has a waist, as where one nucleus lies below another, is
parted there.

How far apart the planes are decides in how many of them a nucleus may have been missed, and how thin what is found may be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.overlap import find_overlap, iter_parts, sizes_in

CONTAINED = 0.5
"""Share of the smaller outline that lies on the larger one of the next plane, at least."""
ACROSS = 0.25
"""IoU of two outlines between which one was missed, at least."""
GAP_DIAMETERS, MOST_GAP = 0.25, 2
"""How long a piece a nucleus may have been missed in: in typical diameters, and in planes."""
GAP_UNKNOWN = 1
"""The same in planes, when the distance of the planes is not known."""
WAIST, SHOULDER = 0.7, 1.0
"""A chain is parted where its outline falls below the first share of the largest on either side, and those beside it below the second: an
outline that is small in one plane alone, between two of the largest, was cut badly there."""
DEEP, SLIGHT_WAIST = 1.2, 0.85
"""A chain that is deeper than so many times its width is parted at a slighter waist: two nuclei below one another are likelier than one."""
THINNEST = 0.25
"""Depth over width: what is thinner, within the stack, is a patch of haze or noise and no nucleus."""

Chains = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def link_planes(volume: npt.NDArray[Any], spacing: float = 0.0) -> npt.NDArray[np.int32]:
    """Say which outlines belong to one nucleus.

    Parameters
    ----------
    volume : array-like of int, shape (Z, Y, X)
        0 is background; numbers differ from plane to plane. Of an array on the disk, parts of two planes are in memory at a time.
    spacing : float
        Distance of two planes over the size of a pixel; 0 when it is not known.

    Returns
    -------
    ndarray of int32, shape (largest number + 1,)
        For each number of an outline that of its nucleus, from 1 on in the order of their first planes; 0 where it is dropped.
    """
    sizes, plane = _outlines(volume)
    following, before = np.zeros(sizes.size, np.int64), np.zeros(sizes.size, np.int64)  # 0: the last of its chain, and the first
    for gap in range(1 + missed_planes(sizes, spacing)):
        _join(volume, (following, before), gap)
    chain = _chains(following, sizes > 0, plane)
    chain = _parted(chain, sizes, plane, spacing)
    return _renumbered(_thick(chain, sizes, plane, (spacing, len(volume))))


def missed_planes(sizes: npt.NDArray[Any], spacing: float) -> int:
    """Return in how many planes one after the other a nucleus may have been missed.

    Parameters
    ----------
    sizes : ndarray of int
        Pixels of the outlines.
    spacing : float
        As of `link_planes`.

    Returns
    -------
    int
    """
    if not spacing or not sizes.any():
        return GAP_UNKNOWN
    return int(np.clip(GAP_DIAMETERS * _diameter(np.median(sizes[sizes > 0])) // spacing, 0, MOST_GAP))


def _outlines(volume: npt.NDArray[Any]) -> tuple[Chains, Chains]:
    """Return the pixels of each number, and its plane."""
    found = [(box[0], *sizes_in(part)) for box, part in iter_parts(volume)]
    count = 1 + max((int(numbers.max(initial=0)) for _, numbers, _ in found), default=0)
    sizes, plane = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    for z, numbers, pixels in found:
        sizes[numbers] += pixels
        plane[numbers] = z
    return sizes, plane


def _join(volume: npt.NDArray[Any], links: tuple[Chains, Chains], gap: int) -> None:
    """Join the ends of chains to the beginnings of others, between which `gap` planes were missed."""
    following, before = links
    for z in range(len(volume) - 1 - gap):
        pairs = find_overlap(volume[z], volume[z + 1 + gap])
        free = (following[pairs.first] == 0) & (before[pairs.second] == 0)
        near = pairs.where(free & (pairs.containment >= CONTAINED) & (pairs.iou >= ACROSS if gap else True))
        steady = 0.0 if gap or not z else near.steadiness(before, find_overlap(volume[z - 1], volume[z + 1]))
        best = near.best(steady)
        following[best.first], before[best.second] = best.second, best.first


def _chains(following: Chains, there: npt.NDArray[np.bool_], plane: Chains) -> Chains:
    """Return for each number the first of its chain."""
    chain = np.where(there, np.arange(following.size), 0)
    for number in np.argsort(plane, kind="stable"):  # from the first plane on
        if following[number]:
            chain[following[number]] = chain[number]
    return chain


def _parted(chain: Chains, sizes: npt.NDArray[Any], plane: Chains, spacing: float) -> Chains:
    """Part chains at their waists."""
    chain = chain.copy()
    order = np.lexsort((plane, chain))
    order = order[chain[order] > 0]
    for members in np.split(order, np.flatnonzero(np.diff(chain[order])) + 1):
        _part(chain, members, sizes[members].astype(float), spacing)
    return chain


def _part(chain: Chains, members: Chains, sizes: Floats, spacing: float) -> None:
    """Part one chain, and its parts again; the outline at the waist is the first of the part after it."""
    waist = _waist(sizes, spacing)
    if waist:
        chain[members[waist:]] = members[waist]
        _part(chain, members[:waist], sizes[:waist], spacing)
        _part(chain, members[waist:], sizes[waist:], spacing)


def _waist(sizes: Floats, spacing: float) -> int:
    """Return where the deepest waist is; 0 when there is none."""
    if sizes.size < 5:  # two planes on either side, so that it is known how the outlines go
        return 0
    inner = np.arange(2, sizes.size - 2)
    peaks = np.minimum(np.maximum.accumulate(sizes)[inner - 1], np.maximum.accumulate(sizes[::-1])[::-1][inner + 1])
    share = sizes[inner] / peaks
    sloping = np.maximum(sizes[inner - 1], sizes[inner + 1]) <= SHOULDER * peaks
    deep = sizes.size * spacing >= DEEP * _diameter(sizes.max())
    narrow = (share <= WAIST) & sloping | deep & (share <= SLIGHT_WAIST)
    share = np.where(narrow, share, np.inf)
    return int(inner[np.argmin(share)]) if narrow.any() else 0


def _diameter(size: Any) -> Any:
    """Return that of a circle of so many pixels."""
    return 2 * np.sqrt(size / np.pi)


def _thick(chain: Chains, sizes: npt.NDArray[Any], plane: Chains, stack: tuple[float, int]) -> Chains:
    """Drop what is too thin, unless it goes on beyond the first or last plane."""
    spacing, depth = stack
    if not spacing:
        return chain
    first, last = np.full(chain.size, depth), np.full(chain.size, -1)
    widest = np.zeros(chain.size)
    np.minimum.at(first, chain, np.where(plane >= 0, plane, depth))
    np.maximum.at(last, chain, plane)
    np.maximum.at(widest, chain, sizes)
    thick = (last - first + 1) * spacing >= THINNEST * _diameter(widest)
    kept = thick | (first == 0) | (last == depth - 1)
    return np.where(kept[chain], chain, 0)


def _renumbered(chain: Chains) -> npt.NDArray[np.int32]:
    """Give the chains numbers from 1 on in the order of their first outlines."""
    found, places = np.unique(chain, return_inverse=True)
    return (places if found[0] == 0 else places + 1).astype(np.int32)

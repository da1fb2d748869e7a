"""The hills of all blocks of a plane joined to nuclei, over the whole of it.

Which hills belong together may depend on a chain of others that goes on for any distance, as in tissue where everything touches. That is
decided once for the whole plane, from summits and passes alone, a few numbers a nucleus. So the nuclei are those of the whole plane,
whatever the blocks, and also where a clump is larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.decoding import LEAST_PEAK, MOST_RISE
from napari_unet_seg.core.hills import SEAM, Hills, Read, highest_passes, look
from napari_unet_seg.core.lattice import Lattice, box_of, extent, grown, within
from napari_unet_seg.core.summits import joined_summits

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import SegmentSettings

_BATCH = 200_000
"""Hills that are joined at a time; lists of Python take a hundred bytes for each."""

Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Share:
    """What a block must know of the nuclei that may touch it.

    Parameters
    ----------
    summits : ndarray of int64, shape (hills,)
        Raster index of the summit of each of their hills, ascending.
    nuclei : ndarray of int64, shape (hills,)
        Raster index of the summit that stands for the nucleus of each.
    window : tuple of int
        Top, left, bottom, right of the block and all these nuclei.
    """

    summits: Integers
    nuclei: Integers
    window: tuple[int, int, int, int]


def join_hills(blocks: Iterable[Hills], lattice: Lattice, settings: SegmentSettings) -> Iterator[Share]:
    """Join the hills of all blocks of a plane to nuclei.

    Parameters
    ----------
    blocks : iterable of Hills
        One for each cell of the lattice; gone through once.
    lattice : Lattice
        The blocks.
    settings : SegmentSettings
        `splitting` is used.

    Yields
    ------
    Share
        For each block in turn.
    """
    plane = _merged(blocks)
    nuclei = _Nuclei.of(plane, _joined(plane, MOST_RISE * (1 - settings.splitting)))
    for number in range(len(lattice)):
        y, x = lattice.cell(number)
        core = np.array([y.start, x.start, y.stop, x.stop])
        touching = nuclei.touching(core)
        top, left, bottom, right = _enclosed(np.vstack([core, nuclei.boxes[touching]]), np.zeros(1, np.int64))[0].tolist()
        # What lies in a hole of one that touches the block decides whether the hole is filled.
        hills, owners = nuclei.hills_of(nuclei.touching(np.array([top, left, bottom, right])))
        yield Share(plane.summits[hills], plane.summits[owners], (top, left, bottom, right))


def nuclei_of(read: Read, share: Share, shape: tuple[int, int], settings: SegmentSettings) -> tuple[Labels, Integers, Box]:
    """Draw the nuclei that may touch a block.

    Parameters
    ----------
    read : callable
        As of `look`.
    share : Share
        From `join_hills`.
    shape : tuple of int
        (Y, X) of the plane.
    settings : SegmentSettings
        `probability` is used.

    Returns
    -------
    labels : ndarray of int32, shape (Y, X)
        Numbers from 1 in the window of the share; nuclei that do not touch the block may be cut.
    nuclei : ndarray of int64, shape (n,)
        Raster index of the summit that stands for each.
    window : tuple of slice
        Where the labels lie.
    """
    window = box_of(share.window)
    nuclei = np.unique(share.nuclei)
    if not nuclei.size:
        return np.zeros(extent(window), np.int32), nuclei, window
    view = look(read, grown(window, SEAM, shape), shape[1], settings)
    place = np.searchsorted(share.summits, view.summits).clip(0, share.summits.size - 1)
    known = share.summits[place] == view.summits
    known[0] = False
    number = np.where(known, np.searchsorted(nuclei, share.nuclei[place]) + 1, 0).astype(np.int32)
    return number[view.labels[within(window, view.box)]], nuclei, window


@dataclass(frozen=True)
class _Nuclei:
    """The nuclei of a plane, by the row where they begin."""

    boxes: Integers
    first: Integers  # where the hills of each begin in `hills`
    counts: Integers
    hills: Integers
    owner: Integers  # the hill that stands for each
    tallest: int

    @classmethod
    def of(cls, plane: Hills, nucleus: Integers) -> _Nuclei:
        """Group the hills of a plane; `nucleus` is the number, from 1, of the hill that stands for the nucleus of each, 0 for none."""
        kept = np.flatnonzero(nucleus)
        hills = kept[np.argsort(nucleus[kept], kind="stable")]
        owner, first = np.unique(nucleus[hills], return_index=True)
        boxes = _enclosed(plane.boxes[hills], first)
        counts = np.diff(np.append(first, hills.size))
        order = np.argsort(boxes[:, 0], kind="stable")
        tallest = int((boxes[:, 2] - boxes[:, 0]).max(initial=0))
        return cls(boxes[order], first[order], counts[order], hills, owner[order] - 1, tallest)

    def touching(self, box: Integers) -> Integers:
        """Return which nuclei have a box that overlaps one of (top, left, bottom, right)."""
        low, high = np.searchsorted(self.boxes[:, 0], [box[0] - self.tallest, box[2]]).tolist()
        near = self.boxes[low:high]
        touching: Integers = low + np.flatnonzero((near[:, 2] > box[0]) & (near[:, 1] < box[3]) & (near[:, 3] > box[1]))
        return touching

    def hills_of(self, which: Integers) -> tuple[Integers, Integers]:
        """Return the hills of some nuclei, ascending, and the hill that stands for the nucleus of each."""
        counts = self.counts[which]
        hills = self.hills[_ranges(self.first[which], counts)]
        order = np.argsort(hills)
        return hills[order], np.repeat(self.owner[which], counts)[order]


def _merged(blocks: Iterable[Hills]) -> Hills:
    """Put the hills of all blocks together; of millions, each copy counts: what has been used goes at once."""
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("summits", "peaks", "boxes", "pairs", "passes")}
    for block in blocks:
        for name, values in parts.items():
            values.append(getattr(block, name))
    pairs, passes = highest_passes(np.concatenate(parts.pop("pairs")), np.concatenate(parts.pop("passes")))
    summits = np.concatenate(parts.pop("summits"))
    order = np.argsort(summits, kind="stable")
    found, first = np.unique(summits[order], return_index=True)
    peaks = np.concatenate(parts.pop("peaks"))[order[first]]
    boxes: Any = np.concatenate(parts.pop("boxes"), dtype=np.int32, casting="same_kind")[order]
    return Hills(found, peaks, _enclosed(boxes, first), pairs, passes)


def _enclosed(boxes: Integers, first: Integers) -> Integers:
    """Return the box around each group of boxes, which begin at `first`."""
    if not len(first):
        return boxes[:0]
    low, high = np.minimum.reduceat(boxes[:, :2], first), np.maximum.reduceat(boxes[:, 2:], first)
    return np.concatenate([low, high], axis=1)


def _joined(plane: Hills, share: float) -> Integers:
    """Return for each hill the one that stands for its nucleus, numbered from 1; 0 where it is none.

    Hills between which there is no way have nothing to do with each other: they are joined some at a time.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = plane.summits.size
    pairs = np.searchsorted(plane.summits, plane.pairs)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, clump = connected_components(graph, directed=False)
    sizes = np.bincount(clump, minlength=1)
    batch = (np.cumsum(sizes) // _BATCH)[clump] if count else clump
    nucleus = np.zeros(count, np.int64)
    owner = batch[pairs[:, 0]]
    for number in np.unique(batch):
        hills, chosen = np.flatnonzero(batch == number), owner == number
        nucleus[hills] = _joined_at_once(plane, hills, (np.searchsorted(hills, pairs[chosen]), plane.passes[chosen]), share)
    return nucleus


def _joined_at_once(plane: Hills, hills: Integers, ways: tuple[Integers, npt.NDArray[np.float32]], share: float) -> Integers:
    peaks = np.concatenate([np.zeros(1, np.float32), plane.peaks[hills]])
    merged = joined_summits(peaks, ways[0] + 1, ways[1], share, LEAST_PEAK)[1:]
    return np.concatenate([np.zeros(1, np.int64), hills + 1])[merged]


def _ranges(starts: Integers, counts: Integers) -> Integers:
    """Return the numbers start, start + 1 ... of each range, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) + np.repeat(starts - ends + counts, counts)

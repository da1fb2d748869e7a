"""Hills become nuclei over any distance, and each block is told of all that may touch it, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_unet_seg.core.hills import Hills
from napari_unet_seg.core.joining import join_hills, nuclei_of
from napari_unet_seg.core.lattice import Lattice
from napari_unet_seg.settings import SegmentSettings

SETTINGS = SegmentSettings(splitting=0.5)
WIDTH = 100
LATTICE = Lattice.regular((10, WIDTH), 25)


def chain(peaks, passes, length=10):
    """Return hills side by side along one row of a plane, each `length` pixels wide, as the blocks of the lattice see them."""
    summits = np.arange(len(peaks)) * length
    blocks = []
    for number in range(len(LATTICE)):
        _, side = LATTICE.cell(number)
        here = np.flatnonzero((summits + length > side.start) & (summits < side.stop))
        left, right = np.maximum(summits[here], side.start), np.minimum(summits[here] + length, side.stop)
        boxes = np.stack([np.zeros(here.size, int), left, np.ones(here.size, int), right], axis=1)
        ways = [place for place in range(len(passes)) if side.start <= summits[place + 1] - 1 < side.stop]
        pairs = np.array([[summits[place], summits[place + 1]] for place in ways], np.int64).reshape(-1, 2)
        blocks.append(Hills(summits[here], np.float32(peaks)[here], boxes, pairs, np.float32([passes[place] for place in ways])))
    return blocks


def nuclei(shares):
    """Return what each summit belongs to, as all blocks say."""
    told = {}
    for share in shares:
        for summit, nucleus in zip(share.summits.tolist(), share.nuclei.tolist(), strict=True):
            assert told.setdefault(summit, nucleus) == nucleus, "all blocks say the same"
    return told


def test_a_chain_of_hills_is_one_nucleus_across_all_blocks():
    peaks = np.linspace(0.5, 0.9, 10)
    shares = list(join_hills(chain(peaks, peaks[:-1] - 0.1), LATTICE, SETTINGS))
    assert set(nuclei(shares).values()) == {90}, "the last is the highest"
    assert [share.window for share in shares] == [(0, 0, 10, 100)] * 4


def test_deep_passes_part_nuclei_and_each_block_sees_its_own():
    shares = list(join_hills(chain([0.9] * 10, [0.2] * 9), LATTICE, SETTINGS))
    assert nuclei(shares) == {summit: summit for summit in range(0, 100, 10)}
    assert shares[0].window == (0, 0, 10, 30), "up to the end of the nucleus that the next block shares"
    assert shares[0].summits.tolist() == [0, 10, 20]
    assert shares[1].window == (0, 20, 10, 50)


def test_splitting_decides():
    hills = chain([0.9, 0.8, 0.9], [0.6, 0.6])
    few, many = (set(nuclei(join_hills(hills, LATTICE, replace(SETTINGS, splitting=splitting))).values()) for splitting in (0.3, 0.9))
    assert (len(few), len(many)) == (1, 3) or (len(few), len(many)) == (2, 3)


def test_low_hills_are_none():
    shares = list(join_hills(chain([0.9, 0.2, 0.9], [0.0, 0.0]), LATTICE, replace(SETTINGS, splitting=0.9)))
    assert nuclei(shares) == {0: 0, 20: 20}


def test_without_hills_a_block_has_its_own_window():
    shares = list(join_hills(chain([], []), LATTICE, SETTINGS))
    assert [share.window for share in shares] == [(0, 0, 10, 25), (0, 25, 10, 50), (0, 50, 10, 75), (0, 75, 10, 100)]
    labels, found, window = nuclei_of(None, shares[1], (10, WIDTH), SETTINGS)  # the maps need not be read
    assert (labels.shape, labels.max(), found.size, window) == ((10, 25), 0, 0, (slice(0, 10), slice(25, 50)))

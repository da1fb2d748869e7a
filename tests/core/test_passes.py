"""Passes between hills."""

from __future__ import annotations

import numpy as np

from napari_unet_seg.core.passes import Ways, highest, together


def ways(*passes):
    one, other, heights = zip(*passes, strict=True)
    return highest(np.array(one), np.array(other), np.array(heights, np.float32))


def listed(found: Ways):
    pairs, heights = found.ordered()
    return [(*pair, round(float(height), 3)) for pair, height in zip(pairs.tolist(), heights, strict=True)]


def test_of_a_pair_the_highest_is_kept_whichever_comes_first():
    assert listed(ways((1, 2, 0.3), (2, 1, 0.5), (3, 1, 0.6), (1, 2, 0.4))) == [(1, 3, 0.6), (1, 2, 0.5)]


def test_equal_passes_are_in_the_order_of_their_pairs():
    assert listed(ways((4, 3, 0.5), (1, 9, 0.5), (1, 2, 0.5))) == [(1, 2, 0.5), (1, 9, 0.5), (3, 4, 0.5)]


def test_hills_that_turn_out_to_be_one_have_no_pass():
    found = ways((0, 1, 0.3), (1, 2, 0.5), (0, 2, 0.4)).renumbered(np.array([7, 5, 5], np.int32))
    assert listed(found) == [(5, 7, 0.4)]


def test_parts_of_a_map_are_put_together():
    assert listed(together([ways((1, 2, 0.3)), ways((2, 1, 0.6), (2, 3, 0.1))])) == [(1, 2, 0.6), (2, 3, 0.1)]
    none = highest(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))
    assert listed(together([none, none])) == []

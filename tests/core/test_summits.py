"""Hills joined to nuclei, many at a time: the same as one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import summits
from napari_unet_seg.core.summits import LOW, joined_summits


def plainly(peaks, pairs, passes, share, least):
    """Go through the passes one by one."""
    parent = list(range(len(peaks)))

    def root(hill):
        while parent[hill] != hill:
            hill = parent[hill]
        return hill

    heights = peaks.tolist()
    for (first, second), level in zip(pairs.tolist(), passes.tolist(), strict=True):
        high, low = sorted((root(first), root(second)), key=lambda hill: (-heights[hill], hill))
        if high != low and heights[low] - level < share * max(heights[low], LOW):
            parent[low] = high
    roots = np.array([root(hill) for hill in range(len(peaks))])
    return np.where((peaks[roots] < least) | (np.arange(len(peaks)) == 0), 0, roots)


def landscape(seed):
    """Return random hills; every other time many are equally high."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 150))
    peaks = random.random(count + 1)
    peaks = (np.round(peaks * 5) / 5 if seed % 2 else peaks).astype(np.float32)
    pairs = np.unique(np.sort(random.integers(1, count + 1, (int(random.integers(0, 400)), 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    passes = (peaks[pairs].min(axis=1) * random.random(len(pairs)) ** 0.3).astype(np.float32)
    order = np.argsort(-passes, kind="stable")
    return peaks, pairs[order], passes[order]


@pytest.mark.parametrize("few", [1, 5, 10**6])
def test_many_at_a_time_are_the_same_as_one_after_the_other(few, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(summits, "_FEW", few)
    for seed in range(40):
        peaks, pairs, passes = landscape(seed)
        for share in (0.04, 0.4, 0.76):
            np.testing.assert_array_equal(joined_summits(peaks, pairs, passes, share, 0.2), plainly(peaks, pairs, passes, share, 0.2))


def test_a_long_chain_of_steps_comes_to_its_top():
    peaks = np.linspace(0, 1, 301, dtype=np.float32)
    pairs = np.stack([np.arange(1, 300), np.arange(2, 301)], axis=1)[::-1]
    assert (joined_summits(peaks, pairs, peaks[pairs[:, 0]], 0.4, 0.3)[1:] == 300).all()


def test_no_hills():
    assert joined_summits(np.zeros(1, np.float32), np.zeros((0, 2), np.int64), np.zeros(0, np.float32), 0.4, 0.3).tolist() == [0]

"""The hills of a block are those of the plane, however long they are, and what lies beyond the block is left out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import hills as module
from napari_unet_seg.core.hills import find_hills, highest_passes, look
from napari_unet_seg.settings import SegmentSettings

SETTINGS = SegmentSettings()


def plane_of(hills, shape=(40, 200)):
    """Return maps with a ridge along the middle row whose height is given for each column."""
    maps = np.zeros((2, *shape), np.float16)
    maps[0] = 0.9
    maps[:, shape[0] // 2 - 3 : shape[0] // 2 + 3] = np.array([np.full(shape[1], 0.1), hills])[:, None]
    return maps


def reader(maps, seen=None):
    def read(box):
        if seen is not None:
            seen.append(box)
        return maps[:, *box]

    return read


def core(start, stop):
    return slice(0, 40), slice(start, stop)


def test_a_slope_that_goes_on_is_followed_to_its_summit():
    seen = []
    maps = plane_of(np.linspace(0.1, 0.9, 200))
    found = find_hills(reader(maps, seen), core(0, 20), (40, 200), SETTINGS)
    whole = look(reader(maps), (slice(0, 40), slice(0, 200)), 200, SETTINGS)
    assert found.summits.tolist() == whole.summits[1:].tolist()
    assert found.summits[0] % 200 > 190, "at the far end"
    assert [box[1].stop for box in seen] == [68, 164, 200], "looked at with a wider margin, until it was seen"
    assert found.boxes.tolist() == [[17, 0, 23, 20]], "of which only the part in the block is told"
    np.testing.assert_array_equal(found.peaks, whole.peaks[1:])


def test_the_margin_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "WIDEST", 50)
    seen = []
    find_hills(reader(plane_of(np.linspace(0.1, 0.9, 200)), seen), core(0, 20), (40, 200), SETTINGS)
    assert len(seen) == 2


def test_hills_that_end_in_the_margin_need_no_second_look():
    seen = []
    find_hills(reader(plane_of(0.5 + 0.4 * np.cos(np.arange(200) / 4)), seen), core(60, 100), (40, 200), SETTINGS)
    assert [(box[1].start, box[1].stop) for box in seen] == [(12, 148)]


@pytest.mark.parametrize("seam", [75, 100, 121])
def test_two_blocks_name_their_common_hills_and_passes_alike(seam):
    heights = (0.5 + 0.4 * np.cos(np.arange(200) / 6)).round(2)
    read = reader(plane_of(heights))
    left, right = (find_hills(read, core(*side), (40, 200), SETTINGS) for side in ((0, seam), (seam, 200)))
    whole = find_hills(read, core(0, 200), (40, 200), SETTINGS)
    assert sorted({*left.summits, *right.summits}) == whole.summits.tolist()
    pairs = np.concatenate([left.pairs, right.pairs])
    merged = highest_passes(pairs, np.concatenate([left.passes, right.passes]))
    np.testing.assert_array_equal(merged[0], whole.pairs)
    np.testing.assert_array_equal(merged[1], whole.passes)


def test_of_equal_passes_the_first_pair_comes_first():
    pairs, passes = highest_passes(np.array([[5, 9], [1, 4], [5, 9], [1, 3]]), np.array([0.2, 0.5, 0.7, 0.5], np.float32))
    assert pairs.tolist() == [[5, 9], [1, 3], [1, 4]]
    np.testing.assert_allclose(passes, [0.7, 0.5, 0.5])


def test_a_summit_is_the_first_of_its_highest_pixels():
    view = look(reader(plane_of(np.full(200, 0.5))), core(0, 200), 200, SETTINGS)
    heights = view.heights * (view.labels > 0)
    assert view.summits[1:].tolist() == [int(np.argmax(heights))]


def test_nothing_has_no_hills():
    found = find_hills(reader(np.stack([np.ones((40, 200)), np.zeros((40, 200))]).astype(np.float16)), core(0, 50), (40, 200), SETTINGS)
    assert [array.shape for array in vars(found).values()] == [(0,), (0,), (0, 4), (0, 2), (0,)]

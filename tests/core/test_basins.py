"""Hills of the distance map: told apart by the depth of the pass between them, by their own pixels alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core import bands
from napari_unet_seg.core.basins import find_basins
from napari_unet_seg.core.relief import Relief


def hills(*peaks, shape=(40, 80), width=8.0):
    """Return cones of the given (row, column, height); the highest wins."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cones = [height * (1 - np.hypot(y - row, x - column) / width) for row, column, height in peaks]
    return np.maximum.reduce(cones).clip(0).astype(np.float32)


def two_hills():
    """Return two cones of heights 1 and 0.8, ten pixels apart: the pass between them is at 0.3 to 0.35."""
    heights = hills((20, 30, 1.0), (20, 40, 0.8))
    return heights, heights > 0.01


def count(labels):
    return len(np.unique(labels[labels > 0]))


def test_a_pass_deeper_than_the_rise_parts_two_hills_and_a_shallower_one_does_not():
    heights, mask = two_hills()
    basins = find_basins(mask, heights)
    assert basins.pairs.tolist() == [[1, 2]]
    share = 1 - basins.passes[0] / min(basins.peaks[1:])
    assert count(basins.merged(share - 0.01, 0)) == 2
    assert count(basins.merged(share + 0.01, 0)) == 1
    merged = basins.merged(share + 0.01, 0)
    assert ((merged > 0) == mask).all()


def test_pixels_belong_to_the_hill_they_climb():
    heights, mask = two_hills()
    labels = find_basins(mask, heights).labels
    assert labels[20, 30] != labels[20, 40]
    assert (labels[mask & (np.mgrid[:40, :80][1] < 33)] == labels[20, 30]).all()
    assert (labels[~mask] == 0).all()


def test_low_hills_become_ground():
    heights = hills((20, 20, 1.0), (20, 60, 0.25))
    basins = find_basins(heights > 0.01, heights)
    assert count(basins.merged(0.1, 0.2)) == 2
    assert count(basins.merged(0.1, 0.3)) == 1
    assert basins.merged(0.1, 0.3)[20, 60] == 0


def test_a_small_hill_joins_its_high_neighbour_before_that_one_meets_another():
    """Three in a row: the middle bump is shallow and follows the left hill; the right one stays apart."""
    heights = hills((20, 20, 1.0), (20, 26, 0.7), (20, 40, 0.9))
    merged = find_basins(heights > 0.01, heights).merged(0.3, 0)
    assert count(merged) == 2
    assert merged[20, 20] == merged[20, 26] != merged[20, 40]


def test_the_level_goes_up_and_nuclei_only_join():
    random = np.random.default_rng(0)
    heights = ndimage.gaussian_filter(random.random((96, 96)), 3).astype(np.float32)
    heights = (heights - heights.min()) / np.ptp(heights)
    basins = find_basins(heights > 0.4, heights)
    before = basins.merged(0.0, 0)
    assert count(before) == len(basins.peaks) - 1
    for rise in (0.05, 0.1, 0.2, 0.4):
        after = basins.merged(rise, 0)
        pairs = np.unique(np.stack([before, after], -1).reshape(-1, 2), axis=0)
        assert len(pairs) == len(np.unique(before)), "a nucleus was torn in two"
        assert count(after) <= count(before)
        before = after


def test_equal_to_h_maxima_of_the_logarithm_by_scikit_image():
    from skimage.morphology import h_maxima

    random = np.random.default_rng(1)
    four = ndimage.generate_binary_structure(2, 1)
    for _ in range(5):
        heights = ndimage.gaussian_filter(random.random((64, 64)), 2)
        heights = (0.5 + 0.5 * (heights - heights.min()) / np.ptp(heights)).astype(np.float32)
        basins = find_basins(np.ones(heights.shape, bool), heights)
        peaks = ndimage.label(h_maxima(np.log(2 * heights), -np.log(1 - 0.2), four), four)[1]
        assert count(basins.merged(0.2, 0)) == peaks


def test_the_same_notch_parts_small_hills_and_not_high_ones():
    """A share of the height decides, but of very low hills as if they were half as high as can be."""
    for top, expected in ((1.0, 1), (0.6, 2), (0.3, 1)):
        heights = np.array([[0, top, top - 0.18, top, 0]], np.float32)
        assert count(find_basins(heights > 0, heights).merged(0.25 if top > 0.5 else 0.4, 0)) == expected


def test_a_plateau_is_one_hill():
    mask = np.zeros((12, 30), bool)
    mask[2:10, 3:12] = mask[3:6, 15:28] = True
    basins = find_basins(mask, np.full(mask.shape, 0.5, np.float32))
    assert count(basins.merged(0.01, 0)) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 5)])
@pytest.mark.parametrize("filled", [False, True])
def test_small_and_empty_masks(shape, filled):
    basins = find_basins(np.full(shape, filled), np.full(shape, 0.7, np.float32))
    assert basins.labels.shape == shape
    assert count(basins.merged(0.1, 0.2)) == int(filled)


def test_parts_are_decided_by_their_own_pixels():
    """A crop that holds whole parts gives the same parts as the plane."""
    random = np.random.default_rng(2)
    heights = ndimage.gaussian_filter(random.random((120, 120)), 2).astype(np.float32)
    mask = heights > np.quantile(heights, 0.7)
    parts, _ = ndimage.label(mask)
    whole = find_basins(mask, heights).merged(0.01, 0)
    crop = np.s_[30:100, 20:90]
    inside = ndimage.find_objects(parts)
    cut = find_basins(mask[crop], heights[crop]).merged(0.01, 0)
    checked = 0
    for part, (rows, columns) in enumerate(inside, start=1):
        if rows.start > 30 and rows.stop < 100 and columns.start > 20 and columns.stop < 90:
            pixels = parts[crop] == part
            pairs = np.unique(np.stack([whole[crop][pixels], cut[pixels]], -1), axis=0)
            assert len(pairs) == len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1]))
            checked += 1
    assert checked > 10


def test_what_is_found_once_for_all_masks_gives_what_each_mask_alone_gives():
    random = np.random.default_rng(1)
    for steps in (4, 1000):  # with plateaus, and hardly any
        heights = np.round(ndimage.gaussian_filter(random.random((60, 47)), 1.5) * steps).astype(np.float32) / steps
        relief = Relief.of(heights)
        for level in (0.3, 0.5, 0.55, 2.0):
            mask = random.random(heights.shape) > level - 0.3
            known, alone = find_basins(mask, relief), find_basins(mask, np.where(mask, heights, -1).astype(np.float32))
            for name in ("labels", "peaks", "pairs", "passes"):
                np.testing.assert_array_equal(getattr(known, name), getattr(alone, name))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("pixels", [50, 300, 10**6])
@pytest.mark.parametrize("smooth", [0, 1.5])
def test_the_height_of_bands_changes_no_bit(threads, pixels, smooth, monkeypatch: pytest.MonkeyPatch):
    """Also of ways that wind through many bands and back."""
    random = np.random.default_rng(5)
    heights = random.integers(0, 6, (61, 47)).astype(np.float16) / 8
    heights[10:50, 5] = np.linspace(1, 2, 40)  # a ridge straight through the bands
    mask = random.random(heights.shape) < 0.8
    names = ("labels", "summits", "peaks", "pairs", "passes")
    alone = find_basins(mask, Relief.of(heights, smooth))
    expected, merged = {name: getattr(alone, name) for name in names}, alone.merged(0.2, 0.1)
    monkeypatch.setattr(bands, "PIXELS", pixels)
    monkeypatch.setattr(bands, "cores", lambda: threads)
    for relief in (Relief.of(heights, smooth), Relief(heights, smooth)):
        found = find_basins(lambda rows: mask[rows], relief)
        for name in names:
            np.testing.assert_array_equal(getattr(found, name), expected[name], err_msg=name)
        np.testing.assert_array_equal(found.merged(0.2, 0.1), merged)


def test_summits_are_the_first_of_the_highest_pixels_of_their_basins():
    random = np.random.default_rng(7)
    heights = np.round(ndimage.gaussian_filter(random.random((50, 41)), 1.5) * 12).astype(np.float32) / 12
    mask = random.random(heights.shape) < 0.9
    basins = find_basins(mask, heights)
    labels = basins.labels
    assert (np.diff(basins.summits[1:]) > 0).all()
    for number in range(1, labels.max() + 1):
        pixels = np.flatnonzero(labels == number)
        highest = heights.ravel()[pixels] == heights.ravel()[pixels].max()
        assert basins.summits[number] == pixels[highest][0]
        assert basins.peaks[number] == heights.ravel()[pixels].max()

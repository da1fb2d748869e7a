"""The way up from each pixel of a map."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import bands
from napari_unet_seg.core.blur import blurred
from napari_unet_seg.core.relief import Relief


def test_the_way_up_leads_to_the_highest_neighbour_and_of_equal_ones_to_the_first():
    slope = Relief(np.array([[1, 2, 2], [3, 1, 1], [1, 1, 1]], np.float32)).slope(0)
    assert slope.up[:, 1:-1].tolist() == [[4, 2, 1], [2, 1, 0], [0, 0, 0]]
    assert slope.heights.shape == (5, 5)
    assert np.isneginf(slope.heights[[0, -1]]).all()
    assert np.isneginf(slope.heights[:, [0, -1]]).all()
    assert slope.steps.tolist() == [-5, -1, 0, 1, 5]


@pytest.mark.parametrize("smooth", [0, 1.0])
@pytest.mark.parametrize("pixels", [40, 400])
def test_bands_know_what_lies_around_them_whether_kept_or_not(smooth, pixels, monkeypatch: pytest.MonkeyPatch):
    heights = np.random.default_rng(0).random((37, 21)).astype(np.float16)
    plain = heights.astype(np.float32)
    framed = np.pad(blurred(plain, smooth) if smooth else plain, 1, constant_values=-np.inf)
    monkeypatch.setattr(bands, "PIXELS", pixels)
    kept, passing = Relief.of(heights, smooth), Relief(heights, smooth)
    assert len(kept.known) == len(bands.bands(heights.shape)) > 1
    assert not passing.known
    for number, rows in enumerate(bands.bands(heights.shape)):
        for relief in (kept, passing):
            slope = relief.slope(number)
            np.testing.assert_array_equal(slope.heights, framed[rows.start : rows.stop + 2])
            around = np.stack([slope.heights[1 + y : len(slope.heights) - 1 + y, 1 + x : 22 + x] for y, x in NEIGHBOURS])
            np.testing.assert_array_equal(slope.up[:, 1:-1], around.argmax(axis=0))


NEIGHBOURS = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))

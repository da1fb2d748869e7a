"""A part at another size is that part of the whole at that size."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_unet_seg.core.resample import LARGEST_TERM, needed, resample, resampled_shape, simple_ratio

PIXELS = np.random.default_rng(0).random((2, 145, 203)).astype(np.float32)
SHAPE = PIXELS.shape[1:]


def read(box):
    return PIXELS[:, *box]


def whole(ratio):
    height, width = resampled_shape(SHAPE, ratio)
    return resample(read, SHAPE, ratio, (slice(0, height), slice(0, width)))


RATIOS = [Fraction(*each) for each in ((1, 3), (5, 12), (7, 16), (23, 24), (1, 1), (24, 23), (9, 5), (9, 4), (4, 1), (91, 24))]


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_part_is_that_of_the_whole_to_the_last_bit(ratio):
    """Places computed from the edge of the part are others in single precision, and then nuclei at a seam are."""
    expected = whole(ratio)
    for low, high in ((0.0, 0.2), (0.1, 0.13), (0.31, 0.77), (0.9, 1.0)):
        box = tuple(slice(int(low * size), int(high * size)) for size in expected.shape[1:])
        np.testing.assert_array_equal(resample(read, SHAPE, ratio, box), expected[:, *box])


@pytest.mark.parametrize("ratio", [Fraction(7, 16), Fraction(9, 5)])
def test_parts_at_odd_places_make_the_whole(ratio):
    expected = whole(ratio)
    found = np.zeros_like(expected)
    for y in range(0, expected.shape[1], 37):
        for x in range(0, expected.shape[2], 53):
            box = slice(y, min(y + 37, expected.shape[1])), slice(x, min(x + 53, expected.shape[2]))
            found[:, *box] = resample(read, SHAPE, ratio, box)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("ratio", [Fraction(7, 16), Fraction(9, 5)])
def test_bands_leave_no_trace(ratio, monkeypatch):
    expected = whole(ratio)
    monkeypatch.setattr("napari_unet_seg.core.bands.PIXELS", 1000)
    np.testing.assert_array_equal(whole(ratio), expected)


@pytest.mark.parametrize("ratio", [Fraction(1, 3), Fraction(7, 16), Fraction(9, 4)])
def test_only_what_is_needed_is_read(ratio):
    asked = []
    resample(lambda box: (asked.append(box), read(box))[1], SHAPE, ratio, (slice(20, 24), slice(20, 24)))
    assert asked == [needed((slice(20, 24), slice(20, 24)), SHAPE, ratio)]
    assert max(side.stop - side.start for side in asked[0]) < 90


@pytest.mark.parametrize("ratio", [Fraction(1, 3), Fraction(7, 16), Fraction(23, 24), Fraction(9, 4)])
def test_away_from_the_edges_it_is_what_torch_gives(ratio):
    part = PIXELS[:, :144, :192]
    height, width = resampled_shape((144, 192), ratio)
    expected = F.interpolate(torch.from_numpy(part)[None], size=(height, width), mode="bilinear", antialias=True)[0].numpy()
    found = resample(lambda box: part[:, *box], (144, 192), ratio, (slice(0, height), slice(0, width)))
    inner = (slice(None), slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-5)


@pytest.mark.parametrize("ratio", [Fraction(1, 3), Fraction(7, 16), Fraction(1), Fraction(9, 4)])
def test_what_is_even_stays_so_up_to_the_edges_and_beyond(ratio):
    height, width = resampled_shape((29, 31), ratio)
    even, box = np.full((1, 29, 31), 0.3, np.float32), (slice(0, height + 9), slice(width, width + 5))
    found = resample(lambda old: even[:, *old], (29, 31), ratio, box)
    assert found.shape == (1, height + 9, 5)
    np.testing.assert_allclose(found, 0.3, atol=1e-6)


def test_the_same_size_is_the_same_pixels():
    np.testing.assert_array_equal(whole(Fraction(1)), PIXELS)


@pytest.mark.parametrize("factor", [0.003, 0.031, 0.25, 0.6061, 0.97, 1.0, 1.3, 3.7, 40.0])
def test_a_ratio_is_near_and_simple(factor):
    ratio = simple_ratio(factor)
    assert float(ratio) == pytest.approx(factor, rel=0.021)
    assert min(ratio.numerator, ratio.denominator) <= LARGEST_TERM


def test_no_pixel_is_missing_at_the_end():
    assert resampled_shape((145, 203), Fraction(1, 3)) == (49, 68)

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


@pytest.mark.parametrize("ratio", [Fraction(1, 3), Fraction(7, 16), Fraction(23, 24), Fraction(1), Fraction(9, 4), Fraction(4)])
@pytest.mark.parametrize("where", [(0.0, 0.2), (0.3, 0.7), (0.9, 1.0)])
def test_a_part_is_that_of_the_whole(ratio, where):
    expected = whole(ratio)
    box = tuple(slice(int(where[0] * size), int(where[1] * size)) for size in expected.shape[1:])
    np.testing.assert_allclose(resample(read, SHAPE, ratio, box), expected[:, *box], atol=1e-4)


@pytest.mark.parametrize("ratio", [Fraction(1, 3), Fraction(7, 16), Fraction(9, 4)])
def test_only_what_is_needed_is_read(ratio):
    asked = []
    resample(lambda box: (asked.append(box), read(box))[1], SHAPE, ratio, (slice(20, 24), slice(20, 24)))
    assert asked == [needed((slice(20, 24), slice(20, 24)), SHAPE, ratio)]
    assert max(side.stop - side.start for side in asked[0]) < 90


def test_sizes_that_fit_give_what_torch_gives():
    part = PIXELS[:, :144, :192]
    expected = F.interpolate(torch.from_numpy(part)[None], size=(48, 64), mode="bilinear", antialias=True)[0].numpy()
    found = resample(lambda box: part[:, *box], (144, 192), Fraction(1, 3), (slice(0, 48), slice(0, 64)))
    np.testing.assert_array_equal(found, expected)


def test_the_same_size_is_the_same_pixels():
    np.testing.assert_array_equal(whole(Fraction(1)), PIXELS)


@pytest.mark.parametrize("factor", [0.003, 0.031, 0.25, 0.6061, 0.97, 1.0, 1.3, 3.7, 40.0])
def test_a_ratio_is_near_and_simple(factor):
    ratio = simple_ratio(factor)
    assert float(ratio) == pytest.approx(factor, rel=0.021)
    assert min(ratio.numerator, ratio.denominator) <= LARGEST_TERM


def test_no_pixel_is_missing_at_the_end():
    assert resampled_shape((145, 203), Fraction(1, 3)) == (49, 68)

"""A blur that is SciPy's but for rounding, and the same bits in whatever part of a map it is computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core.blur import blurred, reach


def image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (37, 3), (64, 50)])
def test_it_is_the_blur_of_scipy(sigma, shape):
    found = blurred(image(shape), sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ndimage.gaussian_filter(image(shape), sigma), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_part_gives_the_same_bits(sigma):
    whole, margin = image((90, 70)), reach(sigma)
    expected = blurred(whole, sigma)
    for top, left, height, width in ((0, 0, 40, 33), (11, 7, 50, 41), (31, 29, 59, 41)):
        rows, columns = slice(max(top - margin, 0), top + height + margin), slice(max(left - margin, 0), left + width + margin)
        part = blurred(np.ascontiguousarray(whole[rows, columns]), sigma)[top - rows.start :, left - columns.start :][:height, :width]
        np.testing.assert_array_equal(part, expected[top : top + height, left : left + width])


def test_what_is_given_stays():
    values = image((20, 20))
    before = values.copy()
    blurred(values, 1.0)
    np.testing.assert_array_equal(values, before)

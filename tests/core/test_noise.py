"""What is noise and what is not: noise and haze as cameras make them, and nuclei as faint and crowded as a network can still see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core.noise import LEAST_PIXELS, is_noise, is_unstained
from napari_unet_seg.core.normalize import EXACT_PIXELS, Limits, estimate_limits, normalize
from tests.tiny import tiny_model

EDGE = 512


def white(level=100.0, noise=5.0, edge=EDGE, seed=0):
    return np.random.default_rng(seed).normal(level, noise, (edge, edge)).astype(np.float32)


def haze(blur, noise=0.0, edge=EDGE):
    field = ndimage.gaussian_filter(white(0, 1, edge), blur, mode="wrap")
    return 1000 + 100 * field / field.std() + white(0, noise, edge, seed=1)


def nuclei(count, contrast, radius=9, edge=EDGE):
    """Discs on white noise of standard deviation 10."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    image = np.zeros((edge, edge), bool)
    for top, left in random.integers(0, edge - 2 * radius - 1, (count, 2)):
        image[top : top + 2 * radius + 1, left : left + 2 * radius + 1] |= disc
    return 300 + contrast * image + white(0, 10, edge)


AUTOMATIC = nus.SegmentSettings()


@pytest.mark.parametrize(
    "image",
    [
        white(),
        white(100, 0.6).round(),
        np.random.default_rng(0).poisson(2, (EDGE, EDGE)).astype(np.float32),
        *(haze(blur, noise) for blur in (2, 5, 10, 20, 30) for noise in (0, 10, 100)),
        white().mean(axis=1, keepdims=True) + white(),
    ],
)
def test_noise_and_haze(image):
    assert is_noise(image)
    assert is_noise(-image), "bright or dark makes no difference"
    assert is_noise(np.where(image > image.mean() + 4 * image.std(), np.nan, image)), "pixels without a value do not matter"


@pytest.mark.parametrize("count", [1, 3, 30, 300, 1000])
@pytest.mark.parametrize("contrast", [15, 30, 300, -30])
def test_nuclei_are_no_noise(count, contrast):
    assert not is_noise(nuclei(count, contrast))


def test_large_and_crowded_nuclei_are_no_noise():
    assert not is_noise(nuclei(60, 15, radius=40))
    assert not is_noise(nuclei(150, 20, radius=40))


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_a_constant_is_no_noise(value):
    assert not is_noise(np.full((EDGE, EDGE), value, np.float32))


def test_a_small_plane_is_never_called_noise():
    edge = int(LEAST_PIXELS**0.5)
    assert not is_noise(white(edge=edge))
    assert is_noise(white(edge=edge + 1))


@pytest.mark.parametrize("shape", [(3, 100_000), (100_000, 3), (1, 300_000), (4, 60_000)])
def test_narrow_planes_do_not_fail(shape):
    is_noise(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def test_glass_without_stain():
    assert is_unstained(220, 240)
    assert not is_unstained(140, 240)


def test_limits_of_noise_hide_it():
    limits = estimate_limits(white(), AUTOMATIC)
    assert limits.low == limits.high > 0
    assert not normalize(white(), limits).any()


def test_limits_of_glass_hide_its_clouds_and_those_of_tissue_do_not():
    glass = 235 + (haze(8)[..., None] - 1000) / 40 + np.zeros(3)
    limits = estimate_limits(glass.astype(np.uint8), AUTOMATIC)
    assert limits.low == limits.high
    glass[100:200, 100:200] = (120, 60, 160)
    limits = estimate_limits(glass.astype(np.uint8), AUTOMATIC)
    assert limits.low < limits.high
    assert limits.polarity == "dark"


def test_limits_by_hand_are_never_overruled():
    assert estimate_limits(white(), nus.SegmentSettings(low=90, high=200)) == Limits(90, 200, "bright")


class Sampled:
    """A plane of noise beyond what is read whole, with nuclei or without."""

    dtype, ndim = np.dtype(np.float32), 2
    shape = (10_000, EXACT_PIXELS // 10_000 + 512)

    def __init__(self, count):
        self.block = nuclei(count, 100)

    def __getitem__(self, box):
        height, width = (side.stop - side.start for side in box)
        return self.block[:height, :width]


def test_planes_that_are_sampled():
    limits = estimate_limits(Sampled(0), AUTOMATIC)
    assert limits.low == limits.high
    limits = estimate_limits(Sampled(30), AUTOMATIC)
    assert limits.low < limits.high


def test_a_run_says_that_there_was_nothing_to_find():
    def notices(image):
        return [step.notice for step in nus.iter_segment(image, tiny_model(), "cpu") if step.notice]

    assert notices(white().astype(np.uint16)) == [
        "Nothing stands out in this image but even ground, noise or haze; to search all the same, set the limits by hand."
    ]
    stack = np.stack([white(), nuclei(40, 200), white(seed=3)]).astype(np.uint16)
    assert [text for text in notices(stack) if "Nothing" in text] == [
        "Nothing stands out in 2 of 3 planes but even ground, noise or haze; to search all the same, set the limits by hand."
    ]
    assert not any("Nothing" in text for text in notices(nuclei(40, 200).astype(np.uint16)))

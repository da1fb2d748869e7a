"""Changes of patches: none without strength, in range with it, and what JPEG does to blocks."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from napari_unet_seg.core.augment import change_intensity, compress, smooth_shift
from napari_unet_seg.core.draws import Draws


def draws(seed=0):
    return Draws(torch.Generator().manual_seed(seed))


def test_intensity_changes_stay_in_the_range_of_the_input():
    image = torch.rand(8, 1, 32, 32) * 3.5 - 0.5
    changed = change_intensity(image, torch.ones(8, 1, 1, 1), draws())
    assert changed.shape == image.shape
    assert changed.isfinite().all()
    assert changed.min() >= -0.5
    assert changed.max() <= 3
    assert not torch.equal(changed, image)


def test_without_strength_nothing_changes():
    image = torch.rand(8, 1, 32, 32) * 3.5 - 0.5
    torch.testing.assert_close(change_intensity(image, torch.zeros(8, 1, 1, 1), draws()), image)


def test_compression_without_a_step_loses_nothing_and_keeps_the_mean_with_one():
    image = torch.rand(4, 1, 32, 48)
    assert torch.equal(compress(image, torch.zeros(4, 1, 1, 1)), image)
    steps = torch.full((4, 1, 1, 1), 0.01)
    lossy = compress(image, steps)
    assert (lossy - image).abs().max() < 0.3
    torch.testing.assert_close(lossy.mean(), image.mean(), atol=0.002, rtol=0)


def test_compression_leaves_the_blocks_that_jpeg_leaves():
    """Strong compression keeps little but the means of blocks of 8 x 8, and those of Pillow's JPEG."""
    noise = np.random.default_rng(0).normal(128, 60, (64, 64)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=20)
    theirs = np.asarray(Image.open(file)).astype(float)
    ours = compress(torch.from_numpy(noise / 255.0).float()[None, None], torch.full((1, 1, 1, 1), 0.16))[0, 0].numpy() * 255
    means = [image.reshape(8, 8, 8, 8).mean(axis=(1, 3)) for image in (ours, theirs)]
    assert np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("size", [32, 64])
def test_shifts_are_smooth_and_as_strong_as_asked(size):
    shifts = smooth_shift(size, torch.tensor([0.0, 4.0]), draws())
    assert shifts.shape == (2, size, size, 2)
    assert not shifts[0].any()
    assert 0.5 < shifts[1].std() < 4
    assert (shifts[1, 1:] - shifts[1, :-1]).abs().max() < shifts[1].abs().max() / 2

"""Random patches: image and answers move together, exact ones are the image's own, and a seed gives the same patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet_seg.core.augment import change_intensity
from napari_unet_seg.core.data import UNKNOWN, prepare, whole_patch
from napari_unet_seg.core.sampler import PatchSampler, empty_some
from napari_unet_seg.settings import TrainSettings
from tests.tiny import discs

PLAIN = TrainSettings(patch=64, batch=4, intensity=0, empty=0)


def sampler(samples, seed=0, **changes):
    settings = TrainSettings(**{**PLAIN.to_dict(), **changes})
    return PatchSampler(samples, settings, torch.Generator().manual_seed(seed))


def test_image_and_classes_move_together_under_every_augmentation():
    """The image is the nucleus mask itself: after turning, zooming and bending, both still agree but for the soft border."""
    _, labels = discs((128, 128), seed=3)
    batch = sampler([prepare((labels > 0).astype(np.uint8), labels)], batch=16).batch()
    known = batch.classes != UNKNOWN
    agree = (batch.image[:, 0] >= 0.5) == (batch.classes > 0)
    assert agree[known].float().mean() > 0.995
    assert (batch.classes[known] == 2).any()


def test_equal_seeds_give_equal_patches_and_others_not():
    samples = [prepare(*discs(seed=seed)) for seed in range(3)]
    first, again, other = (sampler(samples, seed, intensity=1, empty=0.2).batch() for seed in (5, 5, 6))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.classes, again.classes)
    assert not torch.equal(first.image, other.image)


def test_balance_shows_rare_kinds_more_often():
    image, labels = discs((64, 64))
    bright = [prepare(image, labels)] * 9
    dark = [prepare(5000 - image, labels)]
    for balance, share in ((0.0, 0.1), (0.5, 0.25), (1.0, 0.5)):
        weights = sampler(bright + dark, balance=balance).weights
        assert float(weights[-1] / weights.sum()) == pytest.approx(share)


def test_intensity_changes_stay_in_the_range_of_the_input():
    image = torch.rand(8, 1, 32, 32) * 3.5 - 0.5
    changed = change_intensity(image, torch.ones(8, 1, 1, 1), torch.Generator().manual_seed(0))
    assert changed.shape == image.shape
    assert changed.isfinite().all()
    assert changed.min() >= -0.5
    assert changed.max() <= 3
    torch.testing.assert_close(change_intensity(image, torch.zeros(8, 1, 1, 1), torch.Generator()), image)


@pytest.mark.parametrize("shape", [(96, 130), (20, 200), (1, 1)])
def test_exact_patches_show_the_image_s_own_pixels_and_what_is_outside_is_unknown(shape):
    image, labels = discs(shape)
    sample = prepare(image, labels)
    batch = sampler([sample], seed=3, exact=1.0, intensity=1.0).batch()
    known = batch.classes != UNKNOWN
    torch.testing.assert_close(known.float().mean(), torch.tensor(min(shape[0], 64) * min(shape[1], 64) / 64**2))
    assert torch.isin(batch.image, sample.channels[0]).all()
    shown = {(float(v), int(c)) for v, c in zip(batch.image[:, 0][known], batch.classes[known] > 0, strict=True)}
    there = {(float(v), int(label > 0)) for v, label in zip(sample.channels[0].flatten(), labels.flat, strict=True)}
    assert shown <= there  # each pixel kept its own label


def test_empty_patches_hold_no_nuclei():
    batch = whole_patch(prepare(*discs()), PLAIN)
    empty = empty_some(batch, 1.0, torch.Generator().manual_seed(0))
    assert batch.classes.any()
    assert not empty.classes.any()
    assert not empty.distance.any()
    assert not torch.equal(empty.image, batch.image)

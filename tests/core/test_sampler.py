"""Random patches: image and answers move together, exact ones are the image's own, and a seed gives the same patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.core.data import UNKNOWN, prepare
from napari_unet_seg.core.sampler import PatchSampler
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


@pytest.mark.parametrize("shape", [(96, 130), (20, 200), (1, 1)])
def test_exact_patches_show_the_image_s_own_pixels_and_what_is_outside_is_unknown(shape):
    image, labels = discs(shape)
    sample = prepare(image, labels)
    batch = sampler([sample], seed=3, exact=1.0, intensity=1.0).batch()
    known = batch.classes != UNKNOWN
    torch.testing.assert_close(known.float().mean(), torch.tensor(min(shape[0], 64) * min(shape[1], 64) / 64**2))
    own = sample.channels[0].half().float()  # patches keep 11 bits of an intensity
    assert torch.isin(batch.image, own).all()
    shown = {(float(v), int(c)) for v, c in zip(batch.image[:, 0][known], batch.classes[known] > 0, strict=True)}
    there = {(float(v), int(label > 0)) for v, label in zip(own.flatten(), labels.flat, strict=True)}
    assert shown <= there  # each pixel kept its own label


@pytest.mark.parametrize("exact", [0.0, 1.0])
def test_patches_of_a_plane_with_few_painted_nuclei_show_them(exact):
    image, labels = discs((700, 700), 60, seed=3)
    painted = np.where(np.isin(labels, [7, 21]), labels, 0)
    batch = sampler([prepare(image, sparse(painted))], exact=exact, batch=32).batch()
    assert all((classes != UNKNOWN).any() for classes in batch.classes)
    shown = [bool(((classes > 0) & (classes != UNKNOWN)).any()) for classes in batch.classes]
    assert sum(shown) >= 28


def test_painted_ground_is_shown_as_often_as_the_share_says():
    image, labels = discs((600, 600), 40, seed=3)
    y, _ = ndimage.center_of_mass(labels == 5)
    ground = np.zeros(labels.shape, bool)
    ground[(int(y) + 300) % 600, :] = True
    annotation = sparse(np.where(labels == 5, labels, 0), ground & (labels == 0))
    batch = sampler([prepare(image, annotation)], batch=200, exact=1.0).batch()
    nucleus = sum(bool(((classes > 0) & (classes != UNKNOWN)).any()) for classes in batch.classes)
    assert 0.6 < nucleus / 200 < 0.8


def test_planes_with_much_known_are_shown_more_often():
    image, labels = discs((128, 128))
    few, many = (sparse(np.where(labels <= count, labels, 0)) for count in (1, 9))
    weights = sampler([prepare(image, few), prepare(image, many)]).weights
    assert weights[1] > 2 * weights[0]


def test_empty_patches_come_as_often_as_the_settings_say():
    batch = sampler([prepare(*discs((128, 128)))], batch=200, empty=0.3).batch()
    empty = sum(not classes.any() for classes in batch.classes)
    assert 0.2 < empty / 200 < 0.4


def test_a_smaller_batch_can_be_asked_for():
    assert len(sampler([prepare(*discs())]).batch(3).image) == 3

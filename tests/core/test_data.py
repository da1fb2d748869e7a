"""Patches: image and answers move together, unknown stays unknown, and a seed gives the same patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet_seg.core.augment import change_intensity
from napari_unet_seg.core.data import INSIDE, UNKNOWN, PatchSampler, empty_some, prepare, targets, whole_patch
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import TrainSettings
from tests.tiny import discs

PLAIN = TrainSettings(patch=64, batch=4, intensity=0, empty=0)


def sampler(samples, seed=0, **changes):
    settings = TrainSettings(**{**PLAIN.to_dict(), **changes})
    return PatchSampler(samples, settings, torch.Generator().manual_seed(seed))


def test_whole_patch_has_the_classes_of_the_labels():
    image, labels = discs((64, 64))
    batch = whole_patch(prepare(image, labels), PLAIN)
    classes = batch.classes[0].numpy()
    np.testing.assert_array_equal(classes > 0, labels > 0)
    inner = prepare(image, labels).channels[INSIDE].numpy() > 2
    np.testing.assert_array_equal(classes == 1, inner)


def test_touching_nuclei_have_an_outline_between_them_and_a_weight():
    labels = np.zeros((64, 64), np.int32)
    labels[20:44, 8:32], labels[20:44, 32:56] = 1, 2
    batch = whole_patch(prepare(labels.astype(np.uint8), labels), PLAIN)
    assert (batch.classes[0, 24:40, 30:34] == 2).all()
    assert (batch.classes[0, 24:40, 27:29] == 1).all()
    assert batch.touching[0, 24:40, 29:35].all()
    assert not batch.touching[0, :, :26].any()


def test_image_and_classes_move_together_under_every_augmentation():
    """The image is the nucleus mask itself: after turning, zooming and bending, both still agree but for the soft border."""
    _, labels = discs((128, 128), seed=3)
    batch = sampler([prepare((labels > 0).astype(np.uint8), labels)], batch=16).batch()
    known = batch.classes != UNKNOWN
    agree = (batch.image[:, 0] >= 0.5) == (batch.classes > 0)
    assert agree[known].float().mean() > 0.995
    assert (batch.classes[known] == 2).any()


def test_the_outline_keeps_its_width_at_every_zoom():
    labels = np.zeros((200, 200), np.int32)
    labels[50:150, 50:150] = 1
    channels = prepare(labels.astype(np.uint8), labels).channels[None]
    for zoom in (0.5, 1.0, 2.0):
        size = round(200 * zoom)
        resized = torch.nn.functional.interpolate(channels, size=(size, size), mode="bilinear", align_corners=False)
        row = targets(resized, torch.tensor([zoom]), PLAIN).classes[0, size // 2]
        assert (row == 2).sum() == pytest.approx(4, abs=1), "2 px on either side"


def test_unknown_pixels_and_those_outside_the_image_teach_nothing():
    image, labels = discs((64, 64))
    known = np.zeros((64, 64), bool)
    known[:, :32] = True
    batch = whole_patch(prepare(image, labels, known), TrainSettings(patch=96))
    assert (batch.classes[0, 16:80, 16:48] != UNKNOWN).all()
    assert (batch.classes[0, :, 48:] == UNKNOWN).all()
    assert (batch.classes[0, :15] == UNKNOWN).all()


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


def test_dark_nuclei_are_shown_bright():
    image, labels = discs((64, 64))
    sample = prepare(5000 - image, labels)
    assert sample.kind == "dark"
    assert sample.channels[0][torch.from_numpy(labels) > 0].mean() > 2 * sample.channels[0][torch.from_numpy(labels) == 0].mean()


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


@pytest.mark.parametrize(
    ("image", "labels", "known", "sentence"),
    [
        (np.zeros((8, 9)), np.zeros((9, 8), int), None, r"\(8, 9\).*\(9, 8\)"),
        (np.zeros((8, 9)), np.zeros((8, 9)), None, "float64"),
        (np.zeros((8, 9)), np.full((8, 9), -2), None, "-2"),
        (np.zeros((8, 9)), np.zeros((8, 9), int), np.ones((8, 8), bool), r"\(8, 8\)"),
    ],
)
def test_pairs_that_do_not_fit_are_refused_with_the_value(image, labels, known, sentence):
    with pytest.raises(InputError, match=sentence):
        prepare(image, labels, known)

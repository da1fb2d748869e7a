"""Patches: image and answers move together, unknown stays unknown, and a seed gives the same patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet_seg.core.annotations import Annotation, sparse
from napari_unet_seg.core.data import INSIDE, UNKNOWN, annotated, prepare, targets, whole_patch
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import TrainSettings
from tests.tiny import discs

PLAIN = TrainSettings(patch=64, batch=4, intensity=0, empty=0)


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


def test_dark_nuclei_are_shown_bright():
    image, labels = discs((64, 64))
    sample = prepare(5000 - image, labels)
    assert sample.kind == "dark"
    assert sample.channels[0][torch.from_numpy(labels) > 0].mean() > 2 * sample.channels[0][torch.from_numpy(labels) == 0].mean()


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


def test_only_what_is_known_and_its_surroundings_are_kept_with_the_limits_of_the_whole():
    image, labels = discs((900, 700), 60, seed=1)
    image[0, :20] = 60_000  # far away, and yet it sets the upper limit of the plane
    painted = np.where(labels == 30, labels, 0)
    part, plane = prepare(image, sparse(painted)), prepare(image, labels)
    (top, left), (height, width) = part.origin, part.labels.shape
    assert max(height, width) < 620
    assert part.known.sum() == sparse(painted).known.sum()
    np.testing.assert_array_equal(part.channels[0], plane.channels[0, top : top + height, left : left + width])


def test_a_crop_keeps_distances_and_its_place():
    sample = prepare(*discs((64, 64)))
    part = sample.crop((slice(10, 40), slice(20, 64))).crop((slice(5, 30), slice(0, 30)))
    assert part.origin == (15, 20)
    np.testing.assert_array_equal(part.channels, sample.channels[:, 15:40, 20:50])
    np.testing.assert_array_equal(part.labels, sample.labels[15:40, 20:50])


def test_a_sample_may_believe_in_less():
    sample = prepare(*discs((64, 64)))
    less = sample.believing(sample.labels == 1)
    np.testing.assert_array_equal(less.known, sample.labels == 1)
    assert sample.known.all()


def test_a_mask_narrows_an_annotation():
    labels = discs((64, 64))[1]
    annotation = Annotation(labels, labels < 3, "group")
    narrowed = annotated(annotation, labels != 1)
    np.testing.assert_array_equal(narrowed.known, (labels < 3) & (labels != 1))
    assert narrowed.group == "group"
    assert annotated(annotation) is annotation

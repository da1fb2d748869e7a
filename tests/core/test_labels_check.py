from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.labels_check import looks_like_intensities
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.samples import sample_path
from tests.tiny import discs


def test_images_and_labels_are_told_apart():
    image, labels = discs(count=40)
    assert looks_like_intensities(image)
    assert looks_like_intensities(np.stack([image, image]))
    assert looks_like_intensities((image / 256).astype(np.uint8) * 7 + np.arange(128, dtype=np.uint8)[:, None] // 4 + 1)
    assert not looks_like_intensities(labels)
    assert not looks_like_intensities(labels.astype(np.int64) * 2**40)


def test_the_sample_is_an_image():
    assert looks_like_intensities(np.asarray(open_image(sample_path("nuclei")).levels[0]))


def test_small_nuclei_that_fill_the_plane_are_labels():
    tiles = np.arange(1, 1025).reshape(32, 32)
    assert not looks_like_intensities(np.kron(tiles, np.ones((6, 6), np.int64)))


@pytest.mark.parametrize(
    "labels",
    [np.arange(100).reshape(10, 10), np.random.default_rng(0).integers(0, 3, (99, 99)), np.zeros((50, 50), int), np.ones((9, 9))],
)
def test_too_little_is_no_evidence(labels):
    assert not looks_like_intensities(labels)


def test_masks_of_the_data_set_are_labels(data_dir):
    masks = sorted((data_dir / "dsb2018" / "masks").iterdir())[:20]
    assert not any(looks_like_intensities(np.squeeze(np.asarray(open_image(path).levels[0]))) for path in masks)

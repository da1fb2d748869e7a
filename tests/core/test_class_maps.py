"""Maps of classes are told from maps of nuclei, and never taken for them."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.class_maps import refuse_class_maps
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import InputError
from tests.tiny import discs, tiny_model


def softmax(count, seed=0, shape=(24, 24)):
    chances = np.exp(3 * np.random.default_rng(seed).standard_normal((count, *shape)))
    return (chances / chances.sum(axis=0)).astype(np.float32)


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_maps_of_classes_are_refused(count, dtype):
    with pytest.raises(InputError, match=f"The {count} maps add up to 1 everywhere: they are probabilities of classes"):
        nus.instances(softmax(count).astype(dtype))


def test_a_model_of_classes_is_refused_from_end_to_end():
    model = nus.Model(UNet(nus.NetworkSettings(classes=("background", "glass", "stroma"), distance=False, width=4, depth=2)).eval())
    maps = nus.predict(discs()[0], model)
    with pytest.raises(InputError, match="no distance by which nuclei are told apart"):
        nus.instances(maps)


def test_maps_of_nuclei_are_not_refused():
    image, truth = discs()
    maps = nus.predict(image, tiny_model())
    assert nus.instances(maps).max() > truth.max() / 2
    assert nus.instances(maps.astype(np.float16)).max() > truth.max() / 2


def test_an_empty_image_gives_no_nuclei_and_no_error():
    maps = nus.predict(np.zeros((64, 64), np.uint16), tiny_model())
    assert nus.instances(maps).max() == 0
    blank = np.zeros((4, 16, 16), np.float32)
    blank[0] = 1
    assert nus.instances(blank).max() == 0


def test_a_mask_of_ones_own_is_taken_as_it_is():
    mask = discs()[1] > 0
    refuse_class_maps(np.stack([~mask, mask, mask & False]).astype(np.float32))
    assert nus.instances(np.stack([~mask, mask]).astype(np.float32)).max() > 0


@pytest.mark.parametrize("distance", [0.0, 0.019, 0.021, 0.09, 0.11, 0.5])
def test_doubt_is_no_class(distance):
    maps = softmax(3)
    maps = np.concatenate([maps, np.full((1, *maps.shape[1:]), distance, np.float32)]).astype(np.float16)
    refuse_class_maps(maps)

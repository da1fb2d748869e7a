"""A model that tells no nuclei apart gives class maps: of planes, stacks, regions and tiles alike."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.segmentation import class_shares
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import SettingsError
from tests.tiny import discs


@cache
def model():
    """A network of random weights that gives three classes."""
    torch.manual_seed(2)
    network = UNet(nus.NetworkSettings(width=4, depth=2, classes=("background", "a", "b"), distance=False)).train()
    network(torch.rand(4, 1, 64, 64))
    torch.nn.init.normal_(network.head.weight, std=3.0)
    with torch.no_grad():
        seen = network.eval()(torch.from_numpy(discs((64, 64))[0] / 2500.0).float()[None, None])
        network.head.bias -= seen.mean((0, 2, 3))  # so that each class is found somewhere
    return nus.Model(network.eval(), name="types")


def segmented(image, axes=None, **settings):
    settings = nus.SegmentSettings(precision="float32", **settings)
    return nus.drain(nus.iter_segment(image, model(), "cpu", axes, settings=settings))


def test_labels_are_the_numbers_of_the_classes_and_the_table_says_how_much_there_is_of_each():
    image, _ = discs((96, 120))
    result = segmented(image)
    maps = nus.predict(image, model(), "cpu", nus.SegmentSettings(precision="float32"))
    assert result.labels.dtype == np.int32
    assert np.mean(result.labels == maps.argmax(axis=0)) > 0.999
    assert np.array_equal(result.labels, result.classes)
    counts = np.bincount(result.labels.ravel(), minlength=3)
    assert result.features.set_index("class")["area"].to_dict() == {
        name: count for name, count in zip(("a", "b"), counts[1:], strict=True) if count
    }
    assert result.class_names == ("background", "a", "b")
    assert result.provenance["model"] == "types"
    assert sum(class_shares(result.features).values()) == pytest.approx(1)


@pytest.mark.parametrize("tile", [64, 80])
def test_tiles_change_nothing(tile):
    image, _ = discs((150, 170))
    assert np.mean(segmented(image, tile=tile).labels != segmented(image).labels) < 1e-4  # ties of float16 apart


def test_planes_of_a_stack_share_the_numbers():
    image, _ = discs((64, 64))
    result = segmented(np.stack([image, image[::-1]]), "ZYX")
    assert np.array_equal(result.labels[0], segmented(image).labels)
    assert set(result.features["plane_z"]) == {0, 1}
    assert set(np.unique(result.labels)) <= {0, 1, 2}


def test_outside_of_a_region_is_background():
    image, _ = discs((96, 96))
    whole = segmented(image).labels
    part = segmented(image, region=(((9.5, 9.5), (9.5, 59.5), (39.5, 59.5), (39.5, 9.5)),)).labels
    assert np.array_equal(part[10:40, 10:60], whole[10:40, 10:60])
    part[10:40, 10:60] = 0
    assert not part.any()


def test_progress_counts_the_tiles_of_all_planes():
    seen = []
    image, _ = discs((64, 64))
    steps = nus.iter_segment(np.stack([image] * 3), model(), "cpu", "ZYX")
    nus.drain(steps, seen.append)
    assert [(step.done, step.total) for step in seen if step.total] == [(1, 3), (2, 3), (3, 3)]


def test_a_diameter_is_of_nuclei():
    with pytest.raises(SettingsError, match="does not say which diameter it knows"):
        segmented(discs((64, 64))[0], diameter=20)

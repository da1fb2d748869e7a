"""Where a training starts: the base itself, its body with a new head, or random weights."""

from __future__ import annotations

import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.start import knows_what_is_taught, start_from
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import SettingsError
from tests.tiny import tiny_model


def test_nothing_gives_random_weights_of_the_seed():
    first, again, other = (start_from(nus.NetworkSettings(width=4, depth=1), seed) for seed in (0, 0, 1))
    assert first.sha256 == again.sha256 != other.sha256
    assert start_from(None, 0).settings == nus.NetworkSettings()


def test_a_base_is_taken_as_it_is():
    assert start_from(tiny_model(), 0) is tiny_model()
    assert knows_what_is_taught(tiny_model())


def test_other_classes_get_the_body_and_a_new_head():
    base = tiny_model()
    start = start_from(base, 3, ("stroma", "blood"))
    assert start.settings.maps == ("background", "stroma", "blood")
    assert (start.settings.width, start.settings.depth, start.name) == (base.settings.width, base.settings.depth, base.name)
    mine, its = start.network.state_dict(), base.network.state_dict()
    assert all(torch.equal(mine[name], its[name]) for name in its if not name.startswith("head."))
    assert mine["head.weight"].shape[0] == 3
    assert start.sha256 == start_from(base, 3, ("stroma", "blood")).sha256 != start_from(base, 4, ("stroma", "blood")).sha256
    assert not knows_what_is_taught(base, ("stroma", "blood"))
    assert not knows_what_is_taught(None)


def test_a_model_of_the_same_classes_learns_further():
    start = start_from(nus.NetworkSettings(width=4, depth=1), 0, ("a", "b"))
    assert start_from(start, 9, ("a", "b")) is start
    assert knows_what_is_taught(start, ("a", "b"))


def test_nuclei_cannot_teach_a_model_of_classes():
    model = nus.Model(UNet(nus.NetworkSettings(width=4, depth=1, classes=("background", "a"), distance=False)).eval(), name="types")
    with pytest.raises(SettingsError, match=r"The base 'types' tells classes apart \(a\)"):
        start_from(model, 0)

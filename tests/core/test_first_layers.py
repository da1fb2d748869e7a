"""Which layers a training teaches: the first ones where single nuclei teach a base that has an idea of them, else all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import first_layers as module
from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.first_layers import choose_learning, first_layers
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.core.unet import UNet
from tests.tiny import discs, tiny_model

SETTINGS = nus.TrainSettings(steps=3, batch=2, patch=64, learning_rate=1e-3, device="cpu", precision="float32")


def painted(seed=3, numbers=(1, 4)):
    image, labels = discs(seed=seed)
    return image, sparse(np.where(np.isin(labels, numbers), labels, 0))


def trainer(*samples, **settings):
    return Trainer(tiny_model(), samples or [prepare(*painted())], replace(SETTINGS, **settings).for_base(True))


def moved(model):
    """Return the parts of the tiny model that a training has changed, by the beginning of their names."""
    base, found = tiny_model().network.state_dict(), model.network.state_dict()
    changed = [name for name in base if base[name].is_floating_point() and not torch.equal(base[name], found[name])]
    return {".".join(name.split(".")[:2]) for name in changed}


@pytest.mark.parametrize(("depth", "levels"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_half_of_the_levels_of_the_encoder_are_the_first(depth, levels):
    network = UNet(nus.NetworkSettings(width=4, depth=depth)).train()
    learned = first_layers(network)
    assert {id(each) for each in learned} == {id(each) for block in network.encoder[:levels] for each in block.parameters()}
    assert {id(each) for each in network.parameters() if each.requires_grad} == {id(each) for each in learned}
    assert [module[0].norm.training for module in network.encoder] == [level < levels for level in range(depth)]
    assert not network.bottleneck[0].norm.training


def test_a_few_painted_nuclei_teach_the_first_layers_alone():
    image, annotation = painted()
    model = nus.train([image], [annotation], base=tiny_model(), settings=SETTINGS)
    assert moved(model) == {"encoder.0"}
    assert model.card["learning"] == "first"
    assert model.card["training"]["learning"] == "auto"


def test_many_painted_nuclei_teach_all_layers(monkeypatch):
    for few, learning in ((2, "first"), (1, "all")):
        monkeypatch.setattr(module, "FEW", few)
        assert trainer(prepare(*painted(numbers=(1, 4)))).learning == learning


def test_whole_planes_teach_all_layers():
    image, labels = discs(seed=3)
    model = nus.train([image], [labels], base=tiny_model(), settings=SETTINGS)
    assert {"encoder.0", "encoder.2", "bottleneck.0", "decoder.0", "head.weight"} <= moved(model)
    assert model.card["learning"] == "all"


@pytest.mark.parametrize(("learning", "parts"), [("all", "head.weight"), ("first", "encoder.0")])
def test_what_is_asked_for_is_done_whatever_teaches(learning, parts):
    image, annotation = painted()
    for labels in (annotation, discs(seed=3)[1]):
        model = nus.train([image], [labels], base=tiny_model(), settings=replace(SETTINGS, learning=learning))
        assert parts in moved(model)
        assert (moved(model) == {"encoder.0"}) == (learning == "first")
        assert model.card["learning"] == learning


def test_from_nothing_and_for_classes_all_layers_learn():
    image, labels = discs(seed=3)
    assert SETTINGS.for_base(False, small=True).learning == "all"
    assert replace(SETTINGS, classes=("disc",)).for_base(True, small=True).learning == "all"
    assert "learning" not in nus.train([image], [labels], base=nus.NetworkSettings(width=4, depth=2), settings=SETTINGS).card


def test_what_knows_nothing_yet_learns_even_where_the_first_layers_are_asked_for():
    first = replace(SETTINGS, learning="first")
    assert first.for_base(True).learning == "first"
    assert first.for_base(False).learning == "all"
    assert replace(first, classes=("disc",)).for_base(True).learning == "first", "a base of the same classes"
    image, labels = discs(seed=3)
    model = nus.train([image], [np.minimum(labels, 1)], base=tiny_model(), settings=replace(first, classes=("disc",)))
    assert model.card["training"]["learning"] == "all"
    assert "bottleneck.0" in moved(model)


def test_a_base_that_has_no_idea_of_the_nuclei_learns_in_all_layers():
    image, labels = discs(seed=3)
    ground = np.where(labels > 0, 0, (np.indices(labels.shape).sum(axis=0) // 24) % 2)  # what is painted lies between the discs
    assert trainer(prepare(image, sparse(ground))).learning == "all"
    assert trainer().learning == "first"


def test_one_plane_that_is_annotated_as_a_whole_teaches_all_layers():
    assert trainer(prepare(*painted()), prepare(*painted(seed=4))).learning == "first"
    assert trainer(prepare(*painted()), prepare(*discs(seed=4))).learning == "all"


@pytest.mark.parametrize("patch", [64, 256])
def test_large_nuclei_in_large_patches_teach_the_first_layers_too(patch):
    assert trainer(patch=patch).learning == "first"


@pytest.mark.parametrize(
    ("asked", "trust", "chosen"), [("auto", 0.53, "first"), ("auto", 0.27, "all"), ("all", 1.0, "all"), ("first", 0.0, "first")]
)
def test_a_base_that_recognises_what_was_painted_is_taught_in_its_first_layers(asked, trust, chosen):
    assert choose_learning(asked, trust, 10) == chosen


def test_what_is_recognised_does_not_depend_on_how_much_the_base_counts():
    assert trainer(remember=0.0).memory is None
    assert trainer(remember=0.0).learning == "first"


def test_statistics_of_layers_that_do_not_learn_stay():
    work = trainer()
    before = {name: tensor.clone() for name, tensor in work.network.state_dict().items() if "running" in name}
    work.step(1e-3)
    changed = [name for name, tensor in work.network.state_dict().items() if name in before and not torch.equal(before[name], tensor)]
    assert changed
    assert all(name.startswith("encoder.0.") for name in changed)
    frozen = trainer(freeze=True)
    frozen.step(1e-3)
    assert all(torch.equal(before[name], frozen.network.state_dict()[name]) for name in before)


def test_a_training_of_the_first_layers_goes_on_to_the_same_weights():
    unbroken, begun, resumed = trainer(), trainer(), trainer()
    for _ in range(4):
        unbroken.step(1e-3)
    for _ in range(2):
        begun.step(1e-3)
    resumed.load({name: tensor.clone() for name, tensor in begun.state().items()}, 2)
    for _ in range(2):
        resumed.step(1e-3)
    first, second = unbroken.weights(), resumed.weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("before", "now"), [("all", "first"), ("first", "all")])
def test_a_training_goes_on_with_the_layers_that_it_began_with(before, now):
    begun, resumed = trainer(learning=before), trainer(learning=now)
    begun.step(1e-3)
    resumed.load({name: tensor.clone() for name, tensor in begun.state().items()}, 1)
    assert resumed.learning == before
    for work in (begun, resumed):
        work.step(1e-3)
    first, second = begun.weights(), resumed.weights()
    assert all(torch.equal(first[name], second[name]) for name in first)

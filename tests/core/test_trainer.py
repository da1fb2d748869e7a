"""One trainer: its steps, its state, what it computes of a window, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import napari_unet_seg as nus
from napari_unet_seg.core import trainer as module
from napari_unet_seg.core.annotations import Annotation
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.instances import instances
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.errors import DeviceError
from tests.tiny import discs, tiny_model

SETTINGS = nus.TrainSettings(steps=4, batch=2, patch=64, learning_rate=1e-3, device="cpu").for_base(True)


def trainer(samples=None, **changes):
    return Trainer(tiny_model(), samples or [prepare(*discs())], nus.TrainSettings(**{**SETTINGS.to_dict(), **changes}))


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_step_moves_the_network_and_the_average_follows_and_the_base_stays():
    base, work = weights(tiny_model().network), trainer()
    metrics, notice = work.step(1e-3)
    assert notice == ""
    assert metrics["loss"] == pytest.approx(metrics["cross_entropy"] + metrics["dice"] + metrics["distance"], rel=1e-5)
    assert not same(weights(work.network), base)
    decay = 1 / 11  # of the first step: a long memory must not keep what is old
    for name, tensor in work.average.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, decay * base[name] + (1 - decay) * work.network.state_dict()[name])
    assert same(weights(work.base()), base)
    assert same(weights(tiny_model().network), base)


def test_a_rate_of_0_changes_no_weight():
    work = trainer(freeze=True)
    before = weights(work.network)
    work.step(0.0)
    assert same(weights(work.network), before)


@pytest.mark.parametrize("freeze", [True, False])
def test_statistics_are_frozen_when_asked_for_but_what_follows_them_learns(freeze):
    work = trainer(freeze=freeze)
    norms = [layer for layer in work.network.modules() if isinstance(layer, nn.BatchNorm2d)]
    before = [(layer.running_mean.clone(), layer.weight.detach().clone()) for layer in norms]
    work.step(1e-2)
    assert all(torch.equal(layer.running_mean, mean) for layer, (mean, _) in zip(norms, before, strict=True)) == freeze
    assert not any(torch.equal(layer.weight, weight) for layer, (_, weight) in zip(norms, before, strict=True))


def test_a_state_goes_on_bit_for_bit():
    first = trainer()
    first.step(1e-3)
    kept = {name: tensor.clone() for name, tensor in first.state().items()}
    second = trainer(seed=9)
    second.load(kept, 1)
    for work in (first, second):
        work.step(1e-3)
        work.step(5e-4)
    assert same(first.state(), second.state())


def test_a_state_holds_all_that_decides():
    """Another generator, another mean or another average gives other steps: nothing of the state is idle."""
    work = trainer()
    names = {name.split(".")[0] for name in work.state()}
    assert names == {"network", "average", "optimizer", "generator"}
    other = trainer(seed=3)
    work.step(1e-3)
    other.step(1e-3)
    assert not torch.equal(work.state()["generator"], other.state()["generator"])
    assert not same(work.state(), other.state())


@pytest.mark.parametrize("shape", [(64, 64), (40, 64), (64, 31), (17, 5)])
def test_a_window_is_looked_at_in_its_own_place(shape):
    image, labels = discs((64, 64), 4, seed=2)
    window = prepare(image, labels).crop((slice(0, shape[0]), slice(0, shape[1])))
    loss, maps = trainer().look(window)
    assert maps.shape == (4, *shape)
    assert 0 < loss < 10
    if min(shape) >= 40:
        assert nus.evaluate(window.labels, instances(maps)).recall(0.5) >= 0.6


def test_a_look_changes_nothing():
    work = trainer()
    before = {name: tensor.clone() for name, tensor in work.state().items()}
    work.look(prepare(*discs((64, 64))))
    assert same(before, work.state())


def test_another_network_can_look():
    work = trainer()
    window = prepare(*discs((64, 64)))
    before = work.look(window)[0]
    for _ in range(3):
        work.step(1e-2)
    assert work.look(window, work.base())[0] == pytest.approx(before)
    assert work.look(window)[0] != pytest.approx(before)


def test_weights_are_a_copy():
    work = trainer()
    kept = work.weights()
    before = {name: tensor.clone() for name, tensor in kept.items()}
    work.step(1e-2)
    assert same(kept, before)
    assert not same(kept, work.weights())


@pytest.mark.parametrize(("precision", "enabled"), [("float32", False), ("bfloat16", True)])
def test_the_number_format_is_that_asked_for(precision, enabled):
    work = trainer(precision=precision)
    assert work.autocast._enabled == enabled
    work.step(1e-3)


@pytest.mark.parametrize(("dtype", "enabled"), [(torch.float32, False), (torch.bfloat16, True), (torch.float16, False)])
def test_automatic_is_what_the_device_has_but_never_float16(monkeypatch, dtype, enabled):
    """Float16 overflows in training without a scaling of the loss: what has no bfloat16 trains in float32."""
    monkeypatch.setattr(module, "choose_dtype", lambda device: dtype)
    assert trainer().autocast._enabled == enabled


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.device._missing_mps", lambda: "torch finds no Metal device")
    with pytest.raises(DeviceError, match="'mps'"):
        trainer(device="mps")


def test_unknown_pixels_have_no_gradient():
    """What is painted where nothing is believed changes no gradient."""
    image, labels = discs(seed=1)
    known = np.zeros(labels.shape, bool)
    known[:, :40] = True
    gradients = []
    for beyond in (0, 999):
        changed = labels.copy()
        changed[:, 90:] = beyond
        work = trainer([prepare(image, Annotation(np.where(known | (changed > 0), changed, 0), known))], touching=1.0, learning="all")
        work.step(0.0)
        gradients.append([parameter.grad.clone() for parameter in work.network.parameters()])
    assert all(torch.equal(first, second) for first, second in zip(*gradients, strict=True))


def test_gradients_are_cut():
    work = trainer()
    work.step(0.0)
    norm = torch.stack([parameter.grad.norm() for parameter in work.network.parameters()]).norm()
    assert norm <= module.LONGEST_GRADIENT * 1.001

"""What learns beside a network: it starts from its seed, learns at its own pace, and goes on where it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import napari_unet_seg as nus
from napari_unet_seg.core.helper import LONGEST_GRADIENT, Helper, under

SETTINGS = nus.TrainSettings(device="cpu", seed=3)


class Line(Helper):
    """A single weight and bias, whose term is how far they are from 2 x + 1."""

    def __init__(self, settings=SETTINGS):
        super().__init__(lambda: nn.Linear(1, 1), settings, "cpu")

    def term(self, batch, logits, levels):
        x = torch.linspace(-1, 1, 9)[:, None]
        return ((self.network(x) - (2 * x + 1)) ** 2).mean()

    @property
    def values(self):
        return [parameter.item() for parameter in self.network.parameters()]


def taught(helper, steps, rate=0.05):
    """Return the term after so many steps."""
    for _ in range(steps):
        helper.term(None, None, []).backward()
        helper.learn(rate)
    return float(helper.term(None, None, []).detach())


def test_equal_seeds_start_alike_and_others_do_not():
    assert Line().values == Line().values
    assert Line().values != Line(nus.TrainSettings(device="cpu", seed=4)).values


def test_the_start_does_not_depend_on_what_was_drawn_before():
    torch.manual_seed(0)
    first = Line().values
    torch.rand(100)
    assert Line().values == first


def test_it_learns_and_forgets_its_gradients():
    line = Line()
    before = float(line.term(None, None, []).detach())
    assert taught(line, 200) < 0.01 * before
    assert line.values == pytest.approx([2, 1], abs=0.1)
    assert all(parameter.grad is None for parameter in line.network.parameters())


def test_a_rate_of_nothing_moves_nothing():
    line = Line()
    before = line.values
    taught(line, 3, rate=0.0)
    assert line.values == before


def test_learning_without_gradients_moves_nothing():
    line = Line()
    before = line.values
    line.learn(0.1)
    assert line.values == before


def test_a_monstrous_gradient_is_cut():
    """What the running means hold of it is the cut one, so that one bad step does not stop the learning for long."""
    line = Line()
    (1e9 * line.term(None, None, [])).backward()
    line.learn(1e-3)
    first = torch.cat([tensor.flatten() for name, tensor in line.state().items() if name.startswith("optimizer.first")])
    assert float(first.norm()) == pytest.approx(0.1 * LONGEST_GRADIENT, rel=1e-3)


def test_weights_decay_as_the_settings_say():
    heavy, light = (Line(nus.TrainSettings(device="cpu", seed=3, weight_decay=decay)) for decay in (0.5, 0.0))
    for line in (heavy, light):
        for parameter in line.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        before = line.values
        line.learn(0.1)
        line.shrunk = [after / value for after, value in zip(line.values, before, strict=True)]
    assert heavy.shrunk == pytest.approx([0.95, 0.95])
    assert light.shrunk == pytest.approx([1, 1])


def test_clearing_forgets_what_was_not_learned():
    line = Line()
    line.term(None, None, []).backward()
    line.clear()
    before = line.values
    line.learn(0.1)
    assert line.values == before


def test_it_goes_on_exactly_where_it_was():
    broken, unbroken, resumed = Line(), Line(), Line(nus.TrainSettings(device="cpu", seed=9))
    taught(broken, 5)
    resumed.load({name: tensor.clone() for name, tensor in broken.state().items()}, 5)
    assert taught(resumed, 5) == taught(unbroken, 10)
    assert resumed.values == unbroken.values


def test_a_wrong_count_of_steps_is_another_course():
    """The state holds no count: who keeps the state must keep the steps, too."""
    broken, unbroken, resumed = Line(), Line(), Line()
    taught(broken, 5)
    resumed.load({name: tensor.clone() for name, tensor in broken.state().items()}, 0)
    assert taught(resumed, 5) != taught(unbroken, 10)


def test_names_say_whose_tensors_they_are():
    assert list(Line().state()) == [
        "network.weight",
        "network.bias",
        "optimizer.first.0",
        "optimizer.first.1",
        "optimizer.second.0",
        "optimizer.second.1",
    ]


def test_only_the_beginning_of_a_name_is_taken_off():
    one, two = torch.zeros(1), torch.ones(1)
    assert under("network.", {"network.network.a": one, "optimizer.network.a": two}) == {"network.a": one}
    assert under("other.", {"network.a": one}) == {}


def test_a_helper_must_say_its_term():
    with pytest.raises(TypeError, match="term"):
        Helper(lambda: nn.Linear(1, 1), SETTINGS, "cpu")

"""A network is made ready once, and again when it has learned."""

from __future__ import annotations

import gc
import weakref

import torch

from napari_unet_seg import NetworkSettings
from napari_unet_seg.core.placement import placed
from napari_unet_seg.core.unet import UNet


def network() -> UNet:
    return UNet(NetworkSettings(width=8, depth=1)).eval()


def answer(made: UNet) -> torch.Tensor:
    with torch.inference_mode():
        return made(torch.ones(1, 1, 8, 8))


def test_the_copy_answers_as_the_network_and_is_made_once():
    made = network()
    before = {name: values.clone() for name, values in made.state_dict().items()}
    there = placed(made, "cpu")
    assert there is placed(made, "cpu")
    assert there is not made
    torch.testing.assert_close(answer(there), answer(made))
    for name, values in made.state_dict().items():
        assert torch.equal(values, before[name])


def test_a_step_of_training_makes_a_new_copy():
    made = network()
    there = placed(made, "cpu")
    optimizer = torch.optim.SGD(made.parameters(), 0.1)
    made(torch.ones(1, 1, 8, 8)).sum().backward()
    optimizer.step()
    assert placed(made, "cpu") is not there
    torch.testing.assert_close(answer(placed(made, "cpu")), answer(made))


def test_other_weights_make_a_new_copy():
    made, other = network(), network()
    there = placed(made, "cpu")
    made.load_state_dict(other.state_dict())
    assert placed(made, "cpu") is not there
    torch.testing.assert_close(answer(placed(made, "cpu")), answer(other))


def test_weights_that_were_changed_behind_the_back_of_torch_make_a_new_copy():
    made = network()
    there = placed(made, "cpu")
    made.head.weight.data.mul_(2)
    assert placed(made, "cpu") is not there
    torch.testing.assert_close(answer(placed(made, "cpu")), answer(made))


def test_weights_of_which_torch_counts_no_changes_are_copied_each_time():
    with torch.inference_mode():
        made = network()
    assert placed(made, "cpu") is not placed(made, "cpu")


def test_nothing_is_kept_of_a_network_that_is_gone():
    made = network()
    there = weakref.ref(placed(made, "cpu"))
    del made
    gc.collect()
    assert there() is None

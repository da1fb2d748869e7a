"""The optimiser does the steps of torch's own without its imports, and the learning rate runs its course."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_unet_seg.core.optimizer import AdamW, schedule

SAME_AS_TORCH = """
import sys
import torch
from napari_unet_seg.core.optimizer import AdamW

ours, theirs = ([torch.linspace(-1, 1, 24).reshape(2, 3, 4).requires_grad_() for _ in range(2)] for _ in range(2))
mine = AdamW(ours, 0.1)
assert "torch._dynamo" not in sys.modules
other = torch.optim.AdamW(theirs, 0.01, weight_decay=0.1)
for step in range(1, 6):
    for parameters in (ours, theirs):
        for parameter in parameters:
            parameter.grad = torch.sin(parameter.detach() * step)
    mine.step(0.01)
    other.step()
for first, second in zip(ours, theirs):
    torch.testing.assert_close(first, second)
"""
TRAINS = """
import sys
import numpy as np
import napari_unet_seg as nus
labels = np.zeros((64, 64), np.int32)
labels[8:24, 8:24] = 1
settings = nus.TrainSettings(steps=1, batch=1, patch=64, device="cpu")
nus.train([labels], [labels], base=nus.NetworkSettings(width=4, depth=1), settings=settings)
print([name for name in ("torch._dynamo", "triton") if name in sys.modules])
"""


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=None)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_steps_are_those_of_torch():
    assert run(SAME_AS_TORCH) == ""


def test_training_imports_no_compiler():
    """Not torch._dynamo, which imports triton: beside a viewer that draws by software its LLVM ends in a segmentation fault."""
    assert run(TRAINS) == "[]"


def test_a_loaded_state_goes_on_alike():
    def after(optimizer: AdamW, parameter: torch.Tensor) -> torch.Tensor:
        parameter.grad = torch.ones(3)
        optimizer.step(0.1)
        return parameter.detach().clone()

    first = torch.zeros(3, requires_grad=True)
    one = AdamW([first], 0.0)
    after(one, first)
    second = first.detach().clone().requires_grad_()
    other = AdamW([second], 0.0)
    other.load({name: tensor.clone() for name, tensor in one.state().items()}, 1)
    assert torch.equal(after(one, first), after(other, second))


def test_a_parameter_without_a_gradient_stays():
    parameter = torch.ones(3, requires_grad=True)
    optimizer = AdamW([parameter], 0.5)
    optimizer.step(0.1)
    assert torch.equal(parameter, torch.ones(3))


def test_schedule_warms_up_and_ends_at_0():
    rates = [schedule(step, 1000, 1.0) for step in range(1, 1001)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[99] == 1
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert schedule(1, 1, 1.0) == pytest.approx(0, abs=1e-9)


def test_a_late_decay_keeps_the_rate_high_first():
    rates = [schedule(step, 1100, 0.3) for step in range(1, 1101)]
    assert rates[99] == rates[799] == 1
    assert rates[949] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0, abs=1e-9)

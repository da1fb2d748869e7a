"""Convolution and rectification in one pass: the bits of two passes, only where nothing is learned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_unet_seg.core import rectified as module
from napari_unet_seg.core.rectified import rectified


def layer(bias: bool = True, inputs: int = 3) -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(inputs, 16, 3, padding=1, bias=bias).to(memory_format=torch.channels_last)


def image(inputs: int = 3) -> torch.Tensor:
    return torch.randn(1, inputs, 40, 24).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("inputs", [1, 3, 16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_bits_are_those_of_two_passes(inputs, bias, dtype):
    conv, x = layer(bias, inputs), image(inputs)
    with torch.inference_mode(), torch.autocast("cpu", dtype, dtype != torch.float32):
        expected = torch.relu(conv(x))
        found = rectified(conv, x)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_an_operation_that_is_gone_is_done_without(monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object) -> None:
        raise AttributeError("no such operation")

    monkeypatch.setattr(module, "_at_once", gone)
    monkeypatch.setattr(module, "_has_both_at_once", module._has_both_at_once.__wrapped__)  # what others found stays
    conv, x = layer(), image()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(rectified(conv, x), torch.relu(conv(x)))


def test_learning_goes_through_it():
    conv = layer()
    with torch.autocast("cpu", torch.bfloat16):
        rectified(conv, image()).float().sum().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad.abs().sum() > 0

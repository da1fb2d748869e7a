"""The network in bands of rows gives the bits that it gives at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet_seg import NetworkSettings
from napari_unet_seg.core import unet_bands
from napari_unet_seg.core.unet import UNet, activate
from napari_unet_seg.core.unet_bands import predict_in_bands


def network(**settings: object) -> UNet:
    torch.manual_seed(0)
    made = UNet(NetworkSettings(**{"width": 8, "depth": 3, **settings}))
    for module in made.modules():  # so that folding has something to fold
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return made.eval().fold().to(memory_format=torch.channels_last)


def both(made: UNet, shape: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    image = torch.from_numpy(np.random.default_rng(1).random((1, 1, *shape), np.float32)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", dtype, dtype != torch.float32):
        return predict_in_bands(made, image), activate(made(image), made.settings)[0].half()


@pytest.mark.parametrize("kind", [{}, {"block": "residual"}, {"attention": True}, {"depth": 1}, {"classes": ("a", "b"), "norm": "none"}])
@pytest.mark.parametrize("shape", [(64, 48), (200, 40), (16, 104)])
def test_bands_change_no_bit_of_16(kind, shape, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unet_bands, "BYTES", 0)  # bands as low as can be
    found, expected = both(network(**kind), shape, torch.bfloat16)
    assert found.dtype == torch.float16
    assert torch.equal(found, expected)


@pytest.mark.parametrize("height", [0, 2**15, 2**23])
def test_bands_of_any_height_agree_in_float32(height, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unet_bands, "BYTES", height)
    found, expected = both(network(), (136, 64), torch.float32)
    assert (found.float() - expected.float()).abs().max() <= 2**-10  # one step of float16 at the most


def test_what_is_no_number_is_told():
    made = network()
    torch.nn.init.constant_(made.head.bias, torch.inf)
    found, _ = both(made, (32, 32), torch.float32)
    assert torch.isnan(found).all()

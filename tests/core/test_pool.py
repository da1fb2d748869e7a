"""Gathering patches: the values of an independent interpolation, mirrored outside, smoothed when shrunk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_unet_seg.core import pool as pool_module
from napari_unet_seg.core.data import IMAGE, KNOWN, prepare
from napari_unet_seg.core.pool import PlanePool
from tests.tiny import discs

SAMPLES = [prepare(*discs((40, 60))), prepare(*discs((30, 20), seed=2)), prepare(np.full((1, 1), 7), np.zeros((1, 1), int))]


@pytest.mark.parametrize("plane", [0, 1])
def test_values_are_those_of_scipy(plane):
    random = np.random.default_rng(0)
    height, width = SAMPLES[plane].channels.shape[1:]
    spots = random.uniform((-width / 2, -height / 2), (1.5 * width, 1.5 * height), (12, 12, 2)).astype(np.float32)
    cut = PlanePool(SAMPLES, "cpu").cut(torch.tensor([plane]), torch.from_numpy(spots)[None], torch.ones(1))[0].numpy()
    for channel, values in enumerate(SAMPLES[plane].channels[:KNOWN].numpy()):
        expected = ndimage.map_coordinates(values, [spots[..., 1], spots[..., 0]], order=1, mode="mirror")
        np.testing.assert_allclose(cut[channel], expected, atol=0.005 * max(1, values.max()))
    inside = (spots >= 0).all(axis=-1) & (spots[..., 0] <= width - 1) & (spots[..., 1] <= height - 1)
    assert np.array_equal(cut[KNOWN] > 0.99, inside)


def test_a_single_pixel_can_be_cut():
    cut = PlanePool(SAMPLES, "cpu").cut(torch.tensor([2]), torch.randn(1, 4, 4, 2), torch.ones(1))
    assert cut.isfinite().all()


def test_patches_of_a_batch_come_from_their_own_planes():
    positions = torch.tensor([[[[3.0, 5.0]]], [[[3.0, 5.0]]]])
    cut = PlanePool(SAMPLES, "cpu").cut(torch.tensor([1, 0]), positions, torch.ones(2))
    expected = [SAMPLES[plane].channels[IMAGE, 5, 3] for plane in (1, 0)]
    torch.testing.assert_close(cut[:, IMAGE, 0, 0], torch.stack(expected), atol=1e-3, rtol=1e-3)


def test_images_that_are_shrunk_are_smoothed_first():
    noise = np.random.default_rng(0).integers(0, 4000, (64, 64))
    pool = PlanePool([prepare(noise, np.zeros(noise.shape, int))], "cpu")
    y, x = torch.meshgrid(torch.arange(10, 50.0), torch.arange(10, 50.0), indexing="ij")
    spots = torch.stack((x, y), dim=-1)[None]
    spread = [float(pool.cut(torch.tensor([0]), spots, torch.tensor([zoom]))[:, IMAGE].std()) for zoom in (1.0, 0.6, 0.4)]
    assert spread[1] == pytest.approx(spread[0] / 3, rel=0.2)
    assert spread[2] == pytest.approx(spread[0] / 5, rel=0.3)


@pytest.mark.parametrize(("free", "device"), [(10_000, "cpu"), (10**9, "cuda")])
def test_planes_go_to_a_gpu_if_they_have_room_there(monkeypatch, free, device):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 2 * free))
    assert pool_module._fits(40 * 60, "cuda") is (device == "cuda")
    assert not pool_module._fits(1, "mps")

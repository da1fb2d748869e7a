"""Numbers of 8 bits by torch: the same nuclei as by OpenVINO, on every kind of network."""

from __future__ import annotations

import copy
import platform

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import predict as predict_module
from napari_unet_seg.core import processor as module
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.processor import on_processor
from napari_unet_seg.core.quantization import STEPS, grids, measure_ranges, parts, with_ranges
from napari_unet_seg.core.unet import UNet, activate
from napari_unet_seg.core.whole_numbers import in_whole_numbers
from napari_unet_seg.errors import SettingsError
from tests.tiny import discs, tiny_model

KINDS = [
    {},
    {"block": "residual"},
    {"attention": True},
    {"stride": 2, "block": "residual", "attention": True},
    {"depth": 1, "norm": "none"},
    {"classes": ("a", "b"), "distance": False},
]
HAS_OPENVINO = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs a processor for which there is OpenVINO")


def network(**settings: object) -> UNet:
    torch.manual_seed(0)
    made = UNet(nus.NetworkSettings(**{"width": 8, "depth": 2, **settings}))
    for layer in made.modules():  # so that folding has something to fold
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    return made.eval().fold()


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((96, 80), np.float32)


def maps(made: UNet, window: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return activate(made(torch.from_numpy(window)[None, None]), made.settings)[0].half().float().numpy()


@HAS_OPENVINO
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_torch_and_openvino_compute_the_same(kind, monkeypatch):
    monkeypatch.setattr(module, "cpu_has_int8", lambda: True)
    made = network(**kind)
    ranges = measure_ranges(made, [image(0), image(1)])
    exact, whole = maps(made, image(2)), maps(in_whole_numbers(copy.deepcopy(made), ranges), image(2))
    by_openvino = on_processor(made, torch.int8, ranges)(image(2)).astype(np.float32)
    rounding = np.abs(whole - exact).mean()
    assert rounding > 0, "it was not rounded"
    assert np.abs(whole - by_openvino).mean() < rounding / 4


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_only_whole_numbers_are_multiplied_and_their_sums_are_exact(kind):
    made = network(**kind)
    ranges = measure_ranges(made, [image(0)])
    whole = in_whole_numbers(copy.deepcopy(made), ranges)
    first, _, *shortcut = whole.encoder[0].children()
    others = [each.conv for each in (first, *shortcut)] + [gate.weigh.conv for gate in whole.gates]  # they see the image, or weigh
    layers = [layer for layer in whole.modules() if isinstance(layer, torch.nn.modules.conv._ConvNd) and layer not in others]
    seen = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda layer, given: seen.append((layer, given[0])))
    maps(whole, image(0))
    assert len(seen) == len(layers) > 0
    for layer, given in seen:
        for values in (given, layer.weight):
            assert (values == values.round()).all()
        assert given.min() >= -(STEPS - 1)
        assert given.max() <= STEPS - 1
        assert layer.weight.abs().max() == STEPS // 2 - 1
        filters = layer.weight.abs().sum(dim=[axis for axis in range(4) if axis != (1 if layer.transposed else 0)])
        assert filters.max() * given.abs().max() < 2**24


def test_what_is_joined_has_the_same_steps_and_zero_is_one_of_them():
    for kind, skip in (({}, "encoder"), ({"attention": True}, "gates")):
        made = network(**kind)
        ranges = measure_ranges(made, [image(0)])
        found = grids(made, ranges)
        assert set(found) == set(parts(made))
        for level in range(2):
            low, high = found[f"{skip}.{level}"]
            assert found[f"upsample.{level}"] == (low, high)
            both = (ranges[f"{skip}.{level}"], ranges[f"upsample.{level}"])
            step = (high - low) / (STEPS - 1)
            assert low / step == pytest.approx(round(low / step), abs=1e-6)
            assert low - step < min(first for first, _ in both) < low + step
            assert high - step < max(last for _, last in both) < high + step
        assert found["bottleneck"] == pytest.approx(ranges["bottleneck"])


def test_8_bits_can_be_had_without_instructions_for_them_if_they_are_asked_for(monkeypatch):
    model = with_ranges(tiny_model(), [discs((128, 128), count=12, seed=seed)[0] for seed in range(3)])
    monkeypatch.setattr(predict_module, "on_processor", lambda *_: None)
    picture, truth = discs((200, 240), count=30, seed=4)
    asked = nus.SegmentSettings(precision="int8")
    assert Predictor(model, "cpu").dtype != torch.int8
    assert Predictor(model, "cpu", asked).dtype == torch.int8
    whole, tiled = (nus.segment(picture, model, "cpu", settings=nus.SegmentSettings(precision="int8", tile=tile)) for tile in (512, 64))
    np.testing.assert_array_equal(whole, tiled)
    exact = nus.segment(picture, model, "cpu", settings=nus.SegmentSettings(precision="float32"))
    assert whole.max() == exact.max() == truth.max()
    assert np.mean(whole != exact) < 0.01


def test_ranges_of_another_network_are_refused_in_words():
    model = tiny_model()
    other = with_ranges(nus.Model(network(depth=1), name="other"), [image(0)])
    foreign = nus.Model(model.network, {**model.card, "ranges": other.card["ranges"]}, model.defaults, "foreign")
    with pytest.raises(SettingsError, match=r"int8\) cannot be had with 'foreign'"):
        Predictor(foreign, "cpu", nus.SegmentSettings(precision="int8"))
    assert Predictor(foreign, "cpu").dtype != torch.int8

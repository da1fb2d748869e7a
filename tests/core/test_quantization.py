"""Layers of 8 bits: ranges that are seen, kept in the card and used, the same bits in windows of any size, and nearly the same nuclei."""

from __future__ import annotations

import copy
import dataclasses
import platform

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import processor as module
from napari_unet_seg.core import quantization
from napari_unet_seg.core.checkpoint import load_model
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.processor import on_processor
from napari_unet_seg.core.quantization import measure_ranges, parts, ranges_of, with_ranges
from napari_unet_seg.core.unet import UNet, receptive_radius
from napari_unet_seg.errors import ModelError, SettingsError
from tests.tiny import discs, tiny_model

KINDS = [{}, {"block": "residual"}, {"attention": True}, {"depth": 1, "norm": "none"}, {"stride": 2, "depth": 2}]
pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs a processor for which there is OpenVINO")


@pytest.fixture(autouse=True)
def instructions(monkeypatch):
    """Any processor can do it, if not quickly."""
    monkeypatch.setattr(module, "cpu_has_int8", lambda: True)


def network(**settings: object) -> UNet:
    torch.manual_seed(0)
    return UNet(nus.NetworkSettings(**{"width": 8, "depth": 3, **settings})).eval().fold()


def image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).random(shape, np.float32)


def test_ranges_are_found_for_every_part_that_hands_on_a_layer():
    made, window = network(), image((128, 128))
    ranges = measure_ranges(made, [window])
    assert set(ranges) == set(parts(made))
    assert {"encoder.0", "encoder.0.0", "bottleneck", "upsample.2", "decoder.0", "decoder.0.0"} <= set(ranges)
    with torch.inference_mode():
        given = made.encoder[0](torch.from_numpy(window)[None, None])
    low, high = ranges["encoder.0"]
    assert low == 0
    assert float(torch.quantile(given, 0.99)) < high <= float(given.max())
    assert ranges["upsample.0"][0] < 0 < ranges["upsample.0"][1]


def test_the_range_with_the_least_error_is_taken():
    values = np.random.default_rng(0).exponential(1, 100_000).astype(np.float32)
    low, high = quantization._best_range(values)
    assert low == 0
    assert np.quantile(values, 0.99) < high < values.max()
    best, widest = (np.square(np.round(values.clip(0, end) / end * 255) * end / 255 - values).mean() for end in (high, values.max()))
    assert best < widest


def test_a_layer_of_zeros_has_a_range():
    assert quantization._best_range(np.zeros(100, np.float32))[1] > 0


def test_more_images_count():
    made = network()
    one, two = (measure_ranges(made, [factor * image((64, 64)) for factor in factors]) for factors in ((1,), (1, 4)))
    assert two["encoder.0"][1] > 2 * one["encoder.0"][1]


def test_an_image_smaller_than_the_network_can_halve_tells_ranges_too():
    assert set(ranges_of(with_ranges(tiny_model(), [image((5, 20))]).card)) == set(parts(tiny_model().network))


def test_ranges_travel_with_the_model(tmp_path):
    model = with_ranges(tiny_model(), [discs((100, 90), count=8)[0]])
    again = nus.load_model(model.save(tmp_path / "ranged"))
    assert ranges_of(again.card) == ranges_of(model.card)
    assert again.card["ranges"]["images"] == 1


@pytest.mark.parametrize(
    "ranges", [{"layers": {"encoder.0": [1.0, 1.0]}}, {"layers": {"encoder.0": [0.0, float("nan")]}}, {"layers": 3}, []]
)
def test_a_card_with_broken_ranges_is_refused(ranges, tmp_path):
    base = tiny_model()
    path = dataclasses.replace(base, card={**base.card, "ranges": ranges}).save(tmp_path / "broken")
    with pytest.raises(ModelError, match="does not fit this version"):
        nus.load_model(path)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_maps_of_8_bits_are_near_those_of_32(kind):
    made, window = network(**kind), image((96, 80))
    ranges = measure_ranges(made, [window])
    found, expected = on_processor(made, torch.int8, ranges)(window), on_processor(made, torch.float32, {})(window)
    difference = np.abs(found.astype(np.float32) - expected)
    assert 0 < difference.mean() < 0.01
    assert difference.max() < 0.1


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_window_of_any_size_gives_the_same_bits(kind):
    made, whole = network(**kind), image((304, 264))
    halo = -(-receptive_radius(made.settings) // 8) * 8
    run = on_processor(made, torch.int8, measure_ranges(made, [whole]))
    expected = run(whole)
    for height, width in ((304, 264), (208, 264), (304, 168), (160, 176), (2 * halo, 2 * halo + 8)):
        found = run(whole[:height, :width])
        inside = (slice(None), slice(0, height if height == 304 else height - halo), slice(0, width if width == 264 else width - halo))
        np.testing.assert_array_equal(found[inside], expected[inside])


def test_a_model_with_ranges_runs_in_8_bits_of_itself_and_says_so():
    picture, truth = discs((200, 240), count=30, seed=4)
    model = with_ranges(tiny_model(), [discs((128, 128), count=12, seed=seed)[0] for seed in range(3)])
    assert Predictor(model, "cpu").dtype == torch.int8
    found = nus.segment(picture, model, "cpu")
    expected = nus.segment(picture, model, "cpu", settings=nus.SegmentSettings(precision="float32"))
    assert found.max() == expected.max() == truth.max()
    assert np.mean(found != expected) < 0.01
    for tile in (64, 96, 128):
        np.testing.assert_array_equal(nus.segment(picture, model, "cpu", settings=nus.SegmentSettings(tile=tile)), found)


def test_a_model_without_ranges_runs_as_before():
    assert Predictor(tiny_model(), "cpu").dtype != torch.int8
    with pytest.raises(SettingsError, match="int8"):
        Predictor(tiny_model(), "cpu", nus.SegmentSettings(precision="int8"))


def test_a_processor_without_such_instructions_takes_the_next_format(monkeypatch):
    monkeypatch.setattr(module, "cpu_has_int8", lambda: False)
    model = with_ranges(tiny_model(), [image((64, 64))])
    assert Predictor(model, "cpu").dtype != torch.int8


def test_ranges_of_another_network_are_not_used():
    ranges = {name: (0.0, 1.0) for name in ("encoder.0", "bottleneck")}
    assert on_processor(network(), torch.int8, ranges) is None


def test_the_bundled_model_can_be_run_in_8_bits():
    assert Predictor(nus.load_model("nuclei"), "cpu").dtype == torch.int8


def test_small_numbers_of_a_layer_keep_their_range(tmp_path):
    model = tiny_model()
    model = dataclasses.replace(model, network=copy.deepcopy(model.network))
    norm = model.network.encoder[0][0].norm
    with torch.no_grad():
        norm.weight.mul_(1e-6), norm.bias.mul_(1e-6)
    ranged = with_ranges(model, [image((64, 64))])
    low, high = ranges_of(ranged.card)["encoder.0.0"]
    assert low == 0 < high < 1e-4
    ranged.save(tmp_path / "small.safetensors")
    assert ranges_of(load_model(tmp_path / "small.safetensors").card) == ranges_of(ranged.card)


@pytest.mark.parametrize("ends", [(1.0, 1.0), (0.0, float("nan")), (0.0, float("inf")), (0.0, 1e300), (-1e300, 0.0), (0.0, 1e-300)])
def test_a_card_with_ranges_that_no_network_has_is_refused(tmp_path, ends):
    model = with_ranges(tiny_model(), [image((64, 64))])
    model.card["ranges"]["layers"]["encoder.0.0"] = list(ends)
    with pytest.raises(ModelError, match="its ranges are no numbers that fit into 32 bits, the lower before the higher"):
        load_model(model.save(tmp_path / "hostile"))


def test_other_ranges_of_the_same_network_are_used():
    made, window = network(), image((64, 64))
    wide = measure_ranges(made, [window])
    assert on_processor(made, torch.int8, {"of another network": (0.0, 1.0)}) is None
    first = on_processor(made, torch.int8, wide)(window)
    other = on_processor(made, torch.int8, {name: (low * 2, high * 2) for name, (low, high) in wide.items()})(window)
    assert (first != other).any()

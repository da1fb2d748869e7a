"""Models that were just trained: ranges of their layers, of what they learned from and of their base, where 8 bits do no harm."""

from __future__ import annotations

import copy
import dataclasses
import platform

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import learned_ranges as module
from napari_unet_seg.core import processor, run
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.learned_ranges import changed, united, with_learned_ranges
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.processor import on_processor
from napari_unet_seg.core.quantization import measure_ranges, parts, ranges_of
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.progress import Preview
from tests.tiny import discs, tiny_model

KINDS = [{}, {"block": "residual"}, {"attention": True}, {"norm": "none"}]
SETTINGS = nus.TrainSettings(steps=4, batch=2, patch=64, learning_rate=1e-4, validation=0.0, device="cpu").for_base(True)
x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs a processor for which there is OpenVINO")


@pytest.fixture(autouse=True)
def instructions(monkeypatch):
    """Any processor can do it, if not quickly."""
    monkeypatch.setattr(processor, "cpu_has_int8", lambda: True)


def network(**settings: object) -> UNet:
    torch.manual_seed(0)
    return UNet(nus.NetworkSettings(**{"width": 8, "depth": 2, **settings})).eval()


def samples(shape=(96, 128), count=2):
    return [prepare(*discs(shape, seed=seed)) for seed in range(count)]


def taught(**options):
    images, labels = zip(*(discs(seed=seed) for seed in range(2)), strict=True)
    return nus.train(images, labels, **{"base": tiny_model(), "settings": SETTINGS, **options})


def holding(model, ranges):
    return dataclasses.replace(model, card={**model.card, "ranges": {"layers": ranges, "images": 1}})


@pytest.mark.parametrize("kind", KINDS, ids=str)
@x86
def test_what_8_bits_change_is_what_they_change_where_the_network_runs(kind, monkeypatch):
    made, window = network(**kind).fold(), np.random.default_rng(1).random((96, 80), np.float32)
    with torch.no_grad():  # each of the three classes is the likeliest of a third of the pixels
        made.head.weight.mul_(50)  # so that the steps of float16, in which maps are kept, tell them apart
        logits = made(torch.from_numpy(window)[None, None])[0, :3].flatten(1)
        made.head.bias[:3] -= logits.mean(dim=1)
    ranges = measure_ranges(made, [window])
    monkeypatch.setattr(processor, "_NEAR", 1.0)
    for part in (1, 4):
        narrow = {name: (low / part, high / part) for name, (low, high) in ranges.items()}
        first, second = (on_processor(made, form, narrow)(window)[:3].argmax(axis=0) for form in (torch.float32, torch.int8))
        assert changed(made, narrow, [window]) == pytest.approx(float((first != second).mean()), rel=0.02, abs=0.002)
    assert changed(made, narrow, [window]) > 0.1 > changed(made, ranges, [window]) > 0


def test_measuring_changes_no_network():
    made, window = network(), np.random.default_rng(1).random((32, 32), np.float32)
    before = copy.deepcopy(made.state_dict())
    changed(made, measure_ranges(made, [window]), [window])
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


def test_united_ranges_hold_both():
    assert united({"a": (0.0, 2.0), "b": (-1.0, 1.0)}, {"a": (-1.0, 1.0), "other": (0.0, 9.0)}) == {"a": (-1.0, 2.0), "b": (-1.0, 1.0)}


def test_a_trained_model_has_ranges_and_runs_in_8_bits():
    model = taught()
    assert set(ranges_of(model.card)) == set(parts(model.network))
    assert model.card["ranges"]["images"] == 2
    if platform.machine() in ("x86_64", "AMD64"):
        assert Predictor(model, "cpu").dtype == torch.int8
    picture, truth = discs((200, 200), count=30, seed=99)
    assert nus.evaluate(truth, nus.segment(picture, model, "cpu")).ap(0.7) >= 0.9


def test_a_model_that_learned_from_a_base_keeps_what_that_saw():
    plain = ranges_of(taught().card)
    wide = {name: (low - 1.0, 2 * high) for name, (low, high) in plain.items()}
    ranges = ranges_of(taught(base=holding(tiny_model(), wide)).card)
    np.testing.assert_allclose(list(ranges.values()), list(wide.values()), rtol=1e-4)


def test_patches_as_the_training_changes_them_count():
    """Images that are brighter than those that were painted must not be clipped."""
    model = with_learned_ranges(tiny_model(), samples(), SETTINGS, {})
    calm = with_learned_ranges(tiny_model(), samples(), dataclasses.replace(SETTINGS, intensity=0.0, empty=0.0), {})
    assert ranges_of(model.card)["encoder.0"][1] > 1.05 * ranges_of(calm.card)["encoder.0"][1]


def test_classes_have_ranges_too():
    images, labels = zip(*(discs(seed=seed) for seed in range(2)), strict=True)
    settings = dataclasses.replace(SETTINGS, classes=("disc",), steps=40, learning_rate=5e-3)
    model = nus.train(images, [(label > 0).astype(int) for label in labels], base=tiny_model(), settings=settings)
    assert set(ranges_of(model.card)) == set(parts(model.network))


def test_no_ranges_where_8_bits_change_the_answer(monkeypatch):
    monkeypatch.setattr(module, "DIFFERENT", -1.0)
    model = with_learned_ranges(tiny_model(), samples(), SETTINGS, {})
    assert "ranges" not in model.card


def test_weights_that_are_no_numbers_have_no_ranges():
    broken = dataclasses.replace(tiny_model(), network=copy.deepcopy(tiny_model().network))
    with torch.no_grad():
        broken.network.encoder[0][0].norm.weight.fill_(float("nan"))
    assert "ranges" not in with_learned_ranges(broken, samples(), SETTINGS, {}).card


@pytest.mark.parametrize("size", [1e-36, 1e31])
def test_numbers_that_no_card_may_hold_leave_a_model_that_can_be_opened(size, tmp_path):
    odd = dataclasses.replace(tiny_model(), network=copy.deepcopy(tiny_model().network))
    with torch.no_grad():
        for each in odd.network.encoder[0][1].norm.parameters():
            each.mul_(size)
    model = with_learned_ranges(odd, samples(), SETTINGS, {})
    assert "ranges" not in model.card
    nus.load_model(model.save(tmp_path / "odd"))


def test_a_training_is_not_lost_when_looking_at_the_layers_fails(monkeypatch):
    def fail(*_):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(module, "measure_ranges", fail)
    assert "ranges" not in taught().card


def test_images_smaller_than_the_network_needs_do():
    small = [prepare(*discs((20, 5), count=1))]
    assert "ranges" in with_learned_ranges(tiny_model(), small, SETTINGS, {}).card


def test_equal_trainings_have_equal_cards():
    assert taught().to_bytes() == taught().to_bytes()


def test_a_preview_is_not_rounded_to_the_ranges_of_the_base(monkeypatch):
    cards = []
    monkeypatch.setattr(run, "segment", lambda image, model, *_, **__: cards.append(model.card) or np.zeros(image.shape, np.int32))
    image, labels = discs()
    base = holding(tiny_model(), {name: (0.0, 1.0) for name in parts(tiny_model().network)})
    steps = nus.iter_train([image], [labels], base=base, settings=SETTINGS)
    stages = [next(steps).stage, next(steps).stage]
    steps.send(Preview(image, nus.SegmentSettings()))
    steps.close()
    assert stages == ["Preparing", "Training"]
    assert cards == [{"diameter": 17}]

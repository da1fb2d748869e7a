"""Tiles change nothing, and memory that runs out changes speed alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import predict as predict_module
from napari_unet_seg.core.normalize import estimate_limits
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.errors import ComputeError, InputError, OutOfMemoryError, SettingsError
from tests.tiny import discs, tiny_model


def maps_of(image, **settings):
    return nus.predict(image, tiny_model(), "cpu", nus.SegmentSettings(**settings))


@pytest.mark.parametrize("shape", [(301, 257), (128, 391)])
@pytest.mark.parametrize("tile", [64, 112, 200])
@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.0), ("float32", 1e-3)])
def test_maps_and_labels_do_not_depend_on_the_tile(shape, tile, precision, tolerance):
    """In float32 the order of sums differs by 3e-7; a float16 step near 1 is 5e-4."""
    image, _ = discs(shape, count=60, seed=4)
    whole, tiled = (maps_of(image, tile=edge, precision=precision) for edge in (512, tile))
    np.testing.assert_allclose(tiled, whole, atol=tolerance, rtol=0)
    np.testing.assert_array_equal(nus.instances(tiled), nus.instances(whole))


def test_a_smaller_halo_would_change_the_maps(monkeypatch):
    """The guard that the test above can fail."""
    image, _ = discs((301, 257), count=60, seed=4)
    whole = maps_of(image, tile=512)
    monkeypatch.setattr(predict_module, "receptive_radius", lambda settings: 8)
    assert np.abs(maps_of(image, tile=64) - whole).max() > 0.01


def test_one_plane_only():
    with pytest.raises(InputError, match=r"one plane.*\(2, 32, 32\)"):
        nus.predict(np.zeros((2, 32, 32), np.uint8), tiny_model())


def test_a_diameter_rescales_the_network_not_the_result():
    image, labels = discs((96, 96), count=8, seed=1)
    big = np.kron(image, np.ones((4, 4), image.dtype))
    found = nus.segment(big, tiny_model(), settings=nus.SegmentSettings(diameter=4 * 17))
    assert found.shape == big.shape
    scores = nus.evaluate(np.kron(labels, np.ones((4, 4), labels.dtype)), found)
    assert scores.ap(0.7) == 1


class Exhausted:
    """Stands in for the network: it runs out of memory on windows over a number of pixels."""

    def __init__(self, predictor, limit, error):
        self.predictor, self.limit, self.error, self.run = predictor, limit, error, predictor.run
        self.refused = []

    def __call__(self, window):
        if self.predictor.device.name == "gpu" or window.size > self.limit:
            self.refused.append(window.shape)
            with predict_module.compute_errors("Segmenting"):
                raise self.error
        return self.run(window)


def collect(steps):
    notices = []
    result = nus.drain(steps, lambda progress: notices.append(progress.notice))
    return result, [notice for notice in notices if notice]


def test_the_maps_of_the_decoder_can_be_had_alone():
    image, _ = discs((200, 300), count=30)
    predictor = Predictor(tiny_model(), "cpu", nus.SegmentSettings(tile=96))
    limits = estimate_limits(image, predictor.settings)
    for diameter in (0.0, 1.3 * predictor.known_diameter):
        every, two = (nus.drain(predictor.iter_maps(image, limits, diameter, every=every)) for every in (True, False))
        assert len(every) > len(two) == 2
        np.testing.assert_array_equal(two, every[[0, -1]])


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("can't allocate memory: 8 GB"),
        RuntimeError("Exception from src/node.cpp:794:\n[CPU] Concat node 'Concat_124'\nFailed to allocate 5 bytes"),
        RuntimeError("Exception from src/infer_request.cpp:224:\n[CPU] Convolution node 'Convolution_26' can't alloc"),
    ],
    ids=str,
)
def test_out_of_memory_halves_the_tile_with_one_notice(monkeypatch, error):
    image, _ = discs((400, 400), count=60, seed=4)
    predictor = Predictor(tiny_model(), "cpu", nus.SegmentSettings(tile=400))
    limits = estimate_limits(image, predictor.settings)
    expected, _ = collect(predictor.iter_maps(image, limits))
    monkeypatch.setattr(predictor, "run", Exhausted(predictor, 350 * 350, error))
    given = []
    monkeypatch.setattr(predict_module, "release_memory", lambda: given.append("back"))
    maps, notices = collect(predictor.iter_maps(image, limits))
    assert given == ["back"]  # else what the large window took stays taken
    np.testing.assert_array_equal(maps, expected)
    assert len(notices) == 1
    assert "200 px instead of 400" in notices[0]


def test_a_gpu_without_memory_hands_over_to_the_cpu(monkeypatch):
    image, _ = discs((200, 200), count=20, seed=4)
    predictor = Predictor(tiny_model(), "cpu", nus.SegmentSettings(tile=128))
    limits = estimate_limits(image, predictor.settings)
    expected, _ = collect(predictor.iter_maps(image, limits))
    monkeypatch.setattr(predictor, "device", nus.core.device.Device("gpu", "Small GPU", "a test"))
    monkeypatch.setattr(predictor, "run", Exhausted(predictor, 10**9, torch.OutOfMemoryError("CUDA out of memory.")))
    maps, notices = collect(predictor.iter_maps(image, limits))
    np.testing.assert_array_equal(maps, expected)
    assert notices == ["Memory ran out on Small GPU even with small tiles: going on with the CPU."]
    assert predictor.device.name == "cpu"


def test_the_cpu_gives_up_with_a_sentence_when_nothing_helps(monkeypatch):
    predictor = Predictor(tiny_model(), "cpu", nus.SegmentSettings(tile=256))
    monkeypatch.setattr(predictor, "run", Exhausted(predictor, 0, MemoryError()))
    image, _ = discs((200, 200))
    with pytest.raises(OutOfMemoryError, match="ran out of memory"):
        nus.drain(predictor.iter_maps(image, estimate_limits(image, predictor.settings)))


def test_no_other_error_is_called_a_memory_error(monkeypatch):
    predictor = Predictor(tiny_model(), "cpu")
    monkeypatch.setattr(predictor, "run", Exhausted(predictor, 0, RuntimeError("expected scalar type Half but found Float")))
    image, _ = discs((64, 64))
    with pytest.raises(ComputeError, match="expected scalar type Half"):
        nus.drain(predictor.iter_maps(image, estimate_limits(image, predictor.settings)))


def test_what_openvino_says_is_told_without_its_files(monkeypatch):
    predictor = Predictor(tiny_model(), "cpu")
    error = RuntimeError("Exception from src/infer_request.cpp:224:\nException from src/node.cpp:794:\nshapes are inconsistent")
    monkeypatch.setattr(predictor, "run", Exhausted(predictor, 0, error))
    image, _ = discs((64, 64))
    with pytest.raises(ComputeError, match=r"^Segmenting failed: shapes are inconsistent$"):
        nus.drain(predictor.iter_maps(image, estimate_limits(image, predictor.settings)))


def test_tiles_grow_with_fewer_bits(monkeypatch):
    predictor = Predictor(tiny_model(), "cpu")
    edges = []
    for predictor.dtype in (torch.float32, torch.bfloat16, torch.int8):
        edges.append(predictor.tile)
    assert edges == [1024, 1536, 2048]
    predictor.processor = None
    assert predictor.tile == 1024  # torch computes 8 bits in 32


def test_an_overflow_in_16_bits_goes_on_in_float32_with_one_notice():
    """A weight of 1e30 is fine in float32, whose softmax saturates, but not in float16."""
    base = tiny_model()
    network = copy.deepcopy(base.network)
    with torch.no_grad():
        network.decoder[0][1].norm.weight *= 1e30
    model = nus.Model(network, base.card, base.defaults, "steep")
    image, _ = discs((96, 96))
    results = []
    for precision in ("float16", "float32"):
        predictor = Predictor(model, "cpu", nus.SegmentSettings(precision=precision))
        results.append(collect(predictor.iter_maps(image, estimate_limits(image, predictor.settings))))
    (maps, notices), (expected, none) = results
    np.testing.assert_array_equal(maps, expected)
    assert notices == ["This model overflows in float16: going on in float32."]
    assert none == []


def test_a_model_without_numbers_is_refused():
    network = copy.deepcopy(tiny_model().network)
    with torch.no_grad():
        network.head.bias[:] = torch.nan
    with pytest.raises(ComputeError, match="'broken' gives values that are no numbers"):
        nus.predict(discs((64, 64))[0], nus.Model(network, name="broken"), "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cpu_and_gpu_give_the_same_nuclei():
    image, _ = discs((512, 640), count=200, seed=4)
    settings = nus.SegmentSettings(precision="float32")
    cpu, gpu = (nus.segment(image, tiny_model(), device, settings=settings) for device in ("cpu", "cuda"))
    assert cpu.max() == gpu.max()
    assert np.mean(cpu != gpu) < 1e-4


def test_only_enlarging_has_a_limit(monkeypatch):
    """A large plane that is reduced is no slip."""
    image, _ = discs((96, 96))
    monkeypatch.setattr(predict_module, "MOST_PIXELS", 20 * 20)
    assert nus.predict(image, tiny_model(), "cpu", nus.SegmentSettings(diameter=2 * 17)).shape == (4, 96, 96)
    with pytest.raises(SettingsError, match="would be enlarged"):
        nus.predict(image, tiny_model(), "cpu", nus.SegmentSettings(diameter=8))

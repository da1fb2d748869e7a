"""A network on the processor by OpenVINO gives the maps of torch, the same in windows of any size, and keeps no memory."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg import NetworkSettings
from napari_unet_seg.core import predict as predict_module
from napari_unet_seg.core import processor as module
from napari_unet_seg.core.device import cpu_has_bfloat16
from napari_unet_seg.core.processor import on_processor, release_memory
from napari_unet_seg.core.unet import UNet, activate, receptive_radius
from tests.tiny import discs, tiny_model

KINDS = [
    {},
    {"block": "residual"},
    {"attention": True},
    {"block": "residual", "attention": True, "depth": 2},
    {"depth": 1},
    {"stride": 2, "depth": 2},
    {"classes": ("a", "b"), "distance": False, "norm": "none"},
]
FORMATS = [torch.float32, *([torch.bfloat16] if cpu_has_bfloat16() else [])]
pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs a processor for which there is OpenVINO")


def network(**settings: object) -> UNet:
    torch.manual_seed(0)
    made = UNet(NetworkSettings(**{"width": 8, "depth": 3, **settings}))
    for layer in made.modules():  # so that folding has something to fold
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    return made.eval().fold()


def image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).random(shape, np.float32)


def by_torch(made: UNet, window: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    x = torch.from_numpy(window)[None, None].contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", dtype, dtype != torch.float32):
        return activate(made(x), made.settings)[0].half().numpy()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_the_maps_are_those_of_torch(kind, dtype):
    made, window = network(**kind), image((64, 48))
    found, expected = on_processor(made, dtype, {})(window), by_torch(made, window, dtype)
    exact = by_torch(made, window, torch.float32).astype(np.float32)
    assert found.dtype == np.float16
    assert found.shape == expected.shape == (len(made.settings.maps), 64, 48)
    if dtype == torch.float32:
        np.testing.assert_allclose(found, expected, atol=2**-10)  # one step of float16
    else:  # as near to float32 as torch is
        assert np.abs(found - exact).mean() < 1.25 * np.abs(expected - exact).mean() + 2**-12


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_window_of_any_size_gives_the_same_bits(kind, dtype):
    made, whole = network(**kind), image((304, 264))
    halo = -(-receptive_radius(made.settings) // 8) * 8
    run = on_processor(made, dtype, {})
    expected = run(whole)
    for height, width in ((304, 264), (208, 264), (304, 168), (160, 176), (2 * halo, 2 * halo + 8)):
        found = run(whole[:height, :width])
        inside = (slice(None), slice(0, height if height == 304 else height - halo), slice(0, width if width == 264 else width - halo))
        np.testing.assert_array_equal(found[inside], expected[inside])


def test_views_of_an_image_are_read_as_they_are():
    made, whole = network(), image((96, 96))
    run = on_processor(made, torch.float32, {})
    np.testing.assert_array_equal(run(whole[::-1, 16:80]), run(np.ascontiguousarray(whole[::-1, 16:80])))


def test_the_maps_of_a_window_stay_when_the_next_is_computed():
    run = on_processor(network(), torch.float32, {})
    first = run(image((64, 64)))
    kept = first.copy()
    run(1 - image((64, 64)))
    np.testing.assert_array_equal(first, kept)


def test_threads_share_a_network():
    run, windows = on_processor(network(), torch.float32, {}), [image((64, 64)) * value for value in (0.2, 0.4, 0.6, 0.8)]
    expected = [run(window) for window in windows]
    with ThreadPoolExecutor(4) as threads:
        for found, wanted in zip(threads.map(run, windows * 8), expected * 8, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_network_is_compiled_once_and_forgotten_with_it():
    made = network()
    for _ in range(2):
        on_processor(made, torch.float32, {})(image((32, 32)))
    assert len(module._COMPILED[made]) == 1
    gc.collect()
    before = len(module._COMPILED)
    del made
    gc.collect()
    assert len(module._COMPILED) == before - 1


def test_memory_is_kept_for_the_next_window_until_it_is_given_back():
    made = network()
    run = on_processor(made, torch.float32, {})
    expected = run(image((1024, 1024)))
    gc.collect()  # what earlier tests left, so that none of it goes meanwhile
    held = resident()
    run(image((1024, 1024)))
    assert abs(resident() - held) < 16e6
    release_memory()
    assert held - resident() > 64e6
    np.testing.assert_array_equal(run(image((1024, 1024))), expected)


def test_memory_can_be_given_back_while_another_thread_computes():
    run, window = on_processor(network(), torch.float32, {}), image((256, 256))
    expected = run(window)
    with ThreadPoolExecutor(1) as threads:
        found = threads.map(run, [window] * 32)
        for maps in found:
            release_memory()
            np.testing.assert_array_equal(maps, expected)


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


def test_without_openvino_torch_computes(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari_unet_seg.core.graph", None)
    assert on_processor(network(), torch.float32, {}) is None


def test_a_network_that_gives_other_maps_is_not_used(monkeypatch):
    run = module.Processor.__call__
    monkeypatch.setattr(module.Processor, "__call__", lambda self, window: run(self, window)[::-1])
    assert on_processor(network(), torch.float32, {}) is None


def test_a_compiler_that_fails_is_not_used(monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("unsupported processor")

    monkeypatch.setattr("napari_unet_seg.core.graph.compiled", fail)
    assert on_processor(network(), torch.float32, {}) is None


def test_a_format_that_it_has_not_is_left_to_torch(monkeypatch):
    assert on_processor(network(), torch.float16, {}) is None
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: False)
    assert on_processor(network(), torch.bfloat16, {}) is None


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_plane_has_the_same_nuclei_by_torch(precision, monkeypatch):
    picture, _ = discs((200, 240), count=30, seed=4)
    settings = nus.SegmentSettings(precision=precision)
    found = nus.segment(picture, tiny_model(), "cpu", settings=settings)
    monkeypatch.setattr(predict_module, "on_processor", lambda *_: None)
    expected = nus.segment(picture, tiny_model(), "cpu", settings=settings)
    assert found.max() == expected.max() > 20
    assert np.mean(found != expected) < 1e-3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_an_interrupt_comes_through_after_networks_have_come_and_gone():
    """OpenVINO exchanges the stack on which Python, with its fault handler on, takes signals."""
    code = """
import faulthandler, os, signal
faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it
import numpy as np, torch
from napari_unet_seg import NetworkSettings
from napari_unet_seg.core.processor import on_processor
from napari_unet_seg.core.unet import UNet
networks = [UNet(NetworkSettings(width=8, depth=1)).eval().fold() for _ in range(3)]
for network in networks:
    on_processor(network, torch.float32, {})(np.zeros((16, 16), np.float32))
while networks:
    del networks[0], network
    network = None
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["interrupted"] * 3


def test_openvino_neither_talks_nor_writes():
    """Its package can report its use over the network; nothing of that may run."""
    code = """
import subprocess
import sys
told = []
def listen(event, given):
    writes = event == "open" and isinstance(given[1], str) and set("wax+") & set(given[1])
    if event.startswith("socket.") or event == "subprocess.Popen" or writes:
        told.append((event, given))
sys.addaudithook(listen)
import numpy as np, torch
from napari_unet_seg import NetworkSettings
from napari_unet_seg.core.processor import on_processor, release_memory
from napari_unet_seg.core.unet import UNet
on_processor(UNet(NetworkSettings(width=8, depth=1)).eval().fold(), torch.float32, {})(np.zeros((16, 16), np.float32))
assert "openvino" in sys.modules
assert not told, told
"""
    subprocess.run([sys.executable, "-B", "-c", code], check=True)


def test_memory_that_another_run_computes_in_is_left_to_it(monkeypatch):
    class Busy:
        def release_memory(self):
            raise RuntimeError("Attempt to call release_memory() on a compiled model in a busy state.")

    made = network()
    monkeypatch.setitem(module._COMPILED, made, {(torch.float32, 1): Busy()})
    release_memory()


def test_threads_that_ask_at_once_share_one_compiled_network(monkeypatch):
    made, together, count = network(), threading.Barrier(4), []
    compiled = module._compiled
    monkeypatch.setattr(module, "_compiled", lambda *given: (count.append(1), compiled(*given))[1])

    def _ask(_: int) -> object:
        together.wait(timeout=60)
        return on_processor(made, torch.float32, {})

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(_ask, range(4)))
    assert len(count) == 1

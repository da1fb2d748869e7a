"""Peers: those that are there run, and of the others the table says why not."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from benchmarks.peers import PEERS, Peer, best_setting, load_otsu, load_peer
from tests.tiny import discs

NAMED = {peer.name: peer for peer in PEERS}
COLOUR = np.repeat(discs((64, 80))[0][..., None] // 16, 3, axis=2).astype(np.uint8)


def test_otsu_is_always_there():
    run, reason = load_peer(NAMED["Otsu and watershed"])
    assert (run is not None, reason) == (True, "")
    image, labels = discs()
    assert nus.evaluate(labels, run(image, NAMED["Otsu and watershed"].settings[0])).ap(0.5) > 0.7


@pytest.mark.parametrize("image", [np.zeros((40, 50), np.uint8), COLOUR])
def test_otsu_on_a_constant_and_on_colour(image):
    assert load_otsu()(image, {"blur": 1.0, "apart": 5}).shape == image.shape[:2]


def test_a_peer_that_is_not_installed():
    assert load_peer(Peer("Nobody", "no_such_module_anywhere", load_otsu, ({},))) == (None, "not installed")


def test_a_peer_without_weights():
    def load():
        raise Exception("URL fetch failure on\n https://example.org")  # as Keras does

    run, reason = load_peer(Peer("Keras", "json", load, ({},)))
    assert run is None
    assert reason == "installed, but its weights cannot be had: URL fetch failure on https://example.org"


def test_the_best_setting_is_chosen():
    image, labels = discs()
    settings = tuple({"part": part} for part in (0, 0.5, 1))

    def run(image, setting):
        return np.where(labels <= setting["part"] * labels.max(), labels, 0)

    assert best_setting(run, settings, [(image, labels)]) == {"part": 1}
    assert best_setting(run, settings, []) == {"part": 0}


def install(monkeypatch, **modules):
    """Put stand-ins of packages in place, as this environment has none of the peers."""
    for name, members in modules.items():
        module = ModuleType(name.replace("__", "."))
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_stardist_gets_colour_or_bright_nuclei(monkeypatch):
    class StarDist2D:
        @classmethod
        def from_pretrained(cls, name):
            return SimpleNamespace(predict_instances=lambda pixels, **options: (np.full(pixels.shape[:2], len(name)), options))

    install(
        monkeypatch,
        csbdeep={},
        csbdeep__utils={"normalize": lambda pixels, low, high, axis=None: pixels},
        stardist={},
        stardist__models={"StarDist2D": StarDist2D},
    )
    run = NAMED["StarDist"].load()
    assert {run(discs()[0], setting).max() for setting in NAMED["StarDist"].settings} == {len("2D_versatile_fluo")}
    assert run(COLOUR, NAMED["StarDist"].settings[0]).max() == len("2D_versatile_he")


def test_cellpose_gets_one_channel_and_a_diameter(monkeypatch):
    asked = []

    class Cellpose:
        def __init__(self, gpu, model_type):
            self.name = model_type

        def eval(self, pixels, channels, diameter, cellprob_threshold):
            asked.append((self.name, pixels.ndim, diameter, cellprob_threshold))
            return np.ones(pixels.shape, np.uint16), None, None, None

    install(monkeypatch, cellpose={}, cellpose__models={"Cellpose": Cellpose})
    run = NAMED["Cellpose"].load()
    for setting in NAMED["Cellpose"].settings:
        assert run(COLOUR, setting).dtype == np.int32
    assert asked[:3] == [("nuclei", 2, None, 0.0), ("nuclei", 2, None, -1.0), ("nuclei", 2, 17, 0.0)]
    assert {name for name, *_ in asked} == {"nuclei", "cyto3"}


def test_instanseg_gets_a_pixel_size(monkeypatch):
    class InstanSeg:
        def __init__(self, name, device, verbosity):
            self.name = name

        def eval_small_image(self, pixels, pixel_size, target, return_image_tensor):
            assert (target, return_image_tensor) == ("nuclei", False)
            assert pixels.shape[2] == (3 if self.name.startswith("brightfield") else 1)
            return torch.full((1, 1, *pixels.shape[:2]), 100 * pixel_size)

    install(monkeypatch, instanseg={"InstanSeg": InstanSeg})
    run = NAMED["InstanSeg"].load()
    assert [run(image, {"micrometres": 0.5}).max() for image in (discs()[0], COLOUR)] == [50, 50]

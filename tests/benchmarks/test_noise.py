"""The images of the noise benchmark are what they say, and the model that ships finds nothing in them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_unet_seg as nus
from benchmarks.noise import HARD, labels_per_megapixel, main, scenes

SCENES = scenes()
EDGE = 640
"""So small an image may hold one nucleus all the same."""


@pytest.fixture(scope="module")
def model():
    return nus.load_model("nuclei")


@pytest.mark.parametrize("name", [name for name in SCENES if not name.startswith(HARD)])
def test_at_most_one_nucleus_a_megapixel(model, name):
    assert labels_per_megapixel(nus.segment(SCENES[name](np.random.default_rng(3), EDGE), model, "cpu")) <= 1


@pytest.mark.parametrize(("name", "edge"), [("photon noise, 5 a pixel", 2048), ("haze, blurred by 10 px, noise 10 %", 512)])
def test_other_sizes(model, name, edge):
    assert labels_per_megapixel(nus.segment(SCENES[name](np.random.default_rng(4), edge), model, "cpu")) <= 1


@pytest.mark.parametrize("name", list(SCENES))
def test_scenes_can_be_made_again_at_any_size(name):
    first, second, other = (SCENES[name](np.random.default_rng(seed), 64) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert first.shape[:2] == other.shape[:2] == (64, 64)
    if "noise" in name and "noise 0" not in name:
        assert not np.array_equal(first, other)


def test_hard_scenes_are_scenes():
    assert all(any(name.startswith(hard) for name in SCENES) for hard in HARD)


def test_labels_are_counted_by_area():
    labels = np.zeros((2000, 1000), np.int32)
    labels[0, 0] = 7
    assert labels_per_megapixel(labels) == 3.5
    assert labels_per_megapixel(labels[:100]) == 7


def test_the_benchmark_prints_every_scene(model_file, tmp_path, capsys):
    main(["--model", str(model_file), "--edge", "64", "--seeds", "1", "--json", str(tmp_path / "found.json")])
    output = capsys.readouterr().out
    assert all(f"| {name} |" in output for name in SCENES)
    assert f"of {len(SCENES)} kinds give at most one label a megapixel" in output
    assert list(json.loads((tmp_path / "found.json").read_text())["labels_per_megapixel"]) == list(SCENES)

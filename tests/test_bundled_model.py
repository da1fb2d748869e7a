"""The model that ships: small, described, as accurate as its card says, and silent where there are no nuclei."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from imagecodecs import imread

import napari_unet_seg as nus
from benchmarks.agreement import convolutions, different_pixels
from napari_unet_seg.core.checkpoint import BUNDLED

MEGABYTES_AT_MOST = 20
GOAL = {"fluorescence": 0.80, "all": 0.70}
"""Pooled AP at IoU 0.5 on the fold that the model never saw."""


def fold_0(data_dir):
    with (data_dir / "dsb2018" / "index.csv").open() as index:
        return [row for row in csv.DictReader(index) if row["fold"] == "0"]


@pytest.fixture(scope="module")
def model():
    return nus.load_model("nuclei")


def test_is_small():
    for path in BUNDLED.glob("*.safetensors"):
        assert path.stat().st_size < MEGABYTES_AT_MOST * 1e6, path.name


def test_says_what_it_is(model):
    assert model.name.startswith("nuclei-v")
    for entry in ("title", "licence", "data", "data_sha256", "recipe", "training", "steps", "hours", "figures", "limits", "diameter"):
        assert model.card[entry], entry


def test_is_as_accurate_as_promised_on_images_it_never_saw(model, data_dir):
    folder = data_dir / "dsb2018"
    scores = defaultdict(list)
    for row in fold_0(data_dir):
        image, truth = (imread(folder / part / f"{row['id']}.png") for part in ("images", "masks"))
        score = nus.evaluate(truth, nus.segment(image, model, "cpu"))
        scores[row["modality"]].append(score)
        scores["all"].append(score)
    for modality, goal in GOAL.items():
        first, *rest = scores[modality]
        assert sum(rest, first).ap(0.5) >= goal, modality


def test_another_order_of_the_sums_as_on_a_gpu_changes_no_nucleus_and_hardly_a_pixel(model, data_dir):
    """The automatic format is bfloat16 on CPUs and GPUs: what is left are the orders in which libraries sum."""
    settings = replace(model.defaults, precision="bfloat16")
    pixels = differ = 0
    for row in fold_0(data_dir)[::8]:
        image = imread(data_dir / "dsb2018" / "images" / f"{row['id']}.png")
        found = []
        for onednn in (True, False):
            with convolutions(onednn):
                found.append(nus.segment(image, model, "cpu", settings=settings))
        assert found[0].max() == found[1].max()
        pixels += found[0].size
        differ += different_pixels(*found)
    assert differ / pixels < 1e-4


def noise(name):
    random = np.random.default_rng(0)
    shape = (1024, 1024)
    return {
        "gaussian": lambda: random.normal(500, 30, shape),
        "dark camera": lambda: random.poisson(3, shape).astype(np.uint16),
        "uneven light": lambda: (np.linspace(200, 900, 1024)[:, None] + random.normal(0, 20, shape)).astype(np.uint16),
        "two grey levels": lambda: random.integers(7, 9, shape).astype(np.uint8),
    }[name]()


@pytest.mark.parametrize("name", ["gaussian", "dark camera", "uneven light", "two grey levels"])
def test_sees_at_most_one_nucleus_a_megapixel_in_noise(model, name):
    assert nus.segment(noise(name), model, "cpu").max() <= 1


@pytest.mark.parametrize("tile", [240, 512])
def test_labels_do_not_depend_on_the_tile(model, data_dir, tile):
    """On a trained network of the bundled depth, whose halo is the longest: the first 520 x 696 image of the fold."""
    name = next(row["id"] for row in fold_0(data_dir) if row["width"] == "696")
    image = imread(data_dir / "dsb2018" / "images" / f"{name}.png")
    whole, tiled = (nus.segment(image, model, "cpu", settings=nus.SegmentSettings(tile=edge)) for edge in (1024, tile))
    assert whole.max() > 20
    np.testing.assert_array_equal(tiled, whole)

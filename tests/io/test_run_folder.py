"""The folder of a training holds all that is worth keeping, and each file can be read."""

from __future__ import annotations

import csv
import json

import imagecodecs
import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.annotations import whole
from napari_unet_seg.core.examples import Example, iter_examples
from napari_unet_seg.io.run_folder import draw_example, write_run
from tests.tiny import discs, tiny_model

SETTINGS = nus.TrainSettings(steps=3, batch=2, patch=64, learning_rate=1e-5, validation=0, device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    pairs = [discs(seed=seed) for seed in range(2)]
    images, labels = [image for image, _ in pairs], [whole(labels) for _, labels in pairs]
    model = nus.train(images, labels, base=tiny_model(), settings=SETTINGS, run=folder)
    examples = nus.drain(iter_examples(images, labels, model, tiny_model(), "cpu"))
    return folder, model, write_run(folder, model, examples)


def test_everything_is_there(trained):
    folder, _, written = trained
    weights, pictures = {"best.safetensors", "last.safetensors"}, {"curves.png", "picture_1.png", "picture_2.png"}
    names = weights | pictures | {"history.csv", "settings.json", "report.md"}
    assert {path.name for path in written} == names
    assert {path.name for path in folder.iterdir()} == names | {"state.safetensors"}


def test_the_weights_can_be_used(trained):
    folder, model, _ = trained
    assert nus.load_model(folder / "best.safetensors").sha256 == model.sha256
    assert nus.load_model(folder / "last.safetensors").card["steps"] == 3


def test_the_history_has_a_row_a_step(trained):
    rows = list(csv.DictReader((trained[0] / "history.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0])[:4] == ["step", "seconds", "rate", "loss"]
    assert all(float(row["loss"]) > 0 for row in rows)


def test_settings_and_versions_are_json(trained):
    described = json.loads((trained[0] / "settings.json").read_text(encoding="utf-8"))
    assert described["training"]["steps"] == 3
    assert described["base"] == "tiny"
    assert {"torch", "numpy", "napari-unet-seg"} <= set(described["versions"])


def test_the_report_has_words_curves_and_pictures(trained):
    text = (trained[0] / "report.md").read_text(encoding="utf-8")
    assert "24 nuclei" in text
    for name in ("curves.png", "picture_1.png", "picture_2.png"):
        assert f"({name})" in text
        picture = imagecodecs.imread((trained[0] / name).read_bytes())
        assert picture.std() > 0
    assert "annotated, base, model" in text


def test_pictures_of_an_earlier_report_are_gone(trained, tmp_path):
    _, model, _ = trained
    (tmp_path / "picture_9.png").write_bytes(b"old")
    write_run(tmp_path, model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "curves.png", "report.md", "settings.json"]


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3), (300, 500)])
def test_examples_are_drawn_side_by_side(shape):
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    labels = np.zeros(shape[:2], np.int32)
    labels[10:30, 10:30] = 1
    three = draw_example(Example(image, labels, labels, 0 * labels))
    two = draw_example(Example(image, labels, None, labels))
    height, width = (size * -(-256 // max(shape[:2])) for size in shape[:2])
    assert three.shape == (height, 3 * width + 16, 3)
    assert two.shape == (height, 2 * width + 8, 3)
    assert (three[:, :width] == three[:, width + 8 : 2 * width + 8]).all()
    assert not (three[:, :width] == three[:, -width:]).all()

"""Packages for bioimage.io: its own checker accepts them, and its own runner gets the right maps out of them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import pytest
import yaml
from PIL import Image

import napari_unet_seg as nus
from napari_unet_seg.core import portable
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import ModelError
from napari_unet_seg.io import model_package
from napari_unet_seg.io.model_package import Credits, credits_of, halo, least_edge, package_files, write_package
from napari_unet_seg.io.model_words import documentation
from tests.tiny import tiny_model

AUTHOR, LICENCE = "A. Person", "CC-BY-4.0"
# In a process of its own, as `tests/core/test_portable.py` says; what the runner prints is not ours.
WRITE_AND_RUN = """
import json, sys
from pathlib import Path
from napari_unet_seg.core.checkpoint import load_model
from napari_unet_seg.io.model_package import Credits, write_package
model, package, author, licence = sys.argv[1:]
write_package(Path(package), load_model(model), Credits((author,), licence))
from bioimageio.core import test_model
from bioimageio.spec import load_description
description = load_description(package, perform_io_checks=True)
summary = test_model(description)
kinds = [detail.name for detail in summary.details if detail.status == "passed"]
errors = [error.msg for detail in summary.details for error in detail.errors]
print(json.dumps({"type": type(description).__name__, "status": summary.status, "passed": kinds, "errors": errors}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package, and what bioimage.io's own programs say of it."""
    folder = tmp_path_factory.mktemp("package")
    path, model = folder / "tiny.bioimageio.zip", tiny_model().save(folder / "tiny")
    ran = subprocess.run([sys.executable, "-c", WRITE_AND_RUN, model, path, AUTHOR, LICENCE], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return path, json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture
def without_onnx(monkeypatch):
    """Packages whose graph is not one, since making one takes seconds."""
    monkeypatch.setattr(portable, "to_onnx", lambda model: b"graph")


def test_the_checker_accepts_the_package(package):
    assert package[1]["type"] == "ModelDescr"
    assert package[1]["errors"] == []


def test_the_runner_gets_the_expected_maps_from_both_kinds_of_weights(package):
    assert package[1]["status"] == "passed"
    ran = " ".join(package[1]["passed"])
    assert "onnx" in ran
    assert "torchscript" in ran


def test_the_package_says_whose_it_is_and_how_to_use_it(package):
    with zipfile.ZipFile(package[0]) as file:
        described = yaml.safe_load(file.read("bioimageio.yaml"))
        cover = Image.open(io.BytesIO(file.read("cover.png")))
    assert described["authors"] == [{"name": AUTHOR}]
    assert described["license"] == LICENCE
    assert cover.size == (512, 256)
    scale, clip = described["inputs"][0]["preprocessing"]
    assert (scale["kwargs"]["min_percentile"], scale["kwargs"]["max_percentile"]) == (1.0, 99.8)
    assert clip["kwargs"] == {"min": -0.5, "max": 3.0}
    assert described["outputs"][0]["axes"][1]["channel_names"] == ["background", "foreground", "outline", "distance"]


def test_equal_models_give_equal_packages(tmp_path, without_onnx):
    files = [package_files(tiny_model(), Credits()) for _ in range(2)]
    same = [name for name in files[0] if name != "model.pt"]  # PyTorch's own file holds a serial number
    assert [files[0][name] for name in same if name != "bioimageio.yaml"] == [files[1][name] for name in same if name != "bioimageio.yaml"]


def test_the_test_image_leaves_something_when_the_halo_is_taken_off():
    for depth, stride in ((1, 1), (4, 1), (6, 1), (2, 3)):
        model = nus.Model(UNet(nus.NetworkSettings(width=4, depth=depth, stride=stride)).eval())
        size = least_edge(model)
        assert size > 2 * halo(model)
        assert size % (stride * 2**depth) == 0
        assert model_package.sample_image(size).shape == (size, size)


@pytest.mark.parametrize(("name", "plain"), [("müller_2", "muller_2"), ("核-1", "--1"), ("a", "a")])
def test_names_are_written_in_the_letters_that_the_site_allows(without_onnx, name, plain):
    model = nus.Model(tiny_model().network, {}, name=name)
    described = model_package.description(model, Credits(), package_files(model, Credits()))
    assert described["name"] == f"{plain} (napari-unet-seg)"
    assert "license" not in described


def test_only_models_of_planes_of_one_channel_go_there():
    model = nus.Model(UNet(nus.NetworkSettings(width=4, depth=1, in_channels=2)).eval(), name="two")
    with pytest.raises(ModelError, match="two is not for planes of one channel"):
        package_files(model, Credits())


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, without_onnx):
    path = tmp_path / "x.zip"
    path.write_bytes(b"old")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *a, **k: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        write_package(path, tiny_model(), Credits())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("card", "given", "authors", "gap"),
    [
        ({}, (), (), "It names no author and no licence; add author and licence before you publish it."),
        ({"authors": "Me", "licence": "MIT"}, (), ("Me",), ""),
        ({"authors": ["A", "B"]}, (), ("A", "B"), "It names no licence; add licence before you publish it."),
        ({"authors": ["A"], "licence": "MIT"}, ("C",), ("C",), ""),
    ],
)
def test_what_is_not_given_is_taken_from_the_card(card, given, authors, gap):
    credit = credits_of(nus.Model(tiny_model().network, card), given)
    assert credit.authors == authors
    assert credit.gap == gap


def test_the_documentation_tells_figures_and_limits():
    model = nus.load_model("nuclei")
    said = documentation(model)
    assert "## Validation" in said
    assert "| fluorescence |" in said
    assert model.card["limits"]
    assert all(f"- {limit}" in said for limit in model.card["limits"])
    assert "multiples of 16" in said
    odd = nus.Model(tiny_model().network, {"report": {"after": 3}, "figures": 7, "images": "many"})
    assert "it was not measured" in documentation(odd)

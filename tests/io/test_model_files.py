"""Giving models away: formats, names of files, and nothing replaced unasked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import checkpoint, portable
from napari_unet_seg.errors import ModelError, WriteError
from napari_unet_seg.io import model_files
from napari_unet_seg.io.model_files import Export, iter_export
from napari_unet_seg.io.model_formats import FORMATS, export_path
from napari_unet_seg.progress import drain
from tests.tiny import tiny_model


@pytest.fixture(autouse=True)
def models(tmp_path_factory, monkeypatch):
    """One bundled model and one of the user's; other formats are made in no time."""
    folder = tmp_path_factory.mktemp("models")
    for part, name in (("bundled", "nuclei-v1"), ("own", "mine")):
        (folder / part).mkdir()
        dataclasses.replace(tiny_model(), name=name, card={"licence": "MIT"} if part == "bundled" else {}).save(folder / part / name)
    monkeypatch.setattr(checkpoint, "BUNDLED", folder / "bundled")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: folder / "own")
    monkeypatch.setattr(portable, "to_onnx", lambda model: b"graph")
    return folder


def test_an_exported_model_is_the_same(tmp_path):
    exported = drain(iter_export(Export("nuclei", tmp_path)))
    assert exported.path == tmp_path / "nuclei-v1.safetensors"
    assert nus.load_model(exported.path).sha256 == nus.load_model("nuclei").sha256


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_there_is_replaced_only_when_asked_for(tmp_path, kind):
    path = tmp_path / f"x{FORMATS[kind].ending}"
    path.write_bytes(b"old")
    with pytest.raises(ModelError, match="exists already"):
        drain(iter_export(Export("mine", path, kind)))
    assert path.read_bytes() == b"old"
    drain(iter_export(Export("mine", path, kind, overwrite=True)))
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        ("x", "onnx", "x.onnx"),
        ("x.ONNX", "onnx", "x.ONNX"),
        ("x.zip", "bioimageio", "x.zip"),
        ("x", "bioimageio", "x.bioimageio.zip"),
        ("x.v2", "safetensors", "x.v2.safetensors"),
        (".", "onnx", "mine.onnx"),
    ],
)
def test_the_ending_is_added_where_it_is_missing(given, kind, expected):
    assert export_path(Path(given), "mine", kind) == Path(expected)


def test_what_is_missing_for_publishing_is_said(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(model_files, "write_package", lambda path, model, credit: written.append(credit))
    assert drain(iter_export(Export("nuclei", tmp_path, "bioimageio"))).remark == ""
    assert "no author and no licence" in drain(iter_export(Export("mine", tmp_path, "bioimageio"))).remark
    assert written[0].authors == model_files.OURS


def test_unknown_models_formats_and_places_are_named(tmp_path):
    with pytest.raises(ModelError, match="no format 'keras'"):
        drain(iter_export(Export("mine", tmp_path, "keras")))
    with pytest.raises(ModelError, match="no model named 'none'"):
        drain(iter_export(Export("none", tmp_path)))
    with pytest.raises(WriteError):
        drain(iter_export(Export("mine", tmp_path / "no" / "folder" / "x", "onnx")))

"""Finished labels are known as whole, or as damaged, and as those of the same model and settings, or of others."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.io.kept import identity, is_newer, is_same, is_whole, measured_as, read_labels
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels
from tests.tiny import tiny_model

LABELS = np.random.default_rng(0).integers(0, 9000, (2, 3, 60, 70)).astype(np.int32)


@pytest.fixture(params=[".labels.zarr", ".labels.tif"])
def written(request, tmp_path: Path) -> Path:
    path = tmp_path / f"x{request.param}"
    write_labels(path, LABELS, info=LabelsInfo("ZTYX"))
    return path


def test_labels_come_back_with_their_axes_in_order(tmp_path: Path):
    path = tmp_path / "x.labels.zarr"
    write_labels(path, LABELS, info=LabelsInfo("ZTYX"))
    np.testing.assert_array_equal(np.asarray(read_labels(path, "ZTYX")), LABELS)


def test_whole_labels_are_whole(written: Path):
    assert is_whole(written, "ZTYX")


@pytest.mark.parametrize("flip", [True, False])
def test_damage_is_noticed(written: Path, flip: bool):
    place = next(path for path in sorted(written.rglob("c/*/*/*/*"))) if written.is_dir() else written
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content if flip else content[: len(content) // 2])
    assert not is_whole(written, "ZTYX")


def test_what_is_no_labels_is_not_whole(tmp_path: Path):
    (tmp_path / "x.labels.tif").write_bytes(b"II*\0 and nothing else")
    (tmp_path / "x.labels.zarr").mkdir()
    assert not is_whole(tmp_path / "x.labels.tif", "YX")
    assert not is_whole(tmp_path / "x.labels.zarr", "YX")


def test_same_model_settings_and_channels():
    model, settings = tiny_model(), nus.SegmentSettings(region=(((0.0, 0.0), (0.0, 5.0), (5.0, 5.0)),))
    asked = {"channel": 1, **measured_as(["GFP"], 2.0)}
    made = json.loads(json.dumps({"settings": settings.to_dict(), "model_sha256": model.sha256, "version": "1"} | asked))
    assert is_same(made, settings, model, asked)
    assert not is_same(made, dataclasses.replace(settings, probability=0.7), model, asked)
    assert not is_same(made | {"model_sha256": "0"}, settings, model, asked)
    assert not is_same({}, settings, model, asked)
    for other in ({"channel": 0}, measured_as(["GFP"], 3.0), measured_as(["GFP", "DAPI"], 2.0)):
        assert not is_same(made, settings, model, asked | other)
    assert not is_same(made, settings, model, {"channel": 1, **measured_as([], 0.0)})


@pytest.mark.parametrize("inner", ["", "zarr.json"])
def test_an_image_that_was_changed_is_newer(tmp_path: Path, inner: str):
    result, source = tmp_path / "labels", tmp_path / "image"
    (source / inner).parent.mkdir(exist_ok=True)
    (source / inner).write_text("image")
    result.write_text("labels")
    later = result.stat().st_mtime_ns + 10**9
    os.utime(result, ns=(later, later))
    assert not is_newer(source, result)
    before = identity(None, source)
    os.utime(source / inner, ns=(later + 1, later + 1))
    assert is_newer(source, result)
    assert identity(None, source) != before

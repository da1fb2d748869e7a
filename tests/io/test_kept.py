"""Finished labels are known as whole, or as damaged, and as those of the same model and settings, or of others."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.io.kept import is_same, is_whole, read_labels
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


def test_same_model_and_settings():
    model, settings = tiny_model(), nus.SegmentSettings(region=(((0.0, 0.0), (0.0, 5.0), (5.0, 5.0)),))
    made = json.loads(json.dumps({"settings": settings.to_dict(), "model_sha256": model.sha256}))
    assert is_same(made, settings, model)
    assert not is_same(made, dataclasses.replace(settings, probability=0.7), model)
    assert not is_same(made | {"model_sha256": "0"}, settings, model)
    assert not is_same({}, settings, model)

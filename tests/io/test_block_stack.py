"""Slices linked and nuclei followed on the disk are those of the whole in memory, number by number and row by row."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core import overlap
from napari_unet_seg.core.measure import measure_intensities
from napari_unet_seg.core.stack import NO_TIME
from napari_unet_seg.core.volumes import add_micrometres, is_in_3d, measure_intensities_in_3d
from napari_unet_seg.io import block_stack
from napari_unet_seg.io.block_options import NO_RINGS_IN_3D
from napari_unet_seg.io.image import open_image
from tests.tiny import discs, tiny_model

PLANE = discs((90, 140), 12, seed=3)[0]
STACK = np.stack([np.full_like(PLANE, 300), PLANE, PLANE, PLANE])
VOLUMES = np.stack([STACK, np.roll(STACK, 3, axis=2)])
LINKED = nus.SegmentSettings(stack="linked", spacing=3.0, tile=96)
FOLLOWED = nus.SegmentSettings(track="overlap", spacing=3.0, tile=96)
BOTH = dataclasses.replace(LINKED, track="overlap")
SCALE = {"T": 60.0, "Z": 1.5, "Y": 0.5, "X": 0.5}


def store(target: Path, image, axes: str, settings: nus.SegmentSettings, **options) -> nus.Stored:
    options = {"axes": axes, "block": 64, "measure": {"own": image}, "scale": SCALE} | options
    return nus.segment_to(image, target, tiny_model(), "cpu", settings, nus.OutOfCore(**options))


@pytest.mark.parametrize(
    ("image", "axes", "settings"),
    [
        (STACK, "ZYX", LINKED),
        (STACK, "ZYX", dataclasses.replace(LINKED, exclude_border=True)),
        (VOLUMES[:, 1], "TYX", FOLLOWED),
        (VOLUMES, "TZYX", FOLLOWED),
        (VOLUMES.transpose(1, 0, 2, 3), "ZTYX", BOTH),
    ],
)
def test_labels_and_table_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image, axes, settings):
    expected = nus.drain(nus.iter_segment(image, tiny_model(), "cpu", axes, settings=settings))
    monkeypatch.setattr(overlap, "PART", 50)
    monkeypatch.setattr(block_stack, "PART", 50)
    monkeypatch.setattr(block_stack, "COLUMN_PIXELS", 4)
    stored = store(tmp_path / "x.labels.tif", image, axes, settings)
    assert expected.count > 5
    assert np.array_equal(open_image(stored.path).data, expected.labels)
    assert (stored.count, stored.provenance["settings"]) == (expected.count, expected.provenance["settings"])
    features = expected.features.drop(columns="index")
    measured = (measure_intensities_in_3d if is_in_3d(features) else measure_intensities)(expected.labels, {"own": image})
    features = add_micrometres(features.merge(measured, on="label"), SCALE)
    found = pd.read_csv(stored.table)
    pd.testing.assert_frame_equal(found[list(features)], features, check_exact=True)
    assert set(found) == set(features)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.labels.csv", "x.labels.tif"]


def test_the_distance_of_slices_is_that_of_the_file(tmp_path: Path):
    unknown = dataclasses.replace(LINKED, spacing=0.0)
    assert store(tmp_path / "x.zarr", STACK, "ZYX", unknown).provenance["settings"]["spacing"] == 3.0
    assert store(tmp_path / "y.zarr", STACK, "ZYX", unknown, scale={}).provenance["settings"]["spacing"] == 0


@pytest.mark.parametrize("after", [0.5, 0.995])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, after: float):
    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    store(tmp_path / "a" / "x.zarr", STACK, "ZYX", LINKED)
    options = nus.OutOfCore(axes="ZYX", block=64, measure={"own": STACK}, scale=SCALE)
    steps = nus.iter_segment_to(STACK, tmp_path / "b" / "x.zarr", tiny_model(), "cpu", LINKED, options)
    for step in steps:
        if step.stage == block_stack.LINKING if after > 0.9 else step.total and step.done > after * step.total:
            steps.close()
    store(tmp_path / "b" / "x.zarr", STACK, "ZYX", LINKED, resume=True)
    assert files(tmp_path / "b") == files(tmp_path / "a")


def test_no_nuclei_rings_and_times_that_are_not_there(tmp_path: Path):
    notices = []
    options = nus.OutOfCore(axes="ZYX", measure={"own": STACK}, ring=3.0)
    nothing = np.full((3, 70, 80), 9, np.uint8)
    steps = nus.iter_segment_to(nothing, tmp_path / "x.zarr", tiny_model(), "cpu", BOTH, nus.OutOfCore(axes="ZYX"))
    assert nus.drain(steps, lambda step: notices.append(step.notice)).count == 0
    assert {"volume", "cut_in_z"} <= set(pd.read_csv(tmp_path / "x.csv"))
    nus.drain(nus.iter_segment_to(STACK, tmp_path / "y.zarr", tiny_model(), "cpu", BOTH, options), lambda step: notices.append(step.notice))
    assert {NO_TIME, NO_RINGS_IN_3D} <= set(notices)


def test_of_the_labels_parts_alone_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overlap, "PART", 64)
    read = []
    array = zarr.create_array(tmp_path / "labels.zarr", data=np.repeat(np.arange(1, 5, dtype=np.int32), 300 * 300).reshape(4, 300, 300))
    labels = da.from_zarr(array).map_blocks(lambda block: read.append(block.size) or block)
    parts = list(overlap.iter_parts(labels))
    assert sum(part.size for _, part in parts) == labels.size
    assert max(part.size for _, part in parts) == 64 * 64
    pairs = overlap.find_overlap(labels[0], labels[1])
    assert (pairs.first.tolist(), pairs.second.tolist(), pairs.shared.tolist()) == ([1], [2], [90_000.0])
    assert pairs.first_size.tolist() == pairs.second_size.tolist() == [90_000.0]

"""A class map from blocks is that of the whole image, pixel by pixel, with the same table; a killed run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.measure import measure_intensities
from napari_unet_seg.errors import InputError, SettingsError, WriteError
from napari_unet_seg.io import block_job
from napari_unet_seg.io.block_classes import ClassBench
from napari_unet_seg.io.class_formats import with_intensities
from napari_unet_seg.io.image import open_image
from tests.core.test_class_work import model
from tests.tiny import discs, tiny_model

SETTINGS = nus.SegmentSettings(tile=64, precision="float32")
IMAGE = discs((150, 170), 30)[0]
STACK = np.stack([discs((60, 70), 8, seed)[0] for seed in range(4)]).reshape(2, 2, 60, 70)


def whole(image=IMAGE, settings=SETTINGS, of=model, **options) -> nus.Segmentation:
    return nus.drain(nus.iter_segment(image, of(), "cpu", settings=settings, **options))


def store(target: Path, image=IMAGE, settings=SETTINGS, of=model, **options):
    return nus.segment_to(image, target, of(), "cpu", settings, nus.OutOfCore(**options))


def read(path: Path) -> np.ndarray:
    return zarr.open_array(path / "0", mode="r")[...]


def same_tables(path: Path, expected: pd.DataFrame) -> None:
    table = pd.read_csv(path)
    pd.testing.assert_frame_equal(table, expected.drop(columns="index", errors="ignore"), check_exact=False, rtol=1e-9)
    pd.testing.assert_series_equal(table["area"], expected["area"])


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_job, "_CELL", 48)


@pytest.mark.usefixtures("small_cells")
def test_pixels_and_table_are_those_of_the_whole(tmp_path: Path):
    expected, stored = whole(), store(tmp_path / "x.zarr")
    assert set(np.unique(expected.labels)) == {0, 1, 2}
    np.testing.assert_array_equal(read(stored.path), expected.labels)
    assert read(stored.path).dtype == np.uint8
    same_tables(stored.table, expected.features)
    assert stored.provenance == expected.provenance
    assert (stored.count, stored.shape) == (len(expected.features), IMAGE.shape)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.zarr"]
    opened = open_image(stored.path)
    assert opened.is_labels
    assert opened.provenance["classes"] == ["background", "a", "b"]


@pytest.mark.usefixtures("small_cells")
def test_a_tiff_holds_the_same_in_eight_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.io.tiff_writer._TILED_FROM", 100)
    monkeypatch.setattr("napari_unet_seg.io.tiff_writer._TILE", 32)
    stored = store(tmp_path / "x.classes.tif", scale={"Y": 0.5, "X": 0.5})
    with tifffile.TiffFile(stored.path) as tif:
        assert tif.pages[0].is_tiled
        assert tif.series[0].dtype == np.uint8
        np.testing.assert_array_equal(tif.asarray(), whole().labels)
    table = pd.read_csv(stored.table)
    np.testing.assert_allclose(table["area_um2"], table["area"] / 4)


@pytest.mark.usefixtures("small_cells")
@pytest.mark.parametrize("axes", ["ZTYX", "TZYX"])
def test_planes_go_one_by_one(tmp_path: Path, axes: str):
    expected = whole(STACK, axes=axes)
    stored = store(tmp_path / "x.tif", STACK, axes=axes)
    np.testing.assert_array_equal(open_image(stored.path).data, expected.labels)
    same_tables(stored.table, expected.features)


@pytest.mark.usefixtures("small_cells")
def test_a_region_leaves_the_background_elsewhere(tmp_path: Path):
    region = ((20.0, 30.0), (20.0, 140.0), (120.0, 90.0)), ((130.0, 10.0), (149.0, 10.0), (149.0, 60.0))
    settings = nus.SegmentSettings(tile=64, precision="float32", region=region)
    expected, stored = whole(settings=settings), store(tmp_path / "x.zarr", settings=settings)
    assert 0 < np.count_nonzero(expected.labels) < np.count_nonzero(whole().labels)
    np.testing.assert_array_equal(read(stored.path), expected.labels)
    same_tables(stored.table, expected.features)


@pytest.mark.usefixtures("small_cells")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_intensities_are_those_of_the_whole(tmp_path: Path, dtype: type):
    pixels = (IMAGE // 16).astype(dtype)
    expected = whole()
    measured = with_intensities(expected.features, measure_intensities(expected.labels, {"own": pixels}))
    stored = store(tmp_path / "x.zarr", measure={"own": pixels})
    same_tables(stored.table, measured)
    assert stored.provenance["measured"] == ["own"]


def test_what_cannot_be_measured_in_parts_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(InputError, match="float32; of classes"):
        store(tmp_path / "x.zarr", measure={"own": IMAGE.astype(np.float32)})
    with pytest.raises(InputError, match="Rings are of nuclei"):
        store(tmp_path / "x.zarr", measure={"own": IMAGE}, ring=3.0)
    assert not any(tmp_path.iterdir())


def test_an_image_of_one_class_has_an_empty_table(tmp_path: Path):
    blank = np.zeros((40, 50), np.uint8)
    expected, stored = whole(blank), store(tmp_path / "x.zarr", blank)
    np.testing.assert_array_equal(read(stored.path), expected.labels)
    assert list(pd.read_csv(stored.table)) == [name for name in expected.features if name != "index"]
    assert stored.count == len(expected.features)


@pytest.mark.usefixtures("small_cells")
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    store(tmp_path / "a" / "x.zarr")
    done: list[int] = []
    steps = nus.iter_segment_to(IMAGE, tmp_path / "b" / "x.zarr", model(), "cpu", SETTINGS)
    for progress in steps:
        if progress.stage == "Writing the labels" and progress.done > progress.total - 4:
            break
    steps.close()
    (damaged,) = (tmp_path / "b" / ".x.zarr.unfinished").glob("plane/full/rows/1")
    damaged.write_bytes(b"nothing")
    real = ClassBench._write_classes
    monkeypatch.setattr(ClassBench, "_write_classes", lambda self, number: done.append(number) or real(self, number))
    with pytest.raises(WriteError, match="go on with it"):
        store(tmp_path / "b" / "x.zarr")
    store(tmp_path / "b" / "x.zarr", resume=True)
    assert 1 in done
    assert 0 not in done
    assert files(tmp_path / "a") == files(tmp_path / "b")
    store(tmp_path / "b" / "x.zarr", resume=True)  # finished: kept
    with pytest.raises(SettingsError, match="other settings"):
        store(tmp_path / "b" / "x.zarr", settings=nus.SegmentSettings(tile=80, precision="float32"), resume=True)


@pytest.mark.parametrize("diameter", [0.0, 12.0])
def test_nuclei_and_their_class_map_together(tmp_path: Path, diameter: float):
    settings = nus.SegmentSettings(tile=96, diameter=diameter)
    expected = whole(settings=settings, of=tiny_model)
    stored = store(tmp_path / "x.zarr", settings=settings, of=tiny_model, block=64, classes=tmp_path / "x.classes.tif")
    found = open_image(tmp_path / "x.classes.tif")
    assert (np.mean(found.data != expected.classes), np.mean(read(stored.path) != expected.labels)) <= (0.001, 0.001)
    if not diameter:
        np.testing.assert_array_equal(found.data, expected.classes)
        np.testing.assert_array_equal(read(stored.path), expected.labels)
    assert found.data.dtype == np.uint8 or found.is_labels
    assert set(np.unique(tifffile.imread(tmp_path / "x.classes.tif"))) == {0, 1, 2}


def test_a_class_map_beside_labels_is_a_tiff(tmp_path: Path):
    with pytest.raises(WriteError, match=r"use \.tif"):
        store(tmp_path / "x.zarr", of=tiny_model, classes=tmp_path / "x.classes.zarr")

"""Large labels in a tiled TIFF: opened without being read, right in every part, let go when the layer is gone."""

from __future__ import annotations

import gc
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_unet_seg.core.axes import as_array
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io import tiff_writer
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.napari_reader import napari_get_reader, read_layers
from napari_unet_seg.io.writers import write_labels

LABELS = np.random.default_rng(0).integers(0, 70_000, (2, 300, 410), "int32")
INFO = LabelsInfo("ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5}, provenance={"model": "nuclei"})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tiff_writer, "_TILED_FROM", 1000)
    monkeypatch.setattr(tiff_writer, "_TILE", 64)
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000)
    write_labels(tmp_path / "a.labels.tif", LABELS, info=INFO)
    return tmp_path / "a.labels.tif"


def test_napari_gets_the_levels_in_their_tiles(path: Path):
    ((levels, options, kind),) = read_layers(path)
    assert (kind, options["multiscale"], options["scale"]) == ("labels", True, (2.0, 0.5, 0.5))
    assert options["metadata"]["napari_unet_seg"] == {"model": "nuclei"}
    assert [type(level) for level in levels] == [zarr.Array] * 3
    assert [level.chunks for level in levels] == [(1, 64, 64)] * 3
    for step, level in zip((1, 2, 4), levels, strict=True):
        expected = LABELS[:, ::step, ::step]
        assert (level.shape, level.dtype) == (expected.shape, np.int32)
        for part in (np.s_[1, 3:70, 50:100], np.s_[0], np.s_[:, 5, 7]):
            np.testing.assert_array_equal(level[part], expected[part])


def test_a_view_reads_the_tiles_that_it_shows_and_no_more(path: Path, monkeypatch: pytest.MonkeyPatch):
    ((levels, _, _),) = read_layers(path)
    read: list[str] = []
    handle = tifffile.FileHandle.read
    monkeypatch.setattr(tifffile.FileHandle, "read", lambda self, *given: read.append("") or handle(self, *given))
    levels[0][0, 10:60, 70:120]
    assert 0 < len(read) <= 2


def test_no_part_is_kept_and_what_reads_blocks_gets_blocks(path: Path):
    ((levels, _, _),) = read_layers(path)
    lazy = as_array(levels)
    assert hasattr(lazy, "dask")
    np.testing.assert_array_equal(lazy.compute(), LABELS)


def test_files_that_are_stacked_are_not_read(path: Path):
    read = napari_get_reader([str(path), str(path)])
    ((stacked, options, _),) = read([str(path), str(path)])
    assert hasattr(stacked, "dask")
    assert stacked.shape == (2, *LABELS.shape)
    assert options["multiscale"] is False


def test_it_can_be_sent_to_another_process(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(path.parent)
    (level, *_) = open_image(path.name).stored
    content = pickle.dumps(level)
    monkeypatch.chdir("/")  # the other process may be anywhere
    assert len(content) < 5000
    np.testing.assert_array_equal(pickle.loads(content)[...], LABELS)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files through /proc")
def test_the_file_is_closed_when_nobody_has_it_any_more(path: Path):
    def is_open() -> bool:
        return any(link.resolve() == path.resolve() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())

    ((levels, _, _),) = read_layers(path)
    assert levels[0][0, 0, 0] == LABELS[0, 0, 0]
    assert is_open()
    del levels
    gc.collect()
    assert not is_open()


def test_intensities_and_strips_stay_what_they_were(path: Path):
    tifffile.imwrite(path.with_name("b.tif"), LABELS.astype(np.uint16), tile=(64, 64), compression="zlib", photometric="minisblack")
    tifffile.imwrite(path.with_name("c.labels.tif"), LABELS, compression="zlib", photometric="minisblack")
    assert open_image(path.with_name("b.tif")).stored == ()
    assert open_image(path.with_name("c.labels.tif")).stored == ()
    assert open_image(path).levels[0].dtype == np.int32

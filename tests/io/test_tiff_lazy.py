"""Large TIFFs are read block by block, in any process, and nothing more than was asked for."""

from __future__ import annotations

import gc
import math
import pickle
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.blocks import BLOCK_BYTES
from napari_unet_seg.io.image import LAZY_BYTES, open_image

RANDOM = np.random.default_rng(0)


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000)


@pytest.mark.parametrize("tile", [None, (256, 256)])
def test_what_is_larger_than_the_limit_is_not_read(tmp_path: Path, tile: tuple[int, int] | None):
    # 800 MB of pixels in a file that takes next to nothing on the disk: nobody reads it whole in this test.
    path = tmp_path / "a.tif"
    shape = (20_000, 20_000)
    if tile is None:
        tifffile.imwrite(path, shape=shape, dtype="uint16", bigtiff=True)
    else:
        blank = np.zeros(tile, np.uint16)
        tiles = (blank for _ in range(math.ceil(shape[0] / tile[0]) * math.ceil(shape[1] / tile[1])))
        tifffile.imwrite(path, tiles, shape=shape, dtype="uint16", bigtiff=True, tile=tile, compression="zlib")
    image = open_image(path)
    assert isinstance(image.data, da.Array)
    assert image.data.nbytes > LAZY_BYTES
    assert all(chunk * chunk * 2 <= 2 * BLOCK_BYTES for chunk in image.data.chunksize)
    assert image.data[19_990:, 19_990:].compute().sum() == 0


def test_what_is_smaller_than_the_limit_is_read_at_once(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((100, 100), np.uint16))
    assert isinstance(open_image(tmp_path / "a.tif").data, np.ndarray)


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"compression": "zlib"}, {"compression": "lzw", "rowsperstrip": 7}], ids=str)
def test_any_part_is_right(tmp_path: Path, byteorder: str, options: dict[str, object]):
    pixels = RANDOM.integers(0, 60_000, (3, 100, 130), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=byteorder, photometric="minisblack", **options)
    data = open_image(tmp_path / "a.tif").data
    assert data.dtype == np.uint16
    assert data.dtype.isnative
    for part in (np.s_[1, 30:70, 5:100], np.s_[:, 99, 129], np.s_[..., ::7, ::-3], np.s_[2]):
        np.testing.assert_array_equal(data[part].compute(), pixels[part])


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colours_stay_together(tmp_path: Path, compression: str | None):
    pixels = RANDOM.integers(0, 255, (64, 48, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression=compression)
    data = open_image(tmp_path / "a.tif").data
    assert data.numblocks == (1, 1, 1)
    np.testing.assert_array_equal(data.compute(), pixels)


@pytest.mark.usefixtures("lazy")
def test_it_can_be_sent_to_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pixels = RANDOM.integers(0, 60_000, (64, 64), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib")
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(open_image("a.tif").data)
    monkeypatch.chdir("/")  # the other process may be anywhere
    assert len(content) < 10_000
    np.testing.assert_array_equal(pickle.loads(content).compute(), pixels)


@pytest.mark.usefixtures("lazy")
def test_changed_file_is_another_array(tmp_path: Path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint16))
    first, again = open_image(path).data, open_image(path).data
    tifffile.imwrite(path, np.ones((64, 65), np.uint16))
    assert first.name == again.name
    assert open_image(path).data.name != first.name


@pytest.mark.usefixtures("lazy")
@pytest.mark.skipif(sys.platform != "linux", reason="counts open files through /proc")
def test_nothing_stays_open(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint16), compression="zlib")

    def is_open() -> bool:
        return any(link.resolve().name == "a.tif" for link in Path("/proc/self/fd").iterdir() if link.is_symlink())

    data = open_image(tmp_path / "a.tif").data
    assert data.compute().sum() == 0
    assert is_open()
    del data
    gc.collect()
    assert not is_open()


@pytest.mark.usefixtures("lazy")
def test_damage_is_told_when_it_is_met(tmp_path: Path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RANDOM.integers(0, 255, (4, 64, 64), "uint8"), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[2].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 50] = bytes(50)
    path.write_bytes(content)
    data = open_image(path).data
    assert data[3].compute().any()
    with pytest.raises(ReadError, match=r"^a\.tif is damaged"):
        data[2].compute()

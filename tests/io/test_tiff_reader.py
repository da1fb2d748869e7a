"""TIFFs of all kinds are opened as they are, and those that are damaged or cut short are refused rather than shown grey or black."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.tiff_writer import write_classes, write_tiff

RANDOM = np.random.default_rng(0)


def read(path: Path) -> list[np.ndarray]:
    return [np.asarray(level) for level in open_image(path).levels]


def refusal(path: Path) -> str:
    with pytest.raises(ReadError) as refused:
        read(path)
    return str(refused.value)


# -- which image, in which order -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_are_last(tmp_path: Path, samples: int, planar: str):
    pixels = RANDOM.integers(0, 255, (32, 48, samples), "uint8")
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    image = open_image(tmp_path / "a.tif")
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.data, pixels)


def test_samples_that_are_no_colours_are_channels(tmp_path: Path):
    pixels = RANDOM.integers(0, 255, (32, 48, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    image = open_image(tmp_path / "a.tif")
    assert image.axes == "CYX"
    np.testing.assert_array_equal(image.data, np.moveaxis(pixels, -1, 0))


def test_first_of_several_images_is_opened_and_the_others_are_told(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.full((8, 9), 7, np.uint8))
        writer.write(np.full((18, 19), 9, np.uint16))
    image = open_image(tmp_path / "a.tif")
    assert image.data.shape == (8, 9)
    assert image.notice == "a.tif holds 2 images of different sizes; the first is opened."


def test_slide_is_the_largest_of_its_images(data_dir: Path):
    path = data_dir / "formats/galaxy_bmcv/wsi_extract_top_view/test-data/CMU-1-Small-Region.svs"
    image = open_image(path)
    assert image.data.shape == (2967, 2220, 3)
    assert image.notice == ""  # the photographs of the label and of the glass are not missed


def test_planes_of_an_aborted_recording_are_told(tmp_path: Path):
    pixels = RANDOM.integers(1, 255, (3, 8, 9), "uint8")
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "TYX"}, photometric="minisblack")
    content = (tmp_path / "a.ome.tif").read_bytes()
    (tmp_path / "a.ome.tif").write_bytes(content.replace(b'SizeT="3"', b'SizeT="5"'))
    image = open_image(tmp_path / "a.ome.tif")
    assert image.data.shape == (5, 8, 9)
    np.testing.assert_array_equal(image.data[:3], pixels)
    assert image.notice == "a.ome.tif lacks 2 of its 5 planes, which are shown black."


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits", "lzma"])
def test_stored_one_way_or_another(tmp_path: Path, byteorder: str, bigtiff: bool, compression: str | None):
    pixels = RANDOM.integers(-900, 900, (2, 40, 50), "int16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=byteorder, bigtiff=bigtiff, compression=compression)
    image = open_image(tmp_path / "a.tif")
    assert image.axes == "QYX"
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, pixels)


# -- pyramids --------------------------------------------------------------------------------------------------------------------------


def write_pyramid(path: Path, pixels: np.ndarray, axes: str, **options: Any) -> list[np.ndarray]:
    levels = [pixels[..., ::step, ::step] for step in (1, 2, 4)]
    with tifffile.TiffWriter(path, ome=True) as writer:
        for i, level in enumerate(levels):
            place = {"subifds": 2, "metadata": {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}} if i == 0 else {"subfiletype": 1}
            writer.write(level, tile=(32, 32), photometric="minisblack", **place, **options)
    return levels


@pytest.mark.parametrize("lazy", [False, True])
def test_pyramid(tmp_path: Path, lazy: bool, monkeypatch: pytest.MonkeyPatch):
    levels = write_pyramid(tmp_path / "a.ome.tif", RANDOM.integers(0, 9, (2, 200, 300), "uint16"), "CYX", compression="zlib")
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000 if lazy else 2**28)
    image = open_image(tmp_path / "a.ome.tif")
    assert image.scale == {"Y": 0.5, "X": 0.5}
    assert [level.shape for level in image.levels] == [(2, 200, 300), (2, 100, 150), (2, 50, 75)]
    for level, expected in zip(image.levels, levels, strict=True):
        assert isinstance(level, np.ndarray) is not lazy
        np.testing.assert_array_equal(np.asarray(level), expected)


# -- our own labels --------------------------------------------------------------------------------------------------------------------

PROVENANCE = {"model": "nuclei-v1", "settings": {"probability": 0.5, "name": 'µ <&> "quoted"'}}


@pytest.mark.parametrize(("axes", "stored"), [("YX", "YX"), ("ZYX", "ZYX"), ("TZYX", "TZYX"), ("QYX", "ZYX")])
def test_labels_of_ours_come_back(tmp_path: Path, axes: str, stored: str):
    labels = RANDOM.integers(0, 100_000, (3, 4, 20, 30)[-len(axes) :], "int32")
    scale = {axis: step for axis, step in {"T": 30.0, "Z": 2.0, "Y": 0.25, "X": 0.125}.items() if axis in axes}
    info = LabelsInfo(axes=axes, scale=scale, provenance=PROVENANCE)
    for name in ("a.labels.tif", "renamed.tif"):  # they say themselves what they are
        write_tiff(tmp_path / name, labels, info)
        image = open_image(tmp_path / name)
        assert image.is_labels
        assert image.axes == stored
        assert image.data.dtype == np.int32
        np.testing.assert_array_equal(image.data, labels)
        assert image.provenance == PROVENANCE
        assert image.scale == pytest.approx(scale)


def test_classes_of_ours_come_back(tmp_path: Path):
    classes = RANDOM.integers(0, 3, (20, 30), "uint8")
    write_classes(tmp_path / "a.classes.tif", classes, LabelsInfo(provenance=PROVENANCE))
    image = open_image(tmp_path / "a.classes.tif")
    assert image.is_labels
    assert image.provenance == PROVENANCE
    np.testing.assert_array_equal(image.data, classes)


def test_labels_of_ours_without_provenance_are_labels(tmp_path: Path):
    write_tiff(tmp_path / "renamed.tif", np.ones((4, 5), np.int32), LabelsInfo())
    image = open_image(tmp_path / "renamed.tif")
    assert image.is_labels
    assert image.provenance == {}


# -- damaged files ---------------------------------------------------------------------------------------------------------------------

SMOOTH = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "zlib": {"compression": "zlib"},
    "lzw": {"compression": "lzw"},
    "packbits": {"compression": "packbits"},
    "jpeg": {"compression": "jpeg"},
    "jpeg-tiles": {"compression": "jpeg", "tile": (32, 32)},
    "tiles": {"tile": (32, 32)},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "big-endian": {"byteorder": ">", "bigtiff": True},
}


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_file_cut_short_is_refused(tmp_path: Path, layout: str, lazy: bool, part: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000 if lazy else 2**28)
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.stack([SMOOTH, SMOOTH + 1, SMOOTH + 2]), photometric="minisblack", **LAYOUTS[layout])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert refusal(path).startswith("cut.tif is ")


def test_a_lost_plane_is_noticed(tmp_path: Path):
    # The first plane is whole, so that tifffile gives it without a word that there was another.
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in (SMOOTH, SMOOTH + 1):
            writer.write(plane, metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as tif:
        second = tif.pages[1].offset
    path.write_bytes(path.read_bytes()[:second])
    assert tifffile.imread(path).shape == SMOOTH.shape
    assert refusal(path) == "a.tif is cut short: planes that its header speaks of are missing; copy it again."


@pytest.mark.parametrize("lazy", [False, True])
def test_garbled_pixels_are_refused_with_the_cause(tmp_path: Path, lazy: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000 if lazy else 2**28)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RANDOM.integers(0, 255, (64, 64), "uint8"), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    text = refusal(path)
    assert text.startswith("a.tif is damaged and cannot be read; copy it again from where it came (DeflateError: ")
    assert text.count(".") == 2  # one sentence, beside that of the file's name
    assert "\n" not in text


def test_header_without_an_image_is_refused(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\0\0\0\0")
    assert refusal(tmp_path / "a.tif").startswith("a.tif is damaged")


def test_random_damage_never_raises_anything_else(tmp_path: Path, data_dir: Path):
    files = sorted((data_dir / "formats" / "imagecodecs_tiff").glob("*.u1.tif"))
    for i in range(150):
        content = bytearray(files[i % len(files)].read_bytes())
        for place in RANDOM.integers(0, min(len(content), 600), 4):
            content[place] = RANDOM.integers(256)
        path = tmp_path / "damaged.tif"
        path.write_bytes(content)
        with contextlib.suppress(ReadError):
            open_image(path)

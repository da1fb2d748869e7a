"""Each file of the data set's `formats` folder is read as its library reads it, or refused in the words that are expected here."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from benchmarks import formats
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import ImageFile, open_image
from napari_unet_seg.io.napari_reader import layers_of

FOLDER = Path(os.environ.get("NAPARI_UNET_SEG_DATA", "missing")) / "formats"

REFUSED = {
    "gray.c8.tif": "gray.c8.tif holds complex numbers (complex64), and not intensities; save real ones, such as the magnitude.",
    "gray.c16.tif": "gray.c16.tif holds complex numbers (complex128), and not intensities; save real ones, such as the magnitude.",
}

# Where our axes are not the file's own: Y and X come last but for colours, and samples that are no colours are channels.
AXES = {
    "histo.jpg": "YXS",
    "input_yxc.png": "YXS",
    "input_yxt.tiff": "TYX",
    "input_yxz.tiff": "ZYX",
    "gray.contig.u1.tif": "ICYX",
    "gray.separate.u1.tif": "ICYX",
    "rgb.separate.u1.tif": "IYXS",
    "rgb.separate.tiled.u1.tif": "IYXS",
    "rgba.separate.u1.tif": "IYXS",
    "rgba.separate.tiled.u1.tif": "IYXS",
}

# Micrometres along Y and X of all files that tell; 1.0 is what the file says, and not a default of ours.
PIXEL = {
    "HE_example.tif": 0.5000799214486333,
    "pyramid_3ch_u16_lzw.ome.tif": 0.3,
    "pyramid_3ch_u16_zstd_bigtiff.ome.tif": 0.3,
    "pyramid_rgb_jpeg_bigtiff.ome.tif": 0.3,
    "neocortex-3Ch.tiff": 1.0,
    "neuron-4Ch.tiff": 0.1241,
    "scratch-assay-labeled-10T-2Ch.tiff": 0.619,
    "CMU-1-Small-Region.svs": 0.499,
}

CHANNELS = {
    "Fluorescence_example.tif": ("Channel 1", "Channel 2"),
    "ij_hyperstack_tzcyx.tif": ("Channel 1", "Channel 2"),
    "pyramid_3ch_u16_lzw.ome.tif": ("Channel 1", "Channel 2", "Channel 3"),
    "pyramid_3ch_u16_zstd_bigtiff.ome.tif": ("Channel 1", "Channel 2", "Channel 3"),
    "neocortex-3Ch.tiff": ("CTIP2", "BRN2", "ROR"),
    "neuron-4Ch.tiff": ("AF647", "AF568", "AF488", "DAPI"),
    "scratch-assay-labeled-10T-2Ch.tiff": ("H3342", "oblique", "nuclei", "cyto"),
    "gray.contig.u1.tif": tuple(f"Channel {i}" for i in range(1, 6)),
    "gray.separate.u1.tif": tuple(f"Channel {i}" for i in range(1, 6)),
}


def manifest() -> list[Any]:
    if not (FOLDER / "manifest.csv").exists():
        return [pytest.param(None, id="no-data")]
    with (FOLDER / "manifest.csv").open(encoding="utf-8") as file:
        return [pytest.param(row, id=Path(row["file"]).name) for row in csv.DictReader(file)]


def reference(path: Path, level: int = 0) -> np.ndarray:
    """What the libraries say themselves, in the file's own order."""
    if path.suffix in (".png", ".jpg"):
        return np.asarray(imagecodecs.imread(str(path)))
    return tifffile.imread(path, series=0, level=level)


def reordered(pixels: np.ndarray, theirs: str, ours: str) -> np.ndarray:
    theirs = theirs.replace("S", "C") if "S" not in ours else theirs
    return pixels.transpose([theirs.index(axis) for axis in ours])


@pytest.mark.parametrize("lazy", [False, True], ids=["at-once", "lazy"])
@pytest.mark.parametrize("row", manifest())
def test_file_is_read_as_its_library_reads_it(row: dict[str, str], lazy: bool, data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    path = data_dir / "formats" / row["file"]
    monkeypatch.setattr(image_module, "LAZY_BYTES", -1 if lazy else 2**30)
    if path.name in REFUSED:
        with pytest.raises(ReadError) as refusal:
            open_image(path)
        assert str(refusal.value) == REFUSED[path.name]
        return
    image = open_image(path)
    theirs = "YXS" if row["axes"].startswith("RGB") else row["axes"]
    assert image.axes == AXES.get(path.name, theirs)
    assert len(image.levels) == int(row["levels"] or 1)
    assert not image.is_labels
    for level, pixels in enumerate(image.levels):
        expected = reordered(reference(path, level), theirs, image.axes)
        assert isinstance(pixels, np.ndarray) is not (lazy and path.suffix not in (".png", ".jpg"))
        assert pixels.dtype == np.dtype(row["dtype"])
        assert pixels.dtype.isnative
        np.testing.assert_array_equal(np.asarray(pixels), expected)


@pytest.mark.parametrize("row", [row for row in manifest() if Path(row.id).name not in REFUSED])
def test_what_a_file_tells_is_found_and_nothing_else(row: dict[str, str], data_dir: Path):
    image = open_image(data_dir / "formats" / row["file"])
    pixel = PIXEL.get(image.path.name)
    assert image.scale == ({"Y": pixel, "X": pixel} if pixel else {})
    assert image.channel_names == CHANNELS.get(image.path.name, ("",))
    assert bool(image.notice) == (image.path.name == "gray.series.u1.tif")
    if image.path.name == "Fluorescence_example.tif":
        assert image.colors == ("#00ff00", "#0000ff")
        assert image.contrast_limits == ((0, 255), (0, 255))
    else:
        assert set(image.colors) == {None}
        assert set(image.contrast_limits) == {None}


def check_layers(image: ImageFile) -> None:
    from napari.layers import Image, Layer  # napari takes seconds to import

    layers = [Layer.create(*layer) for layer in layers_of(image)]
    assert len(layers) == len(image.channel_names)
    for layer in layers:
        assert isinstance(layer, Image)
        assert layer.rgb == ("S" in image.axes)
        assert layer.multiscale == (len(image.levels) > 1)
        shown = [axis for axis in image.axes if axis not in "CS"]
        assert layer.ndim == len(shown)
        assert layer.scale.tolist() == [image.scale.get(axis, 1) for axis in shown]
        assert [str(unit) for unit in layer.units] == ["micrometer" if axis in image.scale else "pixel" for axis in shown]
        assert layer.axis_labels == tuple({"I": "plane", "Q": "plane"}.get(axis, axis.lower()) for axis in shown)


@pytest.mark.parametrize("row", [row for row in manifest() if Path(row.id).name not in REFUSED])
def test_napari_makes_a_layer_a_channel(row: dict[str, str], data_dir: Path):
    check_layers(open_image(data_dir / "formats" / row["file"]))


def test_table_names_each_file(data_dir: Path, capsys: pytest.CaptureFixture[str]):
    assert formats.main([str(data_dir / "formats")]) == 0
    lines = capsys.readouterr().out.splitlines()
    with (data_dir / "formats" / "manifest.csv").open(encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file)]
    assert sorted(line.split(" | ")[0].removeprefix("| ") for line in lines[2:]) == sorted(files)
    assert sum("refused: " in line for line in lines) == len(REFUSED)
    (neuron,) = (line for line in lines if "neuron-4Ch" in line)
    expected = "| CYX | 4 × 623 × 502 | uint16 | Y 0.1241, X 0.1241 | 4 images: AF647, AF568, AF488, DAPI |"
    assert neuron.endswith(expected)


def test_table_of_no_folder_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert formats.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err

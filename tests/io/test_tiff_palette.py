"""Pixels that are numbers of colours become the colours; intensities and labels that are only shown in colours stay numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.tiff_writer import write_tiff

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.integers(0, 256, (32, 48), "uint8")
COLORS = RANDOM.integers(0, 256, (256, 3), "uint8")
EVEN = np.linspace(0, 1, 256)
POINTS = [0, 0.25, 0.5, 0.75, 1]
FIRE = np.stack([np.interp(EVEN, POINTS, rise) for rise in ([0, 0.5, 0.9, 1, 1], [0, 0, 0.3, 0.8, 1], [0, 0.7, 0.1, 0.2, 1])], axis=1)


def stored(colors: np.ndarray) -> np.ndarray:
    """As TIFF has a palette: (3, colours) of 16 bits."""
    return colors.T.astype(np.uint16) * 257


def write(path: Path, numbers: np.ndarray, colormap: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, numbers, photometric="palette", colormap=colormap, **options)
    return path


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", [(32, 48), (3, 32, 48)])
def test_numbers_of_colours_become_colours(tmp_path: Path, lazy: bool, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 100 if lazy else 2**28)
    numbers = RANDOM.integers(0, 256, shape, "uint8")
    image = open_image(write(tmp_path / "a.tif", numbers, stored(COLORS), metadata={"axes": "ZYX"[-len(shape) :]}))
    assert image.axes == "ZYXS"[-len(shape) - 1 :]
    assert isinstance(image.data, np.ndarray) is not lazy
    assert image.data.dtype == np.uint8
    assert image.data.shape == (*shape, 3)
    np.testing.assert_array_equal(np.asarray(image.data), COLORS[numbers])


def test_numbers_of_16_bits_become_colours(tmp_path: Path):
    colors = RANDOM.integers(0, 256, (65_536, 3), "uint8")
    numbers = RANDOM.integers(0, 65_536, (32, 48), "uint16")
    image = open_image(write(tmp_path / "a.tif", numbers, stored(colors)))
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.data, colors[numbers])


def test_palette_of_8_bits_where_16_belong(tmp_path: Path):
    image = open_image(write(tmp_path / "a.tif", NUMBERS, COLORS.T.astype(np.uint16)))
    np.testing.assert_array_equal(image.data, COLORS[NUMBERS])


RAMPS = {
    "grey": np.outer(EVEN, [255, 255, 255]),
    "inverted": np.outer(EVEN[::-1], [255, 255, 255]),
    "green": np.outer(EVEN, [0, 255, 0]),
    "orange": np.outer(EVEN, [255, 127, 13]),
    "gamma": np.outer(np.sqrt(EVEN), [0, 200, 255]),
    "short": np.outer(np.where(np.arange(256) < 128, 2 * EVEN, 0), [255, 255, 255]),
}


@pytest.mark.parametrize("name", RAMPS)
def test_intensities_shown_in_one_colour_stay(tmp_path: Path, name: str):
    image = open_image(write(tmp_path / "a.tif", NUMBERS, stored(RAMPS[name].round())))
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.data, NUMBERS)


@pytest.mark.parametrize(("imagej", "axes"), [(True, "YX"), (False, "YXS")])
def test_tables_of_many_hues_are_of_intensities_in_imagej(tmp_path: Path, imagej: bool, axes: str):
    options = {"imagej": True, "metadata": {"axes": "YX"}} if imagej else {}
    path = tmp_path / "a.tif"
    if imagej:  # tifffile writes no palette for ImageJ, and ImageJ does: tag 262 says palette, 320 holds it
        extra = [(320, "H", 768, stored((FIRE * 255).round()).ravel(), True)]
        tifffile.imwrite(path, NUMBERS, extratags=extra, **options)
        with tifffile.TiffFile(path, mode="r+b") as tif:
            tif.pages.first.tags[262].overwrite(3)
    else:
        write(path, NUMBERS, stored((FIRE * 255).round()))
    assert open_image(path).axes == axes


def test_channels_of_imagej_stay(data_dir: Path):
    image = open_image(data_dir / "formats/instanseg/Fluorescence_example.tif")
    assert image.axes == "CYX"
    assert image.data.shape == (2, 450, 450)


@pytest.mark.parametrize("name", ["a.labels.tif", "a_mask.tif", "a.classes.tif", "masks/a.tif", "labels/a.tif"])
def test_labels_shown_in_colours_stay_numbers(tmp_path: Path, name: str):
    image = open_image(write(tmp_path / name, NUMBERS, stored(COLORS)))
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.data, NUMBERS)


@pytest.mark.parametrize("name", ["unmasked.tif", "gtx.tif"])
def test_names_that_only_contain_such_words_are_of_images(tmp_path: Path, name: str):
    assert open_image(write(tmp_path / name, NUMBERS, stored(COLORS))).axes == "YXS"


def test_our_labels_stay_numbers(tmp_path: Path):
    path = tmp_path / "renamed.tif"
    write_tiff(path, NUMBERS.astype(np.int32), LabelsInfo())
    image = open_image(path)
    assert image.is_labels
    np.testing.assert_array_equal(image.data, NUMBERS)

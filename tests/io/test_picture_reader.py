"""PNG and JPEG of each kind, with all their bits."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.image import open_image

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("samples", "axes"), [((), "YX"), ((3,), "YXS"), ((4,), "YXS")])
def test_png_is_exact(tmp_path: Path, dtype: str, samples: tuple[int, ...], axes: str):
    pixels = RANDOM.integers(0, np.iinfo(dtype).max, (5, 7, *samples), dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    image = open_image(tmp_path / "a.png")
    assert image.axes == axes
    assert image.data.dtype == dtype
    np.testing.assert_array_equal(image.data, pixels)
    assert image.scale == {}


def test_opacity_of_grey_is_no_intensity(tmp_path: Path):
    pixels = RANDOM.integers(0, 255, (5, 7, 2), "uint8")
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    image = open_image(tmp_path / "a.png")
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.data, pixels[..., 0])


@pytest.mark.parametrize(("shape", "axes"), [((16, 24), "YX"), ((16, 24, 3), "YXS")])
def test_jpeg_is_what_its_library_decodes(tmp_path: Path, shape: tuple[int, ...], axes: str):
    content = imagecodecs.jpeg_encode(RANDOM.integers(0, 255, shape, "uint8"), level=95)
    (tmp_path / "a.jpg").write_bytes(content)
    image = open_image(tmp_path / "a.jpg")
    assert image.axes == axes
    np.testing.assert_array_equal(image.data, imagecodecs.jpeg_decode(content))


def test_label_png_is_labels(tmp_path: Path):
    labels = RANDOM.integers(0, 60_000, (5, 7), "uint16")
    (tmp_path / "a.labels.png").write_bytes(imagecodecs.png_encode(labels))
    image = open_image(tmp_path / "a.labels.png")
    assert image.is_labels
    np.testing.assert_array_equal(image.data, labels)


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_cut_picture_is_refused(tmp_path: Path, name: str, part: float):
    encode = imagecodecs.png_encode if name.endswith("png") else imagecodecs.jpeg_encode
    content = encode(RANDOM.integers(0, 255, (64, 64, 3), "uint8"))
    (tmp_path / name).write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ReadError, match=rf"^{name} is "):
        open_image(tmp_path / name)


def test_colours_of_a_printer_are_refused(tmp_path: Path):
    pixels = RANDOM.integers(0, 255, (16, 16, 4), "uint8")
    (tmp_path / "print.jpg").write_bytes(imagecodecs.jpeg_encode(pixels, colorspace="CMYK", outcolorspace="CMYK"))
    with pytest.raises(ReadError, match=r"^print\.jpg holds the four colours of a printer"):
        open_image(tmp_path / "print.jpg")

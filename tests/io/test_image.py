"""What `open_image` does whatever the format: tell files apart, refuse in one sentence, name channels, recognise labels."""

from __future__ import annotations

import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import ImageFile, arrange, is_label_name, open_image

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def refusal(path: Path) -> str:
    with pytest.raises(ReadError) as refused:
        open_image(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("axes", "shape", "color", "arranged", "order"),
    [
        ("YX", (5, 6), False, "YX", (0, 1)),
        ("YXS", (5, 6, 3), True, "YXS", (0, 1, 2)),
        ("SYX", (4, 5, 6), True, "YXS", (1, 2, 0)),
        ("YXS", (5, 6, 3), False, "CYX", (2, 0, 1)),  # three samples that are no colours
        ("YXS", (5, 6, 5), True, "CYX", (2, 0, 1)),  # five samples are no colours whatever the file says
        ("CYXS", (2, 5, 6, 2), False, "CQYX", (0, 3, 1, 2)),  # channels of samples: one of the two has to be called something else
        ("YXT", (5, 6, 4), False, "TYX", (2, 0, 1)),
        ("XYZ", (6, 5, 4), False, "ZYX", (2, 1, 0)),
        ("QQYX", (2, 3, 5, 6), False, "QIYX", (0, 1, 2, 3)),  # each letter once
        ("HPYX", (2, 3, 5, 6), False, "QIYX", (0, 1, 2, 3)),
        ("TZCYX", (1, 2, 3, 5, 6), False, "TZCYX", (0, 1, 2, 3, 4)),
    ],
)
def test_axes_are_arranged(axes: str, shape: tuple[int, ...], color: bool, arranged: str, order: tuple[int, ...]):
    assert arrange(axes, shape, color=color) == (arranged, order)


def test_without_a_plane_there_is_no_image():
    with pytest.raises(ValueError, match="'TZ'"):
        arrange("TZ", (2, 3), color=False)


def test_a_file_is_known_by_its_content(tmp_path: Path):
    (tmp_path / "photo.tif").write_bytes(imagecodecs.png_encode(RAMP))
    tifffile.imwrite(tmp_path / "stack.png", RAMP)
    for name in ("photo.tif", "stack.png"):
        image = open_image(str(tmp_path / name))
        assert image.axes == "YX"
        np.testing.assert_array_equal(image.data, RAMP)


def test_missing_file_is_refused(tmp_path: Path):
    assert refusal(tmp_path / "gone.tif") == f"{tmp_path / 'gone.tif'} does not exist."


def test_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "empty.tif").touch()
    assert refusal(tmp_path / "empty.tif") == "empty.tif is empty; copy it again from where it came."


def test_other_files_are_refused(tmp_path: Path):
    (tmp_path / "notes.tif").write_text("I am no image.")
    assert refusal(tmp_path / "notes.tif") == (
        "notes.tif is not an image that can be read (TIFF, PNG, JPEG or OME-Zarr); export it as OME-TIFF."
    )


def test_plain_folder_is_refused(tmp_path: Path):
    assert refusal(tmp_path) == f"{tmp_path} is a folder, no OME-Zarr, and holds no images/ with masks/ or labels/; choose a file in it."


@pytest.mark.skipif(sys.platform == "win32", reason="a device file is needed, which Windows has not")
def test_what_the_system_refuses_is_refused_in_its_words(tmp_path: Path):
    loop = tmp_path / "loop.tif"
    loop.symlink_to(loop)  # root may read any file, but nobody a link to itself
    assert refusal(loop).startswith(f"{loop} cannot be opened: ")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("DAPI", "GFP"), ("DAPI", "GFP")),
        (("DAPI", "dapi"), ("DAPI", "dapi (2)")),  # the case does not tell them apart
        (("DAPI", "DAPI"), ("DAPI", "DAPI (2)")),  # a table has a column a channel
        (("", "GFP"), ("Channel 1", "GFP")),
        (("one name for two",), ("Channel 1", "Channel 2")),
        ((), ("Channel 1", "Channel 2")),
    ],
)
def test_each_channel_has_a_name(given: tuple[str, ...], names: tuple[str, ...]):
    image = image_module._complete(ImageFile(Path("a.tif"), np.zeros((2, 3, 4)), "CYX", channel_names=given, colors=("#ff0000",)))
    assert image.channel_names == names
    assert image.colors == (None, None)
    assert image.contrast_limits == (None, None)


def test_a_number_after_a_name_makes_no_name_twice():
    names = ("a", "a", "a (2)", "A", "a (3)")
    image = image_module._complete(ImageFile(Path("a.tif"), np.zeros((5, 3, 4)), "CYX", channel_names=names))
    assert image.channel_names == ("a", "a (4)", "a (2)", "A (5)", "a (3)")


def test_scale_is_that_of_the_axes_there_are():
    image = image_module._complete(ImageFile(Path("a.tif"), np.zeros((3, 4)), "YX", scale={"Z": 2.0, "Y": 0.5, "X": 0.5, "T": 3.0}))
    assert image.scale == {"Y": 0.5, "X": 0.5}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.labels.tif", True),
        ("a.b.LABELS.TIFF", True),
        ("a.classes.tif", True),
        ("a.labels.zarr", True),
        ("labels.tif", False),
        ("a_labels.tif", False),
        ("a.labels.old.tif", False),
    ],
)
def test_names_of_labels(name: str, is_one: bool):
    assert is_label_name(Path(name)) is is_one


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "uint32", "int64"])
def test_labels_come_back_as_int32(tmp_path: Path, dtype: str):
    labels = (np.arange(12).reshape(3, 4) > 5).astype(dtype)
    tifffile.imwrite(tmp_path / "a.labels.tif", labels)
    image = open_image(tmp_path / "a.labels.tif")
    assert image.is_labels
    assert image.data.dtype == np.int32
    np.testing.assert_array_equal(image.data, labels)


def test_probabilities_called_labels_stay_what_they_are(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.labels.tif", np.full((3, 4), 0.25, np.float32))
    image = open_image(tmp_path / "a.labels.tif")
    assert not image.is_labels
    assert image.data.max() == 0.25


def test_too_large_labels_are_refused_rather_than_changed(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.labels.tif", np.array([[1, 2**31]], np.uint32))
    assert refusal(tmp_path / "a.labels.tif") == "a.labels.tif holds the label 2147483648, and labels end at 2147483647; renumber them."


def test_large_labels_stay_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 10)
    tifffile.imwrite(tmp_path / "a.labels.tif", RAMP.astype(np.uint16))
    image = open_image(tmp_path / "a.labels.tif")
    assert not isinstance(image.data, np.ndarray)
    assert image.data.dtype == np.int32
    np.testing.assert_array_equal(image.data.compute(), RAMP)

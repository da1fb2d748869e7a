"""Outlines over the image, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import imagecodecs
import numpy as np
import pytest

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io import overlay
from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.overlay import ON_BRIGHT, ON_DARK, draw_overlay, write_png


def image(data: Any, axes: str = "YX") -> ImageFile:
    return ImageFile(Path("x.tif"), data, axes, channel_names=("",) * (data.shape[axes.index("C")] if "C" in axes else 1))


def square() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 5:15] = 1
    labels[5:15, 15:25] = 2
    return (100 + 1000 * (labels > 0)).astype(np.uint16), labels


def drawn(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (picture == colour).all(axis=2)


def test_outlines_lie_inside_the_nuclei_and_between_touching_ones():
    pixels, labels = square()
    picture = draw_overlay(image(pixels), labels)
    assert (picture.shape, picture.dtype) == ((20, 30, 3), np.uint8)
    expected = labels > 0
    expected[6:14, 6:14] = expected[6:14, 16:24] = False
    np.testing.assert_array_equal(drawn(picture, ON_DARK), expected)


def test_intensities_are_stretched_to_black_and_white():
    pixels, labels = square()
    picture = draw_overlay(image(pixels), np.zeros_like(labels))
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[10, 10].tolist() == [255, 255, 255]


def test_colours_stay_colours_and_outlines_on_bright_ground_are_green():
    _, labels = square()
    pixels = np.full((20, 30, 4), 255, np.uint8)
    pixels[labels > 0] = (40, 0, 120, 255)
    picture = draw_overlay(image(pixels, "YXS"), labels)
    assert drawn(picture, ON_BRIGHT).any()
    assert picture[10, 10].tolist() == [40, 0, 120]


def test_the_middle_plane_and_the_channel_are_drawn():
    pixels, labels = square()
    stack = np.zeros((3, 2, 20, 30), np.uint16)
    stack[1, 1] = pixels
    planes = np.stack([np.zeros_like(labels), labels, np.zeros_like(labels)])
    np.testing.assert_array_equal(draw_overlay(image(stack, "ZCYX"), planes, 1), draw_overlay(image(pixels), labels))


@pytest.mark.parametrize(("edge", "shape"), [(30, (20, 30)), (29, (10, 15)), (10, (6, 10)), (1, (1, 1))])
def test_large_images_are_shrunk_to_the_edge(edge: int, shape: tuple[int, int]):
    pixels, labels = square()
    assert draw_overlay(image(pixels), labels, edge=edge).shape[:2] == shape


def test_shrinking_averages_and_keeps_outlines_one_pixel_wide():
    labels = np.kron(square()[1], np.ones((8, 8), np.int32))
    pixels = np.tile(np.array([[0, 100], [100, 200]], np.uint8), (80, 120))
    picture = draw_overlay(image(pixels), labels, edge=30)
    np.testing.assert_array_equal(drawn(picture, ON_DARK), drawn(draw_overlay(image(square()[0]), square()[1]), ON_DARK))
    assert len(np.unique(picture[~drawn(picture, ON_DARK)])) == 1


def test_large_pictures_have_wider_outlines_as_far_as_nuclei_have_room():
    large = np.zeros((1600, 1600), np.int32)
    large[200:400, 200:400], large[200:400, 400:600], large[1000:1200, 1000:1200] = 1, 2, 3
    outlined = drawn(draw_overlay(image(large * 9), large), ON_DARK)
    assert outlined[300, 198:206].tolist() == [False] * 2 + [True] * 3 + [False] * 3
    assert outlined[300, 395:405].tolist() == [False] * 2 + [True] * 6 + [False] * 2
    assert not outlined[large == 0].any()
    small = np.zeros((1600, 1600), np.int32)
    small[10:15, 10:15] = 1
    assert drawn(draw_overlay(image(small * 9), small), ON_DARK).sum() == 16


def test_a_pyramid_is_read_at_the_level_that_is_large_enough():
    pixels, labels = square()
    large, labels = np.kron(pixels, np.ones((4, 4), np.uint16)), np.kron(labels, np.ones((4, 4), np.int32))

    def fail(block: np.ndarray) -> np.ndarray:
        raise AssertionError("the largest level was read")

    unread = da.from_array(large).map_blocks(fail, dtype=large.dtype, meta=large)
    pyramid = ImageFile(Path("x.tif"), [unread, da.from_array(large[::2, ::2]), da.from_array(pixels)], "YX", channel_names=("",))
    np.testing.assert_array_equal(draw_overlay(pyramid, labels, edge=30), draw_overlay(image(pixels), square()[1]))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 1e300])
def test_odd_values_make_a_picture_all_the_same(value: float):
    pixels = np.full((6, 7), value)
    pixels[0, 0] = -value
    assert draw_overlay(image(pixels), np.zeros((6, 7), np.int32), edge=3).shape == (2, 2, 3)


def test_a_picture_is_written_as_png(tmp_path: Path):
    picture = draw_overlay(image(square()[0]), square()[1])
    write_png(tmp_path / "x.overlay.png", picture)
    np.testing.assert_array_equal(imagecodecs.imread(tmp_path / "x.overlay.png"), picture)


def test_a_picture_that_cannot_be_written_says_why(tmp_path: Path):
    with pytest.raises(WriteError, match="folder does not exist"):
        write_png(tmp_path / "none" / "x.png", np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(1, 2), (7, 9), (64, 50)])
@pytest.mark.parametrize("most", [1, 2, 200])
def test_counted_values_are_drawn_as_sorted_ones(dtype: str, shape: tuple[int, int], most: int):
    pixels = np.random.default_rng(most).integers(0, most, shape).astype(dtype) * (1 if dtype == "uint8" else 300)
    expected = overlay._to_screen(overlay._shrink(pixels, 1))
    np.testing.assert_array_equal(overlay._gray_to_screen(pixels), expected)

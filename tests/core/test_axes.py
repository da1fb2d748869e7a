"""Any order of axes, any kind of array: the planes that come out are the right ones, and are read only when they are wanted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from dask import array as dask_array

from napari_unet_seg.core.axes import Layout, as_array, resolve_axes
from napari_unet_seg.errors import InputError

SIZES = {"Y": 5, "X": 7, "C": 2, "Z": 3, "T": 4, "S": 3, "Q": 2}
GROUPS = ["YX", "YXS", "ZYX", "CYX", "CYXS", "TZYX", "ZCYXS", "QTYX"]
ORDERS = ["".join(order) for group in GROUPS for order in itertools.permutations(group)]


def numbered(axes):
    """An image whose pixel value names its place along each axis."""
    shape = tuple(SIZES[axis] for axis in axes)
    return sum(place * 10**position for position, place in enumerate(np.indices(shape)))


# -- resolving -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ORDERS)
def test_planes_of_every_order_of_axes(axes):
    image = numbered(axes)
    channel = 1 if "C" in axes else None
    layout = resolve_axes(image, axes, channel)
    leading = [axis for axis in axes if axis not in "CSYX"]
    assert layout.labels_axes == "".join(leading) + "YX"
    assert layout.labels_shape == tuple(SIZES[axis] for axis in layout.labels_axes)
    assert layout.plane_count == len(list(layout.indices())) == int(np.prod([SIZES[axis] for axis in leading]))
    for index in layout.indices():
        # The straight way: move the axes into order, then index.
        order = [*leading, *(axis for axis in "CYXS" if axis in axes)]
        moved = image.transpose([axes.index(axis) for axis in order])
        expected = moved[index] if channel is None else moved[(*index, channel)]
        plane = layout.plane(image, index)
        np.testing.assert_array_equal(plane, expected)
        assert plane.shape == (5, 7, 3)[: 2 + ("S" in axes)]


@pytest.mark.parametrize(
    ("shape", "axes", "labels_axes"),
    [
        ((5, 7), "YX", "YX"),
        ((5, 3), "YX", "YX"),
        ((5, 7, 3), "YXS", "YX"),
        ((5, 7, 4), "YXS", "YX"),
        ((3, 5, 7), "ZYX", "ZYX"),
        ((5, 7, 2), "ZYX", "ZYX"),
        ((2, 5, 7, 3), "ZYXS", "ZYX"),
        ((2, 5, 7, 8), "TZYX", "TZYX"),
        ((2, 3, 5, 7, 4), "TZYXS", "TZYX"),
    ],
)
def test_axes_are_guessed_from_the_shape(shape, axes, labels_axes):
    layout = resolve_axes(np.zeros(shape))
    assert (layout.axes, layout.labels_axes) == (axes, labels_axes)


@pytest.mark.parametrize("shape", [(), (5,), (3,), (2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 3)])
def test_shapes_without_a_guess_ask_for_axes(shape):
    with pytest.raises(InputError) as error:
        resolve_axes(np.zeros(shape))
    assert str(error.value) == f"The image has shape {shape}; give `axes`, one letter a dimension, such as 'TCZYX'."


def test_small_letters_are_axes_too():
    assert resolve_axes(np.zeros((2, 5, 7)), "zyx").axes == "ZYX"


@pytest.mark.parametrize("axes", ["", "Y", "YX", "YXZC", "YYX", "ZZZ", "ZTC", "Y-X", "Y X", "Y1X", "ßYX", "ÄYX"])
def test_axes_that_do_not_fit(axes):
    with pytest.raises(InputError) as error:
        resolve_axes(np.zeros((2, 5, 7)), axes)
    assert str(error.value).startswith(f"The axes {axes.upper()!r} do not fit the image's shape (2, 5, 7); ")


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 5, 7), (5, 7, 0), (2, 0, 0)])
def test_empty_dimensions(shape):
    with pytest.raises(InputError) as error:
        resolve_axes(np.zeros(shape))
    assert f"has shape {shape}" in str(error.value)
    assert "an empty dimension holds no pixels" in str(error.value)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_colour_has_three_or_four_samples(samples):
    with pytest.raises(InputError, match=rf"of shape \(5, 7, {samples}\) has {samples} colour samples, not 3 or 4"):
        resolve_axes(np.zeros((5, 7, samples)), "YXS")


def test_unknown_sizes_are_told():
    known = dask_array.from_array(np.arange(40).reshape(5, 8), chunks=4)
    unknown = known[known[:, 0] > 3]
    with pytest.raises(InputError, match=r"shape \(nan, 8\); compute its unknown sizes"):
        resolve_axes(unknown)


# -- channels --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "taken"), [(0, 0), (2, 2), (-1, 2), (-3, 0), (np.int64(1), 1), (np.uint8(2), 2)])
def test_channels_count_from_both_ends(channel, taken):
    layout = resolve_axes(np.zeros((3, 5, 7)), "CYX", channel)
    assert layout.channel == taken
    assert type(layout.channel) is int


@pytest.mark.parametrize("channel", [3, -4, 100, 1.0, "DAPI"])
def test_channels_out_of_range(channel):
    with pytest.raises(InputError) as error:
        resolve_axes(np.zeros((3, 5, 7)), "CYX", channel)
    assert str(error.value) == f"The channel is {channel!r}, but the image has 3; use 0 to 2."


def test_several_channels_need_a_choice():
    with pytest.raises(InputError, match=r"The image has 3 channels; choose the one that shows nuclei, by `channel` from 0 to 2"):
        resolve_axes(np.zeros((3, 5, 7)), "CYX")


def test_one_channel_needs_none():
    assert resolve_axes(np.zeros((1, 5, 7)), "CYX").channel == 0


def test_a_channel_of_an_image_whose_axes_name_none():
    """Three planes without axes are taken for a z-stack: the sentence says what to do about it."""
    with pytest.raises(InputError, match=r"The channel is 1, but no axis is named C; name it in `axes`, such as 'CYX'"):
        resolve_axes(np.zeros((3, 5, 7)), channel=1)
    assert resolve_axes(np.zeros((5, 7)), channel=0).axes == "YX"


# -- arrays ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", ">u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", ">f4", "f8", ">f8"])
def test_real_numbers_are_taken_as_they_are(dtype):
    image = np.ones((4, 5), dtype)
    assert as_array(image) is image


@pytest.mark.parametrize(
    "image",
    [
        np.ones((4, 5), complex),
        np.full((4, 5), "a"),
        np.full((4, 5), None),
        np.zeros((4, 5), "M8[s]"),
        np.zeros((4, 5), "u1,u1"),
        [[2**70]],
    ],
)
def test_other_dtypes_are_named(image):
    with pytest.raises(InputError, match=r"^The image has dtype .+; use real numbers \(bool, integers or floats\)\.$"):
        as_array(image)


@pytest.mark.parametrize("image", ["nuclei.tif", b"nuclei.tif", None, {"a": 1}, object()])
def test_what_is_no_image(image):
    with pytest.raises(InputError, match="has dtype"):
        as_array(image)


def test_lists_of_lists():
    np.testing.assert_array_equal(as_array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(as_array(((1.5, 2), (3, 4))), np.array([[1.5, 2], [3, 4]]))


def test_ragged_lists():
    with pytest.raises(InputError, match=r"^The image, a list, is no array: "):
        as_array([[1, 2], [3]])


def test_memory_maps_stay_on_disk(tmp_path):
    np.save(tmp_path / "image.npy", np.arange(20).reshape(4, 5))
    image = np.load(tmp_path / "image.npy", mmap_mode="r")
    assert np.shares_memory(as_array(image), image)


class Watched:
    """An array that counts how many pixels were read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim, self.pixels_read = array, array.shape, array.dtype, array.ndim, 0

    def __getitem__(self, index):
        part = self.array[index]
        self.pixels_read += part.size
        return part


def test_dask_is_read_plane_by_plane():
    watched = Watched(np.arange(4 * 6 * 8).reshape(4, 6, 8))
    image = dask_array.from_array(watched, chunks=(1, 6, 8))
    watched.pixels_read = 0
    array = as_array(image)
    layout = resolve_axes(array)
    plane = layout.plane(array, (2,))
    assert watched.pixels_read == 0
    np.testing.assert_array_equal(np.asarray(plane), watched.array[2])
    assert watched.pixels_read == 6 * 8


def test_zarr_is_read_chunk_by_chunk(tmp_path):
    import zarr

    stored = zarr.create_array(tmp_path / "image.zarr", shape=(2, 3, 6, 8), chunks=(1, 1, 3, 4), dtype="u2")
    stored[:] = np.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    array = as_array(zarr.open_array(tmp_path / "image.zarr", mode="r"))
    layout = resolve_axes(array, "ZCYX", 2)
    assert array.chunksize == (1, 1, 3, 4)
    np.testing.assert_array_equal(np.asarray(layout.plane(array, (1,))), stored[1, 2])


def test_a_zarr_group_is_no_image(tmp_path):
    import zarr

    with pytest.raises(InputError, match="holds no pixels itself; choose one of its arrays"):
        as_array(zarr.create_group(tmp_path / "group.zarr"))


# -- pyramids --------------------------------------------------------------------------------------------------------------------------


def test_the_largest_level_is_taken():
    levels = [np.zeros((8, 8)), np.zeros((4, 4)), np.zeros((2, 2))]
    assert as_array(levels) is levels[0]
    assert as_array(tuple(levels)) is levels[0]
    assert as_array(levels[:1]) is levels[0]


def test_a_multiscale_layer_of_napari():
    """Its data is no list, and NumPy would convert it to its smallest level."""
    from napari.layers import Image

    layer = Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True)
    assert np.asarray(layer.data).shape == (4, 4)
    assert as_array(layer.data).shape == (8, 8)


def test_zarr_levels_stay_lazy(tmp_path):
    import zarr

    levels = [zarr.create_array(tmp_path / f"{size}.zarr", shape=(size, size), dtype="u2", chunks=(2, 2)) for size in (8, 4)]
    assert as_array(levels).shape == (8, 8)
    assert as_array(levels).chunksize == (2, 2)


@pytest.mark.parametrize("sizes", [(4, 8), (4, 4), (8, 4, 8)])
def test_a_list_of_planes_is_no_pyramid(sizes):
    """Otherwise all planes but the first would be left out without a word."""
    with pytest.raises(InputError, match=r"A list of arrays is a pyramid, largest first, but their shapes are \[\(\d, \d\), .*join planes"):
        as_array([np.zeros((size, size)) for size in sizes])


def test_a_layout_can_be_made_by_hand():
    layout = Layout("CYX", (2, 5, 7), 1)
    image = numbered("CYX")
    np.testing.assert_array_equal(layout.plane(image, ()), image[1])
    assert list(layout.indices()) == [()]
    assert layout.plane_count == 1

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_unet_seg.core.axes import resolve_axes
from napari_unet_seg.gui.layers import MOST_CHANNELS, describe, layer_axes, layer_channels, placement, read_source


def image(shape=(8, 9), labels=None, **options):
    return Image(np.zeros(shape, np.uint8), axis_labels=labels, **options)


def labels_of(layer, channel=None):
    """The labels layer that a run on `layer` would give."""
    source = read_source(layer, channel)
    layout = resolve_axes(np.zeros_like(source.data[0] if isinstance(source.data, list) else source.data), source.axes, source.channel)
    return Labels(source.arrange(np.zeros(layout.labels_shape, np.int32)), **source.placement)


@pytest.mark.parametrize(
    ("shape", "labels", "axes"),
    [
        ((8, 9), None, "YX"),
        ((5, 8, 9), None, "QYX"),
        ((5, 8, 9), ("z", "y", "x"), "ZYX"),
        ((2, 3, 5, 8, 9), ("time", "Channel", "Z", "y", "x"), "TCZYX"),
        ((2, 3, 8, 9), ("plane", "plane 2", "y", "x"), "QIYX"),
        ((2, 3, 8, 9), ("z", "depth", "y", "x"), "ZQYX"),
        ((8, 9), ("c", "z"), "YX"),
    ],
)
def test_axes_are_read_from_the_labels(shape, labels, axes):
    assert layer_axes(image(shape, labels)) == axes


def test_a_named_channel_axis_offers_its_channels():
    channels = layer_channels(image((4, 3, 8, 9), ("z", "c", "y", "x")))
    assert [(c.axis, c.index, c.title) for c in channels] == [(1, 0, "1 of 3"), (1, 1, "2 of 3"), (1, 2, "3 of 3")]


def test_a_short_axis_without_a_name_may_be_channels():
    assert [c.title for c in layer_channels(image((2, 8, 9)))] == ["1 of 2", "2 of 2"]
    assert layer_channels(image((MOST_CHANNELS + 1, 8, 9))) == []
    assert layer_channels(image((1, 8, 9))) == []
    titles = [c.title for c in layer_channels(image((2, 3, 8, 9)))]
    assert titles == ["1 of 2 along axis 0", "2 of 2 along axis 0", "1 of 3 along axis 1", "2 of 3 along axis 1", "3 of 3 along axis 1"]


def test_planes_and_colours_are_no_channels():
    assert layer_channels(image((3, 8, 9), ("z", "y", "x"))) == []
    assert layer_channels(image((8, 9, 3), rgb=True)) == []
    assert layer_channels(image((2, 8, 9, 3), rgb=True)) == []


@pytest.mark.parametrize(
    ("layer", "axes", "planes"),
    [
        (image((8, 9)), "YX", 1),
        (image((8, 9, 3), rgb=True), "YXS", 1),
        (image((5, 8, 9, 4), ("z", "y", "x"), rgb=True), "ZYXS", 5),
        (image((2, 5, 8, 9), ("t", "z", "y", "x")), "TZYX", 10),
    ],
)
def test_a_source_says_what_is_segmented(layer, axes, planes):
    source = read_source(layer)
    assert (source.axes, source.planes, source.channel, source.name) == (axes, planes, None, layer.name)
    assert source.data is layer.data


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_channel_is_one_of_its_axis(place):
    names = ["t", "z", "y", "x"]
    names.insert(place, "c")
    sizes = {"t": 2, "z": 4, "c": 3, "y": 8, "x": 9}
    layer = image(tuple(sizes[name] for name in names), tuple(names))
    source = read_source(layer, layer_channels(layer)[2])
    assert (source.axes, source.channel, source.planes) == ("".join(names).upper(), 2, 8)


def test_an_unknown_axis_becomes_channels_when_it_is_chosen():
    layer = image((2, 8, 9))
    assert read_source(layer).axes == "QYX"
    assert read_source(layer).planes == 2
    source = read_source(layer, layer_channels(layer)[1])
    assert (source.axes, source.channel, source.planes) == ("CYX", 1, 1)


def test_levels_are_passed_on_and_dask_is_not_read():
    levels = [da.zeros((64, 64), chunks=16), da.zeros((32, 32), chunks=16)]
    source = read_source(Image(levels, multiscale=True, scale=(0.5, 0.5)))
    assert [type(level) for level in source.data] == [da.Array, da.Array]
    assert labels_of(Image(levels, multiscale=True, scale=(0.5, 0.5))).extent.world[1] == pytest.approx([31.5, 31.5])


def test_labels_lie_where_the_image_lies():
    layer = image(
        (5, 8, 9),
        ("z", "y", "x"),
        scale=(2.0, 0.3, 0.4),
        translate=(1, 2, 3),
        rotate=30,
        shear=(0.1, 0.2, 0.3),
        affine=np.array([[1, 0, 0, 7], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
        units=("um", "um", "um"),
    )
    labels = labels_of(layer)
    for point in np.ndindex(2, 2, 2):
        assert labels.data_to_world(point) == pytest.approx(layer.data_to_world(point))
    assert (labels.units, labels.axis_labels) == (layer.units, layer.axis_labels)


def test_a_first_axis_of_channels_is_dropped():
    layer = image((3, 8, 9), ("c", "y", "x"), scale=(1, 0.3, 0.4), translate=(0, 2, 3), shear=(0, 0, 0.25), units=("pixel", "um", "um"))
    labels = labels_of(layer, layer_channels(layer)[1])
    assert labels.data.shape == (8, 9)
    assert labels.axis_labels == ("y", "x")
    assert labels.units == layer.units[1:]
    for point in np.ndindex(3, 3):
        assert labels.data_to_world(point) == pytest.approx(layer.data_to_world((1, *point))[1:])


def test_an_inner_axis_of_channels_stays_as_one_step_over_them_all():
    layer = image((4, 3, 8, 9), ("z", "c", "y", "x"), scale=(2, 1, 0.3, 0.4), translate=(1, 5, 0, 0))
    labels = labels_of(layer, layer_channels(layer)[0])
    assert labels.data.shape == (4, 1, 8, 9)
    assert labels.axis_labels == layer.axis_labels
    for channel in range(3):
        seen_at = layer.data_to_world((2, channel, 4, 5))
        assert np.round(labels.world_to_data(seen_at)).tolist() == [2, 0, 4, 5]


def test_placement_of_labels_can_be_compared_with_that_of_the_image():
    layer = image((5, 8, 9), shear=(0.1, 0.2, 0.3), scale=(2, 1, 1))
    there = placement(labels_of(layer))
    assert all(np.array_equal(there[name], value) for name, value in placement(layer).items())


@pytest.mark.parametrize(
    ("units", "micrometres"),
    [
        (("um", "um"), (0.3, 0.4)),
        (("nm", "nm"), (0.0003, 0.0004)),
        (("mm", "mm"), (300, 400)),
        (("pixel", "pixel"), None),
        (("pixel", "um"), None),
    ],
)
def test_the_size_of_a_pixel_is_known_from_the_units(units, micrometres):
    found = read_source(image((8, 9), scale=(0.3, 0.4), units=units)).micrometres
    assert found == (None if micrometres is None else pytest.approx(micrometres))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (image((520, 696), scale=(0.65, 0.65), units=("um", "um")), "696 × 520 px"),
        (image((1024, 8, 3), rgb=True), "8 × 1,024 px"),
        (image((60, 8, 9)), "60 planes of 9 × 8 px"),
        (image((2, 60, 8, 9)), "2 planes × 60 planes of 9 × 8 px"),
        (image((2, 5, 3, 8, 9), ("t", "z", "c", "y", "x")), "2 times × 5 slices × 3 channels of 9 × 8 px"),
        (Image([np.zeros((64, 32)), np.zeros((32, 16))], multiscale=True), "32 × 64 px"),
    ],
)
def test_a_layer_is_described_in_a_few_words(layer, words):
    assert describe(layer) == words

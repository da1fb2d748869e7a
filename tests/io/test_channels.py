"""Channels by name and number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unet_seg.errors import InputError
from napari_unet_seg.io.channels import measured_channels, nuclear_channel
from napari_unet_seg.io.image import ImageFile


def image(*names: str, axes: str = "CYX", shape: tuple[int, ...] | None = None) -> ImageFile:
    shape = shape or (len(names), 4, 5)
    data = np.arange(np.prod(shape)).reshape(shape)
    return ImageFile(Path("x.tif"), data, axes, channel_names=names)


@pytest.mark.parametrize(
    "name", ["DAPI", "dapi_405", "Hoechst 33342", "H2B-mCherry", "DRAQ5", "SYTOX Green", "Nuclei", "NucBlue", "DNA", "SiR-DNA"]
)
def test_the_only_nuclear_dye_is_found(name: str):
    assert nuclear_channel(image("GFP", name, "Brightfield")) == 1


@pytest.mark.parametrize("names", [("GFP", "RFP"), ("DAPI", "Hoechst"), ("mDNAx", "Channel 2")])
def test_no_dye_or_several_ask_for_a_choice(names: tuple[str, ...]):
    with pytest.raises(InputError, match=rf"x\.tif has 2 channels \(0: {names[0]}, 1: {names[1]}\)"):
        nuclear_channel(image(*names))


@pytest.mark.parametrize(("wanted", "number"), [("gfp", 0), ("DAPI", 1), ("0", 0), ("1", 1)])
def test_a_channel_is_chosen_by_name_or_number(wanted: str, number: int):
    assert nuclear_channel(image("GFP", "DAPI"), wanted) == number


def test_a_name_goes_before_a_number():
    assert nuclear_channel(image("405", "1", "2"), "1") == 1
    assert nuclear_channel(image("1", "0"), "0") == 1


@pytest.mark.parametrize("wanted", ["RFP", "2", "-1"])
def test_a_channel_that_is_not_there_is_named_with_those_that_are(wanted: str):
    with pytest.raises(InputError, match=rf"no channel '{wanted}'; it has 0: GFP, 1: DAPI"):
        nuclear_channel(image("GFP", "DAPI"), wanted)


def test_a_single_channel_needs_no_choice():
    assert nuclear_channel(image("", axes="YX", shape=(4, 5))) is None
    assert nuclear_channel(image("GFP")) == 0
    assert nuclear_channel(image("GFP", axes="YX", shape=(4, 5)), "GFP") is None


def test_measured_channels_have_the_shape_of_the_labels():
    stack = image("GFP", "DAPI", axes="TCYX", shape=(3, 2, 4, 5))
    found = measured_channels(stack, ("dapi", "0"))
    assert list(found) == ["DAPI", "GFP"]
    np.testing.assert_array_equal(found["DAPI"], stack.data[:, 1])


def test_a_channel_without_a_name_is_measured_by_its_number():
    plain = image("", axes="YX", shape=(4, 5))
    found = measured_channels(plain, ("0",))
    assert list(found) == ["0"]
    assert found["0"] is plain.data


def test_colours_are_measured_by_name():
    colour = image("", axes="YXS", shape=(4, 5, 3))
    np.testing.assert_array_equal(measured_channels(colour, ("Green",))["green"], colour.data[..., 1])
    with pytest.raises(InputError, match="red, green and blue"):
        measured_channels(colour, ("DAPI",))

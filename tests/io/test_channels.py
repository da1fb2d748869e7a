"""Channels by name and number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unet_seg.errors import InputError
from napari_unet_seg.io.channels import choice_notice, is_nuclear_name, measured_channels, nuclear_channel
from napari_unet_seg.io.image import ImageFile


def image(*names: str, axes: str = "CYX", shape: tuple[int, ...] | None = None) -> ImageFile:
    shape = shape or (len(names), 4, 5)
    data = np.arange(np.prod(shape)).reshape(shape)
    return ImageFile(Path("x.tif"), data, axes, channel_names=names)


@pytest.mark.parametrize(
    "name", ["DAPI", "dapi_405", "Hoechst 33342", "H2B-mCherry", "DRAQ5", "SYTOX Green", "Nuclei", "NucBlue", "DNA", "SiR-DNA", "C2-DAPI"]
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


@pytest.mark.parametrize(
    "name", ["Perinuclear GFP", "peri-nuclear", "non-nuclear", "Nonnuclear", "nuclear pore NUP98", "Nuclear envelope", "Membrane (nuclear)"]
)
def test_what_lies_around_nuclei_is_no_nuclear_dye(name: str):
    assert not is_nuclear_name(name)
    assert nuclear_channel(image(name, "DAPI")) == 1
    with pytest.raises(InputError, match="name the one that shows nuclei"):
        nuclear_channel(image(name, "RFP"))


def test_a_name_that_is_also_the_number_of_another_channel_is_refused():
    titles = image("1", "2", "3")
    sentence = r"x\.tif has a channel called '1', which is number 0, and another one whose number is 1; write 0:1 or 1:2\."
    with pytest.raises(InputError, match=sentence):
        nuclear_channel(titles, "1")
    with pytest.raises(InputError, match="write 1:2 or 2:3"):
        measured_channels(titles, ("2",))
    assert [nuclear_channel(titles, wanted) for wanted in ("0", "3", "0:1", "1:2", "2:3")] == [0, 2, 0, 1, 2]
    assert nuclear_channel(image("405", "1", "2"), "1") == 1


def test_a_channel_found_by_its_name_is_told():
    dyes = image("GFP", "DAPI")
    assert choice_notice(dyes, "", 1) == "Channel 1 (DAPI) is taken for the nuclei by its name; --channel chooses another."
    plain = image("", axes="YX", shape=(4, 5))
    assert choice_notice(dyes, "DAPI", 1) == choice_notice(image("GFP"), "", 0) == choice_notice(plain, "", None) == ""


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


def test_all_stands_for_every_channel():
    stack = image("GFP", "DAPI", axes="CYX", shape=(2, 4, 5))
    assert list(measured_channels(stack, ("All",))) == ["GFP", "DAPI"]
    assert list(measured_channels(image("", axes="YX", shape=(4, 5)), ("all",))) == ["0"]
    assert list(measured_channels(image("", axes="YXS", shape=(4, 5, 3)), ("all",))) == ["red", "green", "blue"]
    assert list(measured_channels(image("all", "DAPI", axes="CYX", shape=(2, 4, 5)), ("all",))) == ["all"]
    same = image("A", "A", axes="CYX", shape=(2, 4, 5))
    assert list(measured_channels(same, ("all",))) == ["0:A", "1:A"]


def test_what_a_colour_image_lacks_can_be_told_instead_of_failing():
    colour, told = image("", axes="YXS", shape=(4, 5, 3)), []
    assert list(measured_channels(colour, ("0", "red"), told)) == ["red"]
    assert told == ["'0' is not measured, since this is a colour image; it has red, green and blue."]
    with pytest.raises(InputError, match="no channel 'RFP'"):
        measured_channels(image("GFP", "DAPI", axes="CYX", shape=(2, 4, 5)), ("RFP",), told)

"""What the metadata of TIFFs say is found, converted to micrometres, and not believed where it is no microscope's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.tiff_metadata import describe_imagej, describe_ome

PLANE = np.zeros((8, 9), np.uint16)
STACK = np.zeros((2, 3, 8, 9), np.uint16)


def ome(pixels: str = "", inside: str = "", image: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'{image}<Pixels ID="Pixels:0" {pixels}>{inside}</Pixels></Image></OME>'
    )


# -- OME -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "scale"),
    [
        ('PhysicalSizeX="0.5" PhysicalSizeY="0.25"', {"X": 0.5, "Y": 0.25}),  # micrometres are the default
        ('PhysicalSizeX="500" PhysicalSizeXUnit="nm"', {"X": 0.5}),
        ('PhysicalSizeZ="0.002" PhysicalSizeZUnit="mm"', {"Z": 2.0}),
        ('PhysicalSizeX="5e-7" PhysicalSizeXUnit="m"', {"X": 0.5}),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="μm"', {"X": 0.5}),  # the Greek letter
        ('PhysicalSizeX="2" PhysicalSizeXUnit="pixel"', {}),
        ('PhysicalSizeX="2" PhysicalSizeXUnit="reference frame"', {}),
        ('PhysicalSizeX="0" PhysicalSizeY="nan" PhysicalSizeZ="?"', {}),
        ('TimeIncrement="250" TimeIncrementUnit="ms"', {"T": 0.25}),
        ('TimeIncrement="2"', {"T": 2.0}),
    ],
)
def test_ome_sizes(attributes: str, scale: dict[str, float]):
    assert describe_ome(ome(attributes)).scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("value", "color"), [("-16776961", "#ff0000"), ("16711935", "#00ff00"), ("65535", "#0000ff"), ("4278190335", "#ff0000"), ("red", None)]
)
def test_ome_colours(value: str, color: str | None):
    assert describe_ome(ome(inside=f'<Channel ID="Channel:0:0" Color="{value}"/>')).colors == (color,)


def test_white_for_each_channel_tells_nothing():
    channels = "".join(f'<Channel ID="Channel:0:{i}" Color="-1" Name="c{i}"/>' for i in range(3))
    found = describe_ome(ome(inside=channels))
    assert found.colors == ()
    assert found.channel_names == ("c0", "c1", "c2")


def test_ome_of_an_older_version():
    xml = ome('PhysicalSizeX="0.5"').replace("Schemas/OME/2016-06", "Schemas/OME/2011-06")
    assert describe_ome(xml).scale == {"X": 0.5}


@pytest.mark.parametrize("xml", ["", "<OME", "<OME/>", '<OME xmlns="x"><Image/></OME>', '<?xml version="1.0" encoding="nonsense"?><a/>'])
def test_what_is_no_ome_says_nothing(xml: str):
    assert describe_ome(xml).scale == {}


@pytest.mark.parametrize(
    ("text", "is_labels", "provenance"),
    [
        ('{"napari_unet_seg": {"model": "nuclei-v1"}}', True, {"model": "nuclei-v1"}),
        ('{"napari_unet_seg": {}}', True, {}),
        ('{"napari_unet_seg": 3}', False, {}),
        ('{"other": {}}', False, {}),
        ("[1]", False, {}),
        ("Nuclei of a mouse", False, {}),
    ],
)
def test_ome_description_tells_our_labels(text: str, is_labels: bool, provenance: dict[str, Any]):
    found = describe_ome(ome(image=f"<Description>{text}</Description>"))
    assert (found.is_labels, found.provenance) == (is_labels, provenance)


def test_ome_file(tmp_path: Path):
    metadata = {
        "axes": "ZCYX",
        "PhysicalSizeX": 100,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.1,
        "PhysicalSizeZ": 1.5,
        "Channel": {"Name": ["DAPI", "GFP", "RFP"], "Color": [65535, 16711935, -16776961]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, metadata=metadata, photometric="minisblack")
    image = open_image(tmp_path / "a.ome.tif")
    assert image.axes == "ZCYX"
    assert image.scale == pytest.approx({"Z": 1.5, "Y": 0.1, "X": 0.1})
    assert image.channel_names == ("DAPI", "GFP", "RFP")
    assert image.colors == ("#0000ff", "#00ff00", "#ff0000")


# -- ImageJ ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "scale"),
    [
        ({"unit": "micron"}, {"Y": 0.25, "X": 0.5}),
        ({"unit": "\\u00B5m", "spacing": 2}, {"Z": 2, "Y": 0.25, "X": 0.5}),
        ({"unit": "µm", "spacing": -2}, {"Z": 2, "Y": 0.25, "X": 0.5}),  # a stack taken downwards
        ({"unit": "nm", "spacing": 1000.0}, {"Z": 1, "Y": 0.25e-3, "X": 0.5e-3}),
        ({"unit": "pixel", "spacing": 2}, {}),
        ({"spacing": 2}, {}),
        ({"unit": "micron", "finterval": 30.5}, {"Y": 0.25, "X": 0.5, "T": 30.5}),
        ({"unit": "pixel", "finterval": 500, "tunit": "ms"}, {"T": 0.5}),
        ({"unit": "pixel", "finterval": 0}, {}),
    ],
)
def test_imagej_sizes(metadata: dict[str, Any], scale: dict[str, float]):
    assert describe_imagej(metadata, (2.0, 4.0)).scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("unit", "dots", "scale"),
    [
        ("inch", 72, {"T": 2}),  # a printer's, as the next ones
        ("inch", 300, {"T": 2}),
        ("inches", 1200, {"T": 2}),
        ("cm", 28.35, {"T": 2}),
        ("cm", 118.11, {"T": 2}),
        ("inch", 50_800, {"Z": 25_400, "Y": 0.5, "X": 0.5, "T": 2}),
        ("cm", 20_000, {"Z": 10_000, "Y": 0.5, "X": 0.5, "T": 2}),
        ("micron", 0.05, {"Z": 1, "Y": 20, "X": 20, "T": 2}),  # a unit of microscopes, so that somebody meant it
        ("mm", 50, {"Z": 1000, "Y": 20, "X": 20, "T": 2}),
    ],
)
def test_imagej_resolution_of_a_printer_is_no_size(unit: str, dots: float, scale: dict[str, float]):
    assert describe_imagej({"unit": unit, "spacing": 1, "finterval": 2}, (dots, dots)).scale == pytest.approx(scale)


@pytest.mark.parametrize(("unit", "tag"), [("inch", "INCH"), ("cm", "CENTIMETER"), ("inch", "NONE")])
def test_imagej_file_with_the_resolution_of_a_printer_has_no_size(tmp_path: Path, unit: str, tag: str):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, imagej=True, metadata={"unit": unit}, resolution=(300, 300), resolutionunit=tag)
    assert open_image(tmp_path / "a.tif").scale == {}


def test_imagej_without_resolution_has_no_size():
    assert describe_imagej({"unit": "micron"}, (0.0, 0.0)).scale == {}


def ramp(red: int, green: int, blue: int) -> np.ndarray:
    return np.stack([np.linspace(0, value, 256).astype(np.uint8) for value in (red, green, blue)])


def test_imagej_colours_limits_and_names():
    found = describe_imagej(
        {
            "channels": 2,
            "LUTs": [ramp(0, 255, 0), ramp(200, 0, 100)],
            "Ranges": (100.0, 4000.0, 7.0, 7.0),
            "Labels": ["c:1/2 z:1/5 - DAPI\nmore", "c:2/2 z:1/5 - GFP", "c:1/2 z:2/5 - DAPI"],
        },
        (0.0, 0.0),
    )
    assert found.colors == ("#00ff00", "#c80064")
    assert found.contrast_limits == ((100, 4000), None)  # limits that are equal show nothing
    assert found.channel_names == ("DAPI", "GFP")


def test_imagej_table_that_is_no_ramp_is_no_colour():
    fire = np.stack([np.sqrt(np.linspace(0, 1, 256)) * 255] * 3).astype(np.uint8)
    assert describe_imagej({"LUTs": [fire]}, (0.0, 0.0)).colors == (None,)
    assert describe_imagej({"LUTs": [ramp(255, 255, 255)[:, ::-1]]}, (0.0, 0.0)).colors == (None,)  # inverted


def test_imagej_composite_without_tables_has_the_usual_colours():
    assert describe_imagej({"channels": 3, "mode": "composite"}, (0.0, 0.0)).colors == ("#ff0000", "#00ff00", "#0000ff")
    assert describe_imagej({"channels": 3, "mode": "grayscale"}, (0.0, 0.0)).colors == ()


def test_imagej_limits_of_one_channel():
    assert describe_imagej({"min": 10.0, "max": 250.0}, (0.0, 0.0)).contrast_limits == ((10, 250),)
    assert describe_imagej({"min": 10.0, "max": 250.0, "channels": 2}, (0.0, 0.0)).contrast_limits == ()


def test_imagej_hyperstack(tmp_path: Path):
    metadata = {
        "axes": "TZCYX",
        "unit": "\\u00B5m",
        "spacing": 1.5,
        "finterval": 12.0,
        "mode": "composite",
        "Ranges": (0.0, 10.0, 5.0, 90.0),
    }
    pixels = np.arange(3 * 4 * 2 * 8 * 9, dtype=np.uint16).reshape(3, 4, 2, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata=metadata, resolution=(1 / 0.2, 1 / 0.4))
    image = open_image(tmp_path / "a.tif")
    assert image.axes == "TZCYX"
    np.testing.assert_array_equal(image.data, pixels)
    assert image.scale == pytest.approx({"T": 12, "Z": 1.5, "Y": 0.4, "X": 0.2})
    assert image.colors == ("#ff0000", "#00ff00")
    assert image.contrast_limits == ((0, 10), (5, 90))


# -- plain tags and slides -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resolution", "unit", "scale"),
    [
        ((20_000, 40_000), "CENTIMETER", {"Y": 0.25, "X": 0.5}),
        ((50_800, 50_800), "INCH", {"Y": 0.5, "X": 0.5}),
        ((1000, 1000), "MILLIMETER", {"Y": 1, "X": 1}),
        ((72, 72), "INCH", {}),  # a printer's, as the next ones
        ((96, 96), "INCH", {}),
        ((300, 300), "INCH", {}),
        ((1200, 1200), "INCH", {}),
        ((118, 118), "CENTIMETER", {}),
        ((20_000, 72), "CENTIMETER", {}),  # one of the two is senseless
        ((20_000, 20_000), "NONE", {}),
    ],
)
def test_resolution_tags(tmp_path: Path, resolution: tuple[int, int], unit: str, scale: dict[str, float]):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, resolution=resolution, resolutionunit=unit, metadata=None)
    assert open_image(tmp_path / "a.tif").scale == pytest.approx(scale)


def test_resolution_of_zero_is_none(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, resolution=(0, 0), resolutionunit="CENTIMETER", metadata=None)
    assert open_image(tmp_path / "a.tif").scale == {}


def test_tags_help_where_ome_is_silent(tmp_path: Path):
    options = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, metadata={"PhysicalSizeZ": 3.0, "axes": "YX"}, **options)
    tifffile.imwrite(tmp_path / "b.ome.tif", PLANE, metadata={"PhysicalSizeX": 7.0, "PhysicalSizeY": 7.0, "axes": "YX"}, **options)
    assert open_image(tmp_path / "a.ome.tif").scale == {"Y": 0.5, "X": 0.5}
    assert open_image(tmp_path / "b.ome.tif").scale == {"Y": 7, "X": 7}


def test_slide_tells_micrometres_per_pixel(tmp_path: Path):
    description = "Aperio Image Library v12.0\r\n100x100 [0,0 100x100]|AppMag = 40|MPP = 0.2525|Left = 25.69"
    tifffile.imwrite(tmp_path / "a.svs", np.zeros((64, 64, 3), np.uint8), description=description, metadata=None, tile=(64, 64))
    assert open_image(tmp_path / "a.svs").scale == {"Y": 0.2525, "X": 0.2525}

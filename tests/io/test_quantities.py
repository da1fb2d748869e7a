"""Sizes in pixels and micrometres, and the settings they become."""

from __future__ import annotations

import pytest

from napari_unet_seg.errors import SettingsError
from napari_unet_seg.io.quantities import Quantity, Wishes, parse_area, parse_length
from napari_unet_seg.settings import SegmentSettings

FINE = {"Y": 0.5, "X": 0.5}


@pytest.mark.parametrize(
    ("text", "value", "physical"),
    [
        ("0", 0, False),
        ("12", 12, False),
        ("12px", 12, False),
        (" 8.5 um ", 8.5, True),
        ("8µm", 8, True),
        ("8μM", 8, True),
        (".5um", 0.5, True),
    ],
)
def test_lengths(text: str, value: float, physical: bool):
    assert parse_length(text) == Quantity(value, physical)


@pytest.mark.parametrize(
    ("text", "value", "physical"),
    [("20", 20, False), ("20px2", 20, False), ("20 px²", 20, False), ("8um2", 8, True), ("8um^2", 8, True), ("8µm²", 8, True)],
)
def test_areas(text: str, value: float, physical: bool):
    assert parse_area(text) == Quantity(value, physical)


@pytest.mark.parametrize("text", ["", "px", "-3", "3mm", "3um2", "1e3", "nan", "3 4"])
def test_what_is_no_length_is_refused(text: str):
    with pytest.raises(SettingsError, match="12px or 8um"):
        parse_length(text)


@pytest.mark.parametrize("text", ["8um", "20px", "x", "20px3"])
def test_what_is_no_area_is_refused(text: str):
    with pytest.raises(SettingsError, match="20px2 or 8um2"):
        parse_area(text)


def settings(sizes: dict[str, Quantity], scale: dict[str, float] | None = None, **values: object) -> SegmentSettings:
    return Wishes(values, sizes).settings(SegmentSettings(splitting=0.3), FINE if scale is None else scale)


def test_the_model_stands_for_what_is_not_wished():
    assert settings({}, probability=0.7) == SegmentSettings(splitting=0.3, probability=0.7)


def test_micrometres_are_converted_by_the_pixel_size():
    made = settings({"min_area": Quantity(8, True), "max_area": Quantity(100, True), "diameter": Quantity(8, True)})
    assert (made.min_area, made.max_area, made.diameter) == (32, 400, 16)


def test_areas_are_rounded_inwards_and_rounding_errors_do_not_count():
    made = settings({"min_area": Quantity(8.1, True), "max_area": Quantity(99.9, True)})
    assert (made.min_area, made.max_area) == (33, 399)
    assert settings({"min_area": Quantity(8, True)}, {"Y": 0.4, "X": 0.4}).min_area == 50


def test_pixels_of_unequal_sides_count_by_their_area():
    assert settings({"diameter": Quantity(8, True)}, {"Y": 0.25, "X": 1.0}).diameter == pytest.approx(16)


def test_a_largest_area_below_a_pixel_does_not_mean_no_limit():
    assert settings({"min_area": Quantity(0), "max_area": Quantity(0.1, True)}).max_area == 1
    assert settings({"max_area": Quantity(0)}).max_area == 0


@pytest.mark.parametrize("scale", [{}, {"X": 0.5}, {"Z": 1.0}])
def test_micrometres_without_a_pixel_size_are_refused(scale: dict[str, float]):
    with pytest.raises(SettingsError, match=r"min area is given in micrometres.*pixel size"):
        settings({"min_area": Quantity(8, True)}, scale)


def test_check_finds_what_is_wrong_on_every_image():
    with pytest.raises(SettingsError, match="polarity"):
        Wishes({"polarity": "odd"}).check(SegmentSettings())
    with pytest.raises(SettingsError, match="max_area"):
        Wishes({}, {"min_area": Quantity(30), "max_area": Quantity(20)}).check(SegmentSettings())
    Wishes({}, {"max_area": Quantity(1, True)}).check(SegmentSettings())  # what depends on the pixel size is no business of it

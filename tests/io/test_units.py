"""Units of length and time are understood as files spell them, and what is no unit gives no number."""

from __future__ import annotations

import pytest

from napari_unet_seg.io.units import micrometres, seconds


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("µm", 1),  # micro sign
        ("μm", 1),  # Greek letter
        ("\\u00B5m", 1),  # as ImageJ writes it
        ("Âµm", 1),  # UTF-8 taken for Latin-1
        ("um", 1),
        ("micron", 1),
        ("microns", 1),
        ("micrometer", 1),
        ("Micrometre", 1),
        (" nm ", 1e-3),
        ("nanometers", 1e-3),
        ("Å", 1e-4),
        ("mm", 1e3),
        ("millimeter", 1e3),
        ("cm", 1e4),
        ("m", 1e6),
        ("inch", 25_400),
        ("in", 25_400),
    ],
)
def test_length(unit: str, factor: float):
    assert micrometres(unit) == factor


@pytest.mark.parametrize("unit", ["pixel", "pixels", "", "reference frame", "null", "s", "second"])
def test_what_is_no_length(unit: str):
    assert micrometres(unit) is None


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("sec", 1), ("seconds", 1), ("ms", 1e-3), ("min", 60), ("hour", 3600), ("d", 86_400)]
)
def test_time(unit: str, factor: float):
    assert seconds(unit) == factor


@pytest.mark.parametrize("unit", ["frame", "", "µm", "pixel"])
def test_what_is_no_time(unit: str):
    assert seconds(unit) is None

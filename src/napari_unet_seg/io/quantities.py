"""Sizes as people write them, in pixels or micrometres, and the settings they become on an image whose pixel size is known."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import SettingsError

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

_NUMBER = r"(?P<number>\d+(?:\.\d*)?|\.\d+)"
_LENGTH = re.compile(_NUMBER + r"\s*(?P<unit>px|um|µm|μm)?")  # Unicode has two letters that look like a micro sign
_AREA = re.compile(_NUMBER + r"\s*(?:(?P<unit>px|um|µm|μm)(?:\^?2|²))?")


@dataclass(frozen=True)
class Quantity:
    """A length or an area.

    Parameters
    ----------
    value : float
        The number, 0 or more.
    physical : bool
        Whether it is in micrometres (or square micrometres) rather than pixels.
    """

    value: float
    physical: bool = False


def parse_length(text: str) -> Quantity:
    """Read a length.

    Parameters
    ----------
    text : str
        Such as "12", "12px" or "8um".

    Returns
    -------
    Quantity

    Raises
    ------
    SettingsError
        If it is something else.

    Examples
    --------
    >>> parse_length("8 um")
    Quantity(value=8.0, physical=True)
    """
    return _parse(text, _LENGTH, "a length; write it as 12px or 8um")


def parse_area(text: str) -> Quantity:
    """Read an area.

    Parameters
    ----------
    text : str
        Such as "20", "20px2" or "8um2".

    Returns
    -------
    Quantity

    Raises
    ------
    SettingsError
        If it is something else.

    Examples
    --------
    >>> parse_area("20px2"), parse_area("8µm²")
    (Quantity(value=20.0, physical=False), Quantity(value=8.0, physical=True))
    """
    return _parse(text, _AREA, "an area; write it as 20px2 or 8um2")


def _parse(text: str, pattern: re.Pattern[str], wanted: str) -> Quantity:
    match = pattern.fullmatch(text.strip().lower())
    if match is None:
        raise SettingsError(f"{text!r} is not {wanted}.")
    return Quantity(float(match["number"]), match["unit"] not in (None, "px"))


@dataclass(frozen=True)
class Wishes:
    """What a user asked for; the model's own settings stand for the rest.

    Parameters
    ----------
    values : mapping
        Fields of `SegmentSettings` that are the same for every image.
    sizes : mapping of str to Quantity
        `min_area`, `max_area` and `diameter`, which depend on the pixel size when they are in micrometres.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Quantity] = field(default_factory=dict)

    def settings(self, defaults: SegmentSettings, scale: Mapping[str, float]) -> SegmentSettings:
        """Return the settings for one image.

        Parameters
        ----------
        defaults : SegmentSettings
            The model's own.
        scale : mapping of str to float
            Micrometres per pixel along ``Y`` and ``X``, as far as known.

        Returns
        -------
        SegmentSettings
            Areas in micrometres are rounded to whole pixels inwards, so that no nucleus outside of the range is kept.

        Raises
        ------
        SettingsError
            If a size is in micrometres and the pixel size is not known, or a setting is out of range.
        """
        sizes: dict[str, Any] = {name: _in_pixels(name, size, scale) for name, size in self.sizes.items()}
        return spaced(dataclasses.replace(defaults, **self.values, **sizes), scale)

    def check(self, defaults: SegmentSettings) -> None:
        """Raise for what is wrong on every image, whatever its pixel size.

        Raises
        ------
        SettingsError
            If a setting is out of range.
        """
        pixels = {name: size for name, size in self.sizes.items() if not size.physical}
        Wishes(self.values, pixels).settings(defaults, {})


def spaced(settings: SegmentSettings, scale: Mapping[str, float]) -> SegmentSettings:
    """Return settings with the distance of the slices, where it matters and was not given.

    Parameters
    ----------
    settings : SegmentSettings
    scale : mapping of str to float
        As of `plane_spacing`.

    Returns
    -------
    SegmentSettings
    """
    linked = settings.stack == "linked" or settings.track != "none"
    return dataclasses.replace(settings, spacing=plane_spacing(scale)) if linked and not settings.spacing else settings


def plane_spacing(scale: Mapping[str, float]) -> float:
    """Return the distance of two planes over the size of a pixel.

    Parameters
    ----------
    scale : mapping of str to float
        Size of a step along ``Z``, ``Y`` and ``X``, as far as known.

    Returns
    -------
    float
        0 when it is not known.
    """
    return round(scale["Z"] / math.sqrt(scale["Y"] * scale["X"]), 6) if {"Z", "Y", "X"} <= set(scale) else 0.0


def ring_in_pixels(ring: Quantity | None, scale: Mapping[str, float]) -> float:
    """Return how wide the ring around each nucleus is on one image.

    Parameters
    ----------
    ring : Quantity or None
        None for no ring.
    scale : mapping of str to float
        Micrometres per pixel along ``Y`` and ``X``, as far as known.

    Returns
    -------
    float
        In pixels; 0 for no ring.

    Raises
    ------
    SettingsError
        If it is in micrometres and the pixel size is not known, or it is narrower than a pixel.
    """
    pixels = 0.0 if ring is None else _in_pixels("ring", ring, scale)
    if ring is not None and pixels < 1:
        raise SettingsError(f"The ring would be {pixels:.2g} px wide; make it 1 px or more.")
    return pixels


def _in_pixels(name: str, size: Quantity, scale: Mapping[str, float]) -> float:
    pixels = size.value / _unit(name, scale) if size.physical else size.value
    if name == "min_area":
        return math.ceil(round(pixels, 6))  # without rounding, 8 um2 / 0.16 um2 would be 51 px2
    if name == "max_area":
        return max(math.floor(round(pixels, 6)), 1) if size.value else 0  # 0 stands for no limit
    return pixels


def _unit(name: str, scale: Mapping[str, float]) -> float:
    """Return how many micrometres, or square micrometres, a pixel has."""
    if "Y" not in scale or "X" not in scale:
        what = name.replace("_", " ")
        raise SettingsError(f"The {what} is given in micrometres, but the image does not tell its pixel size; give it in pixels.")
    area = scale["Y"] * scale["X"]
    return math.sqrt(area) if name in ("diameter", "ring") else area

"""What is told of one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.segment import Segmentation
from napari_unet_seg.io import remarks
from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.remarks import describe

FLAT = "A plane has the same intensity everywhere, or nothing finite."
SPARSE = "Nearly all pixels of a plane have the same intensity, so that nothing is seen in it; give its limits (--limits)."
NONE = "No nuclei were found."


def warnings(data: np.ndarray, axes: str, channel: int | None = None, lows: tuple[float, ...] = (5.0,)) -> tuple[str, ...]:
    """Remarks on planes whose limits are both `low`, or 1 and 9 where that is 0."""
    shape = tuple(length for axis, length in zip(axes, data.shape, strict=True) if axis not in "CS")
    limits = [{"polarity": "bright", "low": low or 1.0, "high": low or 9.0} for low in lows]
    provenance = {"limits": limits, "channel": channel, "device": "cpu"}
    result = Segmentation(np.zeros(shape, np.int32), pd.DataFrame({"touches_border": []}), provenance, np.zeros(shape, np.uint8))
    return describe(Source(Path("x.tif"), Path("x.tif")), ImageFile(Path("x.tif"), data, axes), result).warnings


@pytest.fixture
def speck() -> np.ndarray:
    plane = np.full((40, 50), 5, np.uint16)
    plane[30, 7] = 900
    return plane


def test_only_a_plane_of_one_value_has_one_value_everywhere(speck: np.ndarray):
    assert warnings(np.full((40, 50), 5), "YX") == (FLAT, NONE)
    assert warnings(np.full((40, 50), np.nan), "YX") == (FLAT, NONE)
    assert warnings(speck, "YX") == (SPARSE, NONE)
    assert warnings(speck, "YX", lows=(0.0,)) == (NONE,)


def test_a_large_plane_is_looked_at_in_strips(speck: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remarks, "_STRIP", 100)
    assert warnings(speck, "YX") == (SPARSE, NONE)
    steps = np.repeat(np.arange(40)[:, None], 50, axis=1) // 2  # each strip is flat, and the plane is not
    assert warnings(steps, "YX") == (SPARSE, NONE)
    assert warnings(np.ones((40, 50)), "YX") == (FLAT, NONE)


def test_the_right_plane_and_channel_are_looked_at(speck: np.ndarray):
    flat = np.full_like(speck, 5)
    stack = np.stack([np.stack([flat, speck]), np.stack([speck, flat])])  # Z, C
    assert warnings(stack, "ZCYX", 0, (5.0, 0.0)) == (FLAT, NONE)
    assert warnings(stack, "ZCYX", 0, (0.0, 5.0)) == (SPARSE, NONE)
    assert warnings(stack, "ZCYX", 1, (5.0, 5.0)) == (FLAT, SPARSE, NONE)


def test_colour_is_flat_whatever_its_opacity():
    colour = np.full((40, 50, 4), (200, 100, 50, 255), np.uint8)
    colour[:9, :9, 3] = 0
    assert warnings(colour, "YXS") == (FLAT, NONE)
    colour[3, 3, 1] = 7
    assert warnings(colour, "YXS") == (SPARSE, NONE)

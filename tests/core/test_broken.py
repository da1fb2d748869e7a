"""Maps that hold what is no number."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import bands
from napari_unet_seg.core.broken import count_broken


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_are_counted_once(value, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bands, "PIXELS", 30)
    maps = np.random.default_rng(0).random((3, 12, 10)).astype(np.float16)
    maps[0, 0, 0] = np.finfo(np.float16).max
    assert count_broken(*maps) == 0
    maps[1, 3, 4] = maps[2, 3, 4] = maps[2, 11, 9] = value
    assert count_broken(*maps) == 2
    assert count_broken(maps[0]) == 0

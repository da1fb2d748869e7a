"""What is told of one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.remarks import describe
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from napari_unet_seg.io.summary import Outcome


def told(image: np.ndarray, scale: dict[str, float]) -> Outcome:
    result = nus.progress.drain(nus.iter_segment(image, tiny_model(), "cpu"))
    return describe(Source(Path("x.tif"), Path("x.tif")), ImageFile(Path("x.tif"), image, "YX", scale), result)


def test_counts_limits_and_density():
    image, labels = discs()
    outcome = told(image, {"Y": 0.5, "X": 0.5})
    assert outcome.nuclei == pytest.approx(labels.max(), abs=1)
    assert 0 < outcome.touching_border < outcome.nuclei
    assert outcome.per_mm2 == pytest.approx(outcome.nuclei / (0.128 * 0.128 / 4))
    assert (outcome.planes, outcome.polarity, outcome.device, outcome.warnings) == (1, "bright", "cpu", ())
    assert outcome.low < 400
    assert outcome.high > 2000
    assert told(image, {}).per_mm2 is None


def test_an_image_without_nuclei_says_so():
    assert told(np.full((40, 50), 5, np.uint16), {}).warnings == ("No nuclei were found.",)

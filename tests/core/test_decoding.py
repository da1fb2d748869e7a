"""What a decoding says of nuclei besides their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core import bands
from napari_unet_seg.core.decoding import Decoding, decode, in_order
from napari_unet_seg.core.instances import border_labels
from napari_unet_seg.core.tally import tally
from napari_unet_seg.settings import SegmentSettings


@pytest.fixture(scope="module")
def maps():
    """Crowded nuclei with holes and specks in them."""
    random = np.random.default_rng(3)
    distance, background = (ndimage.gaussian_filter(random.random((90, 120)), sigma) for sigma in (3, 0.8))
    return np.stack([(part - part.min()) / np.ptp(part) for part in (background, distance)]).astype(np.float16)


@pytest.mark.parametrize("change", [{}, {"min_area": 60}, {"max_area": 90}, {"fill_holes": False}, {"exclude_border": True}], ids=str)
@pytest.mark.parametrize("pixels", [600, 10**6])
def test_areas_are_those_of_the_labels(maps, change, pixels, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bands, "PIXELS", pixels)
    labels, area = decode(maps, SegmentSettings(**change))
    assert labels.max() > 5
    found = tally(labels)
    np.testing.assert_array_equal(area, found.area[1:])
    assert (np.diff(found.first[1:]) > 0).all(), "numbers follow first pixels"
    assert not change.get("exclude_border") or not border_labels(labels).size


def test_a_setting_and_back_changes_no_pixel(maps):
    decoding = Decoding(maps)
    for change in ({}, {"min_area": 60}, {"splitting": 0.9}, {"probability": 0.3}, {"fill_holes": False}, {}):
        settings = SegmentSettings(**change)
        np.testing.assert_array_equal(decoding.labels(settings), decode(maps, settings).labels)


def test_what_is_kept_is_numbered_by_its_first_pixel():
    number, kept = in_order(np.array([True, True, False, True]), np.array([0, 9, 1, 4]))
    assert number.tolist() == [0, 2, 0, 1]
    assert kept.tolist() == [3, 1]

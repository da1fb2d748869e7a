"""What is kept of a run on a part gives its nuclei again, and other settings what another run on the part gives."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import grid as grid_module
from napari_unet_seg.core.map_parts import PlaneDecoding, settings_on
from napari_unet_seg.core.redecode import MapStack, iter_redecode
from napari_unet_seg.core.segment import iter_work, prepare
from napari_unet_seg.settings import SegmentSettings
from tests.core.test_plane import REGIONS
from tests.tiny import discs, tiny_model, whole_plane

OTHER = {"probability": 0.7, "splitting": 0.7, "min_area": 150, "max_area": 250, "fill_holes": False, "exclude_border": True}


@pytest.fixture(scope="module")
def image():
    return discs((400, 410), count=150, seed=4)[0]


def run(image, **settings):
    """A run on a part, and what it keeps."""
    kept = {}
    work = prepare(image, tiny_model(), "cpu", settings=SegmentSettings(precision="float32", **settings))
    return nus.drain(iter_work(work, kept.__setitem__)), kept, work.settings


def again(kept, shape, settings):
    return nus.drain(iter_redecode(MapStack("YX", shape, kept.get), settings))


@pytest.mark.parametrize("name", ["corner", "two", "hole"])
def test_the_same_nuclei_and_those_of_other_settings(image, name):
    made, kept, settings = run(image, region=REGIONS[name])
    labels, table = again(kept, made.labels.shape, settings)
    np.testing.assert_array_equal(labels, made.labels)
    assert table.equals(made.features)
    assert kept[()].whole is None
    assert not kept[()].is_cut(settings.probability)
    decoding = PlaneDecoding(kept[()])
    for changed, value in OTHER.items():
        expected, _, other = run(image, region=REGIONS[name], **{changed: value})
        labels, table = again(kept, made.labels.shape, other)
        np.testing.assert_array_equal(labels, expected.labels)
        assert table.equals(expected.features)
        np.testing.assert_array_equal(decoding.labels(other), expected.labels)


def test_what_is_kept_is_no_larger_than_the_part_needs(image):
    _, kept, _ = run(np.tile(image, (2, 2)), region=REGIONS["corner"])
    _, whole, _ = run(np.tile(image, (2, 2)))
    assert kept[()].nbytes < whole[()].nbytes / 4
    assert whole[()].whole.shape == (4, 800, 820)


def test_labels_on_coarser_pixels(image, monkeypatch):
    monkeypatch.setattr(grid_module, "MOST_PIXELS", 100_000)
    levels = [np.kron(image, np.ones((2, 2), np.uint16)), image]
    made, kept, settings = run(levels, diameter=34.0, min_area=400)
    assert made.labels.shape == image.shape
    assert kept[()].whole is None
    labels, table = again(kept, made.labels.shape, settings)
    np.testing.assert_array_equal(labels, made.labels)
    assert table.equals(made.features)


def test_areas_are_in_pixels_of_the_maps():
    settings = SegmentSettings(min_area=21, max_area=401, exclude_border=True)
    assert (settings_on(2, settings).min_area, settings_on(2, settings).max_area) == (6, 101)
    assert settings_on(1, settings) == settings


def test_a_plane_without_a_nucleus():
    maps = whole_plane(np.stack([np.ones((16, 16)), *np.zeros((3, 16, 16))]))
    labels, table = PlaneDecoding(maps).measured(SegmentSettings())
    assert labels.max() == len(table) == 0

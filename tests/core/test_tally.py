"""Pixels of labels counted in bands."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import bands
from napari_unet_seg.core.region_groups import find_groups
from napari_unet_seg.core.regions import find_regions
from napari_unet_seg.core.tally import tally


@pytest.mark.parametrize("pixels", [10, 300, 10**6])
@pytest.mark.parametrize("high", [1, 40])
def test_areas_and_ends_are_those_of_numpy(pixels, high, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bands, "PIXELS", pixels)
    monkeypatch.setattr(bands, "cores", lambda: 3)
    labels = np.random.default_rng(high).integers(0, high, (37, 23)).astype(np.int32)
    found = tally(labels)
    assert len(found.area) == labels.max() + 1
    for label in range(1, high):
        places = np.flatnonzero(labels == label)
        assert (found.area[label], found.first[label], found.last[label]) == (places.size, places[0], places[-1])


def test_nothing_is_counted_where_there_is_nothing():
    found = tally(np.zeros((5, 6), np.int32))
    assert found.area.tolist() == found.first.tolist() == found.last.tolist() == [0]


def squares(step: int = 10):
    labels = np.zeros((64, 64), np.int32)
    for number, (y, x) in enumerate(np.ndindex(6, 6), start=1):
        labels[y * step : y * step + 7, x * step + y % 3 : x * step + 7] = number
    return labels


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch):
    for module in ("bands", "region_groups"):
        monkeypatch.setattr(f"napari_unet_seg.core.{module}.PIXELS", 200)
    monkeypatch.setattr(bands, "cores", lambda: 2)


def together(groups):
    base = np.cumsum([0, *(group.numbers.size for group in groups)])
    parts = [(group.numbers, group.places + start, group.rows, group.columns) for group, start in zip(groups, base, strict=False)]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def test_groups_are_the_regions_of_the_plane(small_bands):
    labels = squares()
    groups = find_groups(labels)
    whole = find_regions(labels)
    assert len(groups) > 1
    for found, expected in zip(together(groups), (whole.numbers, whole.places, whole.rows, whole.columns), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("change", [lambda labels: labels[::-1], lambda labels: labels * 2, lambda labels: labels.astype(np.int64) * 2**40])
def test_labels_numbered_otherwise_are_one_group(small_bands, change):
    labels = change(squares())
    (group,) = find_groups(labels)
    np.testing.assert_array_equal(group.numbers, np.unique(labels)[1:])


def test_shapes_do_not_depend_on_the_groups(small_bands):
    from napari_unet_seg.core.measure import measure_plane

    labels = squares()
    chance = np.random.default_rng(0).random(labels.shape).astype(np.float16)
    found = measure_plane(labels, chance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_unet_seg.core.region_groups.PIXELS", 10**9)
        expected = measure_plane(labels, chance)
    assert found.equals(expected)

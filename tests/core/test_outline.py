from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core.instances import instances
from napari_unet_seg.core.outline import outline_from_maps
from napari_unet_seg.settings import SegmentSettings


def maps_of(discs, shape=(80, 80)):
    """Background, and relative distance, of blurred discs (y, x, radius, probability)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    likely, distance = np.zeros(shape), np.zeros(shape)
    for y, x, radius, height in discs:
        away = np.hypot(rows - y, columns - x)
        likely = np.maximum(likely, height * ndimage.gaussian_filter((away <= radius).astype(float), 1))
        distance = np.maximum(distance, height * np.clip(1 - away / radius, 0, 1))
    return np.stack([1 - likely, likely, 0 * likely, distance]).astype(np.float16)


def overlap(mask, y, x, radius):
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    truth = np.hypot(rows - y, columns - x) <= radius
    return (mask & truth).sum() / (mask | truth).sum()


NOBODY = np.zeros((80, 80), bool)
SETTINGS = SegmentSettings()


@pytest.mark.parametrize("height", [0.15, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("point", [(40, 40), (36, 44), (44, 37)])
def test_a_missed_nucleus_gets_its_outline(height, point):
    maps = maps_of([(40, 40, 9, height)])
    assert height > 0.55 or not instances(maps, SETTINGS).any()
    assert overlap(outline_from_maps(maps, NOBODY, point, SETTINGS), 40, 40, 9) > 0.85


def test_a_click_beside_it_is_near_enough():
    maps = maps_of([(40, 40, 4, 0.4)])
    assert outline_from_maps(maps, NOBODY, (40, 46), SETTINGS)[40, 40]


def test_nothing_is_made_up():
    maps = maps_of([(20, 20, 9, 0.9)])
    assert outline_from_maps(maps, NOBODY, (60, 60), SETTINGS) is None
    assert outline_from_maps(maps, ~NOBODY, (20, 20), SETTINGS) is None


def test_a_ground_of_doubt_is_no_nucleus():
    maps = maps_of([])
    maps[0] = 0.7
    assert outline_from_maps(maps, NOBODY, (40, 40), SETTINGS, typical=100) is None


def test_neighbours_keep_their_pixels():
    maps = maps_of([(40, 30, 9, 0.9), (40, 45, 9, 0.4)])
    taken = instances(maps, SETTINGS) > 0
    assert taken[40, 30]
    mask = outline_from_maps(maps, taken, (40, 46), SETTINGS)
    assert not (mask & taken).any()
    assert overlap(mask, 40, 45, 9) > 0.7


def test_one_of_two_touching_is_taken():
    maps = maps_of([(40, 30, 9, 0.4), (40, 48, 9, 0.4)])
    mask = outline_from_maps(maps, NOBODY, (40, 30), SETTINGS)
    assert overlap(mask, 40, 30, 9) > 0.75
    assert not mask[40, 48]


def test_it_is_at_most_some_times_as_large_as_usual():
    maps = maps_of([(40, 40, 20, 0.5)])
    assert outline_from_maps(maps, NOBODY, (40, 40), SETTINGS, typical=np.pi * 20**2) is not None
    assert outline_from_maps(maps, NOBODY, (40, 40), SETTINGS, typical=50) is None

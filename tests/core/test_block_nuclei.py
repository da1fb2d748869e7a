"""Blocks of a plane give the very labels of the whole plane: whatever the size of the blocks, and however far a clump reaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core import joining
from napari_unet_seg.core.block_nuclei import decode_block, rank
from napari_unet_seg.core.hills import find_hills
from napari_unet_seg.core.instances import instances
from napari_unet_seg.core.joining import join_hills
from napari_unet_seg.core.lattice import Lattice
from napari_unet_seg.settings import SegmentSettings

SETTINGS = SegmentSettings()


def waves(shape=(220, 260), seed=0, blur=4.0, level=0.0, steps=0):
    """Return maps whose mask hangs together nearly everywhere, and has holes; with `steps`, heights that are often equal."""
    random = np.random.default_rng(seed)
    field, hills = (ndimage.gaussian_filter(random.normal(size=shape), size) for size in (blur, blur / 2))
    distance = np.clip(0.5 + hills / hills.std() * 0.25, 0, 1)
    if steps:
        distance = np.round(distance * steps) / steps
    background = np.where(field / field.std() > level, 0.1, 0.9)
    return np.stack([background, distance]).astype(np.float16)


def whole_from_blocks(maps, edge, settings):
    """Decode block by block, and number the nuclei as the whole plane would."""
    shape = maps.shape[1:]
    lattice = Lattice.regular(shape, edge)
    cores = [lattice.cell(number) for number in range(len(lattice))]
    hills = [find_hills(lambda box: maps[:, *box], core, shape, settings) for core in cores]
    shares = list(join_hills(hills, lattice, settings))
    found = [decode_block(lambda box: maps[:, *box], share, core, shape, settings) for core, share in zip(cores, shares, strict=True)]
    keys = np.concatenate([block.owned for block in found])
    numbers = dict(zip(keys.tolist(), rank(np.concatenate([block.first for block in found])).tolist(), strict=True))
    labels = np.zeros(shape, np.int32)
    for core, block in zip(cores, found, strict=True):
        labels[core] = np.array([0, *(numbers[key] for key in block.keys.tolist())])[block.labels]
    return labels, found


@pytest.mark.parametrize("edge", [40, 97, 300])
@pytest.mark.parametrize(("level", "steps"), [(0.0, 0), (-0.8, 0), (-0.8, 6), (0.7, 6), (-3.0, 0)])
def test_labels_are_those_of_the_whole_plane(edge, level, steps):
    maps = waves(level=level, steps=steps)
    expected = instances(maps, SETTINGS)
    assert expected.max() > 20
    found, blocks = whole_from_blocks(maps, edge, SETTINGS)
    np.testing.assert_array_equal(found, expected)
    areas = {int(key): int(area) for block in blocks for key, area in zip(block.first, block.area, strict=True)}
    assert sorted(areas.values()) == sorted(np.bincount(expected.ravel())[1:].tolist())


@pytest.mark.parametrize(
    "change",
    [
        {"fill_holes": False},
        {"min_area": 0},
        {"min_area": 150},
        {"max_area": 200},
        {"exclude_border": True},
        {"splitting": 0.9},
        {"splitting": 0.05},
        {"probability": 0.95},
    ],
)
def test_every_setting_of_the_decoder_acts_alike(change):
    settings = replace(SETTINGS, **change)
    maps = waves(seed=1, level=-0.5)
    found, _ = whole_from_blocks(maps, 64, settings)
    np.testing.assert_array_equal(found, instances(maps, settings))


@pytest.mark.parametrize("speck", [9, 400])
def test_a_ring_that_holds_whole_blocks_is_filled_as_in_the_whole_plane(speck):
    y, x = np.mgrid[:200, :200]
    away = np.hypot(y - 100, x - 100)
    mask = (away < 90) & (away > 70) | (np.hypot(y - 100, x - 96) ** 2 < speck / np.pi)
    maps = np.stack([np.where(mask, 0.1, 0.9), np.where(mask, 0.8, 0)]).astype(np.float16)
    expected = instances(maps, SETTINGS)
    assert expected.max() == (1 if speck < 20 else 2)
    assert (expected[100, 50] > 0) == (speck < 20)
    for edge in (32, 75):
        np.testing.assert_array_equal(whole_from_blocks(maps, edge, SETTINGS)[0], expected)


def test_joining_some_at_a_time_changes_nothing(monkeypatch):
    maps = waves(level=0.3)
    monkeypatch.setattr(joining, "_BATCH", 7)
    np.testing.assert_array_equal(whole_from_blocks(maps, 64, SETTINGS)[0], instances(maps, SETTINGS))


@pytest.mark.parametrize("background", [0.9, 0.1])
def test_planes_of_nothing_and_of_one_thing(background):
    maps = np.stack([np.full((90, 70), background), np.full((90, 70), 0.8)]).astype(np.float16)
    found, _ = whole_from_blocks(maps, 32, SETTINGS)
    np.testing.assert_array_equal(found, instances(maps, SETTINGS))


def test_a_nucleus_belongs_to_one_block():
    maps = waves(seed=3)
    _, blocks = whole_from_blocks(maps, 50, SETTINGS)
    keys = np.concatenate([block.owned for block in blocks])
    assert np.unique(keys).size == keys.size == instances(maps, SETTINGS).max()

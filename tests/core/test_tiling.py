"""The tile plan covers a plane once, and windows hold the halo wherever the plane goes on."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.tiling import padded_shape, plan_tiles, read_window


@pytest.mark.parametrize("shape", [(16, 16), (48, 400), (1024, 1024), (1040, 2064)])
@pytest.mark.parametrize("tile", [64, 100, 1024])
def test_cores_cover_the_plane_once(shape, tile):
    count = np.zeros(shape, int)
    for step in plan_tiles(shape, tile, 112, 16):
        count[step.core] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("tile", [64, 100, 512])
def test_windows_hold_the_halo_on_the_grid_and_end_at_the_plane(tile):
    shape, halo, multiple = (1040, 2064), 107, 16
    for step in plan_tiles(shape, tile, halo, multiple):
        for core, window, size in zip(step.core, step.window, shape, strict=True):
            assert core.start % multiple == window.start % multiple == window.stop % multiple == 0
            assert core.stop - core.start <= 112 if tile == 100 else tile
            assert window.start == 0 or core.start - window.start >= halo
            assert window.stop == size or window.stop - core.stop >= halo


def test_cores_are_of_nearly_equal_size():
    heights = {step.core[0].stop - step.core[0].start for step in plan_tiles((1040, 16), 1024, 112, 16)}
    assert heights == {528, 512}, "not 1024 and 16"


def test_inner_is_where_the_core_lies_in_its_window():
    plane = np.arange(256 * 320).reshape(256, 320)
    for step in plan_tiles((256, 320), 64, 32, 16):
        np.testing.assert_array_equal(plane[step.window][step.inner], plane[step.core])


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (250, 250)])
def test_padding_window_by_window_is_padding_the_whole(shape):
    plane = np.random.default_rng(0).random(shape)
    padded = padded_shape(shape, 16)
    whole = np.pad(plane, [(0, after - before) for before, after in zip(shape, padded, strict=True)], mode="symmetric")
    for step in plan_tiles(padded, 64, 32, 16):
        window = read_window(lambda box: plane[box], step.window, shape)
        np.testing.assert_array_equal(window, whole[step.window])

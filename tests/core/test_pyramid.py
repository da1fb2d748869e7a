"""Which level of a pyramid is read."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_unet_seg.core.axes import resolve_axes
from napari_unet_seg.core.pyramid import Level, Pyramid, levels_of, take_plane


def pyramid(*steps, shape=(1600, 1600)):
    return Pyramid(tuple(Level(np.broadcast_to(np.uint8(0), (shape[0] // step, shape[1] // step)), step) for step in steps))


@pytest.mark.parametrize(
    ("factor", "step"), [(1.0, 1), (0.6, 1), (0.55, 2), (0.5, 2), (0.3, 2), (0.26, 4), (0.25, 4), (0.01, 16), (3.0, 1)]
)
def test_the_smallest_that_need_not_be_enlarged(factor, step):
    assert pyramid(1, 2, 4, 16).nearest(factor).step == step


def test_one_level_serves_every_size():
    for factor in (0.01, 1, 20):
        assert pyramid(1).nearest(factor).step == 1
    assert pyramid(1, 2).shape == (1600, 1600)


def steps_of(image, axes=None):
    layout = resolve_axes(image[0] if isinstance(image, list) else image, axes, 0)
    return [level.step for level in take_plane(levels_of(image, layout), layout, next(layout.indices())).levels]


@pytest.mark.parametrize(
    ("shapes", "steps"),
    [
        ([(1000, 800)], [1]),
        ([(1000, 800), (500, 400), (250, 200)], [1, 2, 4]),
        ([(1001, 801), (500, 400), (251, 201)], [1, 2, 4]),
        ([(1000, 800), (300, 250)], [1]),
        ([(1000, 800), (500, 200)], [1]),
    ],
)
def test_levels_that_are_a_whole_fraction_are_used(shapes, steps):
    levels = [da.zeros(shape, dtype=np.uint8) for shape in shapes]
    assert steps_of(levels if len(levels) > 1 else levels[0]) == steps


def test_levels_that_leave_out_planes_are_not():
    levels = [da.zeros(shape, dtype=np.uint8) for shape in ((8, 400, 400), (8, 200, 200), (4, 100, 100))]
    assert steps_of(levels, "ZYX") == [1, 2]


def test_each_level_shows_the_same_plane():
    image = np.arange(3 * 2 * 8 * 8).reshape(3, 2, 8, 8)
    levels = [image, image[..., ::2, ::2]]
    layout = resolve_axes(image, "ZCYX", 1)
    plane = take_plane(levels_of(levels, layout), layout, (2,))
    np.testing.assert_array_equal(plane.full, image[2, 1])
    np.testing.assert_array_equal(plane.levels[1].pixels, image[2, 1, ::2, ::2])

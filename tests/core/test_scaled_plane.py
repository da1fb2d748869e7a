"""A plane at the network's scale, and the way back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.normalize import Limits
from napari_unet_seg.core.pyramid import Level, Pyramid
from napari_unet_seg.core.scaled_plane import GLASS, UNKNOWN, Part, ScaledPlane
from napari_unet_seg.core.tissue import Tissue

LIMITS = Limits(0.0, 1.0, "bright")
Y, X = np.mgrid[:240, :300]
PIXELS = (0.5 + 0.5 * np.sin(Y / 30) * np.cos(X / 40)).astype(np.float32)
REDUCED = PIXELS.reshape(60, 4, 75, 4).mean(axis=(1, 3))


def scaled(factor, *levels):
    return ScaledPlane(Pyramid((Level(PIXELS), *levels)), LIMITS, factor)


def whole(shape):
    return slice(0, shape[0]), slice(0, shape[1])


@pytest.mark.parametrize(
    ("factor", "ratio", "shape"),
    [(1.0, 1, (240, 300)), (1.03, 1, (240, 300)), (0.25, Fraction(1, 4), (60, 75)), (2.5, Fraction(5, 2), (600, 750))],
)
def test_the_size_follows_the_factor(factor, ratio, shape):
    plane = scaled(factor)
    assert (plane.ratio, plane.shape) == (ratio, shape)
    assert plane.read(whole(shape)).shape == shape


def test_a_level_of_the_size_is_read_as_it_is():
    plane = scaled(0.24, Level(REDUCED, 4))
    assert plane.ratio == Fraction(1, 4)
    np.testing.assert_array_equal(plane.read(whole(plane.shape)), REDUCED)


@pytest.mark.parametrize("factor", [0.24, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("levels", [(), (Level(REDUCED, 4),)])
def test_there_and_back_everything_is_where_it_was(factor, step, levels):
    """Seen through the network's size, a smooth picture comes back to its own pixels, or to those of a level."""
    plane = scaled(factor, *levels)
    part = Part(whole((240 // step, 300 // step)), step)
    origin = plane.needed(part)
    back = plane.bring_back(plane.read(origin)[None].astype(np.float16), origin, part)[0]
    expected = PIXELS if step == 1 else REDUCED
    assert back.shape == part.shape == expected.shape
    inner = (slice(8 // step, -8 // step),) * 2
    np.testing.assert_allclose(back[inner].astype(np.float32), expected[inner], atol=0.03)


@pytest.mark.parametrize("factor", [0.24, 0.6, 1.0, 1.7])
def test_a_part_needs_a_part(factor):
    plane = scaled(factor)
    part = Part((slice(100, 140), slice(120, 170)))
    origin = plane.needed(part)
    assert all(side.stop - side.start < 0.7 * size for side, size in zip(origin, plane.shape, strict=True))
    again = plane.bring_back(plane.read(origin)[None].astype(np.float16), origin, part)[0]
    all_of_it = plane.needed(Part(whole((240, 300))))
    expected = plane.bring_back(plane.read(all_of_it)[None].astype(np.float16), all_of_it, Part(whole((240, 300))))[0]
    np.testing.assert_array_equal(again, expected[part.box])


@pytest.mark.parametrize("factor", [0.24, 0.37, 0.6, 0.94, 1.7, 3.1])
@pytest.mark.parametrize("levels", [(), (Level(REDUCED, 4),)])
def test_a_window_is_that_of_the_whole_to_the_last_bit(factor, levels):
    plane = scaled(factor, *levels)
    expected = plane.read(whole(plane.shape))
    for low, high in ((0.0, 0.3), (0.17, 0.19), (0.41, 1.0)):
        box = tuple(slice(int(low * size), int(high * size)) for size in plane.shape)
        np.testing.assert_array_equal(plane.read(box), expected[box])


def test_the_pixels_of_the_plane_below_a_box():
    assert scaled(0.25).full((slice(10, 20), slice(0, 3))) == (slice(40, 80), slice(0, 12))
    assert scaled(2.5).full((slice(10, 21), slice(0, 3))) == (slice(4, 9), slice(0, 2))


def test_what_need_not_be_seen():
    area = AreaOfInterest.of([[(0, 0), (0, 20), (20, 20), (20, 0)]])
    mask = np.zeros((24, 30), bool)
    mask[:6, :6] = True
    near, beside, far = (tuple(slice(start, start + 10) for _ in range(2)) for start in (10, 30, 220))
    assert Part(near).blank(far) is None
    part = Part(near, area=area, margin=15)
    assert [part.blank(box) for box in (near, beside, far)] == [None, None, UNKNOWN]
    assert Part(near, tissue=Tissue(mask, 10)).blank(near) is None
    assert Part(near, tissue=Tissue(mask, 10)).blank(far) == GLASS

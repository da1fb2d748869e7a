"""Which pixels labels have, and the way back to those of the image."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import grid as grid_module
from napari_unet_seg.core.grid import Grid, choose_grid, enlarged, in_full_pixels
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.pyramid import Level
from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.settings import SegmentSettings

REGION = SegmentSettings(region=(((1000, 2000), (1000, 2100), (1200, 2100), (1200, 2000)),))
HUGE = (40_000, 30_000)


def level(shape, step=1):
    return Level(np.broadcast_to(np.uint8(0), shape), step)


def box(y0, y1, x0, x1):
    return slice(y0, y1), slice(x0, x1)


def test_images_of_usual_size_have_labels_of_their_own_pixels():
    for settings in (SegmentSettings(), REGION):
        grid = choose_grid(level((500, 400), 2), (1000, 800), settings)
        assert (grid.shape, grid.step, grid.is_full, grid.notice) == ((1000, 800), 1, True, "")


def test_a_region_of_a_huge_image_has_labels_of_the_region_and_a_margin():
    grid = choose_grid(level((10_000, 7_500), 4), HUGE, REGION)
    assert grid.box == box(488, 1713, 1488, 2613)
    assert (grid.step, grid.is_full, grid.origin) == (1, False, (488, 1488))
    assert grid.notice == "The image is so large that the labels cover the region alone."


def test_all_of_a_huge_image_has_labels_of_the_level():
    grid = choose_grid(level((10_000, 7_500), 4), HUGE, SegmentSettings())
    assert (grid.shape, grid.step, grid.is_full) == ((10_000, 7_500), 4, False)
    assert grid.origin == (1.5, 1.5), "the middle of four pixels"
    assert "pixels 4 times as long" in grid.notice
    assert grid.to_dict() == {"origin": [0, 0], "step": 4}


def test_a_huge_region_of_a_huge_image_is_no_way_out(monkeypatch):
    monkeypatch.setattr(grid_module, "MOST_PIXELS", 10_000)
    assert choose_grid(level((10_000, 7_500), 4), HUGE, REGION).step == 4


@pytest.mark.parametrize(
    ("grid", "shape"),
    [(Grid(box(0, 5, 0, 4), 3), (14, 11)), (Grid(box(3, 8, 2, 6), whole=False), (10, 9)), (Grid(box(1, 6, 1, 5), 2), (13, 10))],
)
def test_labels_and_their_table_in_the_pixels_of_the_image(grid, shape):
    labels = np.zeros((2, *grid.shape), np.int32)
    labels[0, 1:4, 1:3], labels[1, 2, 1] = 1, 2
    full = enlarged(labels, grid, shape)
    assert (full.shape, full.dtype) == ((2, *shape), np.int32)
    assert [(full == label).sum() for label in (1, 2)] == [6 * grid.step**2, grid.step**2]
    table, measured = in_full_pixels(measure_plane(labels[0]), grid), nus.measure(full[0])
    for column in ("area", "centroid_y", "centroid_x"):
        np.testing.assert_allclose(table[column], measured[column])


def test_labels_that_do_not_fit_into_memory_are_told(monkeypatch):
    def refuse(*_):
        raise MemoryError

    labels = np.zeros((5, 4), np.int32)
    monkeypatch.setattr(grid_module.np, "zeros", refuse)
    with pytest.raises(OutOfMemoryError, match="Labels of 30,000 × 40,000 pixels do not fit into memory; segment a region"):
        enlarged(labels, Grid(box(0, 5, 0, 4), 3), HUGE)


@pytest.mark.parametrize("grid", [Grid(box(0, 5, 0, 4), 3), Grid(box(3, 8, 2, 6), whole=False), Grid(box(1, 6, 1, 5), 2)])
def test_the_middle_of_the_first_pixel_is_the_origin(grid):
    corner = tuple(origin + grid.step for origin in grid.origin)
    assert grid.place(((grid.origin, corner),)) == (((0, 0), (1, 1)),)

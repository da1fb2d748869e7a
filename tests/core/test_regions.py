"""All nuclei at once give what scikit-image gives one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops_table

from napari_unet_seg.core.regions import axes, centroids, convex_areas, find_regions, perimeters


def reference(labels):
    names = ("label", "area", "centroid", "axis_major_length", "axis_minor_length", "eccentricity", "area_convex", "perimeter")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # it warns of pixels and lines
        table = regionprops_table(labels, properties=names)
    return {{"centroid-0": "centroid_y", "centroid-1": "centroid_x"}.get(name, name): column for name, column in table.items()}


def ours(labels):
    regions = find_regions(labels)
    columns = {"label": regions.numbers, "area": regions.total(), "area_convex": convex_areas(regions), "perimeter": perimeters(regions)}
    return columns | centroids(regions) | axes(regions)


def assert_equal(labels):
    expected, found = reference(labels), ours(labels)
    assert set(expected) == set(found)
    for name, column in expected.items():
        # Minor axes of lines are 0 here and rounding errors there: a root of 1e-16.
        np.testing.assert_allclose(found[name], column, rtol=1e-9, atol=1e-6, err_msg=name)


def blobs(seed, shape=(60, 75)):
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=shape), random.uniform(0.5, 4))
    return ndimage.label(noise > random.uniform(-0.3, 1) * noise.std())[0]


@pytest.mark.parametrize("seed", range(10))
def test_blobs_with_holes_and_bays(seed):
    assert_equal(blobs(seed))


@pytest.mark.parametrize("seed", range(5))
def test_nuclei_in_many_pieces(seed):
    """And with gaps: numbers 0 to 4, and rows in which a nucleus has no pixel."""
    assert_equal((blobs(seed) % 5).astype(np.uint8))
    assert_equal(np.random.default_rng(seed).choice([0, 0, 0, 3, 9], (17, 23)).astype(np.uint16))


def shape_of(name):
    y, x = np.indices((40, 50))
    return {
        "pixel": (y == 7) & (x == 9),
        "two pixels": (y == 7) & (np.abs(x - 9.5) < 1),
        "row": y == 3,
        "column": x == 49,
        "diagonal": y == x,
        "other diagonal": y == 39 - x,
        "knight's moves": (x == 2 * y),
        "square": (y < 9) & (x < 9),
        "whole plane": y >= 0,
        "ring": np.abs(np.hypot(y - 20, x - 20) - 12) < 2,
        "crescent": (np.hypot(y - 20, x - 20) < 15) & (np.hypot(y - 20, x - 26) > 14),
        "six": (np.hypot(y - 12, x - 35) < 11) | ((y > 34) & (x < 3)),
        "corners": ((y == 0) | (y == 39)) & ((x == 0) | (x == 49)),
        "checkerboard": (y + x) % 2 == 0,
    }[name]


SHAPES = [
    *("pixel", "two pixels", "row", "column", "diagonal", "other diagonal", "knight's moves", "square", "whole plane", "ring"),
    *("crescent", "six", "corners", "checkerboard"),
]


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    mask = shape_of(name)
    for turned in (mask, mask[::-1], mask.T, mask[:, ::-1].T):
        assert_equal(turned.astype(np.int32) * 7)


def test_lines_have_no_width():
    for name in ("row", "column", "diagonal", "other diagonal"):
        assert axes(find_regions(shape_of(name).astype(int)))["axis_minor_length"].item() == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (4, 5)])
def test_no_nuclei(shape):
    for name, column in ours(np.zeros(shape, np.uint16)).items():
        assert column.shape == (0,), name
        assert column.dtype == (np.int64 if name == "label" else np.float64), name


def test_pixels_lie_nucleus_by_nucleus():
    labels = np.array([[5, 0, 2], [2, 5, 5]])
    regions = find_regions(labels)
    assert regions.numbers.tolist() == [2, 5]
    assert list(zip(regions.places, regions.rows, regions.columns, strict=True)) == [(0, 0, 2), (0, 1, 0), (1, 0, 0), (1, 1, 1), (1, 1, 2)]


def test_touching_the_border():
    labels = np.zeros((7, 9), int)
    labels[0, 3], labels[6, 4], labels[3, 0], labels[3, 8], labels[1:3, 5:7] = 1, 2, 3, 4, 5
    assert find_regions(labels).touch_border().tolist() == [True, True, True, True, False]

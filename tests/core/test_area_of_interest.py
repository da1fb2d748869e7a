"""Polygons on a plane: what lies inside, what they touch, and which of them are computed together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.area_of_interest import AreaOfInterest

SQUARE = [(10, 10), (10, 30), (30, 30), (30, 10)]
TRIANGLE = [(0, 0), (0, 40), (40, 0)]
RING = [*SQUARE, SQUARE[0], (15, 15), (15, 25), (25, 25), (25, 15), (15, 15), SQUARE[0]]
"""A square with a square hole, as one outline that runs to the hole and back."""


def area(*polygons):
    return AreaOfInterest.of(polygons)


def box(y0, y1, x0, x1):
    return slice(y0, y1), slice(x0, x1)


def test_points_inside_any_polygon():
    both = area(SQUARE, [(y + 100, x) for y, x in SQUARE])
    assert both.contains([20, 120, 60, 20], [20, 20, 20, 31]).tolist() == [True, True, False, False]
    assert area(TRIANGLE).contains([10, 30], [10, 30]).tolist() == [True, False]


def test_a_hole_is_outside():
    assert area(RING).contains([12, 20, 28, 5], [20, 20, 12, 5]).tolist() == [True, False, True, False]


def test_every_point_of_a_plane_belongs_to_one_of_two_neighbours():
    """Two regions side by side share no nucleus and lose none, wherever its centroid is."""
    left, right = area([(0, 0), (0, 20), (50, 30), (50, 0)]), area([(0, 20), (0, 50), (50, 50), (50, 30)])
    y, x = np.mgrid[0:50, 0:50].reshape(2, -1)
    assert (left.contains(y, x) ^ right.contains(y, x)).all()


def test_the_box_ends_with_the_plane():
    assert area(SQUARE).box((100, 100)) == box(10, 31, 10, 31)
    assert area(SQUARE).box((100, 100), 5) == box(5, 36, 5, 36)
    assert area(SQUARE).box((20, 100), 50) == box(0, 20, 0, 81)
    assert area(SQUARE).box((8, 8)) is None
    assert area().box((8, 8)) is None


@pytest.mark.parametrize(
    ("where", "touched"),
    [
        (box(0, 5, 0, 5), False),
        (box(0, 12, 0, 12), True),
        (box(18, 22, 18, 22), True),
        (box(0, 50, 0, 50), True),
        (box(12, 14, 40, 50), False),
        (box(0, 10, 0, 10), False),
        (box(0, 11, 0, 11), True),
    ],
)
def test_what_a_polygon_touches(where, touched):
    assert area(SQUARE).touches(where) is touched
    assert area().touches(where) is False


def test_a_margin_makes_it_touch_and_a_slanted_edge_passes_by():
    assert not area(SQUARE).touches(box(0, 5, 0, 5), 5)
    assert area(SQUARE).touches(box(0, 5, 0, 5), 6)
    assert not area(TRIANGLE).touches(box(30, 35, 30, 35)), "inside the triangle's box, and beside it"
    assert area(TRIANGLE).touches(box(15, 25, 15, 25))


def test_distant_polygons_are_apart_and_near_ones_together():
    near, far = [(y, x + 40) for y, x in SQUARE], [(y + 500, x) for y, x in SQUARE]
    assert [len(group.polygons) for group in area(SQUARE, far, near).groups((1000, 1000), 20)] == [1, 2]
    assert [len(group.polygons) for group in area(SQUARE, far, near).groups((1000, 1000), 2)] == [1, 1, 1]
    assert len(area(SQUARE, far).groups((100, 100), 20)) == 1, "what is beyond the plane is left out"


def test_a_polygon_that_joins_two_groups():
    far, bridge = [(y + 100, x) for y, x in SQUARE], [(20, 20), (20, 22), (120, 22), (120, 20)]
    assert [len(group.polygons) for group in area(SQUARE, far, bridge).groups((1000, 1000), 2)] == [3]


def test_reduced_polygons_cover_the_same():
    y, x = np.mgrid[0:64, 0:64].reshape(2, -1)
    full, reduced = area(SQUARE), area(SQUARE).reduced(4)
    assert (full.contains(y, x) == reduced.contains((y + 0.5) / 4 - 0.5, (x + 0.5) / 4 - 0.5)).all()

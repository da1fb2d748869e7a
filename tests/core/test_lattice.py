"""Cells cover a plane once, and a box put together from them is the box of the plane."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.lattice import Lattice, box_of, extent, grown, intersection, within
from napari_unet_seg.core.tiling import plan_tiles

SHAPES = [(1, 1), (7, 100), (64, 64), (65, 127)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("edge", [1, 16, 64, 500])
def test_cells_cover_the_plane_once(shape, edge):
    lattice, count = Lattice.regular(shape, edge), np.zeros(shape, int)
    for number in range(len(lattice)):
        count[lattice.cell(number)] += 1
        assert max(extent(lattice.cell(number))) <= edge
    assert (count == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_box_is_put_together_from_its_cells(shape):
    plane = np.arange(2 * shape[0] * shape[1]).reshape(2, *shape)
    lattice, random = Lattice.regular(shape, 10), np.random.default_rng(0)
    for _ in range(20):
        (top, bottom), (left, right) = (sorted(random.choice(size + 1, 2, replace=False)) for size in shape)
        box, loaded = box_of((top, left, bottom, right)), []

        def load(number, loaded=loaded):
            loaded.append(number)
            return plane[:, *lattice.cell(number)]

        np.testing.assert_array_equal(lattice.read(box, load), plane[:, *box])
        assert len(loaded) == len(set(loaded))
        assert all(0 not in extent(intersection(lattice.cell(number), box)) for number in loaded), "none is read in vain"


def test_the_tiles_of_a_plan_are_a_lattice():
    tiles = plan_tiles((160, 272), 64, 32, 16)
    lattice = Lattice.of(tile.core for tile in tiles)
    assert [lattice.cell(number) for number in range(len(lattice))] == [tile.core for tile in tiles]


def test_boxes():
    box = box_of((2, 3, 8, 9))
    assert grown(box, 5, (10, 10)) == (slice(0, 10), slice(0, 10))
    assert within(box, (slice(1, 10), slice(2, 10))) == (slice(1, 7), slice(1, 7))
    assert extent(intersection(box, (slice(8, 10), slice(0, 10)))) == (0, 6)

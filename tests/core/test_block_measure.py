"""Nuclei measured in a window of a plane have the numbers that the whole plane gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.block_measure import Sight, measure_block, reach_of
from napari_unet_seg.core.block_nuclei import boxes_of
from napari_unet_seg.core.lattice import Lattice, box_of, grown
from napari_unet_seg.core.measure import measure_intensities, measure_plane
from napari_unet_seg.core.regions import find_regions
from tests.tiny import discs

IMAGE, LABELS = discs((150, 190), 40)
BACKGROUND = np.random.default_rng(0).uniform(0, 1, LABELS.shape).astype(np.float16)


def whole(ring=0.0, channels=None):
    table = measure_plane(LABELS, 1 - BACKGROUND).drop(columns="index")
    return table.merge(measure_intensities(LABELS, channels, ring), on="label") if channels else table


def in_blocks(edge, ring=0.0, channels=None):
    """Measure each nucleus in the block that holds its first pixel."""
    regions, lattice = find_regions(LABELS), Lattice.regular(LABELS.shape, edge)
    boxes, parts = boxes_of(regions), []
    first = np.array([LABELS.ravel().tolist().index(number) for number in regions.numbers])
    for number in range(len(lattice)):
        y, x = lattice.cell(number)
        rows, columns = np.divmod(first, LABELS.shape[1])
        mine = (rows >= y.start) & (rows < y.stop) & (columns >= x.start) & (columns < x.stop)
        if not mine.any():
            continue
        low, high = boxes[mine][:, :2].min(axis=0), boxes[mine][:, 2:].max(axis=0)
        window = grown(box_of((*low, *high)), reach_of(ring), LABELS.shape)
        there = {name: image[window] for name, image in (channels or {}).items()}
        sight = Sight(LABELS[window], BACKGROUND[window], window, LABELS.shape, there)
        parts.append(pd.DataFrame(measure_block(sight, regions.numbers[mine], (), ring)))
    return pd.concat(parts).sort_values("label", ignore_index=True)


@pytest.mark.parametrize("edge", [20, 64, 500])
def test_shapes_are_those_of_the_whole_plane(edge):
    pd.testing.assert_frame_equal(in_blocks(edge), whole(), check_exact=True)


@pytest.mark.parametrize("ring", [0.0, 1.0, 6.5])
def test_channels_and_rings_are_those_of_the_whole_plane(ring):
    channels = {"a": IMAGE, "b": np.where(IMAGE % 7 == 0, np.nan, IMAGE.astype(np.float32))}
    pd.testing.assert_frame_equal(in_blocks(32, ring, channels), whole(ring, channels), check_exact=True)


def test_scores_are_calibrated():
    sight = Sight(LABELS, BACKGROUND, box_of((0, 0, *LABELS.shape)), LABELS.shape)
    plain, half = (measure_block(sight, np.unique(LABELS)[1:], knots)["score"] for knots in ((), ((0.0, 0.0), (1.0, 0.5))))
    np.testing.assert_allclose(half, plain / 2)


def test_without_nuclei_there_are_columns():
    sight = Sight(LABELS, BACKGROUND, box_of((0, 0, *LABELS.shape)), LABELS.shape, {"a": IMAGE})
    found = measure_block(sight, np.zeros(0, int), ring=2.0)
    assert {len(values) for values in found.values()} == {0}
    assert list(found) == list(whole(2.0, {"a": IMAGE}))


def test_rings_reach_twice_their_width():
    assert reach_of(0) == 0
    assert reach_of(3.0) >= 2 * (3 + 1)

"""Holes of nuclei, in bands of any height."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core import bands
from napari_unet_seg.core.holes import fill_beyond_specks, fill_holes


def plainly(labels):
    """Fill hole after hole, as one would by hand."""
    holes, count = ndimage.label(labels == 0)
    filled = labels.copy()
    for hole in range(1, count + 1):
        inside = holes == hole
        rows, columns = np.nonzero(inside)
        at_edge = (rows == 0) | (rows == labels.shape[0] - 1) | (columns == 0) | (columns == labels.shape[1] - 1)
        around = np.unique(labels[ndimage.binary_dilation(inside) & ~inside])
        if not at_edge.any() and len(around) == 1:
            filled[inside] = around[0]
    return filled


def rings(shape, seed):
    """Return labels with many holes, of one nucleus, of two, and at the edge: large pieces with random pixels taken out."""
    random = np.random.default_rng(seed)
    pieces = random.integers(1, 4, (shape[0] // 8 + 1, shape[1] // 8 + 1)).repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
    return np.where(random.random(shape) < 0.35, 0, pieces).astype(np.int32)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (33, 40), (64, 17)])
@pytest.mark.parametrize("pixels", [20, 170, 10**6])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_height_of_bands_changes_nothing(shape, pixels, threads, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bands, "PIXELS", pixels)
    monkeypatch.setattr(bands, "cores", lambda: threads)
    for seed in range(4):
        labels = rings(shape, seed)
        before = labels.copy()
        np.testing.assert_array_equal(fill_holes(labels), plainly(labels))
        np.testing.assert_array_equal(labels, before)


def test_a_hole_over_many_bands_is_one_hole(monkeypatch: pytest.MonkeyPatch):
    """A spiral of background inside a nucleus comes to the seams again and again, and is enclosed as a whole."""
    labels = np.ones((40, 9), np.int32)
    labels[2:38, 2] = labels[2:38, 4] = labels[2:38, 6] = labels[37, 2:5] = labels[2, 4:7] = 0
    monkeypatch.setattr(bands, "PIXELS", 9)
    assert fill_holes(labels).all()
    labels[37, 6:] = 0  # now it has a way out
    assert (fill_holes(labels) == labels).all()


def test_specks_inside_a_hole_are_filled_too():
    labels = np.zeros((20, 20), np.int32)
    labels[3:17, 3:17] = 1
    labels[6:14, 6:14] = 0
    labels[9, 9] = 2
    filled = fill_beyond_specks(fill_holes(labels), 5)
    assert (filled[3:17, 3:17] == 1).all()
    np.testing.assert_array_equal(fill_beyond_specks(labels, 1), labels)

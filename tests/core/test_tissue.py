"""Tissue and glass at a small level of a slide."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import tissue as tissue_module
from napari_unet_seg.core.pyramid import Level, Pyramid
from napari_unet_seg.core.tissue import MARGIN, Tissue, find_tissue, is_glass

GLASS, STROMA, NUCLEUS = (242, 241, 243), (225, 180, 215), (90, 60, 150)


def slide(height=200, width=200):
    """Glass with a square of tissue at (100..150, 100..150), and a lone nucleus at (20, 180)."""
    random = np.random.default_rng(0)
    pixels = np.array(GLASS) + random.normal(0, 2, (height, width, 3))
    pixels[100:150, 100:150] = np.array(STROMA) + random.normal(0, 6, (50, 50, 3))
    pixels[110:140:6, 110:140:6] = NUCLEUS
    pixels[20, 180] = NUCLEUS
    return pixels.clip(0, 255).astype(np.uint8)


def pyramid(small, step=100):
    shape = (small.shape[0] * step, small.shape[1] * step, *small.shape[2:])
    return Pyramid((Level(np.broadcast_to(small[:1, :1], shape)), Level(small, step)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_glass_is_pale_and_without_colour(dtype):
    glass = is_glass(slide().astype(dtype) * (257 if dtype == np.uint16 else 1))
    assert glass[:90].mean() > 0.98
    assert not glass[100:150, 100:150].any()
    assert not glass[20, 180]


def test_opacity_is_no_colour():
    pixels = slide()
    np.testing.assert_array_equal(is_glass(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])), is_glass(pixels))


def test_black_edges_of_a_scan_are_not_taken_for_glass():
    pixels = slide()
    pixels[:, :30] = 0
    assert not is_glass(pixels)[:, :30].any()


def test_tissue_is_found_with_what_is_near_it():
    tissue = find_tissue(pyramid(slide()))
    assert tissue is not None
    assert tissue.step == 100
    assert tissue.touches((slice(12_000, 12_100), slice(12_000, 12_100)))
    assert tissue.touches((slice(2_000, 2_010), slice(18_000, 18_010))), "a lone nucleus"
    assert tissue.touches((slice(9_700, 9_800), slice(12_000, 12_100))), "two pixels beside, and the margin"
    assert not tissue.touches((slice(5_000, 6_000), slice(3_000, 4_000)))


def test_a_box_is_asked_with_its_margin():
    mask = np.zeros((10, 10), bool)
    mask[5, 5] = True
    tissue = Tissue(mask, 100)
    assert tissue.touches((slice(500 - MARGIN - 50, 500 - MARGIN + 1), slice(500, 510)))
    assert not tissue.touches((slice(0, 500 - MARGIN - 1), slice(500, 510)))
    assert not tissue.touches((slice(900, 1000), slice(900, 1000)))


def test_where_nothing_is_gained_there_is_no_mask(monkeypatch):
    assert find_tissue(pyramid(slide()[..., 0])) is None, "gray"
    assert find_tissue(pyramid(slide(), step=10)) is None, "small"
    large = pyramid(slide()).levels[0]
    assert find_tissue(Pyramid((large,))) is None, "no small level, and reading all of it is what is to be spared"
    assert find_tissue(pyramid(np.full((200, 200, 3), STROMA, np.uint8))) is None, "no glass"
    monkeypatch.setattr(tissue_module, "MOST_MASK_PIXELS", 100)
    assert find_tissue(pyramid(slide())) is None

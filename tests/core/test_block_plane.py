"""Maps that are made tile by tile and read back box by box are those of a run in memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.block_plane import BlockPlane, Look
from napari_unet_seg.core.lattice import box_of
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.pyramid import Level, Pyramid
from napari_unet_seg.errors import OutOfMemoryError, SettingsError
from tests.tiny import discs, tiny_model

IMAGE = discs((170, 230), 50)[0]
SETTINGS = nus.SegmentSettings(tile=64)
LIMITS = estimate_limits(IMAGE, SETTINGS)
PYRAMID = Pyramid((Level(IMAGE),))


def plane(settings=SETTINGS, pyramid=PYRAMID, **look):
    return BlockPlane(Predictor(tiny_model(), "cpu", settings), pyramid, Look(LIMITS, **look))


def load(made):
    """Return what reads the tiles of a plane, each computed once."""
    tiles = {}

    def read(number):
        if number not in tiles:
            background = made.blank(number)
            tiles[number] = made.run(number) if background is None else made.empty(number, background)
        return tiles[number]

    return read


@pytest.mark.parametrize("box", [(0, 0, 170, 230), (0, 0, 1, 1), (60, 60, 70, 131), (169, 200, 170, 230)])
def test_a_box_of_maps_is_that_of_the_whole_to_the_last_bit(box):
    made = plane()
    expected = nus.drain(made.predictor.iter_maps(IMAGE, LIMITS))[[0, -1]]
    np.testing.assert_array_equal(made.read(box_of(box), load(made)), expected[:, *box_of(box)])


@pytest.mark.parametrize("diameter", [13.0, 31.0, 40.0])
def test_a_box_of_a_rescaled_plane_is_that_of_the_whole_to_the_last_bit(diameter):
    made = plane(diameter=diameter)
    expected = nus.drain(made.predictor.iter_maps(IMAGE, LIMITS, diameter))[[0, -1]]
    read = load(made)
    assert (len(made.tiles) < len(plane().tiles)) == (diameter > 17)
    for box in map(box_of, ((0, 0, 170, 230), (30, 50, 99, 160), (117, 0, 170, 61), (63, 64, 65, 67))):
        np.testing.assert_array_equal(made.read(box, read), expected[:, *box])


def test_blocks_need_not_fit_the_tiles():
    made = plane(block=50)
    assert len(made.blocks) == 4 * 5
    assert made.blocks.cell(19) == (slice(150, 170), slice(200, 230))
    assert len(plane().blocks) == 1, "automatic blocks are larger"


def test_far_from_a_region_the_network_does_not_look(monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.block_plane.REGION_MARGIN", 10)
    made = plane(dataclasses.replace(SETTINGS, region=(((5.0, 5.0), (5.0, 40.0), (40.0, 40.0), (40.0, 5.0)),)))
    seen = [number for number in range(len(made.tiles)) if made.blank(number) is None]
    assert seen == [0]
    far = made.read(box_of((100, 150, 120, 180)), load(made))
    assert (far[0] > 1).all(), "not background: not known"


def test_glass_is_left_out(monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.tissue.LEAST_PIXELS", 1000)
    monkeypatch.setattr("napari_unet_seg.core.tissue.MARGIN", 4)
    slide = np.full((256, 384, 3), 240, np.uint8)
    slide[:90, :90] = np.random.default_rng(0).integers(40, 220, (90, 90, 3))
    pyramid = Pyramid((Level(slide),))
    dark = Look(Limits(50, 240, "dark"))
    made = BlockPlane(Predictor(tiny_model(), "cpu", SETTINGS), pyramid, dark)
    blank = [made.blank(number) for number in range(len(made.tiles))]
    assert blank[0] is None
    assert blank[-1] == 1.0
    searched = BlockPlane(Predictor(tiny_model(), "cpu", dataclasses.replace(SETTINGS, skip_glass=False)), pyramid, dark)
    assert [searched.blank(number) for number in range(len(searched.tiles))] == [None] * len(blank)


def test_memory_that_never_suffices_is_told(monkeypatch):
    def never(self, window):
        raise OutOfMemoryError("none")

    given = []
    monkeypatch.setattr(Predictor, "run", never)
    monkeypatch.setattr("napari_unet_seg.core.block_plane.release_memory", lambda: given.append("back"))
    monkeypatch.setattr("napari_unet_seg.core.block_plane.SMALLEST_TILE", 8)
    with pytest.raises(OutOfMemoryError):
        plane().run(0)
    assert given


def test_a_slip_of_the_diameter_is_told():
    with pytest.raises(SettingsError, match="enlarged 17 times"):
        plane(dataclasses.replace(SETTINGS, diameter=1.0))

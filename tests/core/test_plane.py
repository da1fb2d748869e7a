"""Nuclei of a region are those of the whole plane, and only what they need is computed."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core import grid as grid_module
from napari_unet_seg.core import plane as plane_module
from napari_unet_seg.core import predict as predict_module
from napari_unet_seg.core import tissue as tissue_module
from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.errors import InputError
from tests.tiny import discs, tiny_model

FIXED = {"precision": "float32"}


def square(y0, y1, x0, x1):
    return ((y0, x0), (y0, x1), (y1, x1), (y1, x0))


def run(image, **settings):
    return nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=nus.SegmentSettings(**FIXED, **settings)))


def expected(whole, region):
    """The nuclei of a whole run whose centroid lies inside, numbered without gaps."""
    table = whole.features[AreaOfInterest.of(region).contains(whole.features["centroid_y"], whole.features["centroid_x"])]
    return compact(np.where(np.isin(whole.labels, table["label"]), whole.labels, 0))[1], table


@pytest.fixture
def pixels(monkeypatch):
    """Pixels that the network has seen."""
    seen, work = [], predict_module.Predictor.run
    monkeypatch.setattr(predict_module.Predictor, "run", lambda self, window: (seen.append(window.size), work(self, window))[1])
    return seen


REGIONS = {
    "middle": (square(150, 260, 170, 300),),
    "corner": (square(-50, 90, -20, 120),),
    "triangle": (((20, 20), (20, 380), (300, 200)),),
    "two": (square(20, 80, 20, 90), square(330, 390, 300, 395)),
    "overlapping": (square(100, 200, 100, 200), square(150, 250, 150, 250)),
    "hole": ((*square(100, 300, 100, 300), (100, 100), *square(150, 250, 150, 250), (150, 150), (100, 100)),),
}


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("settings", [{}, {"tile": 96}, {"diameter": 25.0}, {"diameter": 11.0}, {"exclude_border": True}], ids=str)
def test_nuclei_of_a_region_are_those_of_the_whole_plane(name, settings):
    image, _ = discs((400, 410), count=150, seed=4)
    part = run(image, region=REGIONS[name], **settings)
    labels, table = expected(run(image, **settings), REGIONS[name])
    assert len(table) > 1
    if name == "two":  # distant polygons are numbered one after the other
        np.testing.assert_array_equal(part.labels > 0, labels > 0)
    else:
        np.testing.assert_array_equal(part.labels, labels)
    columns = ["area", "centroid_y", "centroid_x", "touches_border"]
    found, wanted = (rows.sort_values(["centroid_y", "centroid_x"])[columns].to_numpy(float) for rows in (part.features, table))
    np.testing.assert_allclose(found, wanted)
    assert sorted(part.features["label"]) == sorted(set(np.unique(part.labels)) - {0})


def cones():
    """Cones in a row, each touching the next: one connected part across the plane."""
    y, x = np.mgrid[:160, :700]
    heights = [1 - np.hypot(y - 80, x - 20 - 17 * number) / 10 for number in range(40)]
    return np.max(heights, axis=0).clip(0).astype(np.float32)


def as_maps(self, window):
    """Stand for a network that takes the intensity for the distance map."""
    nucleus = window > 0.05
    return np.stack([~nucleus, nucleus, 0 * window, window.clip(0, 1)]).astype(np.float16)


def test_a_clump_that_goes_on_beyond_the_margin_is_computed_with_a_wider_one(monkeypatch):
    monkeypatch.setattr(predict_module.Predictor, "run", as_maps)
    image, region, fixed = cones(), (square(60, 100, 300, 340),), {"low": 0.0, "high": 1.0, "polarity": "bright"}
    whole = run(image, **fixed)
    assert whole.count == 40
    assert ndimage.label(whole.labels)[1] == 1, "all hang together"
    labels, table = expected(whole, region)
    assert len(table) >= 2
    margins, look = [], plane_module._Plane.iter_look
    monkeypatch.setattr(plane_module._Plane, "iter_look", lambda self, part, told: (margins.append(part.margin), look(self, part, told))[1])
    np.testing.assert_array_equal(run(image, region=region, **fixed).labels, labels)
    assert len(margins) > 1
    assert sorted(set(margins)) == margins


def test_only_what_the_region_needs_is_computed(pixels):
    image = np.tile(discs((120, 120), seed=4)[0], (10, 10))
    limits = {"low": 300.0, "high": 2600.0, "polarity": "bright", "tile": 128}
    run(image, region=(square(600, 640, 600, 640),), **limits)
    assert sum(pixels) < 0.5 * image.size
    pixels.clear()
    run(image, region=(square(10, 50, 10, 50), square(1150, 1190, 1150, 1190)), **limits)
    assert sum(pixels) < 0.5 * image.size, "not what lies between two corners"
    pixels.clear()
    diagonal = ((10, 10), (10, 30), (1190, 1190), (1190, 1170))
    run(image, region=(diagonal,), **limits)
    assert sum(pixels) < 2.5 * image.size, "halos aside, tiles far from a slanted region are left out"


def test_limits_are_those_of_the_whole_plane():
    image, _ = discs((300, 300), count=60, seed=4)
    image[:50] = image[:50] // 3
    assert run(image, region=(square(0, 60, 0, 60),)).provenance["limits"] == run(image).provenance["limits"]


def test_a_lazy_plane_is_read_where_the_region_is():
    image = np.tile(discs((160, 160), seed=5)[0], (10, 10))
    read = []
    lazy = da.from_array(image, chunks=100).map_blocks(lambda block: (read.append(block.size), block)[1], dtype=image.dtype)
    settings = nus.SegmentSettings(low=0, high=3000, polarity="bright", region=(square(700, 750, 700, 750),))
    steps = nus.iter_segment(lazy, tiny_model(), "cpu", settings=settings)
    read.clear()
    nus.drain(steps)
    assert sum(read) < 0.25 * image.size


def test_each_plane_of_a_stack_has_the_region():
    stack = np.stack([discs((200, 200), count=40, seed=seed)[0] for seed in range(2)])
    region = (square(50, 150, 50, 150),)
    result = run(stack, region=region)
    for plane, image in zip(result.labels, stack, strict=True):
        np.testing.assert_array_equal(compact(plane)[1], expected(run(image), region)[0])
    assert result.features["label"].is_unique


def test_a_region_without_nuclei_and_one_beside_the_image():
    image, _ = discs((200, 200), count=20, seed=4)
    nothing = run(image, region=(square(1, 2, 1, 2),))
    assert (nothing.count, nothing.labels.max()) == (0, 0)
    assert set(nothing.features) == set(run(image).features)
    with pytest.raises(InputError, match="The region lies outside of the image of 200 × 200 pixels"):
        run(image, region=(square(300, 400, 0, 50),))


def test_the_maximum_projection_of_a_stack():
    image, _ = discs((128, 128), seed=2)
    split = np.stack([np.where(np.arange(128) < 64, image, 300), np.where(np.arange(128) >= 64, image, 300)]).astype(np.uint16)
    flat = run(split, stack="maximum")
    assert flat.labels.shape == (128, 128)
    np.testing.assert_array_equal(flat.labels, run(split.max(axis=0)).labels)
    settings = nus.SegmentSettings(stack="maximum")
    times = np.stack([split, split[::-1]])
    assert nus.segment(times, tiny_model(), "cpu", axes="TZYX", settings=settings).shape == (2, 128, 128)
    lazy = da.from_array(np.stack([0 * times, times], axis=2), chunks=64)
    found = nus.segment(lazy, tiny_model(), "cpu", axes="TZCYX", channel=1, settings=replace(settings, **FIXED))
    np.testing.assert_array_equal(found[0], flat.labels)
    np.testing.assert_array_equal(nus.segment(split, tiny_model(), "cpu", axes="QYX", settings=replace(settings, **FIXED)), flat.labels)
    assert nus.segment(split, tiny_model(), "cpu", axes="TYX", settings=settings).shape == split.shape, "times are no stack"


class TestPyramids:
    @staticmethod
    def levels(steps=(1, 2, 4)):
        """A plane of large discs, and smaller levels of it, averaged as slides are; each says when it is read."""
        small, truth = discs((200, 203), count=40, seed=3, radius=(7, 10))
        image = np.kron(small, np.ones((4, 4), small.dtype))
        read = {step: 0 for step in steps}

        def level(step):
            height, width = (size // step * step for size in image.shape)
            pixels = image[:height, :width].reshape(height // step, step, width // step, step).mean(axis=(1, 3)).astype(image.dtype)

            def note(block):
                read[step] += block.size
                return block

            return da.from_array(pixels, chunks=128).map_blocks(note, dtype=image.dtype)

        return [level(step) for step in steps], read, np.kron(truth, np.ones((4, 4), np.int32))

    def test_the_level_nearest_to_the_scale_is_read(self):
        levels, read, truth = self.levels()
        settings = {"diameter": 68.0, "low": 300.0, "high": 2600.0, "polarity": "bright", "min_area": 400}
        plain = run(levels[0], **settings)
        read.update(dict.fromkeys(read, 0))
        found = run(levels, **settings)
        assert (read[1], read[2]) == (0, 0)
        assert read[4] > 0
        assert found.labels.shape == levels[0].shape, "labels have the pixels of the image"
        assert nus.evaluate(truth, found.labels).ap(0.7) > 0.8
        assert nus.evaluate(plain.labels, found.labels).ap(0.5) > 0.9

    def test_without_a_diameter_it_is_the_largest(self):
        image, _ = discs((200, 200), count=40, seed=3)
        np.testing.assert_array_equal(run([image, image[::2, ::2] * 0]).labels, run(image).labels)

    @pytest.mark.parametrize("diameter", [68.0, 50.0])
    def test_a_region_of_a_level_is_that_of_the_whole(self, diameter):
        levels, *_ = self.levels()
        region = (square(200, 500, 250, 600),)
        labels, table = expected(run(levels, diameter=diameter), region)
        assert len(table) > 2
        np.testing.assert_array_equal(run(levels, diameter=diameter, region=region).labels, labels)

    def test_levels_that_are_no_fraction_are_not_used(self):
        levels, *_ = self.levels((1,))
        odd = levels[0][:500, :300]
        np.testing.assert_array_equal(run([levels[0], odd], diameter=68.0).labels, run(levels[0], diameter=68.0).labels)

    def test_labels_of_a_huge_plane_have_the_pixels_of_the_level_or_those_of_the_region(self, monkeypatch):
        levels, *_ = self.levels()
        settings = nus.SegmentSettings(**FIXED, diameter=68.0, min_area=400)
        whole = nus.drain(nus.iter_segment(levels, tiny_model(), "cpu", settings=settings))
        monkeypatch.setattr(grid_module, "MOST_PIXELS", 500_000)
        seen = []
        reduced = nus.drain(nus.iter_segment(levels, tiny_model(), "cpu", settings=settings), seen.append)
        assert reduced.labels.shape == levels[2].shape
        assert seen[0].notice == "The image is so large that its labels have pixels 4 times as long as its own."
        full = reduced.full(levels[0].shape)
        assert full.labels.shape == nus.segment(levels, tiny_model(), "cpu", settings=settings).shape == levels[0].shape
        assert nus.evaluate(whole.labels, full.labels).ap(0.5) > 0.9
        measured = nus.measure(full.labels)
        for column in ("area", "centroid_y", "centroid_x"):
            np.testing.assert_allclose(full.features[column], measured[column])
        np.testing.assert_allclose(full.features["axis_major_length"], measured["axis_major_length"], rtol=0.02)
        monkeypatch.setattr(grid_module, "MARGIN", 80)
        region = (square(200, 500, 250, 600),)
        part = run(levels[0], region=region, diameter=68.0)
        assert part.labels.shape == (461, 511)
        assert part.grid.origin == (120, 170)
        assert part.provenance["grid"] == {"origin": [120, 170], "step": 1}
        assert "grid" not in part.full(levels[0].shape).provenance
        inside, table = expected(run(levels[0], diameter=68.0).full(levels[0].shape), region)
        np.testing.assert_array_equal(part.full(levels[0].shape).labels, inside)
        np.testing.assert_allclose(part.full(levels[0].shape).features["centroid_y"], table["centroid_y"])


class TestGlass:
    @staticmethod
    def slide(steps=(1, 8)):
        """A stained section in the middle of pale glass: its levels."""
        image, truth = discs((256, 256), count=60, seed=2)
        stain = (image.astype(float) - 300).clip(0) / 2000
        tissue = np.stack([225 - 130 * stain, 190 - 120 * stain, 225 - 60 * stain], axis=-1)
        noise = np.random.default_rng(0).normal(0, 2, (1024, 1024, 3))
        slide = 238 + noise
        slide[384:640, 384:640] = tissue + noise[:256, :256]
        slide = slide.clip(0, 255).astype(np.uint8)
        levels = [slide.reshape(1024 // step, step, 1024 // step, step, 3).mean(axis=(1, 3)).astype(np.uint8) for step in steps]
        return levels, truth

    def test_glass_is_not_searched_and_tissue_gives_the_same(self, monkeypatch, pixels):
        monkeypatch.setattr(tissue_module, "LEAST_PIXELS", 1_000_000)
        monkeypatch.setattr(tissue_module, "MOST_MASK_PIXELS", 100_000)
        levels, truth = self.slide()
        found = run(levels, tile=128)
        looked = sum(pixels)
        pixels.clear()
        whole = run(levels, tile=128, skip_glass=False)
        assert looked < 0.7 * sum(pixels)
        assert nus.evaluate(truth, whole.labels[384:640, 384:640]).ap(0.5) > 0.9
        tissue = np.zeros(whole.labels.shape, bool)
        tissue[384:640, 384:640] = True
        np.testing.assert_array_equal(compact(found.labels * tissue)[1], compact(whole.labels * tissue)[1])
        assert np.count_nonzero(found.labels[~tissue]) <= np.count_nonzero(whole.labels[~tissue])

    def test_small_planes_and_those_in_gray_are_searched_whole(self, pixels):
        levels, _ = self.slide()
        run(levels, tile=128)
        looked = sum(pixels)
        pixels.clear()
        run(levels, tile=128, skip_glass=False)
        assert sum(pixels) == looked

    def test_a_slide_that_is_all_tissue_has_no_glass(self):
        """Otsu parts any picture into two."""
        levels, _ = self.slide()
        pale = np.array([236, 225, 236], float) - np.random.default_rng(0).random((64, 64, 1)) * np.array([120, 120, 60])
        assert tissue_module.is_glass(levels[1]).mean() > 0.9
        assert tissue_module.is_glass(levels[1][50:78, 50:78]).mean() < 0.05
        assert tissue_module.is_glass(pale.astype(np.uint8)).mean() < 0.35
        assert not tissue_module.is_glass(np.full((8, 8, 3), 240, np.uint8)).any()

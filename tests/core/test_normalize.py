"""Limits and polarity of any plane, and what the network then sees: the same for every dtype, never chosen by a tile."""

from __future__ import annotations

import csv
import math
from fractions import Fraction

import numpy as np
import pytest
from dask import array as dask_array
from imagecodecs import imread

from napari_unet_seg.core import normalize as module
from napari_unet_seg.core.normalize import CLIP, Limits, estimate_limits, normalize, percentiles, to_gray
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings

AUTO = SegmentSettings()
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4", ">u8"]
FLOATS = ["f2", "f4", "f8", ">f2", ">f4", ">f8"]


def nuclei(shape=(60, 70), dark=False):
    """A plane of 0 to 100: ground at 20 with noise, a tenth of it nuclei at 80, or the reverse."""
    random = np.random.default_rng(3)
    plane = 20 + random.normal(0, 3, shape)
    plane[5:20, 5:33] = 80 + random.normal(0, 3, (15, 28))
    return 100 - plane if dark else plane


def expected_percentiles(values, ranks):
    """By sorting: the smallest value that at least so many percent of the values do not exceed."""
    ordered = np.sort(values.ravel())
    return tuple(float(ordered[max(math.ceil(rank / 100 * ordered.size - 1e-9) - 1, 0)]) for rank in ranks)


# -- limits ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_limits_and_polarity_of_every_dtype(dtype, dark):
    plane = nuclei(dark=dark).astype(dtype)
    before = plane.copy()
    limits = estimate_limits(plane, AUTO)
    assert limits.polarity == ("dark" if dark else "bright")
    assert (limits.low, limits.high) == expected_percentiles(plane.astype(float), (0.2, 99) if dark else (1, 99.8))
    scaled = normalize(plane, limits)
    ground, span = (limits.high, limits.low - limits.high) if dark else (limits.low, limits.high - limits.low)
    np.testing.assert_allclose(scaled, np.clip((before.astype(float) - ground) / span, *CLIP), atol=1e-6)
    assert scaled.dtype == np.float32
    assert scaled.dtype.isnative
    np.testing.assert_array_equal(plane, before)


def test_bool_planes():
    plane = nuclei() > 50
    limits = estimate_limits(plane, AUTO)
    assert limits == Limits(0, 1, "bright")
    np.testing.assert_array_equal(normalize(plane, limits), plane)
    assert estimate_limits(~plane, AUTO) == Limits(0, 1, "dark")
    np.testing.assert_array_equal(normalize(~plane, Limits(0, 1, "dark")), plane)


@pytest.mark.parametrize("offset", [-1000, -50, 0, 30000])
def test_an_offset_changes_nothing(offset):
    plane = nuclei().round()
    moved = normalize(plane + offset, estimate_limits(plane + offset, AUTO))
    np.testing.assert_array_equal(moved, normalize(plane, estimate_limits(plane, AUTO)))


@pytest.mark.parametrize("value", [0, 7, -7, 1e308, -1e308, 5e-324, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 5), (6, 5, 3), (1, 1, 4)])
@pytest.mark.parametrize("polarity", ["auto", "bright", "dark"])
def test_constant_planes_are_all_ground(value, shape, polarity):
    plane = np.full(shape, value)
    limits = estimate_limits(plane, SegmentSettings(polarity=polarity))
    assert math.isfinite(limits.low)
    assert limits.low == limits.high
    np.testing.assert_array_equal(normalize(plane, limits), np.zeros(shape[:2], np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_values_that_are_not_finite_change_no_limit(dtype, bad):
    plane = nuclei().astype(dtype)
    limits = estimate_limits(plane, AUTO)
    wide = np.concatenate([plane, np.full((30, 70), bad, dtype)])
    assert estimate_limits(wide, AUTO) == limits
    scaled = normalize(wide, limits)
    np.testing.assert_array_equal(scaled[:60], normalize(plane, limits))
    np.testing.assert_array_equal(scaled[60:], {np.inf: CLIP[1], -np.inf: CLIP[0]}.get(bad, 0))


def test_infinity_in_a_dark_plane_is_ground_beyond_white():
    assert normalize(np.array([[np.inf, -np.inf, np.nan]]), Limits(0, 1, "dark")).tolist() == [[CLIP[0], CLIP[1], 0]]


@pytest.mark.parametrize("polarity", ["bright", "dark"])
@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 2**63, 2**64 - 1], np.uint64),
        np.array([-(2**63), 0, 2**63 - 1], np.int64),
        np.array([-1.7e308, 0, 1.7e308]),
        np.array([-3.4e38, 0, 3.4e38], np.float32),
        np.array([0, 5e307, 1e308]),
        np.array([0, 5e-324, 1e-323]),
    ],
    ids=str,
)
def test_extreme_values_are_scaled_rightly(values, polarity):
    plane = values[None]
    limits = Limits(float(values[0]), float(values[2]), polarity)
    expected = [[0, 0.5, 1]] if polarity == "bright" else [[1, 0.5, 0]]
    np.testing.assert_allclose(normalize(plane, limits), expected, atol=1e-6)
    assert estimate_limits(np.repeat(plane, 3, 1), SegmentSettings(polarity=polarity)) == limits


@pytest.mark.parametrize("dtype", ["u4", "i8", ">u4", "f8"])
def test_small_differences_of_large_values_are_kept(dtype):
    """float32 would make one value of them."""
    plane = (2**30 + np.arange(5)).astype(dtype)[None]
    np.testing.assert_allclose(normalize(plane, Limits(2**30, 2**30 + 4, "bright")), [[0, 0.25, 0.5, 0.75, 1]])


@pytest.mark.parametrize("limits", [(-1e300, 1e300), (0, 1e300), (0, 1e-300), (-1.7e308, 1.7e308), (1e-300, 2e-300)])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_fixed_limits_far_from_the_values(limits, dtype):
    plane = np.array([[0, 1, 100]], dtype)
    scaled = normalize(plane, Limits(*limits, "bright"))
    low, high = map(Fraction, limits)  # exact
    expected = [float(min(max((Fraction(value) - low) / (high - low), Fraction(-1, 2)), 3)) for value in (0, 1, 100)]
    np.testing.assert_allclose(scaled, [expected], atol=1e-6)


def test_fixed_limits_are_used_as_they_are():
    plane = nuclei()
    assert estimate_limits(plane, SegmentSettings(low=10, high=90)) == Limits(10, 90, "bright")
    assert estimate_limits(plane, SegmentSettings(low=10, high=90, polarity="dark")) == Limits(10, 90, "dark")


def test_fixed_limits_and_polarity_need_not_read_the_plane():
    class Unread:
        shape, ndim, dtype = (5, 5), 2, np.dtype("u1")

    limits = estimate_limits(Unread(), SegmentSettings(low=-2, high=90, polarity="bright"))
    assert limits.to_dict() == {"low": -2.0, "high": 90.0, "polarity": "bright"}


# -- colour ----------------------------------------------------------------------------------------------------------------------------


def coloured(dark, samples=3, dtype="u1"):
    """Blue nuclei on black, or blue-violet ones on white, as in a stained section."""
    ground, nucleus = ((250, 245, 250), (90, 60, 140)) if dark else ((2, 3, 5), (10, 20, 200))
    plane = np.empty((40, 50, samples), dtype)
    plane[..., :3] = ground
    plane[5:20, 5:15, :3] = nucleus
    plane[..., 3:] = 17
    return plane


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "f8", "f2"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("dark", [False, True])
def test_colour_of_both_polarities(dark, samples, dtype):
    plane = coloured(dark, samples, dtype)
    before = plane.copy()
    limits = estimate_limits(plane, AUTO)
    assert limits.polarity == ("dark" if dark else "bright")
    scaled = normalize(plane, limits)
    assert scaled.shape == (40, 50)
    np.testing.assert_allclose(scaled[5:20, 5:15], 1, atol=1e-6)
    np.testing.assert_allclose(np.delete(scaled, np.s_[5:20], axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(plane, before)


def test_transparency_changes_nothing():
    opaque, clear = coloured(True, 4), coloured(True, 4)
    clear[..., 3] = np.random.default_rng(0).integers(0, 255, clear.shape[:2])
    assert estimate_limits(clear, AUTO) == estimate_limits(opaque, AUTO) == estimate_limits(coloured(True, 3), AUTO)
    np.testing.assert_array_equal(to_gray(clear, "dark"), to_gray(coloured(True, 3), "dark"))


def test_gray_of_colour():
    plane = np.array([[[10, 20, 30], [200, 100, 0]]], np.uint8)
    np.testing.assert_array_equal(to_gray(plane, "bright"), [[30, 200]])
    np.testing.assert_allclose(to_gray(plane, "dark"), [[14, 160]], rtol=1e-6)


@pytest.mark.parametrize("polarity", ["auto", "bright", "dark"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_colour_with_values_that_are_not_finite(dtype, polarity):
    plane = coloured(False, 3, dtype)
    plane[30:, :, :] = [np.inf, -np.inf, np.nan]
    plane[29, :, 2] = np.inf
    scaled = normalize(plane, estimate_limits(plane, SegmentSettings(polarity=polarity)))
    assert np.isfinite(scaled).all()
    assert (scaled[30:] == 0).all()


def test_blue_is_left_out_of_a_stained_section():
    """0 times infinity would otherwise be NaN."""
    plane = np.array([[[10, 20, np.inf]]])
    np.testing.assert_array_equal(to_gray(plane, "dark"), [[14]])


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_huge_colours_have_a_polarity(value):
    plane = np.full((20, 20, 3), value)
    plane[:3] = 0
    limits = estimate_limits(plane, AUTO)
    assert limits.polarity == ("dark" if value > 0 else "bright")
    np.testing.assert_allclose(normalize(plane, limits), np.repeat([[1] * 20, [0] * 20], [3, 17], axis=0), atol=1e-6)


# -- tiles and memory ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(61, 83), (61, 83, 3), (61, 83, 4)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_a_part_is_scaled_as_the_whole(shape, dtype, polarity):
    plane = (np.random.default_rng(0).random(shape) * 250).astype(dtype)
    limits = estimate_limits(plane, SegmentSettings(polarity=polarity))
    whole = normalize(plane, limits)
    for box in (np.s_[:1, :1], np.s_[7:8], np.s_[:, 11:12], np.s_[5:47, 3:80], np.s_[60:, 82:]):
        np.testing.assert_array_equal(normalize(plane[box], limits), whole[box])
        np.testing.assert_array_equal(normalize(np.asfortranarray(plane[box]), limits), whole[box])


def test_float32_is_not_scaled_in_place():
    plane = nuclei().astype(np.float32)
    plane[0, 0] = np.nan
    before = plane.copy()
    for polarity in ("bright", "dark"):
        gray = to_gray(plane, polarity)
        gray[:] = 0
        normalize(plane, Limits(20, 80, polarity))
        estimate_limits(plane, SegmentSettings(polarity=polarity))
    np.testing.assert_array_equal(plane, before)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_memory_maps_are_not_changed(tmp_path, mode):
    path = tmp_path / "plane.npy"
    np.save(path, nuclei().astype(np.float32))
    content = path.read_bytes()
    plane = np.load(path, mmap_mode=mode)
    scaled = normalize(plane, estimate_limits(plane, AUTO))
    assert not np.shares_memory(scaled, plane)
    del plane
    assert path.read_bytes() == content


# -- percentiles and the sample --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("size", [1, 2, 3, 99, 100, 101, 4321])
def test_percentiles_by_sorting(size, dtype):
    values = (np.random.default_rng(size).random(size) * 200).astype(dtype)
    ranks = (0.0, 0.2, 1.0, 50.0, 99.0, 99.8, 100.0)
    assert percentiles(values, ranks) == expected_percentiles(values, ranks)


def test_percentiles_of_nothing():
    assert percentiles(np.array([np.nan, np.inf]), (1, 99)) == (0, 0)
    assert percentiles(np.zeros(0), (50,)) == (0,)


@pytest.fixture
def small(monkeypatch):
    """Take planes over 1000 pixels for large ones, and of these 3 x 3 blocks of 4 x 4 pixels."""
    monkeypatch.setattr(module, "EXACT_PIXELS", 1000)
    monkeypatch.setattr(module, "SAMPLE_BLOCKS", 3)
    monkeypatch.setattr(module, "SAMPLE_EDGE", 4)


class Watched:
    """A plane that remembers what was read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.ndim, self.boxes = array, array.shape, array.dtype, array.ndim, []

    def __getitem__(self, box):
        self.boxes.append(box)
        return self.array[box]


@pytest.mark.usefixtures("small")
def test_up_to_the_limit_the_plane_is_read_whole():
    plane = np.arange(1000).reshape(20, 50)
    assert estimate_limits(plane, AUTO) == Limits(*expected_percentiles(plane, (1, 99.8)), "bright")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("samples", [(), (3,), (4,)])
def test_of_a_large_plane_a_few_blocks_are_read(samples):
    array = np.random.default_rng(1).integers(0, 4000, (300, 201, *samples)).astype(np.uint16)
    plane = Watched(array)
    limits = estimate_limits(plane, SegmentSettings(polarity="bright"))
    starts = [(y, x) for y in (0, 148, 296) for x in (0, 98, 197)]
    assert [(rows.start, columns.start) for rows, columns in plane.boxes] == starts
    assert all(array[box].shape[:2] == (4, 4) for box in plane.boxes)
    gray = array[..., :3].max(axis=2) if samples else array
    blocks = np.concatenate([gray[y : y + 4, x : x + 4].ravel() for y, x in starts])
    assert limits == Limits(*expected_percentiles(blocks, (1, 99.8)), "bright")
    assert limits == estimate_limits(plane, SegmentSettings(polarity="bright"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape", [(3, 2000), (2000, 3), (4, 2000), (1, 1001)])
def test_of_a_narrow_plane_no_block_is_read_twice(shape):
    plane = Watched(np.zeros(shape, np.uint8))
    estimate_limits(plane, AUTO)
    assert len(plane.boxes) == 3


@pytest.mark.usefixtures("small")
def test_a_large_dask_plane_is_read_in_part():
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return np.ones((10, 10), np.uint8)

    plane = dask_array.map_blocks(block, chunks=((10,) * 20, (10,) * 20), dtype=np.uint8, meta=np.zeros((0, 0), np.uint8))
    assert estimate_limits(plane, AUTO) == Limits(1, 1, "bright")
    assert len(read) <= 9 * 4  # a block of the sample lies in four chunks at most, of 400
    assert len(set(read)) < 40


@pytest.mark.usefixtures("small")
def test_the_sample_finds_the_polarity():
    scattered = np.random.default_rng(0).random((300, 300)) < 0.2
    assert estimate_limits(~scattered, AUTO).polarity == "dark"
    assert estimate_limits(scattered, AUTO).polarity == "bright"


# -- refusals --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", [np.ones((4, 5), complex), np.full((4, 5), None), np.full((4, 5), "a"), np.zeros((4, 5), "M8[s]")])
@pytest.mark.parametrize("function", [lambda p: estimate_limits(p, AUTO), lambda p: normalize(p, Limits(0, 1, "bright"))])
def test_dtypes_that_are_no_intensities(plane, function):
    with pytest.raises(InputError, match=r"^The image has dtype .*; use real numbers"):
        function(plane)


@pytest.mark.parametrize("shape", [(), (5,), (4, 5, 1), (4, 5, 2), (4, 5, 5), (2, 4, 5, 3), (0, 5), (5, 0), (0, 0, 3)])
@pytest.mark.parametrize("function", [lambda p: estimate_limits(p, AUTO), lambda p: normalize(p, Limits(0, 1, "bright"))])
def test_shapes_that_are_no_plane(shape, function):
    with pytest.raises(InputError) as error:
        function(np.zeros(shape))
    assert str(error.value).startswith(f"A plane has shape {shape}; it must be (Y, X)")


def test_a_section_without_glass_has_dark_nuclei():
    """Tissue of a middle tone between dark nuclei and a few white gaps: its median is nearer to the nuclei than to the gaps."""
    random = np.random.default_rng(0)
    tissue = random.normal((150, 105, 150), 12, (100, 100, 3))
    tissue[::7, ::7] = (45, 30, 80)
    tissue[:3] = 250
    assert estimate_limits(tissue.clip(0, 255).astype(np.uint8), SegmentSettings()).polarity == "dark"


def test_polarity_of_every_image_of_dsb_2018(data_dir):
    folder = data_dir / "dsb2018"
    wrong = []
    with (folder / "index.csv").open() as index:
        for row in csv.DictReader(index):
            image = imread(folder / "images" / f"{row['id']}.png")
            expected = "bright" if row["modality"] == "fluorescence" else "dark"
            if estimate_limits(image, SegmentSettings()).polarity != expected:
                wrong.append(row["id"])
    assert wrong == []


@pytest.mark.parametrize("dark", [False, True])
def test_few_nuclei_on_a_ground_of_one_value_have_limits(dark):
    """A denoised plane: both percentiles fall on the ground, of which nothing would be left to see."""
    plane = np.zeros((500, 500), np.uint16)
    plane[100:112, 100:112], plane[300:310, 300:310] = 2000, 1800
    plane = 3000 - plane if dark else plane
    expected = Limits(1000, 3000, "dark") if dark else Limits(0, 2000, "bright")
    assert estimate_limits(plane, SegmentSettings()) == expected


def test_a_plane_crowded_with_nuclei_has_the_polarity_of_its_parts():
    """Discs over more than half of the plane: the median is that of the nuclei."""
    y, x = np.mgrid[:256, :256] % 22 - 11
    plane = np.where(y**2 + x**2 <= 100, 1000, 100) + np.random.default_rng(0).normal(0, 20, (256, 256))
    assert np.median(plane) > 900
    assert estimate_limits(plane, SegmentSettings()).polarity == "bright"


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_an_infinity_on_a_ground_of_one_value_makes_no_limits(polarity):
    plane = np.full((50, 50), 5.0)
    plane[3, 3] = np.inf if polarity == "bright" else -np.inf
    assert estimate_limits(plane, SegmentSettings(polarity=polarity)) == Limits(5, 5, polarity)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, bool])
def test_counting_gives_the_percentiles_of_sorting(dtype, monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.bands.PIXELS", 100)
    random = np.random.default_rng(3)
    for size in (1, 2, 3, 99, 100, 101, 500, 501, 1000):
        values = random.random(size) < 0.3 if dtype is bool else random.integers(*_range(dtype, random), size).astype(dtype)
        ranks = (0.0, 0.2, 1.0, 50.0, 99.8, 100.0, *(100 * random.random(5)))
        expected = np.percentile(values.astype(np.float32), ranks, method="inverted_cdf")
        assert percentiles(values, ranks) == tuple(expected.astype(float)), (dtype, size)


def _range(dtype, random):
    known = np.iinfo(dtype)
    low, high = np.sort(random.integers(known.min, known.max + 1, 2))
    return low, high + 1

"""Measurements, against NumPy nucleus by nucleus and against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from dask import array as dask_array
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core.measure import add_physical, measure, measure_intensities, measure_plane
from napari_unet_seg.core.score import Foreground
from napari_unet_seg.errors import InputError

SHAPE_COLUMNS = [
    *("label", "area", "centroid_y", "centroid_x", "axis_major_length", "axis_minor_length", "eccentricity", "solidity", "perimeter"),
    "touches_border",
]
STATISTICS = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max, "sum": np.sum, "std": np.std}


def blobs(seed=0, shape=(50, 60)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return ndimage.label(noise > noise.std())[0].astype(np.int32)


def single(mask, dtype=int):
    return np.asarray(mask, dtype)


# -- shapes ----------------------------------------------------------------------------------------------------------------------------


def test_a_rectangle_by_hand():
    labels = np.zeros((12, 20), np.uint8)
    labels[3:7, 5:15] = 9
    row = measure(labels).iloc[0]
    assert (row["label"], row["area"], row["centroid_y"], row["centroid_x"]) == (9, 40, 4.5, 9.5)
    # The variance of n equal steps is (n^2 - 1) / 12, and an ellipse's axis four of its roots.
    assert row["axis_major_length"] == pytest.approx(4 * math.sqrt(99 / 12))
    assert row["axis_minor_length"] == pytest.approx(4 * math.sqrt(15 / 12))
    assert row["eccentricity"] == pytest.approx(math.sqrt(1 - 15 / 99))
    assert row["solidity"] == 1
    assert row["perimeter"] == 2 * (3 + 9)
    assert not row["touches_border"]


@pytest.mark.parametrize("radius", [10, 30, 60])
def test_a_disc_is_nearly_a_circle(radius):
    y, x = np.indices((2 * radius + 5,) * 2) - radius - 2
    row = measure(single(np.hypot(y, x) <= radius)).iloc[0]
    assert row["area"] == pytest.approx(math.pi * radius**2, rel=0.02)
    assert row["axis_major_length"] == pytest.approx(2 * radius, rel=0.02)
    assert row["axis_major_length"] == pytest.approx(row["axis_minor_length"])
    assert row["eccentricity"] == pytest.approx(0, abs=1e-6)
    assert row["solidity"] > 0.92  # pixels at the four tips stand out of the circle
    assert row["perimeter"] == pytest.approx(2 * math.pi * (radius - 0.5), rel=0.12)


def test_a_single_pixel():
    row = measure(single([[0, 0, 0], [0, 1, 0], [0, 0, 0]])).iloc[0]
    names = ["area", "centroid_y", "centroid_x", "axis_major_length", "axis_minor_length", "eccentricity", "solidity", "perimeter"]
    assert row[names].tolist() == [1, 1, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("turn", [False, True])
def test_a_line(turn):
    labels = single([[0] * 7, [0, 1, 1, 1, 1, 1, 0], [0] * 7])
    row = measure(labels.T if turn else labels).iloc[0]
    assert row["axis_major_length"] == pytest.approx(4 * math.sqrt(2))
    assert (row["axis_minor_length"], row["eccentricity"], row["solidity"]) == (0, 1, 1)
    assert not row.isna().any()


def test_the_order_and_types_of_the_columns():
    table = measure(blobs(), {"DAPI": blobs()})
    assert list(table) == [*SHAPE_COLUMNS, *(f"{name}_DAPI" for name in STATISTICS)]
    assert table["label"].dtype == np.int64
    assert table["touches_border"].dtype == bool
    assert {table[name].dtype for name in table.columns[1:] if name != "touches_border"} == {np.dtype(float)}
    assert list(table.index) == list(range(len(table)))


def test_every_nucleus_has_a_row_in_order_of_its_number():
    labels = blobs()
    table = measure(labels)
    numbers, areas = np.unique(labels[labels > 0], return_counts=True)
    assert table["label"].tolist() == numbers.tolist()
    assert table["area"].tolist() == areas.tolist()
    np.testing.assert_allclose(table[["centroid_y", "centroid_x"]], ndimage.center_of_mass(labels > 0, labels, numbers))
    edge = {*labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]}
    assert table["touches_border"].tolist() == [number in edge for number in numbers]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">u2", "i4", ">i4", "u4", "i8", "u8"])
def test_labels_of_every_integer_dtype(dtype):
    labels = blobs()
    image = np.arange(labels.size).reshape(labels.shape)
    pd.testing.assert_frame_equal(measure(labels.astype(dtype), {"a": image}), measure(labels, {"a": image}))


@pytest.mark.parametrize("add", [2**31, 2**40, 2**62])
def test_large_numbers(add):
    labels = blobs().astype(np.int64)
    large = measure(np.where(labels, labels + add, 0))
    assert large["label"].tolist() == [number + add for number in measure(labels)["label"]]
    pd.testing.assert_frame_equal(large.drop(columns="label"), measure(labels).drop(columns="label"))


def test_pieces_of_one_number_are_one_nucleus():
    row = measure(single([[3, 0, 0, 0, 3]])).iloc[0]
    assert (row["area"], row["centroid_x"], row["solidity"]) == (2, 2, 0.4)


# -- intensities -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">u2", "u4", "i8", "f2", "f4", ">f4", "f8"])
def test_intensities_nucleus_by_nucleus(dtype):
    labels = blobs()
    image = (np.random.default_rng(1).normal(0, 40, labels.shape)).astype(dtype)
    before = image.copy()
    table = measure(labels, {"GFP": image})
    for name, function in STATISTICS.items():
        expected = [function(image[labels == number].astype(float)) for number in table["label"]]
        np.testing.assert_allclose(table[f"{name}_GFP"], expected, rtol=1e-12, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(image, before)


def test_several_channels_keep_their_order():
    labels = blobs()
    table = measure(labels, {"b": labels, "a": labels * 2})
    assert [name for name in table if name.startswith("mean_")] == ["mean_b", "mean_a"]
    np.testing.assert_array_equal(table["mean_b"], table["label"])
    np.testing.assert_array_equal(table["max_a"], 2 * table["label"])


def test_what_is_not_finite_is_left_out():
    labels = single([[1, 1, 1, 1, 2, 2, 3, 3]])
    image = np.array([[5, np.nan, 1, np.inf, np.nan, -np.inf, 7, -9]])
    table = measure(labels, {"x": image}).set_index("label")
    assert table.loc[1, ["mean_x", "median_x", "min_x", "max_x", "sum_x", "std_x"]].tolist() == [3, 3, 1, 5, 6, 2]
    assert table.loc[2, [f"{name}_x" for name in STATISTICS]].isna().all()
    assert table.loc[3, ["mean_x", "median_x", "min_x", "max_x", "sum_x", "std_x"]].tolist() == [-1, -1, -9, 7, -2, 8]


def test_a_channel_without_a_finite_pixel():
    table = measure(blobs(), {"x": np.full((50, 60), np.nan)})
    assert table[[f"{name}_x" for name in STATISTICS]].isna().all(axis=None)


def test_huge_values():
    table = measure(single([[1, 1]]), {"big": np.array([[1.5e308, 1.6e308]]), "whole": np.array([[2**64 - 1, 0]], np.uint64)})
    row = table.iloc[0]
    assert (row["min_big"], row["max_big"], row["sum_big"]) == (1.5e308, 1.6e308, math.inf)
    assert row["median_big"] == pytest.approx(1.55e308)
    assert (row["max_whole"], row["median_whole"]) == (2.0**64, 2.0**63)


# -- stacks and tables without rows ----------------------------------------------------------------------------------------------------


def test_a_stack_is_measured_plane_by_plane():
    planes = [blobs(seed) for seed in range(3)]
    image = np.random.default_rng(2).random((3, 50, 60))
    table = measure(np.stack(planes), {"a": image})
    assert list(table)[:3] == ["label", "plane_0", "area"]
    for number, (plane, channel) in enumerate(zip(planes, image, strict=True)):
        rows = table[table["plane_0"] == number].drop(columns="plane_0").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, measure(plane, {"a": channel}))


def test_leading_axes_in_order():
    labels = np.zeros((2, 3, 4, 5), np.uint16)
    labels[1, 2, 1, 1], labels[0, 1, 2, 3] = 4, 4
    table = measure(labels)
    assert table[["label", "plane_0", "plane_1"]].to_numpy().tolist() == [[4, 0, 1], [4, 1, 2]]
    assert table["plane_0"].dtype == table["plane_1"].dtype == np.int64


@pytest.mark.parametrize("shape", [(5, 6), (0, 6), (5, 0), (2, 5, 6), (0, 5, 6), (2, 0, 6), (3, 0, 5, 6)])
def test_without_nuclei_there_are_columns_but_no_rows(shape):
    filled = np.zeros((1,) * (len(shape) - 2) + (5, 6), np.int64)
    filled[..., 2, 2] = 1
    expected = measure(filled, {"a": filled}, (0.5, 0.5))
    table = measure(np.zeros(shape, np.uint16), {"a": np.zeros(shape, np.float32)}, (0.5, 0.5))
    assert len(table) == 0
    assert list(table) == list(expected)
    assert table.dtypes.to_dict() == expected.dtypes.to_dict()


def test_a_plane_without_nuclei_changes_no_type():
    labels = np.zeros((3, 5, 6), np.uint16)
    labels[1, 2, 2] = 1
    table = measure(labels)
    assert len(table) == 1
    assert (table["label"].dtype, table["touches_border"].dtype) == (np.int64, bool)


@pytest.mark.parametrize("convert", [lambda a: dask_array.from_array(a, chunks=30), np.ndarray.tolist, lambda a: a])
def test_arrays_of_any_kind(convert):
    labels = np.stack([blobs(0), blobs(1)])
    pd.testing.assert_frame_equal(measure(convert(labels), {"a": convert(labels)}), measure(labels, {"a": labels}))


def test_zarr_arrays():
    import zarr

    labels = blobs()
    stored = zarr.array(labels, chunks=(20, 20))
    pd.testing.assert_frame_equal(measure(stored, {"a": stored}), measure(labels, {"a": labels}))


# -- physical units --------------------------------------------------------------------------------------------------------------------

PHYSICAL = ["area_um2", "centroid_y_um", "centroid_x_um", "axis_major_length_um", "axis_minor_length_um", "perimeter_um"]


def test_without_a_scale_nothing_is_physical():
    assert not [name for name in measure(blobs()) if "um" in name.split("_")[-1]]


@pytest.mark.parametrize("scale", [(0.5, 0.5), [0.5, 0.5], np.array([2.0, 0.5, 0.5]), (0.5, 0.5000001)])
def test_square_pixels(scale):
    table = measure(blobs(), scale=scale)
    assert [name for name in table if name in PHYSICAL] == PHYSICAL
    np.testing.assert_allclose(table["area_um2"], table["area"] / 4, rtol=1e-6)
    for name in PHYSICAL[1:]:
        np.testing.assert_allclose(table[name], table[name.removesuffix("_um")] / 2, rtol=1e-6)


@pytest.mark.parametrize("scale", [(0.25, 0.5), (1e-9, 2e-9)])
def test_oblong_pixels_have_areas_but_no_lengths(scale):
    table = measure(blobs(), scale=scale)
    np.testing.assert_allclose(table["area_um2"], table["area"] * scale[0] * scale[1])
    np.testing.assert_allclose(table["centroid_y_um"], table["centroid_y"] * scale[0])
    np.testing.assert_allclose(table["centroid_x_um"], table["centroid_x"] * scale[1])
    assert table[["axis_major_length_um", "axis_minor_length_um", "perimeter_um"]].isna().all(axis=None)


def test_the_table_given_is_not_changed():
    table = measure(blobs())
    before = table.copy()
    assert set(add_physical(table, (1, 1))) > set(before)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("scale", [(), (1,), 0.5, (0, 1), (1, -1), (math.nan, 1), (1, math.inf), ("a", 1), {"Y": 1, "X": 1}])
def test_scales_that_are_none(scale):
    with pytest.raises(InputError) as error:
        measure(blobs(), scale=scale)
    assert str(error.value) == f"The scale is {scale!r}; give positive micrometres per pixel for Y and X."


# -- the engine's table ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_score_is_the_mean_probability(dtype):
    labels = single([[1, 1, 2, 0]])
    table = measure_plane(labels, np.array([[0.5, 0.75, 0.25, 1]], dtype))
    assert table["score"].tolist() == [0.625, 0.25]
    assert list(table) == [*SHAPE_COLUMNS, "score", "index"]
    assert table["index"].tolist() == [1, 2]


def test_a_score_from_the_background_is_that_of_its_opposite():
    random = np.random.default_rng(0)
    background = random.random((20, 30)).astype(np.float16)
    labels = np.kron(np.arange(6, dtype=np.int32).reshape(2, 3), np.ones((10, 10), np.int32))
    pd.testing.assert_frame_equal(measure_plane(labels, Foreground(background)), measure_plane(labels, 1 - background))


def test_the_score_of_no_nuclei():
    table = measure_plane(np.zeros((4, 5), np.int32), np.zeros((4, 5), np.float16))
    assert (len(table), table["score"].dtype) == (0, np.dtype(float))


def test_ten_thousand_nuclei_take_no_time():
    """Measured one by one they take ten seconds; the limit is far from both, so that a busy machine does not matter."""
    import time

    labels = np.kron(np.arange(1, 10_001, dtype=np.int32).reshape(100, 100), np.pad(np.ones((12, 12), np.int32), 2))
    started = time.process_time()
    table = nus.measure(labels, {"a": labels})
    assert time.process_time() - started < 4
    assert len(table) == 10_000
    assert (table["area"] == 144).all()
    assert (table["mean_a"] == table["label"]).all()


# -- refusals --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(5, int), r"shape \(5,\) and dtype int64; they must be integers of shape \(..., Y, X\)"),
        (np.zeros((5, 5)), r"shape \(5, 5\) and dtype float64"),
        (np.zeros((5, 5), bool), "dtype bool"),
        (np.full((5, 5), None), "dtype object"),
        (np.full((5, 5), -4), "hold the number -4"),
        (np.full((5, 5), 2**64 - 1, np.uint64), "hold the number 18446744073709551615"),
    ],
)
def test_what_are_no_labels(labels, words):
    with pytest.raises(InputError, match=words):
        measure(labels)


def test_channels_have_the_shape_of_the_labels():
    with pytest.raises(InputError, match=r"The channel 'RGB' has shape \(50, 60, 3\) and the labels \(50, 60\); they must be equal"):
        measure(blobs(), {"ok": blobs(), "RGB": np.zeros((50, 60, 3))})


@pytest.mark.parametrize("image", [np.zeros((50, 60), complex), np.full((50, 60), None), np.full((50, 60), "a")])
def test_channels_are_real_numbers(image):
    with pytest.raises(InputError, match=r"The channel 'x' has dtype .*; use real numbers"):
        measure(blobs(), {"x": image})


def test_intensities_alone_are_those_of_the_whole_table():
    random = np.random.default_rng(0)
    labels = np.zeros((3, 20, 20), np.int32)
    labels[0, 2:6, 2:6], labels[0, 9:12, 9:15], labels[2, 4:8, 4:8] = 1, 2, 3
    images = {"a": random.random(labels.shape), "b": random.integers(0, 99, labels.shape)}
    alone = measure_intensities(labels, images)
    pd.testing.assert_frame_equal(alone, measure(labels, images)[list(alone)])
    assert list(alone) == ["label", *(f"{what}_{name}" for name in images for what in ("mean", "median", "min", "max", "sum", "std"))]
    with pytest.raises(InputError, match=r"\(20, 20\)"):
        measure_intensities(labels, {"a": images["a"][0]})

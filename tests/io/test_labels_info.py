from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_unet_seg.errors import InputError
from napari_unet_seg.io import labels_info
from napari_unet_seg.io.labels_info import LabelsInfo, as_stored, iter_bands, iter_planes, open_labels, stored_dtype


@pytest.mark.parametrize(
    ("axes", "stored"),
    [
        ("YX", "YX"),
        ("ZYX", "ZYX"),
        ("TYX", "TYX"),
        ("QYX", "ZYX"),
        ("IQYX", "TZYX"),
        ("QZYX", "TZYX"),
        ("ZQYX", "ZTYX"),
        ("QQQYX", "CTZYX"),
    ],
)
def test_an_axis_without_a_meaning_gets_the_first_free_one(axes, stored):
    assert LabelsInfo(axes=axes).stored_axes == stored


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_a_step_that_is_no_size_is_not_known(size):
    assert LabelsInfo(scale={"X": size}).step("X") is None


def test_a_step():
    info = LabelsInfo(scale={"X": 0.5})
    assert info.step("X") == 0.5
    assert info.step("Y") is None


def test_the_record_is_plain_json():
    info = LabelsInfo(provenance={"limits": [1.0, float("nan")], "path": np.int64, "n": 3})
    assert info.record == {"napari_unet_seg": {"limits": [1.0, None], "path": "<class 'numpy.int64'>", "n": 3}}


def test_open_labels_takes_all_kinds_of_arrays(tmp_path):
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    stored = zarr.create_array(tmp_path / "a.zarr", data=labels)
    for given in (labels, labels.tolist(), da.from_array(labels), stored, [labels, labels[::2, ::2]], (stored, stored)):
        assert np.array_equal(np.asarray(open_labels(given, LabelsInfo())), labels)


@pytest.mark.parametrize(
    ("labels", "axes", "message"),
    [
        (np.zeros((3, 4)), "YX", "dtype float64; labels must be whole numbers"),
        (np.zeros((2, 3, 4), int), "YX", r"shape \(2, 3, 4\)\) do not fit the axes 'YX'"),
        (np.zeros((3, 4), int), "XY", "Y and X come last"),
        (np.zeros((1, 1, 1, 1, 3, 4), int), "QTCZYX", "three at most"),
        (np.zeros((0, 4), int), "YX", r"\(shape \(0, 4\)\) hold no pixel"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_reason(labels, axes, message):
    with pytest.raises(InputError, match=message):
        open_labels(labels, LabelsInfo(axes=axes))


@pytest.mark.parametrize(
    ("dtype", "largest", "stored"),
    [
        ("bool", 1, "int32"),
        ("uint8", 255, "int32"),
        ("uint16", 65_535, "int32"),
        ("int32", 2**31 - 1, "int32"),
        ("uint32", 5, "int32"),
        ("uint32", 2**31, "uint32"),
        ("int64", 2**31 - 1, "int32"),
        ("uint64", 2**32 - 1, "uint32"),
    ],
)
def test_stored_dtype(dtype, largest, stored):
    labels = np.array([[0, largest]], dtype)
    for array in (labels, da.from_array(labels)):
        assert stored_dtype(array) == stored
        assert as_stored(array, stored_dtype(array)).max() == largest


def test_negative_labels_are_refused():
    with pytest.raises(InputError, match=r"The labels hold -3; nuclei are numbered from 1"):
        as_stored(np.array([[-3, 5]]), np.dtype(np.int32))


def test_labels_beyond_32_bits_are_refused():
    with pytest.raises(InputError, match="hold 4294967296, and the file's numbers end at 4294967295"):
        as_stored(np.array([[2**32]]), np.dtype(np.uint32))


@pytest.mark.parametrize("chunks", [(1, 1, 3, 4), (2, 2, 3, 2), (1, 5, 3, 4)])
@pytest.mark.parametrize("at_once", [1, 10**6])
def test_planes_come_in_order(chunks, at_once, monkeypatch):
    monkeypatch.setattr(labels_info, "_BLOCK_PIXELS", at_once)
    labels = np.arange(2 * 5 * 12).reshape(2, 5, 3, 4)
    for array in (labels, da.from_array(labels, chunks=chunks)):
        planes = list(iter_planes(array))
        assert [index for index, _ in planes] == [(t, z) for t in range(2) for z in range(5)]
        assert np.array_equal(np.stack([np.asarray(plane) for _, plane in planes]).reshape(labels.shape), labels)


def test_planes_of_one_chunk_are_read_once():
    reads = []

    def read(block, block_info):
        reads.append(block_info[0]["chunk-location"])
        return block

    lazy = da.zeros((6, 4, 4), chunks=(3, 4, 4), dtype=np.int32).map_blocks(read, dtype=np.int32, meta=np.empty((0, 0, 0), np.int32))
    assert len([np.asarray(plane) for _, plane in iter_planes(lazy)]) == 6
    assert sorted(reads) == [(0, 0, 0), (1, 0, 0)]


@pytest.mark.parametrize("pixels", [1, 30, 10**6])
def test_bands_cover_the_plane(pixels, monkeypatch):
    monkeypatch.setattr(labels_info, "_BAND_PIXELS", pixels)
    labels = np.arange(70, dtype=np.uint16).reshape(7, 10)
    for plane in (labels, da.from_array(labels, chunks=(3, 4))):
        bands = list(iter_bands(plane))
        assert np.array_equal(np.concatenate([band for _, band in bands]), labels)
        assert [row for row, _ in bands] == np.cumsum([0, *(len(band) for _, band in bands[:-1])]).tolist()

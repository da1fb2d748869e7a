"""Any integers become 1, 2, 3 ..., in their order, whichever way is taken."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import numbering
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.errors import InputError


@pytest.mark.parametrize("spread", [0, 4, 10**9])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">u2", "i4", "u8", "i8", ">i8"])
@pytest.mark.parametrize("ground", [False, True])
def test_numbers_and_places(monkeypatch, spread, dtype, ground):
    monkeypatch.setattr(numbering, "_SPREAD", spread)
    labels = np.random.default_rng(0).choice([5, 7, 9, 100, 127], (3, 4, 5)).astype(dtype)
    if ground:
        labels[1] = 0
    before = labels.copy()
    numbers, places = compact(labels)
    np.testing.assert_array_equal(labels, before)
    assert places.shape == labels.shape
    assert (numbers > 0).all()
    assert (np.diff(numbers) > 0).all()
    np.testing.assert_array_equal(np.concatenate([[0], numbers])[places], labels)
    assert numbers.dtype == places.dtype == np.int64


@pytest.mark.parametrize("spread", [0, 4])
@pytest.mark.parametrize("labels", [np.zeros((3, 4), int), np.zeros((0, 4), int), np.zeros(0, np.uint8), np.zeros((), int)])
def test_no_nuclei(monkeypatch, spread, labels):
    monkeypatch.setattr(numbering, "_SPREAD", spread)
    numbers, places = compact(labels)
    assert numbers.size == 0
    assert places.shape == labels.shape
    assert not places.any()


def test_large_numbers():
    numbers, places = compact(np.array([2**63 - 1, 0, 2**40, 2**31]))
    assert numbers.tolist() == [2**31, 2**40, 2**63 - 1]
    assert places.tolist() == [3, 0, 2, 1]
    assert compact(np.array([2**63 - 1, 3], np.uint64))[0].tolist() == [3, 2**63 - 1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array([1, -1]), "hold the number -1; use 0"),
        (np.array([-128, 3], np.int8), "hold the number -128"),
        (np.array([0, 2**64 - 1], np.uint64), "hold the number 18446744073709551615"),
        (np.array([1.0]), "dtype float64"),
        (np.array([True]), "dtype bool"),
        (np.array([None]), "dtype object"),
        (np.zeros(0), "dtype float64"),
    ],
)
def test_refused(labels, words):
    with pytest.raises(InputError, match=words):
        compact(labels)

"""Bands of rows: they cover a plane, come back in order, and leave no thread, whatever happens."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_unet_seg.core import bands as bands_module
from napari_unet_seg.core.bands import bands, cores, each, filled, looked_up, put


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bands_module, "cores", lambda: request.param)
    monkeypatch.setattr(bands_module, "PIXELS", 64)
    return int(request.param)


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-band")]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (7, 3), (64, 64), (1000, 3), (3, 0)])
def test_bands_cover_each_row_once(shape, threads):
    rows = np.concatenate([np.arange(shape[0])[band] for band in bands(shape)])
    assert rows.tolist() == list(range(shape[0]))
    assert all(band.stop > band.start for band in bands(shape))


def test_small_planes_are_one_band():
    assert bands((256, 256)) == [slice(0, 256)]
    assert len(bands((4096, 4096))) == 32


def test_answers_come_in_order_and_no_thread_is_left(threads):
    assert each(lambda number: number**2, range(50)) == [number**2 for number in range(50)]
    assert ours() == []


def test_threads_work_side_by_side(threads):
    """Each waits for all others: fewer threads than that would wait for ever."""
    meeting = threading.Barrier(threads, timeout=60)
    each(lambda _: meeting.wait(), range(threads))


def test_the_first_error_is_raised_and_no_thread_is_left(threads):
    def fail(number: int) -> int:
        if number >= 3:
            raise MemoryError(f"at {number}")
        return number

    with pytest.raises(MemoryError, match="at 3"):
        each(fail, range(40))
    assert ours() == []


def test_planes_are_put_where_they_belong(threads):
    values = np.random.default_rng(0).random((2, 90, 80)).astype(np.float16)
    target = np.zeros((2, 100, 100), np.float16)
    put(target[:, 5:95, 10:90], values)
    np.testing.assert_array_equal(target[:, 5:95, 10:90], values)
    assert np.count_nonzero(target) == np.count_nonzero(values)


def test_filled_and_looked_up_are_what_one_step_gives(threads):
    random = np.random.default_rng(0)
    places = random.integers(0, 20, (50, 33)).astype(np.int32)
    table = random.integers(0, 99, 20).astype(np.int32)
    found = looked_up(table, places)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, table[places])
    np.testing.assert_array_equal(filled((50, 33), np.float16, lambda rows: 1 - places[rows]), 1 - places)


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("1,2", 1), ("100000", None), ("many", None), ("", None), ("0", 1)])
def test_the_number_of_threads_of_others_is_kept(limit, most, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    limited = cores()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert limited == (most or cores())

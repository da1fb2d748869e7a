"""Labels as runs, in bands of any height."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import bands
from napari_unet_seg.core.runs import Runs, counted, drawn, joined_runs, runs_of


@pytest.fixture(params=[20, 300, 10**6])
def height(request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bands, "PIXELS", request.param)
    monkeypatch.setattr(bands, "cores", lambda: 3)


def labels(shape=(23, 31), high=5):
    return np.random.default_rng(shape[1]).integers(0, high, shape).astype(np.int32) * 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (23, 31)])
@pytest.mark.parametrize("high", [1, 2, 5])
def test_labels_come_back(shape, high, height):
    given = labels(shape, high)
    parts = runs_of(given)
    np.testing.assert_array_equal(drawn(shape, parts), given)
    whole = joined_runs(parts)
    assert (whole.stops > whole.starts).all()
    assert (whole.starts // shape[1] == (whole.stops - 1) // shape[1]).all(), "a run goes on into the next row"


def test_areas_and_first_pixels(height):
    given = labels()
    found = counted(runs_of(given), 14)
    for number in range(1, 14):
        places = np.flatnonzero(given == number)
        assert (found.area[number], found.first[number]) == (places.size, places[0] if places.size else 0)


def test_other_numbers_and_none(height):
    given = labels()
    table = np.arange(13, dtype=np.int32) % 2 * 7
    np.testing.assert_array_equal(drawn(given.shape, [part.renumbered(table) for part in runs_of(given)]), table[given])


def test_more_runs_fill_gaps_wherever_they_lie(height):
    given = np.zeros((9, 12), np.int32)
    given[1:8, 1:11] = 4
    given[3:6, 4:7] = 0
    starts = np.array([3, 4, 5]) * 12 + 4
    filled = drawn(given.shape, runs_of(given), Runs(starts, starts + 3, np.full(3, 4, np.int32)))
    assert (filled[1:8, 1:11] == 4).all()
    assert filled.sum() == 4 * 70

"""Moving about in large labels is measured in a real viewer, without leaving anything behind."""

from __future__ import annotations

import json

import numpy as np
import zarr

from benchmarks import scale_napari
from benchmarks.scale_one import Spent


def test_labels_have_a_number_each(tmp_path):
    path = scale_napari.write_labels(tmp_path / "x.labels.zarr", 1500)
    labels = zarr.open_array(path / "0", mode="r")[...]
    assert labels.shape == (1500, 1500)
    assert sorted(path.name for path in path.iterdir()) == ["0", "1", "zarr.json"]
    tile, right = np.unique(labels[:1024, :1024]), np.unique(labels[:1024, 1024:])
    assert tile.size == (1024 // 56) ** 2 + 1
    assert set(tile.tolist()) & set(right.tolist()) == {0}


def test_percentiles_are_those_of_moves_that_read_something():
    found = scale_napari._percentiles([np.zeros(2), np.array([10.0, 4.0]), np.array([30.0, 6.0])])
    assert (found["fetches"], found["median, ms"], found["most, ms"]) == (2, 20.0, 30.0)
    assert scale_napari._percentiles([np.zeros(2)])["95 %, ms"] == 0


def test_what_was_spent_is_summed_over_runs(tmp_path):
    for number in range(2):
        spent = Spent(tmp_path / "x.spent.json")
        spent.values["seconds"] += 5
        spent.add("Segmenting")
        spent.write()
        found = json.loads((tmp_path / "x.spent.json").read_text())
        assert (found["runs"], int(found["seconds"])) == (number + 1, 5 * (number + 1))

"""Results are in the file as soon as they are there, and belong to what they depend on."""

from __future__ import annotations

import json

import pytest

from benchmarks.kept import Kept
from napari_unet_seg.errors import InputError


def test_each_result_is_written_at_once_and_found_again(tmp_path):
    path = tmp_path / "found.json"
    kept = Kept(path, {"steps": 3})
    assert kept.add("results", {"seed": 0, "ap": 0.5}) == {"seed": 0, "ap": 0.5}
    assert json.loads(path.read_text())["results"] == [{"seed": 0, "ap": 0.5}]
    again = Kept(path, {"steps": 3})
    assert again.find("results", seed=0) == {"seed": 0, "ap": 0.5}
    assert again.find("results", seed=1) is None
    assert again.find("others", seed=0) is None
    again.add("results", {"seed": 1, "ap": 0.6})
    again.write(mean=0.55)
    found = json.loads(path.read_text())
    assert ([row["seed"] for row in found["results"]], found["mean"], found["steps"]) == ([0, 1], 0.55, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["found.json"]


def test_results_of_something_else_are_refused_and_stay(tmp_path):
    path = tmp_path / "found.json"
    Kept(path, {"steps": 3, "base": "a"}).add("results", {"seed": 0})
    before = path.read_text()
    with pytest.raises(InputError, match=r"found.json holds results with steps 3, not 4; give another file"):
        Kept(path, {"steps": 4, "base": "a"})
    assert path.read_text() == before


def test_without_a_file_nothing_is_kept():
    kept = Kept(None, {"steps": 3})
    kept.add("results", {"seed": 0})
    assert kept.find("results", seed=0) == {"seed": 0}

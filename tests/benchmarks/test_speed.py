"""The benchmark of speed: real steps are timed, peers take turns, and what is missing is left out."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import speed
from benchmarks.dsb2018 import Annotated
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    import pytest


def items():
    return [Annotated(str(seed), "fluorescence", *discs((256, 256), 20, seed=seed)) for seed in range(2)]


def test_a_mosaic_has_its_nuclei_once_each():
    image, labels = speed.mosaic(items(), 300)
    assert (image.shape, image.dtype, labels.shape) == ((300, 300), np.uint16, (300, 300))
    np.testing.assert_array_equal(labels[:256, :256], items()[0].labels)
    assert set(np.unique(labels[:256, 256:])) & set(np.unique(labels[:256, :256])) == {0}


def test_times_of_the_parts_add_up_and_no_halo_is_computed_in_one_tile():
    image, _ = speed.mosaic(items(), 128)
    times = speed.ours(image, tiny_model())
    assert set(times) == {"network", "decoder", "rest"}
    assert min(times.values()) > 0
    assert speed.halo_share(image, tiny_model()) == 0


def test_all_take_turns_and_one_that_cannot_run_is_an_empty_row():
    order = []

    def run(name, times):
        order.append(name)
        return times

    runs = {
        "napari-unet-seg": lambda: run("a", {"network": 3.0, "rest": 1.0}),
        "stardist": lambda: run("b", {"network": 15.0, "after it": 5.0}),
        "cellpose": dict,
    }
    found = speed.taken_in_turns(runs, 2)
    assert order == ["a", "b"] * 3
    rows = speed.table(found, 4.0)
    assert [row["program"] for row in rows] == ["napari-unet-seg", "StarDist", "Cellpose"]
    assert (rows[0]["Mpx/s"], rows[0]["in the network"], rows[0]["met"]) == (1.0, 0.75, True)
    assert (rows[1]["times ours"], rows[1]["met"]) == (5.0, True)
    assert "met" not in rows[2]


def test_a_peer_answers_line_by_line(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "speed_peers.py").write_text("import sys\nfor line in sys.stdin: print('{\"network\": 2.0}', flush=True)\n")
    monkeypatch.setattr(speed, "__file__", str(tmp_path / "speed.py"))
    with speed.peer(sys.executable, "stardist", tmp_path / "plane.npz") as run:
        assert [run(), run()] == [{"network": 2.0}] * 2


def test_a_peer_that_does_not_start_has_no_times(tmp_path, capfd: pytest.CaptureFixture[str]):
    with speed.peer(sys.executable, "no such program", tmp_path / "plane.npz") as run:
        assert run() == {}
        assert run() == {}
    assert "Error" in capfd.readouterr().err


def test_the_command_writes_its_table(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(speed, "read_fold", lambda data, fold: items())
    monkeypatch.setattr(speed.nus, "load_model", lambda name: tiny_model())
    speed.main([str(tmp_path), "--edge", "96", "--repeats", "1", "--json", str(tmp_path / "speed.json")])
    assert "| napari-unet-seg |" in capsys.readouterr().out
    found = json.loads((tmp_path / "speed.json").read_text())
    assert found["rows"][0]["halo"] == 0
    assert found["machine"]["cores"] >= 1

"""The benchmarks of scale run, on the smallest of images, and their checks can fail."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from benchmarks import scale_blocks, scale_cluster, scale_cores, scale_files, scale_start
from benchmarks.large_image import CHUNK, make_chunk, read_pieces, write_image
from benchmarks.scale_blocks import cut_nuclei
from tests.benchmarks.conftest import write_pair
from tests.tiny import discs


@pytest.fixture
def pieces(tmp_path):
    """A data set with two images that are large enough for pieces."""
    folder = tmp_path / "data"
    for number in range(2):
        write_pair(folder / "images" / f"n{number}.png", folder / "masks" / f"n{number}.png", number, shape=(260, 270), count=40)
    (folder / "index.csv").write_text("id,modality,fold,field\nn0,bright,0,0\nn1,bright,0,1\n")
    return folder


def test_a_small_image_is_the_corner_of_a_large_one(tmp_path, pieces):
    found = read_pieces(pieces)
    assert [piece.shape for piece in found] == [(256, 256)] * 2
    small, large = (zarr.open_array(write_image(tmp_path / f"{edge}.zarr", edge, found))[...] for edge in (700, 1100))
    np.testing.assert_array_equal(small, large[:700, :700])
    assert large.shape == (1100, 1100)
    assert not np.array_equal(make_chunk(found, (0, 0, 0)), make_chunk(found, (0, 0, CHUNK)))


def test_blocks(tmp_path, pieces, model_file, capsys):
    target = tmp_path / "found.json"
    words = ["--model", str(model_file), "--device", "cpu", "--sizes", "300", "--seams", "200", "--json", str(target)]
    scale_blocks.main([str(pieces), *words])
    found = json.loads(target.read_text())
    (row,) = found["rows"]
    assert row["edge"] == 300
    assert row["nuclei"] > 20
    assert row["peak, MB"] >= row["memory of the program alone, MB"] > 50
    assert found["seams"]["blocks with other labels"] == []
    assert found["seams"]["nuclei cut"] == 0
    assert "torch" in found["machine"]
    assert "| edge |" in capsys.readouterr().out


def test_a_cut_is_counted():
    _, labels = discs()
    assert cut_nuclei(labels, labels) == 0
    halves = np.where(np.arange(128) < 64, labels, np.where(labels, labels + 100, 0))
    cut = len(set(np.unique(labels[:, :64])) & set(np.unique(labels[:, 64:])) - {0})
    assert cut > 0
    assert cut_nuclei(labels, halves) == cut
    assert cut_nuclei(labels, np.where(labels == 1, 2, labels)) == 2


def test_workers(tmp_path, pieces, model_file, monkeypatch):
    monkeypatch.setattr(scale_cluster, "PROCESSES", False)  # a real cluster of processes is in tests/io/test_workers.py
    for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(threads, "1")  # the benchmark sets them for its workers: put back, so that no later test has other weights
    target = tmp_path / "found.json"
    scale_cluster.main([str(pieces), "--model", str(model_file), "--edge", "300", "--workers", "1", "--json", str(target)])
    found = json.loads(target.read_text())
    assert found["labels equal"]
    assert found["rows"][0]["times one"] == 1


def test_start(tmp_path, model_file, monkeypatch):
    monkeypatch.setattr(scale_start, "seconds", lambda command: 2.0 if "segment" in command else 1.5)
    target = tmp_path / "found.json"
    scale_start.main(["--model", str(model_file), "--repeats", "1", "--json", str(target)])
    [start] = json.loads(target.read_text())["rows"]
    assert (start["s"], start["s more"], start["met"]) == (2.0, 0.5, True)


@pytest.fixture
def small(tmp_path):
    """A data set with one image of 256 x 256."""
    folder = tmp_path / "data"
    write_pair(folder / "images" / "n.png", folder / "masks" / "n.png", 0, shape=(256, 256), count=40)
    (folder / "index.csv").write_text("id,modality,fold,field\nn,bright,0,0\n")
    return folder


def test_small_files(tmp_path, small, model_file, capsys):
    target = tmp_path / "found.json"
    scale_files.main([str(small), "--model", str(model_file), "--files", "12", "--json", str(target)])
    found = json.loads(target.read_text())
    [row] = found["rows"]
    assert row["files"] == 12
    assert row["nuclei"] > 12
    assert row["s"] > row["network s"] > 0
    assert row["s, times the network"] > 1
    assert len(found["memory_mb"]) == 12
    assert "times the network" in capsys.readouterr().out


def test_what_cores_share(tmp_path, small, model_file, capsys):
    target = tmp_path / "found.json"
    scale_cores.main([str(small), "--model", str(model_file), "--edge", "512", "--repeats", "1", "--json", str(target)])
    found = json.loads(target.read_text())
    stages = {row["stage"]: row["processor ms a megapixel"] for row in found["rows"]}
    assert set(stages) >= {"hills and passes", "drawing the labels", "normalising", "limits", "one core alone"}
    assert all(value >= 0 for value in stages.values())
    assert found["Mpx/s"]["16"] > found["Mpx/s"]["1"] > 0
    assert "besides the network" in capsys.readouterr().out

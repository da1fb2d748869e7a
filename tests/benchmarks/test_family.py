"""The benchmark of the U-Net family trains all members alike, measures them, and goes on where it was interrupted."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from imagecodecs import imwrite

import napari_unet_seg as nus
from benchmarks import family
from tests.tiny import discs

if TYPE_CHECKING:
    from pathlib import Path

TINY = nus.NetworkSettings(width=4, depth=2)
END_WITH = family._end_with


class Threads(ThreadPoolExecutor):
    """Stands for a pool of processes, which would start torch again."""

    def __init__(self, jobs: int, context: Any, initializer: Any, arguments: tuple[Any, ...] = ()) -> None:
        super().__init__(jobs, initializer=initializer, initargs=arguments)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rows = [{"id": f"{fold}{number}", "fold": fold, "modality": "fluorescence"} for fold in "01" for number in range(2)]
    for seed, row in enumerate(rows):
        for folder, pixels in zip(("images", "masks"), discs((96, 96), 8, seed), strict=True):
            imwrite(tmp_path / folder / f"{row['id']}.png", pixels.astype("uint16"))
    with (tmp_path / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tiny members, in threads."""
    members = {"plain": family.Member(TINY), "adversarial": family.Member(TINY, {"adversarial": 0.1})}
    monkeypatch.setattr(family, "FAMILY", members)
    monkeypatch.setattr(family, "SETTINGS", nus.TrainSettings(batch=2, patch=64, validation=0, average=0.5))
    monkeypatch.setattr(family, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(family, "_limit_threads", lambda count=1: None)
    monkeypatch.setattr(family, "SPEED_EDGE", 256)
    monkeypatch.setattr(family, "_end_with", lambda parent: None)


def run(dataset: Path, *words: str) -> None:
    family.main([str(dataset), "--device", "cpu", "--jobs", "1", "--members", "plain", "adversarial", *words])


def test_each_member_is_trained_with_each_seed_and_measured(dataset: Path, capsys: pytest.CaptureFixture[str]):
    run(dataset, "--steps", "2", "--seeds", "2", "--json", str(dataset / "found.json"))
    report = json.loads((dataset / "found.json").read_text())
    assert {(found["member"], found["seed"]) for found in report["trainings"]} == {(n, s) for n in ("plain", "adversarial") for s in (0, 1)}
    assert all(found["steps"] == 2 and 0 <= found["mean_ap"] <= found["ap50"] <= 1 for found in report["trainings"])
    assert len({found["parameters"] for found in report["trainings"]}) == 1, "the discriminator is no part of the model"
    assert report["speed"].keys() == {"plain", "adversarial"}
    table = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| plain", "| adversarial"]


def test_an_interrupted_run_is_gone_on_with(dataset: Path, capsys: pytest.CaptureFixture[str]):
    found = {"member": "plain", "seed": 0, "steps": 1, "parameters": 7, "seconds": 1.0, "loss": 1.0, "ap50": 0.5, "mean_ap": 0.4}
    other = found | {"seed": 1, "steps": 9}
    (dataset / "found.json").write_text(json.dumps({"trainings": [found, other]}))
    run(dataset, "--steps", "1", "--seeds", "1", "--json", str(dataset / "found.json"))
    trained = capsys.readouterr().err
    assert "adversarial, seed 0" in trained
    assert "plain, seed 0" not in trained
    kept = json.loads((dataset / "found.json").read_text())["trainings"]
    assert found in kept
    assert other in kept, "those of another length stay"


def test_fewer_images_are_another_run(dataset: Path, capsys: pytest.CaptureFixture[str]):
    found = {"member": "plain", "seed": 0, "steps": 1, "parameters": 7, "seconds": 1.0, "loss": 1.0, "ap50": 0.5, "mean_ap": 0.4}
    (dataset / "found.json").write_text(json.dumps({"trainings": [found]}))
    run(dataset, "--steps", "1", "--seeds", "1", "--unseen", "1", "--json", str(dataset / "found.json"))
    assert "plain, seed 0" in capsys.readouterr().err
    kept = json.loads((dataset / "found.json").read_text())["trainings"]
    assert [row.get("unseen", 0) for row in kept] == [0, 1, 1]


def test_a_training_that_fails_leaves_the_others(dataset: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    real = family.train_and_measure

    def failing(name: str, *arguments: Any) -> dict[str, Any]:
        if name == "plain":
            raise nus.errors.ComputeError("The GPU is gone.")
        return real(name, *arguments)

    monkeypatch.setattr(family, "train_and_measure", failing)
    run(dataset, "--steps", "1", "--seeds", "1", "--most", "1")
    told = capsys.readouterr()
    assert "('plain', 0) failed: The GPU is gone." in told.err
    assert "| adversarial | 1 |" in told.out


def test_a_member_that_falls_behind_is_marked():
    same = {"seed": 0, "ap50": 0.8, "parameters": 1e6, "seconds": 1}
    results = [{"member": "plain", "mean_ap": 0.6, **same}, {"member": "a", "mean_ap": 0.5, **same}]
    assert family.row("plain", results, 10.0)["against plain"] == "+0.000"
    assert family.row("a", results, 10.0)["against plain"] == "-0.100 (!)"
    assert family.row("b", results, 10.0)["AP 0.5"] == ""


def test_a_training_ends_when_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch):
    parents, ended = iter([7, 7, 1]), []
    monkeypatch.setattr(family, "WATCH_S", 0.0)
    monkeypatch.setattr(family.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(family.os, "_exit", ended.append)
    END_WITH(7)
    assert ended == [1]

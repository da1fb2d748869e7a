"""The benchmark of classes: what is true, and what is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import semantic
from benchmarks.dsb2018 import Annotated
from tests.core.test_classes import stripes
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_outline_is_two_pixels_wide_and_inside():
    labels = np.zeros((24, 24), np.int32)
    labels[4:16, 4:16] = 1
    truth = semantic.true_classes(labels)
    assert (truth > 0).tolist() == (labels > 0).tolist()
    assert (truth[10, 4:16] == 2).tolist() == [True, True, *[False] * 8, True, True]


def test_the_painted_outline_is_three_pixels_wide_and_on_both_sides():
    labels = np.zeros((24, 24), np.int32)
    labels[4:12, 4:16] = 1
    labels[12:20, 4:16] = 2
    painted = semantic.painted_classes(labels)
    row = painted[8, :].tolist()
    assert row[:3] == [0, 0, 0]
    assert row[3:6] == [2, 2, 2], "one pixel outside, the border, and one inside"
    assert row[6:14] == [1] * 8
    assert painted[9:15, 10].tolist() == [1, 2, 2, 2, 2, 1], "where nuclei touch, both borders"
    assert painted.dtype == np.uint8


def test_class_maps_of_a_model_of_nuclei_are_measured():
    items = [Annotated(str(seed), "fluorescence", *discs(seed=seed)) for seed in (91, 92)]
    pixels, images = semantic.class_maps(tiny_model(), items, "cpu")
    assert list(pixels) == list(images) == ["background", "foreground", "outline"]
    assert pixels["background"] > 0.97
    assert min(pixels.values()) > 0.5


def test_types_of_tissue_are_taught_and_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    def read(dataset: Path, fold: str) -> Iterator[Annotated]:
        yield Annotated("a", "fluorescence", *discs((64, 64), 3))

    monkeypatch.setattr(semantic, "read_fold", read)
    monkeypatch.setattr(semantic, "PATCH", 64)
    monkeypatch.setattr(semantic, "tissue_types", lambda seed: stripes((64, 64), seed))
    model = str(tiny_model().save(tmp_path / "tiny"))
    options = ["--painted-steps", "1", "--steps", "1", "--device", "cpu", "--run", str(tmp_path / "run")]
    semantic.main(["-", "--model", model, *options, "--json", str(tmp_path / "found.json")])
    told = capsys.readouterr().out
    assert f"| class maps of {model} | all pixels |" in told
    assert "| painted classes | images |" in told
    assert "| from nothing | 1 |" in told
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["painted"]["pixels"].keys() == {"background", "foreground", "outline"}
    assert found.keys() >= {"maps", "painted_steps", "tissue"}
    assert (tmp_path / "run").is_dir()


def test_one_part_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(semantic, "tissue_dice", lambda base, steps, device: {"glass": 0.5, "mean": 0.5, "seconds": 1.0})
    semantic.main(["-", "--parts", "tissue"])
    assert capsys.readouterr().out.count("| trained |") == 1
    with pytest.raises(SystemExit):
        semantic.main(["-", "--parts", "everything"])
    assert "the parts are maps, painted, tissue" in capsys.readouterr().err

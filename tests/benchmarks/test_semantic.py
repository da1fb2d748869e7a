"""The benchmark of classes: what is true, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import semantic
from benchmarks.dsb2018 import Annotated
from tests.core.test_classes import stripes
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def test_the_outline_is_two_pixels_wide_and_inside():
    labels = np.zeros((24, 24), np.int32)
    labels[4:16, 4:16] = 1
    truth = semantic.true_classes(labels)
    assert (truth > 0).tolist() == (labels > 0).tolist()
    assert (truth[10, 4:16] == 2).tolist() == [True, True, *[False] * 8, True, True]


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
    semantic.main(["-", "--model", model, "--steps", "1", "--device", "cpu", "--json", str(tmp_path / "found.json")])
    told = capsys.readouterr().out
    assert "| all pixels |" in told
    assert "| from nothing | 1 |" in told
    assert '"tissue"' in (tmp_path / "found.json").read_text()

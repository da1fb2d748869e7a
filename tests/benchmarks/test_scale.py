"""The scale benchmark."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.dsb2018 import Annotated
from benchmarks.scale import main, spread, zoomed
from tests.tiny import discs


def test_the_spread_is_over_the_zooms_that_matter():
    assert spread({0.25: 0.1, 0.5: 0.8, 1: 0.9, 3: 0.7, 4: 0}) == 0.9 - 0.7


def test_zooming_keeps_nuclei_and_values():
    image, labels = discs()
    larger, truth = zoomed(Annotated("n", "bright", image, labels), 2)
    assert larger.shape == truth.shape == (256, 256)
    assert larger.dtype == np.uint16
    assert set(np.unique(truth)) == set(np.unique(labels))
    assert abs(float(larger.mean()) - float(image.mean())) < 0.01 * image.mean()


def test_the_table(dataset, model_file, tmp_path, capsys):
    main([str(dataset), "--model", str(model_file), "--every", "2", "--json", str(tmp_path / "found.json")])
    output = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["ap"]["1"]["automatic"] > 0.8
    assert f"AP 0.5 varies from 0.5x to 3x by {found['spread']['automatic']:.3f} with automatic scale" in output

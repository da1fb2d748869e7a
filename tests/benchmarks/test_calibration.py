"""The calibration benchmark as a person runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.calibration import COLOURS, by_modality, compare, draw, main
from napari_unet_seg.core.calibration import fit_knots
from napari_unet_seg.core.score import CARD_KEY
from tests.core.test_calibration import overconfident
from tests.tiny import tiny_model


def test_the_table_the_numbers_and_the_plot(dataset, model_file, tmp_path, capsys):
    main([str(dataset), "--model", str(model_file), "--json", str(tmp_path / "f.json"), "--plot", str(tmp_path / "f.png")])
    output = capsys.readouterr().out
    assert "| mean probability | " in output
    found = json.loads((tmp_path / "f.json").read_text())["reliability"]["mean probability"]
    assert f"{found['expected_calibration_error']:.4f}" in output
    assert sum(found["nuclei"]) == int(output.splitlines()[2].split(" | ")[1])
    assert "| calibrated, stained | " in output
    with Image.open(tmp_path / "f.png") as plot:
        assert plot.width > 400


def test_calibration_lowers_the_error_and_the_plot_shows_it():
    found = compare(overconfident(), tiny_model())
    assert list(found) == ["mean probability", "calibrated on other fields"]
    assert found["calibrated on other fields"].error < 0.3 * found["mean probability"].error
    drawn = set(map(tuple, np.unique(np.asarray(draw(found)).reshape(-1, 3), axis=0).tolist()))
    assert set(COLOURS[:2]) <= drawn


def test_each_modality_is_measured():
    examples = overconfident(fields=20)
    groups = [("stained" if number % 2 else "bright", str(number)) for number in range(20)]
    found = by_modality(examples, groups)
    assert list(found) == ["calibrated, bright", "calibrated, stained"]
    assert sum(found["calibrated, stained"].nuclei) == (examples.group % 2 == 1).sum()
    assert max(one.error for one in found.values()) < 0.06


def test_a_calibrated_model_is_shown_too():
    model, examples = tiny_model(), overconfident()
    model.card[CARD_KEY] = {"knots": fit_knots(examples.score, examples.right)}
    found = compare(examples, model)
    del model.card[CARD_KEY]
    assert found["as tiny has it"].error == pytest.approx(0, abs=0.02)
    draw(found)

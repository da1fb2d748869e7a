"""The benchmark of few labels, and the hand that paints for it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_unet_seg as nus
from benchmarks import few_labels
from benchmarks.few_labels import SMALLEST_GAP, closed, main
from benchmarks.painter import JITTER, choose, jittered, paint
from napari_unet_seg.core.metrics import THRESHOLDS
from napari_unet_seg.errors import InputError
from tests.tiny import discs

FIGURES = {"ap50": 0.5, "mean_ap": 0.3}
ONE = {"images": 1, "seconds": 1.0, "before": FIGURES, "after": FIGURES | {"ap50": 0.6}}
COUNTS = {"thresholds": THRESHOLDS, **{name: [1] * len(THRESHOLDS) for name in ("tp", "fp", "fn")}, "iou": [0.8] * len(THRESHOLDS)}


@pytest.fixture
def truth():
    return discs((96, 112), 8, seed=3)[1]


def test_failures_are_painted_first_and_cut_nuclei_last(truth):
    inner = [n for n in range(1, truth.max() + 1) if not {n} & set(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]]))]
    missed = inner[:2]
    order = choose(truth, np.where(np.isin(truth, missed), 0, truth), np.random.default_rng(0))
    assert set(order[:2]) == set(missed)
    assert set(order[: len(inner)]) == set(inner)
    assert sorted(order) == list(range(1, truth.max() + 1))


def test_outlines_are_off_by_no_more_than_a_hand_is(truth):
    from scipy import ndimage

    painted = paint(truth, [2, 5], np.random.default_rng(0))
    assert set(np.unique(painted)) == {0, 1, 2}
    for place, number in ((1, 2), (2, 5)):
        mask, real = painted == place, truth == number
        inside, outside = (ndimage.distance_transform_edt(part) for part in (real, ~real))
        assert (mask != real).any()
        assert not (mask & (outside > JITTER[1] + 1)).any()
        assert not (~mask & (inside > JITTER[1] + 1)).any()


def test_nothing_is_painted_away():
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    assert all(jittered(dot, 2.0, np.random.default_rng(seed)).any() for seed in range(20))


def test_the_same_seed_paints_the_same(truth):
    first, second = (paint(truth, [1, 2, 3], np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_table(dataset, model_file, tmp_path, capsys):
    path = tmp_path / "found.json"
    options = ["--base", str(model_file), "--modality", "bright", "--nuclei", "2", "--seeds", "1", "--images", "1", "--known", "1"]
    main([str(dataset), *options, "--ceiling", "2", "--steps", "2", "--device", "cpu", "--json", str(path)])
    table = capsys.readouterr().out
    assert "| 2 | 1 |" in table
    found = json.loads(path.read_text())
    [one] = found["results"]
    assert (one["nuclei"], one["seed"], one["images"]) == (2, 0, 1)
    assert one["before"]["ap50"] > 0.8
    assert found["base_sha256"] == nus.load_model(model_file).sha256
    assert set(found["ceiling"]) == {"before", "after"}


def test_a_run_in_pieces_does_nothing_twice(dataset, model_file, tmp_path, capsys, monkeypatch):
    def measure(*words):
        path = str(tmp_path / "found.json")
        kind = ["--base", str(model_file), "--modality", "bright", "--nuclei", "2", "--images", "1", "--known", "0"]
        main([str(dataset), *kind, "--steps", "1", "--device", "cpu", "--json", path, *words])
        return capsys.readouterr().out, json.loads((tmp_path / "found.json").read_text())

    monkeypatch.setattr(few_labels.Bench, "_run", lambda self, nuclei, seed: {**ONE, "nuclei": nuclei, "seed": seed})
    monkeypatch.setattr(few_labels.Bench, "_teach_all_but", lambda self, fields: {"before": COUNTS, "after": COUNTS})
    table, found = measure("--seeds", "1", "--ceiling", "2")
    assert "| 2 | 1 | 0.500 -> 0.600 |" in table
    assert (len(found["results"]), len(found["ceiling_parts"])) == (1, 2)
    monkeypatch.setattr(few_labels.Bench, "_teach_all_but", None)
    monkeypatch.setattr(few_labels.Bench, "_run", lambda self, nuclei, seed: {**ONE, "nuclei": nuclei, "seed": seed + 7 * (seed == 0)})
    table, found = measure("--seeds", "3", "--ceiling", "2")
    assert "| 2 | 3 |" in table
    assert [row["seed"] for row in found["results"]] == [0, 1, 2]
    assert found["ceiling"]["before"] == {"ap50": 0.3333, "mean_ap": 0.3333}
    table, found = measure("--first", "2", "--seeds", "2")
    assert "| 2 | 2 |" in table
    assert [row["seed"] for row in found["results"]] == [0, 1, 2, 3]
    alone, _ = measure("--seeds", "0", "--ceiling", "2")
    assert alone.strip() == "All other images, whole: AP 0.5 0.3333 -> 0.3333, mean AP 0.3333 -> 0.3333."
    with pytest.raises(InputError, match="holds results with steps 1, not 2"):
        measure("--steps", "2")


def test_a_modality_that_is_not_there_is_named(dataset, model_file):
    with pytest.raises(InputError, match=r"0 images of 'dark'; there are \['bright', 'stained'\]"):
        main([str(dataset), "--base", str(model_file), "--modality", "dark"])


def test_only_a_gap_can_be_closed():
    assert closed(0.1, 0.2) == "50%"
    assert closed(0.1, SMALLEST_GAP / 2) == "no gap"

"""Figures over images, and their intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.compare import compare
from benchmarks.compare import main as compare_files
from benchmarks.figures import RESAMPLES, Record, accuracy_row, bootstrap, by_modality, errors_row, figures
from benchmarks.label_errors import count, judge
from napari_unet_seg.core.metrics import evaluate
from napari_unet_seg.errors import InputError
from tests.core.test_metrics import random_labels


def record(number, shift=1, modality="bright", field=""):
    truth = random_labels(number)
    prediction = np.roll(truth, shift, 0)
    return Record(f"n{number}", modality, field or str(number), evaluate(truth, prediction), count(judge(truth, prediction)))


RECORDS = [record(number, number % 3, "bright" if number % 2 else "dark", str(number // 2)) for number in range(12)]


def test_pooled_and_per_image():
    found = figures(RECORDS)
    scores = [one.scores for one in RECORDS]
    pooled = sum(scores[1:], scores[0])
    assert found["images"] == 12
    assert found["nuclei"] == pooled.tp[0] + pooled.fn[0]
    assert found["ap"]["0.7"] == pooled.ap(0.7)
    assert found["ap_per_image"]["0.9"] == pytest.approx(np.mean([one.ap(0.9) for one in scores]))
    assert found["mean_ap_.5-.95"] == pytest.approx(np.mean(list(found["ap"].values())))
    assert found["pq_0.5"] == pooled.pq(0.5)


def test_the_interval_holds_the_figure_and_shrinks_with_more_fields():
    found = figures(RECORDS)
    low, high = found["interval_ap_0.5"]
    assert low < found["ap"]["0.5"] < high
    more = [record(number, number % 3) for number in range(60)]
    assert np.ptp(figures(more)["interval_ap_0.5"]) < high - low


def test_the_bootstrap_draws_whole_fields():
    one_field = [record(number, number % 3, field="same") for number in range(5)]
    drawn = bootstrap(one_field)
    assert drawn.shape == (RESAMPLES, 2)
    assert np.ptp(drawn, axis=0) == pytest.approx((0, 0))
    assert drawn[0, 0] == pytest.approx(figures(one_field)["ap"]["0.5"])


def test_images_without_nuclei_are_right():
    blank = np.zeros((5, 5), np.int32)
    nothing = Record("blank", "bright", "0", evaluate(blank, blank), count(judge(blank, blank)))
    found = figures([nothing])
    assert found["ap"]["0.5"] == 1
    assert found["interval_ap_0.5"] == (1, 1)
    assert errors_row(found)["area ratio"] == "-"


def test_groups():
    assert list(by_modality(RECORDS)) == ["all", "bright", "dark"]
    assert list(by_modality(RECORDS[::2])) == ["dark"]


def test_cells_are_of_the_rows():
    found = figures(RECORDS)
    assert accuracy_row(found)["AP 0.5"] == f"{found['ap']['0.5']:.3f}"
    assert errors_row(found)["count %"] == "+0.0"


def test_a_record_survives_json():
    again = Record.from_dict(json.loads(json.dumps(RECORDS[1].to_dict())))
    assert again.scores == RECORDS[1].scores
    assert (again.name, again.field, again.errors.missed) == ("n1", "0", RECORDS[1].errors.missed)


def test_better_worse_and_luck():
    good, poor = ([record(number, shift) for number in range(20)] for shift in (0, 2))
    assert {row["verdict"] for row in compare(poor, good)} == {"better"}
    assert {row["verdict"] for row in compare(good, poor)} == {"worse"}
    assert [row["verdict"] for row in compare(good, good)] == ["may be luck"] * 2
    assert compare(poor, good)[0]["after"] == "1.000"
    with pytest.raises(InputError, match="figures of different images"):
        compare(good, poor[:-1])


def test_comparing_files(tmp_path, capsys):
    for name, shift in (("before", 2), ("after", 0)):
        images = [record(number, shift).to_dict() for number in reversed(range(9))]
        (tmp_path / f"{name}.json").write_text(json.dumps({"methods": {"ours": {"images": images}, "peer": {}}}))
    compare_files([str(tmp_path / "before.json"), str(tmp_path / "after.json")])
    assert capsys.readouterr().out.count("better") == 2

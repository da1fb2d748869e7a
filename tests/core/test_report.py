"""The report says what came of a training, first of all when it is nothing good."""

from __future__ import annotations

import json

import pytest

from napari_unet_seg.core.annotations import Summary
from napari_unet_seg.core.metrics import THRESHOLDS, Scores
from napari_unet_seg.core.report import Outcome, curves, make_report, sentences
from napari_unet_seg.core.run_state import RunState
from napari_unet_seg.core.validation import Figures
from napari_unet_seg.settings import TrainSettings

MANY = Summary(40, 9000, 3, 0.5, "40 nuclei, 9,000 background pixels, 3 planes, unknown 50 %")
FEW = Summary(4, 400, 1, 0.99, "4 nuclei, 400 background pixels, 1 plane, unknown 99 %")


def figures(found, wrong=0, nuclei=10):
    def same(value):
        return (value,) * len(THRESHOLDS)

    return Figures(Scores(THRESHOLDS, same(found), same(wrong), same(nuclei - found), same(0.9 * found)), 0.9 * found, 1.0, 1)


def state(rows=3):
    history = [{"step": step, "loss": 1 / step, "seconds": 0.1 * step, "rate": 0.001} for step in range(1, rows + 1)]
    return RunState(TrainSettings(), "data", "start", step=rows, history=history)


def report(before, after, summary=MANY, measured="validation"):
    return make_report(summary, Outcome(measured, "Kept out: 2 planes.", before, after), state())


def test_a_good_training_is_told_in_plain_words():
    made = report(figures(3), figures(8))
    assert made["warnings"] == []
    lines = sentences(made)
    assert lines[0] == "It learned from 40 nuclei, 9,000 background pixels, 3 planes, unknown 50 %."
    assert lines[-1] == ("Measured on 10 nuclei that were kept out of training: AP at IoU 0.5 0.80 (base 0.30), mean AP 0.80 (base 0.30).")


def test_worse_than_the_base_is_said_first():
    assert sentences(report(figures(8), figures(3)))[0].startswith("The model is worse than its base (0.30 against 0.80)")
    assert report(figures(8), figures(8))["warnings"] == []


def test_finding_nothing_is_said_first():
    assert sentences(report(None, figures(0)))[0].startswith("The model finds nothing")
    assert sentences(report(figures(5), figures(0)))[0].startswith("The model finds nothing")


def test_few_nuclei_are_not_measured_by_ap():
    made = report(figures(1, nuclei=4), figures(4, nuclei=4), FEW, "cross-validation")
    text = " ".join(sentences(made))
    assert "recall at IoU 0.5 1.00 (base 0.25), mean IoU 0.90" in text
    assert "AP at" not in text
    assert "too few to measure" in text
    worse = report(figures(4, nuclei=4), figures(1, nuclei=4), FEW, "cross-validation")
    assert "worse than its base" in worse["warnings"][0]


def test_where_nothing_was_measured_nothing_is_claimed():
    made = report(None, None)
    assert (made["before"], made["after"], made["warnings"]) == (None, None, [])
    assert not any("Measured" in line for line in sentences(made))


def test_the_end_before_the_end_is_told():
    made = make_report(MANY, Outcome("validation", "How.", None, None), state(), "It was stopped after 3 steps.")
    assert sentences(made)[-1] == "It was stopped after 3 steps."


def test_a_report_is_json_without_times():
    made = report(figures(3), figures(8))
    assert json.loads(json.dumps(made)) == made
    assert "seconds" not in json.dumps(made), "equal trainings have equal cards"


@pytest.mark.parametrize("rows", [1, 199, 1000, 12_345])
def test_curves_are_thinned_by_means(rows):
    (loss,) = curves(state(rows).history).values()
    assert len(loss["step"]) == len(loss["value"]) <= 200
    assert loss["step"][-1] == rows
    size = -(-rows // 200)
    assert loss["value"][0] == pytest.approx(sum(1 / step for step in range(1, size + 1)) / size, abs=1e-5)

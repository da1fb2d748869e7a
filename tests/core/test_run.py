"""The course of a training: looks, the best weights, early ends, time, pictures on request and memory that runs out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import run, trainer
from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.core.report import sentences
from napari_unet_seg.errors import ComputeError, OutOfMemoryError
from napari_unet_seg.progress import Preview
from tests.tiny import discs, tiny_model

SMALL = nus.NetworkSettings(width=4, depth=2)
QUICK = nus.TrainSettings(steps=6, batch=2, patch=64, learning_rate=2e-3, validation=0.25, device="cpu")


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(run, "LOOK_EVERY", 2)


def steps(base=SMALL, count=4, **changes):
    pairs = [discs(seed=seed) for seed in range(count)]
    settings = nus.TrainSettings(**{**QUICK.to_dict(), **changes})
    return nus.iter_train([image for image, _ in pairs], [labels for _, labels in pairs], base=base, settings=settings)


def ended(work, command):
    """Send a command with each step: the model."""
    try:
        while True:
            work.send(command)
    except StopIteration as stop:
        return stop.value


def followed(work):
    """Run to the end: the steps of the training, and the model."""
    seen = []
    model = nus.drain(work, seen.append)
    return [step for step in seen if step.stage == "Training"], model


def test_looks_come_at_their_steps_and_the_report_says_how():
    seen, model = followed(steps(base=tiny_model(), learning_rate=1e-5))
    assert [("ap" in step.metrics) for step in seen] == [False, True] * 3
    assert all(0 < step.metrics["validation_loss"] < 5 for step in seen[1::2])
    report = model.card["report"]
    assert report["measured"] == "validation"
    assert report["before"]["nuclei"] == report["after"]["nuclei"] >= 12
    assert report["after"]["ap50"] > 0.8
    assert "kept out of training" in sentences(report)[-1]


def test_the_best_weights_are_returned_and_not_the_last(monkeypatch):
    """The second look is made the best one: the model has the weights of step 4."""
    kept = {}
    real = run.Run._look

    def look(self, row):
        real(self, row)
        kept[self.state.step] = self.trainer.weights()

    monkeypatch.setattr(run.Run, "_look", look)
    quality = iter([(0.1, -1.0), (0.9, -1.0), (0.9, -2.0)])
    monkeypatch.setattr(run.Figures, "quality", property(lambda self: next(quality)))
    _, model = followed(steps())
    weights = model.network.state_dict()
    assert all(torch.equal(weights[name], kept[4][name]) for name in weights)
    assert not all(torch.equal(weights[name], kept[6][name]) for name in weights)
    assert model.card["report"]["best_step"] == 4


def test_training_ends_when_nothing_gets_better(monkeypatch):
    monkeypatch.setattr(run.Figures, "quality", property(lambda self: (0.5, 0.0)))
    seen, model = followed(steps(steps=100, patience=2))
    assert len(seen) == 6
    assert model.card["report"]["stopped"] == "It ended after 6 steps, since 2 looks showed nothing better than at 2."
    assert len(followed(steps(steps=8, patience=0))[0]) == 8


def test_few_nuclei_have_a_fixed_budget_and_are_left_out_in_turn():
    image, labels = discs(seed=3)
    painted = sparse(np.where(labels <= 5, labels, 0))
    settings = nus.TrainSettings(**{**QUICK.to_dict(), "learning_rate": 1e-5})
    seen = []
    model = nus.drain(nus.iter_train([image], [painted], base=tiny_model(), settings=settings), seen.append)
    assert not any("ap" in step.metrics for step in seen)
    assert [step.stage for step in seen if step.done == step.total] == ["Preparing", "Training", "Checking"]
    report = model.card["report"]
    assert (report["few"], report["measured"], report["nuclei"]) == (True, "cross-validation", 5)
    assert report["learned_from"].startswith("5 nuclei, ")
    lines = sentences(report)
    assert any("recall at IoU 0.5" in line and "each left out in turn" in line for line in lines)
    assert any("too few to measure" in line for line in lines)


def test_the_statistics_of_the_base_can_be_kept():
    base = tiny_model()
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items() if "running" in name}

    def unchanged(**changes):
        state = followed(steps(base=base, steps=2, **changes))[1].network.state_dict()
        return all(torch.equal(state[name], before[name]) for name in before)

    assert unchanged(freeze=True)
    assert not unchanged(freeze=False)


class Clock:
    """Time that passes two seconds a step."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(run.time, "monotonic", lambda: self.now)
        real = trainer.Trainer.step

        def step(trainer, rate):
            self.now += 2
            return real(trainer, rate)

        monkeypatch.setattr(trainer.Trainer, "step", step)


def test_minutes_are_kept_and_the_rate_follows_the_time(monkeypatch):
    Clock(monkeypatch)
    seen, model = followed(steps(steps=0, minutes=0.5, validation=0, decay=1.0))
    assert len(seen) == 15
    assert model.card["steps"] == 15
    rates = [step.metrics["rate"] for step in seen]
    assert max(rates) == pytest.approx(2e-3, rel=0.05)
    assert rates[-1] < 0.05 * max(rates)
    assert [step.total for step in seen[4:]] == [15] * 11


def test_a_preview_shows_what_is_found_by_then():
    image, labels = discs(seed=9)
    work = steps(base=tiny_model(), learning_rate=1e-6)
    while (progress := next(work)).stage != "Training":
        pass
    assert progress.preview is None
    shown = work.send(Preview(image)).preview
    assert shown.dtype == np.int32
    assert nus.evaluate(labels, shown).ap(0.5) > 0.8
    assert next(work).preview is None, "one picture a request"


def test_a_preview_of_a_part_takes_the_limits_of_the_whole():
    image, _ = discs(seed=9)
    work = steps(base=tiny_model(), learning_rate=1e-6)
    while next(work).stage != "Training":
        pass
    dark = nus.SegmentSettings(low=60_000.0, high=65_000.0, polarity="bright")
    assert work.send(Preview(image, dark)).preview.max() <= 1 < work.send(Preview(image)).preview.max()
    assert work.send(Preview(np.stack([image, image]))).notice.startswith("The preview has shape (2, ")
    assert work.send(Preview(image.astype(complex))).notice
    work.close()


def fail(times, message):
    """Return losses that fail so many times."""
    real, left = trainer.loss_terms, [times]

    def losses(*arguments):
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError(message)
        return real(*arguments)

    return losses


def test_memory_that_runs_out_makes_the_batch_smaller(monkeypatch):
    monkeypatch.setattr(trainer, "loss_terms", fail(2, "CUDA out of memory"))
    seen, model = followed(steps(batch=8, validation=0))
    assert seen[0].notice == "Memory ran out: going on with 2 patches a step instead of 4."
    assert not any(step.notice for step in seen[1:])
    assert model.card["steps"] == 6


def test_memory_for_less_than_a_patch_is_an_error(monkeypatch):
    monkeypatch.setattr(trainer, "loss_terms", fail(99, "CUDA out of memory"))
    with pytest.raises(OutOfMemoryError, match="one patch of 64 px"):
        followed(steps())


def test_torch_errors_become_ours(monkeypatch):
    monkeypatch.setattr(trainer, "loss_terms", fail(1, "mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(ComputeError, match="Training failed: mat1"):
        followed(steps())


def test_a_network_of_classes_alone_trains_and_reports_no_nuclei():
    _, model = followed(steps(base=nus.NetworkSettings(width=4, depth=2, distance=False)))
    assert model.card["report"]["after"] is None
    assert "distance" not in model.card["report"]["curves"]


@pytest.mark.parametrize("stage", ["Preparing", "Training", "Checking"])
def test_a_training_can_be_cancelled_at_any_stage(stage, tmp_path):
    image, labels = discs(seed=3)
    painted = sparse(np.where(labels <= 5, labels, 0))
    work = nus.iter_train([image], [painted], base=tiny_model(), settings=QUICK, run=tmp_path)
    while next(work).stage != stage:
        pass
    work.close()
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


def test_stopping_while_few_nuclei_are_looked_for_keeps_the_model():
    image, labels = discs(seed=3)
    work = nus.iter_train([image], [sparse(np.where(labels <= 5, labels, 0))], base=tiny_model(), settings=QUICK)
    while next(work).stage != "Checking":
        pass
    with pytest.raises(StopIteration) as stop:
        work.send(nus.Command.STOP)
    report = stop.value.value.card["report"]
    assert (report["measured"], report["stopped"]) == ("training", "")


def test_validation_of_nothing_measures_on_what_was_learned():
    _, model = followed(steps(base=tiny_model(), learning_rate=1e-5, validation=0))
    report = model.card["report"]
    assert report["measured"] == "training"
    assert "that it learned from" in " ".join(sentences(report))
    assert report["curves"].keys() == {"loss", "cross_entropy", "dice", "distance"}


def test_a_new_network_has_no_figures_before():
    _, model = followed(steps(steps=2))
    assert model.card["report"]["before"] is None
    assert model.card["report"]["after"]["nuclei"] > 0


def test_previews_do_not_change_what_is_learned():
    image, _ = discs(seed=9)
    quiet = followed(steps(base=tiny_model()))[1]
    work = steps(base=tiny_model())
    next(work)
    assert ended(work, Preview(image)).sha256 == quiet.sha256

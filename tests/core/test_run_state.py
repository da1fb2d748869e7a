"""A training that is killed goes on to exactly the weights that it would have had, and never mixes with another one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import napari_unet_seg as nus
from napari_unet_seg.core import run, run_state
from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.core.run_state import load_state
from napari_unet_seg.errors import ModelError, SettingsError, WriteError
from tests.tiny import discs

SMALL = nus.NetworkSettings(width=4, depth=2)
QUICK = nus.TrainSettings(steps=6, batch=2, patch=64, learning_rate=2e-3, validation=0.2, decay=0.5, device="cpu")
KILLED = """
import sys
from tests.core import test_run_state as here
here.often()
for progress in here.steps(sys.argv[1]):
    print(progress.done, flush=True)
    if progress.stage == "Training" and progress.done == 5:
        input()
"""


def often():
    """Save and look every second step."""
    run.SAVE_EVERY = run.LOOK_EVERY = 2


@pytest.fixture(autouse=True)
def every_second_step(monkeypatch):
    monkeypatch.setattr(run, "SAVE_EVERY", 2)
    monkeypatch.setattr(run, "LOOK_EVERY", 2)


def steps(folder=None, seed=0, base=SMALL, **changes):
    pairs = [discs(seed=seed + number) for number in range(4)]
    settings = nus.TrainSettings(**{**QUICK.to_dict(), **changes})
    return nus.iter_train([image for image, _ in pairs], [labels for _, labels in pairs], base=base, settings=settings, run=folder)


def train(folder=None, **changes):
    return nus.drain(steps(folder, **changes))


def stopped(folder, after, **changes):
    """Train some steps, then stop."""
    work = steps(folder, **changes)
    progress = next(work)
    try:
        while True:
            progress = work.send(nus.Command.STOP if progress.stage == "Training" and progress.done == after else None)
    except StopIteration as stop:
        return stop.value


def same(first, second):
    one, other = first.network.state_dict(), second.network.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line == "5\n":
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert load_state(tmp_path / "run")[0].step == 4
    seen = []
    resumed = nus.drain(steps(tmp_path / "run"), seen.append)
    assert [step.done for step in seen if step.stage == "Training"] == [5, 6]
    unbroken = train()
    assert same(resumed, unbroken)
    assert resumed.card == unbroken.card
    assert resumed.sha256 == unbroken.sha256


def test_a_stopped_training_can_go_on_too(tmp_path):
    half = stopped(tmp_path, 3)
    assert half.card["steps"] == 3
    resumed = train(tmp_path)
    assert same(resumed, train())
    assert [row["step"] for row in load_state(tmp_path)[0].history] == [1, 2, 3, 4, 5, 6]


def test_a_finished_training_gives_its_model_again(tmp_path):
    seen = []
    first = train(tmp_path)
    again = nus.drain(steps(tmp_path), seen.append)
    assert again.sha256 == first.sha256
    assert not [step for step in seen if step.stage == "Training"]


def test_more_steps_on_the_plateau_are_as_if_asked_for_from_the_start(tmp_path):
    stopped(tmp_path, 3)
    assert same(train(tmp_path, steps=8), train(steps=8))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 7}, "of other images or labels"),
        ({"base": nus.NetworkSettings(width=4, depth=1)}, "another base or network"),
        ({"learning_rate": 1e-3}, r"has learning_rate 0\.002, not 0\.001"),
        ({"steps": 5, "decay": 0.5}, "was to take 6 steps"),
        ({"steps": 0, "minutes": 1.0}, "was to take 6 steps"),
    ],
)
def test_another_training_is_refused(tmp_path, changes, sentence):
    stopped(tmp_path, 5)
    with pytest.raises(SettingsError, match=sentence):
        train(tmp_path, **changes)


def test_the_state_is_tensors_and_json(tmp_path):
    train(tmp_path)
    with safe_open(tmp_path / STATE, framework="pt") as file:
        described = json.loads(file.metadata()["napari_unet_seg_run"])
    assert described["step"] == 6
    assert described["settings"] == QUICK.for_base(False).to_dict()
    assert sorted(path.name for path in tmp_path.iterdir()) == [STATE], "nothing half-written is left"


@pytest.mark.parametrize("damage", ["cut", "foreign", "version"])
def test_a_damaged_state_is_one_sentence(tmp_path, damage):
    stopped(tmp_path, 2)
    path = tmp_path / STATE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        save_file({"a": torch.ones(1)}, path, {} if damage == "foreign" else {"napari_unet_seg_run": '{"format_version": 99}'})
    with pytest.raises(ModelError, match="another version" if damage == "version" else "cannot be read"):
        train(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="file"):
        train(tmp_path / "file" / "run")


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train()
    assert list(tmp_path.iterdir()) == []


def test_the_last_weights_are_kept_beside_the_best(tmp_path):
    model = train(tmp_path)
    state, tensors = load_state(tmp_path)
    last = run_state.last_model(state, tensors, model)
    assert last.settings == model.settings
    assert same(last, model) == (state.best_step == state.step)
    assert nus.load_model(last.save(tmp_path / "last")).name == "unnamed-last"


def test_time_spent_is_added_up(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    work = steps(tmp_path)
    for progress in work:
        now[0] += 10
        if progress.stage == "Training" and progress.done == 4:
            work.close()
    before = load_state(tmp_path)[0].seconds
    train(tmp_path)
    assert load_state(tmp_path)[0].seconds >= before > 0
    assert time.monotonic() == now[0]

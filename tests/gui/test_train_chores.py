"""What is done with a model after its training: one piece at a time, and nothing that was asked for is lost."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QObject

from napari_unet_seg.errors import ModelError
from napari_unet_seg.gui import train_chores
from napari_unet_seg.gui.train_chores import TrainChores
from napari_unet_seg.gui.training import Trained
from napari_unet_seg.io.run_plan import Plan
from napari_unet_seg.progress import Progress
from napari_unet_seg.settings import TrainSettings
from tests.gui.conftest import WAIT_MS

PLAN = Plan("mine", "nuclei", TrainSettings())


@pytest.fixture
def owner(qapp):
    return QObject()


@pytest.fixture
def go():
    go = threading.Event()
    yield go
    go.set()


@pytest.fixture
def chores(owner, go, monkeypatch):
    """Chores whose work waits for `go` and gives what it was asked for."""

    def steps(*arguments):
        yield Progress("Working", 1, 2)
        assert go.wait(60)
        if arguments and arguments[-1] == "taken":
            raise ModelError("There is a model named 'taken' already.")
        return arguments[-1] if arguments else PLAN

    for name in ("find_steps", "keep_steps", "discard_steps", "try_steps"):
        monkeypatch.setattr(train_chores, name, steps)
    chores = TrainChores(owner)
    yield chores
    chores.cancel()


def test_looking_is_nothing_that_a_user_waits_for(chores, go, qtbot):
    shown = []
    chores.progressed.connect(shown.append)
    chores.find()
    assert not chores.busy
    with qtbot.waitSignal(chores.found, timeout=WAIT_MS) as found:
        go.set()
    assert found.args == [PLAN]
    assert shown == []


def test_what_is_asked_for_during_a_look_is_done_after_it(chores, go, qtbot):
    chores.find()
    assert chores.keep(PLAN, "mine")
    assert chores.busy
    assert not chores.discard(PLAN)
    with qtbot.waitSignal(chores.kept, timeout=WAIT_MS) as kept:
        go.set()
    assert kept.args == ["mine"]


def test_a_look_waits_for_what_is_being_done(chores, go, qtbot):
    assert chores.discard(PLAN)
    chores.find()
    with qtbot.waitSignals([chores.discarded, chores.found], timeout=WAIT_MS, order="strict"):
        go.set()


def test_two_things_at_once_are_not_done(chores, go, qtbot, tmp_path):
    trained = Trained(PLAN, {}, (), 1, 1.0)
    assert chores.try_on(trained, tmp_path, "cpu")
    assert not chores.keep(PLAN, "mine")
    with qtbot.waitSignal(chores.tried, timeout=WAIT_MS) as tried:
        go.set()
    assert tried.args == ["cpu"]


def test_what_fails_is_told_and_the_next_one_is_done(chores, go, qtbot):
    go.set()
    with qtbot.waitSignal(chores.failed, timeout=WAIT_MS) as failed:
        chores.keep(PLAN, "taken")
    assert "taken" in str(failed.args[0])
    qtbot.waitUntil(lambda: not chores.busy, timeout=WAIT_MS)
    with qtbot.waitSignal(chores.kept, timeout=WAIT_MS):
        assert chores.keep(PLAN, "mine")


def test_cancel_ends_what_waits_too(chores, go, qtbot):
    told = []
    for signal in (chores.kept, chores.found):
        signal.connect(told.append)
    chores.find()
    chores.keep(PLAN, "mine")
    chores.cancel()
    with qtbot.waitSignal(chores.finished, timeout=WAIT_MS):
        go.set()
    assert told == []
    assert not chores.busy

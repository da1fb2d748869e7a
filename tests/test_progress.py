"""Long work yields its progress and returns its result, and whoever stops listening lets it clean up."""

from __future__ import annotations

import dataclasses
import doctest
import pickle

import numpy as np
import pytest

from napari_unet_seg import progress as module
from napari_unet_seg.progress import Command, Progress, drain


def count(total, log):
    """Count; stop early on the command, and say in `log` that everything was put away."""
    done = 0
    try:
        while done < total:
            done += 1
            if (yield Progress("Counting", done, total)) is Command.STOP:
                break
    finally:
        log.append("closed")
    return done


def test_the_example_in_the_docstring():
    assert doctest.testmod(module).attempted == 2
    assert doctest.testmod(module).failed == 0


def test_drain_returns_the_result_and_shows_each_step():
    seen, log = [], []
    assert drain(count(3, log), seen.append) == 3
    assert seen == [Progress("Counting", done, 3) for done in (1, 2, 3)]
    assert log == ["closed"]


def test_drain_of_work_without_steps():
    assert drain(count(0, [])) == 0


def test_a_listener_that_fails_closes_the_work_at_once():
    """Even while the error, whose traceback holds the generator, is still alive."""
    log = []

    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        drain(count(3, log), fail)
    assert log == ["closed"]
    assert error.value is not None


def test_errors_of_the_work_come_through():
    def broken():
        yield Progress("Breaking", 0, 1)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        drain(broken())


def test_a_command_stops_early_with_a_result():
    steps = count(10, [])
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.send(Command.STOP)
    assert stop.value.value == 1


def test_progress_travels_between_processes():
    progress = Progress("Training", 2, 5, {"loss": 0.5}, np.arange(3), "Memory ran out.")
    copy = pickle.loads(pickle.dumps(progress))
    assert (copy.stage, copy.done, copy.total, copy.metrics, copy.notice) == ("Training", 2, 5, {"loss": 0.5}, "Memory ran out.")
    np.testing.assert_array_equal(copy.preview, progress.preview)


def test_progress_with_arrays_can_be_compared():
    assert Progress("a", 1, 2, preview=np.zeros(3)) == Progress("a", 1, 2, preview=np.ones(3))
    assert Progress("a", 1, 2) != Progress("a", 2, 2)


def test_progress_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Progress("a", 1, 2).done = 2

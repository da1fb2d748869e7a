"""Long work yields its progress and returns its result, and whoever stops listening lets it clean up."""

from __future__ import annotations

import dataclasses
import doctest
import pickle

import numpy as np
import pytest

from napari_unet_seg import progress as module
from napari_unet_seg.progress import Command, Preview, Progress, drain, over_planes, relay


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


def test_relay_changes_the_steps_and_passes_on_result_and_commands():
    received = []

    def part():
        received.append((yield Progress("part", 1, 2)))
        received.append((yield Progress("part", 2, 2)))
        return "done"

    steps = relay(part(), lambda progress: Progress("whole", progress.done + 2, 4))
    assert next(steps) == Progress("whole", 3, 4)
    assert steps.send(Command.STOP) == Progress("whole", 4, 4)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "done"
    assert received == [Command.STOP, None]


def test_closing_a_relay_closes_the_part_at_once():
    closed = []

    def part():
        try:
            yield Progress("part", 1, 2)
        finally:
            closed.append(True)

    inner = part()  # held here, so that nothing but the relay can close it
    steps = relay(inner, lambda progress: progress)
    next(steps)
    steps.close()
    assert closed == [True]


def test_a_part_without_steps_has_a_result_too():
    def part():
        return 7
        yield

    assert drain(relay(part(), lambda progress: progress)) == 7


def test_the_steps_of_a_plane_are_counted_over_all_planes_and_a_sentence_is_told_once():
    told: set[str] = set()
    steps = [Progress("part", 1, 2, notice="Small."), Progress("part", 2, 2)]
    found = [over_planes(step, number, 3, told) for number in range(3) for step in steps]
    assert [(step.done, step.total) for step in found] == [(done, 6) for done in range(1, 7)]
    assert [step.notice for step in found] == ["Small.", "", "", "", "", ""]


def test_a_request_for_a_picture_holds_a_plane_and_cannot_be_changed():
    wanted = Preview(np.zeros((4, 5)))
    assert wanted.settings is None
    assert wanted != Preview(wanted.image), "arrays have no single answer to =="
    with pytest.raises(dataclasses.FrozenInstanceError):
        wanted.image = None

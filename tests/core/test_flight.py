"""Reading ahead and waiting late: order, errors, and no thread that outlives the work."""

from __future__ import annotations

import threading

import pytest

from napari_unet_seg.core.flight import in_flight


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-read")]


def recorded(ahead: int, count: int = 5) -> list[str]:
    """Run some steps, and tell what happened in the thread that works, in order."""
    story: list[str] = []

    def begin(number: int):
        story.append(f"begin {number}")
        return lambda: story.append(f"wait {number}") or number * 10

    for step, answer in in_flight(range(count), lambda step: step, begin, ahead):
        assert answer == 10 * step
        story.append(f"use {step}")
    return story


def test_without_anything_ahead_each_step_ends_before_the_next_begins():
    assert recorded(0, 2) == ["begin 0", "wait 0", "use 0", "begin 1", "wait 1", "use 1"]


def test_with_one_ahead_the_next_has_begun_before_the_last_is_waited_for():
    assert recorded(1, 3) == ["begin 0", "begin 1", "wait 0", "use 0", "begin 2", "wait 1", "use 1", "wait 2", "use 2"]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_every_step_comes_once_and_in_order(count, ahead):
    answers = in_flight(range(count), lambda step: step + 1, lambda value: lambda: value, ahead)
    assert list(answers) == [(step, step + 1) for step in range(count)]
    assert ours() == []


def test_the_next_is_read_in_another_thread_while_the_present_one_is_in_use():
    second_read = threading.Event()
    threads = []

    def read(step: int) -> int:
        threads.append(threading.current_thread())
        if step == 1:
            second_read.set()
        return step

    def begin(step: int):
        assert step or second_read.wait(20), "the second was not read beside the first"
        return lambda: step

    assert len(list(in_flight(range(3), read, begin))) == 3
    assert threading.current_thread() not in threads


def test_an_error_of_reading_is_raised_at_its_step():
    def read(step: int) -> int:
        if step == 2:
            raise OSError("damaged")
        return step

    seen = []
    with pytest.raises(OSError, match="damaged"):
        seen.extend(step for step, _ in in_flight(range(9), read, lambda value: lambda: value))
    assert ours() == []


def test_an_error_of_the_work_ends_the_reading():
    def begin(step: int):
        if step == 1:
            raise MemoryError
        return lambda: step

    with pytest.raises(MemoryError):
        list(in_flight(range(9), lambda step: step, begin, 1))
    assert ours() == []


def test_closing_in_the_middle_reads_no_more_and_leaves_no_thread():
    read: list[int] = []
    steps = in_flight(range(100), lambda step: read.append(step) or step, lambda value: lambda: value)
    assert next(steps) == (0, 0)
    steps.close()
    assert ours() == []
    assert max(read) <= 2

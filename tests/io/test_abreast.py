"""Several works side by side: told of in order, the network in one thread, nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from napari_unet_seg.core.flight import in_turn
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.abreast import Abreast
from napari_unet_seg.io.room import Place, Room
from napari_unet_seg.progress import Progress, Steps, drain


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-image")]


def work(name: str, steps: int = 2) -> object:
    def _work(place: Place) -> Steps[str]:
        place.enter(1)
        for step in range(steps):
            yield Progress(name, step, steps)
        return name.upper()

    return _work


def test_works_are_told_of_in_their_order():
    team = Abreast((work(name) for name in "abcde"), 3, Room(9))
    story: list[str] = []
    for _ in range(5):
        story.append(drain(team.follow(), lambda step: story.append(f"{step.stage}{step.done}")))
    assert story == [f"{name}{step}" if step < "2" else name.upper() for name in "abcde" for step in "012"]
    assert team.stop() == []
    assert ours() == []


def test_a_later_one_goes_on_while_the_first_waits():
    second = threading.Event()

    def first(place: Place) -> Steps[bool]:
        place.enter(1)
        yield Progress("first", 0, 1)
        return second.wait(20)

    def other(place: Place) -> Steps[bool]:
        place.enter(1)
        yield Progress("other", 0, 1)
        second.set()
        return True

    team = Abreast([first, other], 2, Room(9))
    assert [drain(team.follow()), drain(team.follow())] == [True, True]


def test_the_network_is_called_in_the_thread_that_follows():
    seen: list[threading.Thread] = []

    def asking(place: Place) -> Steps[int]:
        yield Progress("", 0, 1)
        return in_turn(lambda: seen.append(threading.current_thread()) or 7)

    team = Abreast([asking] * 3, 2, Room(9))
    assert [drain(team.follow()) for _ in range(3)] == [7, 7, 7]
    assert set(seen) == {threading.current_thread()}
    assert in_turn(lambda: 3) == 3


def test_errors_come_at_their_place_those_of_the_network_too():
    def failing(place: Place) -> Steps[int]:
        yield Progress("", 0, 1)
        raise InputError("odd")

    def refused(place: Place) -> Steps[int]:
        yield Progress("", 0, 1)
        return in_turn(lambda: int("odd"))

    team = Abreast([work("a"), failing, refused, work("b")], 4, Room(9))
    assert drain(team.follow()) == "A"
    with pytest.raises(InputError, match="odd"):
        drain(team.follow())
    with pytest.raises(ValueError, match="odd"):
        drain(team.follow())
    assert drain(team.follow()) == "B"


def test_an_interruption_while_the_network_works_is_heard():
    def interrupted(place: Place) -> Steps[int]:
        yield Progress("", 0, 1)

        def _press() -> int:
            raise KeyboardInterrupt

        return in_turn(_press)

    team = Abreast([interrupted, work("b")], 2, Room(9))
    with pytest.raises(KeyboardInterrupt):
        drain(team.follow())
    team.stop()
    assert ours() == []


def test_stopping_gives_up_what_is_not_written_and_keeps_what_is():
    writing, cleared = threading.Event(), threading.Event()

    def endless(place: Place) -> Steps[str]:
        try:
            while True:
                yield Progress("endless", 0, 1)
        finally:
            cleared.set()

    def slow(place: Place) -> Iterator[Progress]:
        writing.set()
        yield from ()
        return "written"

    def asking(place: Place) -> Steps[str]:
        yield Progress("", 0, 1)
        return in_turn(lambda: "never")

    team = Abreast([endless, slow, asking, work("never begun")], 3, Room(9))
    next(team.follow())
    assert writing.wait(20)
    assert team.stop() in (["written"], ["written", "never"])  # the network may have been asked before
    assert cleared.is_set()
    assert ours() == []


def test_images_that_wait_for_room_are_let_go():
    def holding(place: Place) -> Steps[str]:
        place.enter(1)
        yield Progress("", 0, 1)
        return in_turn(lambda: "never")

    team = Abreast([holding, work("b"), work("c")], 3, Room(0))
    next(team.follow())
    assert team.stop() in ([], ["never"])
    assert ours() == []


def test_no_more_than_so_many_are_begun():
    begun: list[str] = []

    def noting(name: str) -> object:
        def _work(place: Place) -> Steps[str]:
            begun.append(name)
            yield Progress(name, 0, 1)
            return name

        return _work

    team = Abreast((noting(name) for name in "abcdef"), 2, Room(9))
    for count, name in enumerate("abcdef", start=1):
        assert drain(team.follow()) == name
        assert len(begun) <= count + 1

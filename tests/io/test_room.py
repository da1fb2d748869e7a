from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from napari_unet_seg.io.room import Place, Room


def entering(place: Place, pixels: int, entered: list[str], name: str) -> threading.Thread:
    def _enter() -> None:
        place.enter(pixels)
        entered.append(name)

    thread = threading.Thread(target=_enter)
    thread.start()
    return thread


def waits(thread: threading.Thread) -> bool:
    thread.join(0.05)
    return thread.is_alive()


def test_small_images_share_and_a_large_one_is_alone():
    room, entered = Room(10), []
    small, other, large, last = (room.place() for _ in range(4))
    small.enter(4)
    other.enter(4)
    big = entering(large, 100, entered, "large")
    after = entering(last, 1, entered, "last")
    assert waits(big)
    small.leave()
    assert waits(big)
    other.leave()
    big.join(20)
    assert entered == ["large"]
    assert waits(after)
    large.leave()
    after.join(20)
    assert entered == ["large", "last"]


def test_what_is_written_makes_room():
    room, entered = Room(8), []
    first, second = room.place(), room.place()
    first.enter(8)
    thread = entering(second, 8, entered, "second")
    assert waits(thread)
    first.shrink(2)  # a quarter of the room
    thread.join(20)
    assert entered == ["second"]
    first.leave()


def test_a_large_one_waits_for_a_large_one_that_is_written():
    room, entered = Room(8), []
    first, second = room.place(), room.place()
    first.enter(80)
    first.shrink(10)
    thread = entering(second, 80, entered, "second")
    assert waits(thread)
    first.leave()
    thread.join(20)
    assert entered == ["second"]


def test_images_enter_in_their_order_also_past_those_that_failed_before():
    room, entered = Room(10), []
    failed, first, second = (room.place() for _ in range(3))
    late = entering(second, 1, entered, "second")
    assert waits(late)
    failed.leave()
    first.enter(1)
    late.join(20)
    assert entered == ["second"]
    first.leave()
    first.leave()  # once more does no harm
    third = room.place()
    third.enter(9)


def test_who_waits_is_told_when_the_room_is_closed():
    room = Room(1)
    first, second = room.place(), room.place()
    first.enter(1)
    told: list[bool] = []

    def _enter() -> None:
        with pytest.raises(CancelledError):
            second.enter(1)
        told.append(True)

    thread = threading.Thread(target=_enter)
    thread.start()
    room.close()
    thread.join(20)
    assert told == [True]

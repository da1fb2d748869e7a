"""Results are finished behind the next image: in order, errors at their place, nothing lost at the end."""

from __future__ import annotations

import threading

import pytest

from napari_unet_seg.io.behind import Behind


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-behind")]


def test_one_may_go_on_beside_what_comes_next():
    behind, go_on = Behind[str](), threading.Event()
    behind.add(lambda: "slow" if go_on.wait(20) else "")
    assert list(behind.finished(leaving=1)) == []
    go_on.set()
    behind.add(lambda: "quick")
    assert next(behind.finished(leaving=1)) == "slow"
    assert list(behind.finished(leaving=0)) == ["quick"]
    behind.close()
    assert ours() == []


def test_everything_is_done_in_another_thread_and_in_order():
    behind, order = Behind[None](), []
    for number in range(20):
        behind.add(lambda number=number: order.append((number, threading.current_thread().name)))
    assert len(list(behind.finished(0))) == 20
    assert [number for number, _ in order] == list(range(20))
    assert {name for _, name in order} != {threading.current_thread().name}
    behind.close()


def test_what_was_given_is_done_when_the_run_is_cancelled():
    behind, done = Behind[None](), []
    behind.add(lambda: done.append(1))
    behind.close()
    assert done == [1]
    assert ours() == []


def test_an_error_comes_at_its_place():
    def fail() -> str:
        raise KeyError("odd")

    behind = Behind[str]()
    for step in (lambda: "first", fail, lambda: "last"):
        behind.add(step)
    found = behind.finished(0)
    assert next(found) == "first"
    with pytest.raises(KeyError):
        next(found)
    assert list(behind.finished(0)) == ["last"]
    behind.close()

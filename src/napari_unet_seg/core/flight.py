"""Several steps at once: while the network is at one tile, the next is read, and the maps of the last are put into place.

Several images may be worked on in threads of their own, too. The network is then left to one of the threads, see `taking_turns`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

Step = TypeVar("Step")
Input = TypeVar("Input")
Answer = TypeVar("Answer")

_TURN: ContextVar[Callable[[Callable[[], Any]], Any] | None] = ContextVar("turn", default=None)


@contextmanager
def taking_turns(run: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
    """Have the network called by somebody else, as far as this thread is concerned.

    Libraries that compute keep threads for each thread that calls them, and two networks side by side are slower than one after the other.

    Parameters
    ----------
    run : callable
        Called with what to do; returns what that returns, or raises what it raises.
    """
    before = _TURN.set(run)
    try:
        yield
    finally:
        _TURN.reset(before)


def in_turn(call: Callable[[], Answer]) -> Answer:
    """Call the network: here, or by whoever does so for this thread."""
    run = _TURN.get()
    if run is None:
        return call()
    answer: Answer = run(call)
    return answer


def in_flight(
    steps: Sequence[Step],
    read: Callable[[Step], Input],
    begin: Callable[[Input], Callable[[], Answer]],
    ahead: int = 0,
) -> Generator[tuple[Step, Answer], None, None]:
    """Do steps one after the other, of which the next begin before the last is finished.

    Parameters
    ----------
    steps : sequence
        In order.
    read : callable
        Returns the input of a step; called in a thread of its own, for one step at a time and one before it is wanted.
    begin : callable
        Begins with an input, and returns what waits for the answer.
    ahead : int
        How many steps may have begun beyond the one that is waited for.

    Yields
    ------
    step, answer : tuple
        In the order of the steps. An error of `read` or `begin` is raised when its step would be yielded, or before; none of the
        threads outlives the generator.
    """
    if len(steps) < 2:  # nothing to be had from a thread
        yield from ((step, in_turn(partial(_at_once, begin, read(step)))) for step in steps)
        return
    reader = ThreadPoolExecutor(1, thread_name_prefix="napari-unet-seg-read")
    begun: deque[tuple[Step, Callable[[], Answer]]] = deque()
    try:
        coming: Future[Input] = reader.submit(read, steps[0])
        for number, step in enumerate(steps):
            here = coming.result()
            if number + 1 < len(steps):
                coming = reader.submit(read, steps[number + 1])
            begun.append((step, in_turn(partial(begin, here))))
            del here
            if len(begun) > ahead:
                done, wait = begun.popleft()
                yield done, in_turn(wait)
        for done, wait in begun:
            yield done, in_turn(wait)
    finally:
        reader.shutdown(cancel_futures=True)


def _at_once(begin: Callable[[Input], Callable[[], Answer]], given: Input) -> Answer:
    return begin(given)()

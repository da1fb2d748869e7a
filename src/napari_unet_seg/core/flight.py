"""Several steps at once: while the network is at one tile, the next is read, and the maps of the last are put into place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Step = TypeVar("Step")
Input = TypeVar("Input")
Answer = TypeVar("Answer")


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
        yield from ((step, begin(read(step))()) for step in steps)
        return
    reader = ThreadPoolExecutor(1, thread_name_prefix="napari-unet-seg-read")
    begun: deque[tuple[Step, Callable[[], Answer]]] = deque()
    try:
        coming: Future[Input] = reader.submit(read, steps[0])
        for number, step in enumerate(steps):
            here = coming.result()
            if number + 1 < len(steps):
                coming = reader.submit(read, steps[number + 1])
            begun.append((step, begin(here)))
            del here
            if len(begun) > ahead:
                done, wait = begun.popleft()
                yield done, wait()
        for done, wait in begun:
            yield done, wait()
    finally:
        reader.shutdown(cancel_futures=True)

"""Images of a run are put into the tables over all of them while the network works on the next.

That takes one core, and waits for the disk; the network need not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Behind(Generic[Made]):
    """Does the last steps of images in a thread of its own, one after the other, in the order in which they come."""

    def __init__(self) -> None:
        """Start without an image."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="napari-unet-seg-behind")
        self._waiting: deque[Future[Made]] = deque()

    def add(self, finish: Callable[[], Made]) -> None:
        """Have something done as soon as all before it is done."""
        self._waiting.append(self._executor.submit(finish))

    def finished(self, leaving: int) -> Iterator[Made]:
        """Hand out what is done, in order; waits until no more than `leaving` are not.

        Parameters
        ----------
        leaving : int
            How many may go on beside what comes next.

        Yields
        ------
        object
            What each returned; what it raised is raised here.
        """
        while self._waiting and (len(self._waiting) > leaving or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def close(self) -> None:
        """Let what was given be done to its end, and end the thread."""
        self._executor.shutdown()

"""Several images of a run abreast: while the network works on one, others are read, decoded, measured and written.

Each image has a thread of its own, but for the network, which sees one after the other in the thread of the run. What is told of the
images, and what they come to, is handed out in their order, as if there were one at a time.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, Generic, TypeVar

from napari_unet_seg.core.flight import taking_turns
from napari_unet_seg.io.room import Place, Room
from napari_unet_seg.progress import Progress, Steps, drain

Made = TypeVar("Made")
Work = Callable[[Place], Steps[Made]]
"""What is to be done for an image; it takes room before it takes much memory."""

_PATIENCE = 1.0
"""Seconds after which a wait is begun again: where a lock cannot be interrupted, Ctrl+C is heard then."""


class Abreast(Generic[Made]):
    """Works on several images.

    Parameters
    ----------
    works : iterable of callable
        One an image, in order.
    lanes : int
        How many may be begun and not yet handed out.
    room : Room
        What they share.
    """

    def __init__(self, works: Iterable[Work[Made]], lanes: int, room: Room) -> None:
        """Begin nothing yet."""
        self._works = iter(works)
        self._most = lanes
        self._room = room
        self._lanes: deque[_Lane[Made]] = deque()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def follow(self) -> Steps[Made]:
        """Go on until the next image is finished.

        Yields
        ------
        Progress
            Of this image.

        Returns
        -------
        object
            What it came to.
        """
        self._begin()
        lane = self._lanes[0]
        while not lane.ended.is_set() or lane.told:
            if lane.told:
                yield lane.told.popleft()
            else:
                self._serve()
        self._lanes.popleft()
        return lane.made.result()

    def stop(self) -> list[Made]:
        """End all threads: what is at the network or before it is given up, what is being written is finished.

        Returns
        -------
        list
            What finished images came to that were not handed out, in order.
        """
        self._stopped.set()
        self._room.close()
        while any(lane.thread.is_alive() for lane in self._lanes):
            self._serve(0.05)
        found = [lane.made for lane in self._lanes]
        self._lanes.clear()
        return [made.result() for made in found if not made.exception()]

    def _begin(self) -> None:
        while len(self._lanes) < self._most and (work := next(self._works, None)) is not None:
            lane = _Lane(work, self._inbox, self._stopped)
            self._lanes.append(lane)
            lane.start(self._room.place())

    def _serve(self, patience: float = _PATIENCE) -> None:
        """Wait for a thread to ask for the network, or to tell something."""
        asked = _wake
        with contextlib.suppress(queue.Empty):
            asked = self._inbox.get(timeout=patience)
        asked()


class _Lane(Generic[Made]):
    """One image on its way."""

    def __init__(self, work: Work[Made], inbox: queue.SimpleQueue[Callable[[], None]], stopped: threading.Event) -> None:
        self.told: deque[Progress] = deque()
        self.made: Future[Made] = Future()
        self.ended = threading.Event()
        self._work, self._inbox, self._stopped = work, inbox, stopped
        self.thread = threading.Thread(name="napari-unet-seg-image")

    def start(self, place: Place) -> None:
        """Begin, with a place in the room."""
        self.thread = threading.Thread(target=self._run, args=(place,), name="napari-unet-seg-image", daemon=True)
        self.thread.start()

    def _run(self, place: Place) -> None:
        try:
            with taking_turns(self._network):
                self.made.set_result(drain(self._work(place), self._tell))
        except BaseException as error:  # noqa: BLE001  # it is raised where the image is followed
            self.made.set_exception(error)
        finally:
            del self._work  # and with it what it holds of the image
            place.leave()
            self.ended.set()
            self._inbox.put(_wake)

    def _tell(self, progress: Progress) -> None:
        if self._stopped.is_set():
            raise CancelledError
        self.told.append(progress)
        self._inbox.put(_wake)

    def _network(self, call: Callable[[], Any]) -> Any:
        """Have something done in the thread of the run."""
        answer: Future[Any] = Future()
        self._inbox.put(partial(_fulfil, answer, call, self._stopped))
        return answer.result()


def _wake() -> None:
    """Do nothing: what was told lies elsewhere."""


def _fulfil(answer: Future[Any], call: Callable[[], Any], stopped: threading.Event) -> None:
    if stopped.is_set():
        answer.cancel()
        return
    try:
        answer.set_result(call())
    except BaseException as error:  # whatever it is, it is the image's; an interruption is that of the run, too
        answer.set_exception(error)
        if not isinstance(error, Exception):
            raise

"""The only thread code: one generator of `Progress` at a time runs beside the window.

The thread knows nothing of Qt. It leaves its reports in a queue and its result in a future, and a timer of the window looks there; so a
widget may be deleted at any time, and every exception (superqt's worker swallows RuntimeError) comes out of the future.
"""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

if TYPE_CHECKING:
    from napari_unet_seg.progress import Progress, Steps

POLL_MS = 30
"""How often the window looks for news: seen as at once, and too rare to cost the job anything."""


class Job(QObject):
    """Runs generators in a thread, one at a time, and tells the window about them.

    After each start exactly one of `returned`, `failed` and `cancelled` is emitted, and then always `finished`. All signals come on the
    thread of the window. A job that is deleted, or whose program quits, is cancelled.

    Parameters
    ----------
    parent : QObject
        Its owner, with which it is deleted.
    poll_ms : int
        How often the window looks for news while a generator runs, in milliseconds.
    """

    progressed = Signal(object)
    """The newest `Progress`, and every one that has a notice."""
    reported = Signal(object)
    """Every `Progress` since the window looked last, as a list: for curves, which need them all."""
    returned = Signal(object)
    """What the generator returned."""
    failed = Signal(object)
    """The exception that the generator raised."""
    cancelled = Signal()
    finished = Signal()

    def __init__(self, parent: QObject | None = None, poll_ms: int = POLL_MS) -> None:
        """Prepare; no thread is made before the first start."""
        super().__init__(parent)
        self._reports: deque[Progress] = deque()
        self._commands: deque[Any] = deque()
        self._future: Future[Any] | None = None
        self._polling = False
        self._stop = threading.Event()
        self._timer = QTimer(self)
        # Whether Qt or Python deletes the job, a run must end. Not a lambda: when Python's collector deletes a job and what it is
        # connected to at one go, Qt would call a function that is emptied already; a finalizer is kept alive by its own registry.
        self._timer.destroyed.connect(weakref.finalize(self, self._stop.set))
        self._timer.setInterval(poll_ms)
        self._timer.timeout.connect(self._poll)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.cancel)

    @property
    def running(self) -> bool:
        """Whether a generator runs, or has ended and not been told of yet."""
        return self._future is not None

    def start(self, steps: Steps[Any]) -> bool:
        """Run a generator in a thread.

        Parameters
        ----------
        steps : generator
            Yields `Progress`. Even its first line runs in the thread.

        Returns
        -------
        bool
            False when one runs already: then nothing happens.
        """
        if self.running:
            return False
        self._stop.clear()
        self._reports.clear()
        self._commands.clear()
        # A thread for each run, so that none idles; the future keeps whatever is raised.
        executor = ThreadPoolExecutor(1, thread_name_prefix="napari-unet-seg")
        self._future = executor.submit(_run, steps, self._stop, self._reports, self._commands)
        executor.shutdown(wait=False)
        self._timer.start()
        return True

    def send(self, command: Any) -> None:
        """Send something into the generator at its next step; nothing happens when none runs.

        Parameters
        ----------
        command : object
            Such as `Command.STOP` or a `Preview`; each is sent with a step of its own, in their order.
        """
        if self.running:
            self._commands.append(command)

    def cancel(self) -> None:
        """End the generator at its next step; `cancelled` tells when it has ended."""
        self._stop.set()

    def _poll(self) -> None:
        if self._polling:  # napari's progress bar lets events in while it is drawn, this timer's among them
            return
        self._polling = True
        try:
            self._tell()
        finally:
            self._polling = False

    def _tell(self) -> None:
        if self._future is None:
            return
        done = self._future.done()  # asked before the reports are taken, so that none is left behind
        reports = [self._reports.popleft() for _ in range(len(self._reports))]
        if reports:
            self.reported.emit(reports)
        for report in reports:
            if report.notice or report is reports[-1]:
                self.progressed.emit(report)
        if done:
            self._end(self._future)

    def _end(self, future: Future[Any]) -> None:
        self._timer.stop()
        self._future = None
        error = future.exception()
        if error is None:
            self.returned.emit(future.result())
        elif isinstance(error, CancelledError):
            self.cancelled.emit()
        else:
            self.failed.emit(error)
        self.finished.emit()


def _run(steps: Steps[Any], stop: threading.Event, reports: deque[Progress], commands: deque[Any]) -> Any:
    """Go through the steps in the thread; `CancelledError` when asked to stop."""
    begun = False  # a generator takes nothing before its first step
    with closing(steps), _small_collections(), _small_memory():
        while not stop.is_set():
            try:
                reports.append(steps.send(commands.popleft() if begun and commands else None))
                begun = True
            except StopIteration as end:
                if stop.is_set():
                    break
                return end.value
    raise CancelledError


@contextmanager
def _small_collections() -> Iterator[None]:
    """Keep Python's garbage collector away from what was there before the job.

    A job that makes many small objects sets off full collections, which would visit the several hundred thousand objects of a viewer
    while they hold Python's lock: the window stood still for half a second. And a deleted widget of napari that is still to be collected
    would be deleted in this thread, which Qt forbids.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _small_memory() -> Iterator[None]:
    """Give back what the engine keeps for a next run, as it does for scripts: a viewer needs the memory meanwhile."""
    try:
        yield
    finally:
        processor = sys.modules.get("napari_unet_seg.core.processor")  # it brings torch: not for jobs that do without
        if processor is not None:
            processor.release_memory()

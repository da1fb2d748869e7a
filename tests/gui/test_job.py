from __future__ import annotations

import gc
import threading
import weakref

import pytest
from qtpy.QtCore import QCoreApplication, QObject

from napari_unet_seg.core import processor
from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.gui import job as module
from napari_unet_seg.gui.job import Job
from napari_unet_seg.progress import Command, Progress

WAIT_MS = 60_000


@pytest.fixture
def job(qapp):
    owner = QObject()
    job = Job(owner)
    yield job
    job.cancel()


@pytest.fixture
def log(job):
    """What the job told, in order."""
    log = []
    job.progressed.connect(lambda step: log.append(("progressed", step.done)))
    job.returned.connect(lambda result: log.append(("returned", result)))
    job.failed.connect(lambda error: log.append(("failed", type(error))))
    job.cancelled.connect(lambda: log.append(("cancelled",)))
    job.finished.connect(lambda: log.append(("finished",)))
    return log


class Steps:
    """A generator that a test leads: it waits before its second step, and notes how it was left."""

    def __init__(self, error: BaseException | None = None):
        self.began, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.error = error
        self.thread = None
        self.ended = False

    def __call__(self):
        self.thread = threading.current_thread()
        try:
            yield Progress("Counting", 1, 2)
            self.began.set()
            assert self.go.wait(60)
            if self.error is not None:
                raise self.error
            yield Progress("Counting", 2, 2)
            self.ended = True
            return "counted"
        finally:
            self.closed.set()


def finish(qtbot, job, steps):
    with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
        steps.go.set()


def test_result_comes_on_the_window_thread_and_finished_last(qtbot, job, log):
    steps, told_on = Steps(), []
    job.returned.connect(lambda _: told_on.append(threading.current_thread()))
    assert job.start(steps())
    assert job.running
    finish(qtbot, job, steps)
    assert log[-2:] == [("returned", "counted"), ("finished",)]
    assert ("progressed", 2) in log
    assert told_on == [threading.main_thread()]
    assert steps.thread is not threading.main_thread()
    assert not job.running


@pytest.mark.parametrize(
    "error", [RuntimeError("from a reader"), ValueError("x"), MemoryError(), OutOfMemoryError("no"), KeyboardInterrupt(), SystemExit()]
)
def test_every_exception_is_told_and_gives_the_job_back(qtbot, job, log, error):
    steps = Steps(error)
    job.start(steps())
    finish(qtbot, job, steps)
    assert log[-2:] == [("failed", type(error)), ("finished",)]
    again = Steps()
    assert job.start(again())
    finish(qtbot, job, again)
    assert log[-2:] == [("returned", "counted"), ("finished",)]


def test_cancel_ends_at_the_next_step_and_closes_the_generator(qtbot, job, log):
    steps = Steps()
    job.start(steps())
    assert steps.began.wait(60)
    job.cancel()
    finish(qtbot, job, steps)
    assert steps.closed.is_set()
    assert log[-2:] == [("cancelled",), ("finished",)]
    assert not any(entry[0] == "returned" for entry in log)


def test_cancel_during_the_last_step_delivers_nothing(qtbot, job, log):
    began, go = threading.Event(), threading.Event()

    def last():
        began.set()
        assert go.wait(60)
        return "late"
        yield

    job.start(last())
    assert began.wait(60)
    job.cancel()
    with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
        go.set()
    assert log == [("cancelled",), ("finished",)]


def test_a_cancelled_job_runs_again(qtbot, job, log):
    for _ in range(2):
        steps = Steps()
        job.start(steps())
        job.cancel()
        finish(qtbot, job, steps)
    steps = Steps()
    job.start(steps())
    finish(qtbot, job, steps)
    assert log[-2:] == [("returned", "counted"), ("finished",)]


def test_two_runs_cannot_overlap(qtbot, job, log):
    first, second = Steps(), Steps()
    assert job.start(first())
    assert not job.start(second())
    finish(qtbot, job, first)
    assert second.thread is None
    assert [entry for entry in log if entry[0] == "returned"] == [("returned", "counted")]


def test_notices_are_all_told_however_fast_they_come(qtbot, job):
    notices = []
    job.progressed.connect(lambda step: notices.append(step.notice))

    def many():
        for step in range(500):
            yield Progress("Segmenting", step, 500, notice=f"notice {step}" if step % 100 == 0 else "")

    with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
        job.start(many())
    assert [notice for notice in notices if notice] == [f"notice {step}" for step in range(0, 500, 100)]
    assert len(notices) < 500


def test_events_let_in_by_a_slot_do_not_tell_twice(qtbot, job, log):
    """napari's progress bar processes events while it is drawn."""
    job.progressed.connect(lambda _: [QCoreApplication.processEvents() for _ in range(50)])
    steps = Steps()
    job.start(steps())
    finish(qtbot, job, steps)
    assert [entry[0] for entry in log].count("returned") == 1
    assert log[-1] == ("finished",)
    assert log.index(("returned", "counted")) > max(i for i, entry in enumerate(log) if entry[0] == "progressed")


def test_the_job_can_be_started_from_finished(qtbot, job):
    second = Steps()
    second.go.set()
    job.finished.connect(lambda: job.start(second()) if second.thread is None else None)
    first = Steps()
    job.start(first())
    finish(qtbot, job, first)
    qtbot.waitUntil(second.closed.is_set, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not job.running, timeout=WAIT_MS)


@pytest.mark.parametrize("how", ["by Qt", "by Python"])
def test_deleting_the_owner_cancels(qtbot, how):
    owner = QObject()
    job = Job(owner)
    steps = Steps()
    job.start(steps())
    assert steps.began.wait(60)
    if how == "by Qt":
        with qtbot.waitSignal(owner.destroyed, timeout=WAIT_MS):
            owner.deleteLater()
    del owner, job
    gc.collect()
    steps.go.set()
    assert steps.closed.wait(60)
    assert not steps.ended


def test_python_collects_a_job_with_all_that_belongs_to_it(qtbot):
    """Qt then tells of the end of objects that Python has half taken apart."""
    owner = QObject()
    job = Job(owner)
    owner.me, owner.job = owner, job
    gone, stop, steps = weakref.ref(job), job._stop, Steps()
    job.start(steps())
    finish(qtbot, job, steps)
    del owner, job
    gc.collect()
    assert gone() is None
    assert stop.is_set()


def test_nothing_that_was_there_is_collected_in_the_thread_of_a_job(qtbot, job, monkeypatch):
    """A widget must be deleted in the thread of the window."""
    monkeypatch.setattr(module, "gc", gc)  # the real one: conftest.py replaces it

    class Node:
        pass

    node = Node()
    node.me = node
    deleted_in = []
    weakref.finalize(node, lambda: deleted_in.append(threading.current_thread()))

    def collect():
        gc.collect()
        yield Progress("Collecting", 1, 1)

    steps = collect()
    del node
    with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
        job.start(steps)
    assert deleted_in == []
    gc.collect()
    assert deleted_in == [threading.main_thread()]


def test_quitting_the_program_cancels(qtbot, job, log):
    steps = Steps()
    job.start(steps())
    assert steps.began.wait(60)
    QCoreApplication.instance().aboutToQuit.emit()
    finish(qtbot, job, steps)
    assert log[-2:] == [("cancelled",), ("finished",)]


def test_no_thread_is_left(qtbot, job):
    steps = Steps()
    job.start(steps())
    finish(qtbot, job, steps)
    qtbot.waitUntil(lambda: not steps.thread.is_alive(), timeout=WAIT_MS)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg")]


class TestSending:
    def test_what_is_sent_comes_in_order_each_with_a_step(self, qtbot, job):
        seen, began, go = [], threading.Event(), threading.Event()

        def steps():
            for step in range(5):
                began.set()
                seen.append((yield Progress("Counting", step, 5)))
                assert go.wait(60)

        job.start(steps())
        assert began.wait(60)
        for command in ("one", Command.STOP):
            job.send(command)
        with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
            go.set()
        assert [command for command in seen if command is not None] == ["one", Command.STOP]

    def test_nothing_waits_for_the_next_run(self, qtbot, job):
        seen = []

        def steps():
            seen.append((yield Progress("Counting", 1, 1)))

        job.send(Command.STOP)
        with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
            job.start(steps())
        assert seen == [None]

    def test_what_is_sent_before_the_first_step_is_kept_for_the_second(self, qtbot, job):
        seen = []

        def steps():
            seen.append((yield Progress("Counting", 1, 2)))
            yield Progress("Counting", 2, 2)

        job.start(steps())
        job.send(Command.STOP)
        with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
            pass
        assert seen in ([Command.STOP], [None])  # as the thread was faster or not; never an error


def test_every_report_is_told_in_order(qtbot, job):
    told = []
    job.reported.connect(lambda reports: told.extend(report.done for report in reports))

    def many():
        for step in range(300):
            yield Progress("Training", step, 300)

    with qtbot.waitSignal(job.finished, timeout=WAIT_MS):
        job.start(many())
    assert told == list(range(300))


def test_memory_of_the_engine_is_given_back_after_every_run(qtbot, job, monkeypatch):
    given = []
    monkeypatch.setattr(processor, "release_memory", lambda: given.append("back"))
    for steps in (Steps(), Steps(error=ValueError("no"))):
        assert job.start(steps())
        finish(qtbot, job, steps)
    assert given == ["back"] * 2

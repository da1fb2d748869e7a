"""How long the window stands still during a run on 4096 x 4096 pixels, and what its thread costs the job.

    python benchmarks/responsiveness.py [--edge 4096] [--model nuclei] [--rounds 5]

A timer beats in the window's thread every few milliseconds; a gap between two beats is a time in which nobody could click. What made a gap
is told apart: our own slots (goal: at most 50 ms each), napari's own set-up of a layer, and the computation beside the window, which may
hold Python's lock. Then the same job runs in its thread beside the window, and alone in the main thread (goal: not more than 10 % slower).
Needs a screen, or xvfb-run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_unet_seg.gui.segment_widget import SegmentWidget

GOAL_MS, GOAL_RATIO = 50.0, 1.10
BEAT_MS = 2
OURS, OURS_ALONE = "our slot", "  its work"
BESIDE = "job in its thread, beside napari's window and its indicator of activity"
QUIET = "job in its thread, beside napari's window without that indicator"
ALONE = "job alone, in the main thread"
TILES, LAST = "tiles are computed beside the window", "nuclei are separated and measured beside the window"

Taken = npt.NDArray[np.float64]
"""Seconds, and seconds of work on all cores, shape (2,)."""


class Heart:
    """Beats in the window's thread, and notes how long each kind of thing stopped it at most."""

    def __init__(self) -> None:
        """Start to beat."""
        from qtpy.QtCore import QTimer

        self.doing = "the window alone"
        self.longest: dict[str, float] = {}
        self._in_napari = np.zeros(2)
        self._depth = 0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)

    def ours(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a slot of ours that is timed, less what napari takes below it."""

        def timed(*arguments: Any) -> Any:
            before, start = self._in_napari.copy(), clocks()
            result = function(*arguments)
            seconds, work = clocks() - start - (self._in_napari - before)
            self._note(f"{OURS} {function.__qualname__}", seconds)
            self._note(f"{OURS_ALONE} {function.__qualname__}", work)
            self.rest()
            return result

        return timed

    def napari(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of napari that is timed; what it calls in napari itself counts once."""

        def timed(*arguments: Any, **options: Any) -> Any:
            start = clocks()
            self._depth += 1
            try:
                return function(*arguments, **options)
            finally:
                self._depth -= 1
                passed = clocks() - start
                self._in_napari += passed * (self._depth == 0)
                self._note(f"napari: {name}", passed[0])

        return timed

    def stop(self) -> None:
        """Beat no more: hundreds of beats a second would cost the job something themselves."""
        self._timer.stop()

    def rest(self) -> None:
        """Leave out what has been since the last beat."""
        self._last = time.perf_counter()

    def _beat(self) -> None:
        now = time.perf_counter()
        self._note(f"gap while {self.doing}", now - self._last)
        self._last = now

    def _note(self, what: str, seconds: float) -> None:
        self.longest[what] = max(self.longest.get(what, 0.0), seconds * 1000)


def clocks() -> npt.NDArray[np.float64]:
    """Return the time, and the part of it in which this thread worked: on a busy machine they differ."""
    return np.array([time.perf_counter(), time.thread_time()])


def make_image(edge: int) -> npt.NDArray[np.uint16]:
    """Return a uint16 image of noisy discs, 18 pixels across."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-16:16, -16:16]
    tiles = -(-edge // 32)
    discs = np.tile(2000 * (np.hypot(y, x) < 9), (tiles, tiles))[:edge, :edge]
    return (discs + random.normal(300, 60, (edge, edge))).clip(0).astype(np.uint16)


def wait_for(idle: Callable[[], bool], least: float = 0.5) -> None:
    """Let events come in until something has ended, and a little longer."""
    from qtpy.QtTest import QTest

    QTest.qWait(int(least * 1000))
    while not idle():
        QTest.qWait(20)
    QTest.qWait(int(least * 1000))


def watch(widget: SegmentWidget, heart: Heart) -> None:
    """Time the slots of a widget, and what they call in napari."""
    import napari
    from napari.layers import Labels
    from napari.utils import progress

    from napari_unet_seg.gui import results

    results.Labels = heart.napari("Labels(...)", Labels)
    methods = {napari.Viewer: ("add_layer",), progress: ("__init__", "update", "close")}
    for owner, name in ((owner, name) for owner, names in methods.items() for name in names):
        setattr(owner, name, heart.napari(f"{owner.__name__}.{name}", getattr(owner, name)))
    for name in ("data", "features", "colormap", "contour"):
        attribute = getattr(Labels, name)
        setattr(Labels, name, property(attribute.fget, heart.napari(f"Labels.{name} = ...", attribute.fset)))
    job = widget.job
    for signal, name in ((job.progressed, "_show_progress"), (job.returned, "_show_result"), (job.finished, "_finish")):
        slot = getattr(widget, name)
        signal.disconnect(slot)
        signal.connect(heart.ours(slot))
    job.progressed.connect(lambda step: setattr(heart, "doing", LAST if step.done == step.total else TILES))
    job.finished.connect(lambda: setattr(heart, "doing", "napari draws the result"))
    widget.segment = heart.ours(widget.segment)


def run_in_window(widget: SegmentWidget, heart: Heart) -> Taken:
    """Run once from the widget, and return the seconds that the job took, and those of work till its result came."""
    taken: list[Taken] = []
    widget.job.returned.connect(lambda outcome: taken.append(np.array([outcome.seconds, time.process_time() - started])))
    heart.rest()
    heart.doing = TILES
    started = time.process_time()
    widget.segment()
    wait_for(lambda: not widget.job.running)
    heart.doing = "the window alone"
    if not taken:
        raise RuntimeError(widget.status.message.text.text())
    return taken[0]


def run_alone(widget: SegmentWidget) -> Taken:
    """Run the same job in the main thread, with nothing beside it."""
    from napari_unet_seg.gui.layers import read_source
    from napari_unet_seg.gui.request import Request, segment_steps
    from napari_unet_seg.progress import drain

    layer = widget.images.layer
    if layer is None:
        raise RuntimeError("There is no image.")
    request = Request(read_source(layer), widget.engine.model, widget.engine.device, widget.form.value(), widget.results.replaceable(layer))
    started = time.process_time()
    seconds = drain(segment_steps(request)).seconds
    return np.array([seconds, time.process_time() - started])


def main() -> int:
    """Measure, print the table, and return 1 if a goal is missed."""
    import napari
    from napari import settings
    from napari.settings import get_plugin_settings as read_settings

    from napari_unet_seg.gui.segment_widget import SegmentWidget

    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--edge", type=int, default=4096)
    options.add_argument("--model", default="nuclei")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    viewer = napari.Viewer()
    heart = Heart()
    heart.doing = "torch is loaded beside the window, once"
    settings.get_plugin_settings = heart.napari("get_plugin_settings(...), which reads what all plugins declare, once", read_settings)
    widget = heart.ours(SegmentWidget)(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    wait_for(lambda: not widget.engine.looking)
    widget.engine.model_box.setCurrentText(given.model)
    heart.doing = "napari shows the image"
    viewer.add_image(make_image(given.edge))
    wait_for(lambda: not widget.engine.looking)
    watch(widget, heart)
    for _ in range(2):
        run_in_window(widget, heart)
    heart.stop()
    least = compare(widget, heart, given.rounds)
    viewer.close()
    return report(heart.longest, least)


def compare(widget: SegmentWidget, heart: Heart, rounds: int) -> dict[str, Taken]:
    """Run the job in its thread, with and without what napari draws meanwhile, and alone: the least of each.

    In turn, so that what else the machine does disturbs all alike. napari's indicator of activity is animated, which on a screen without a
    graphics card takes a fifth of a core.

    Returns
    -------
    dict of ndarray of float64, shape (2,)
        Seconds, and seconds of work on all cores: these count also what the window does, and on a busy machine are the surer measure.
    """
    show, least = widget._activity.start, {what: np.full(2, np.inf) for what in (BESIDE, QUIET, ALONE)}
    for _ in range(rounds):
        least[BESIDE] = np.minimum(least[BESIDE], run_in_window(widget, heart))
        widget._activity.start = lambda description: None
        least[QUIET] = np.minimum(least[QUIET], run_in_window(widget, heart))
        widget._activity.start = show
        least[ALONE] = np.minimum(least[ALONE], run_alone(widget))
    return least


def report(longest: dict[str, float], least: dict[str, Taken]) -> int:
    """Print what was measured, and return 1 if a goal is missed."""
    for what, milliseconds in sorted(longest.items()):
        print(f"{what:<80} {milliseconds:8.0f} ms")
    ours, work = (max(ms for what, ms in longest.items() if what.startswith(kind)) for kind in (OURS, OURS_ALONE))
    ratio, ratio_of_work = least[QUIET] / least[ALONE]
    print(f"\nlongest of our own slots: {ours:.0f} ms, its own work in them {work:.0f} ms (goal {GOAL_MS:.0f}: {verdict(work <= GOAL_MS)})")
    for what, (taken, worked) in least.items():
        print(f"{what:<80} {taken:8.2f} s, {worked:8.2f} s of work")
    print(f"thread / main thread: {ratio:.3f}, of the work {ratio_of_work:.3f} (goal {GOAL_RATIO}: {verdict(ratio <= GOAL_RATIO)})")
    return int(work > GOAL_MS or ratio > GOAL_RATIO)


def verdict(met: bool) -> str:
    """Say whether a goal is met."""
    return "met" if met else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())

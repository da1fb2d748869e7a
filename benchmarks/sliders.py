"""How long a slider's move takes: decoding alone, and from the move to pixels on the screen, in napari with its real widget.

    python benchmarks/sliders.py [--edges 512 1024 2048] [--moves 12] [--json FILE]

Discs are segmented once with the bundled model; then each slider is moved from step to step. Three times are told apart: decoding (the
work beside the window), our slot with what napari does in it (the window stands still for that long), and the whole way from the move to
the layer drawn anew. Goal: 100 ms for 1024 x 1024 on the whole way. Needs a screen, or xvfb-run, whose drawing without a graphics card is
a good part of the whole.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_unet_seg.gui.segment_widget import SegmentWidget

GOAL_MS, GOAL_EDGE = 100.0, 1024
SLIDERS: dict[str, tuple[float, ...]] = {
    "probability": tuple(round(0.4 + 0.02 * step, 2) for step in range(16)),
    "splitting": tuple(round(0.2 + 0.05 * step, 2) for step in range(12)),
    "min_area": tuple(range(20, 260, 15)),
    "max_area": tuple(range(500, 260, -15)),
    "exclude_border": (True, False) * 8,
}
HEADER = ("pixels", "slider", "nuclei", "decode", "decode again", "window", "move to pixels", "worst")


def make_image(edge: int) -> npt.NDArray[np.uint16]:
    """Return a uint16 image of discs 12 to 22 pixels across at random places, many of which touch: one on each 25 x 25 pixels."""
    random = np.random.default_rng(0)
    image = random.normal(300, 60, (edge, edge))
    y, x = np.mgrid[-12:12, -12:12]
    for _ in range(edge * edge // 625):
        top, left = random.integers(0, edge - 24, 2)
        disc = np.hypot(y, x) < random.uniform(6, 11)
        part = image[top : top + 24, left : left + 24]
        part[disc] = 2000 + random.normal(0, 200) + random.normal(0, 60, disc.sum())
    return image.clip(0).astype(np.uint16)


def milliseconds(work: Callable[[], Any]) -> float:
    """Time some work."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def decoding_times(maps: Any, name: str, values: Iterable[Any]) -> tuple[float, float]:
    """Return the median milliseconds of decoding from nothing, and of decoding the same plane once more with another value."""
    from napari_unet_seg.core.decoding import Decoding
    from napari_unet_seg.core.instances import instances
    from napari_unet_seg.settings import SegmentSettings

    settings = [SegmentSettings(**{name: value}) for value in values]
    decoding = Decoding(maps)
    decoding.labels(SegmentSettings())
    alone = [milliseconds(lambda given=given: instances(maps, given)) for given in settings]  # type: ignore[misc]
    again = [milliseconds(lambda given=given: decoding.labels(given)) for given in settings]  # type: ignore[misc]
    return statistics.median(alone), statistics.median(again)


class Watch:
    """Notes when the layer was drawn after a move, and how long the window stood still for it."""

    def __init__(self, widget: SegmentWidget) -> None:
        """Listen to the widget."""
        from qtpy.QtCore import QEventLoop

        self.slots: list[float] = []
        self._loop = QEventLoop()  # which sleeps until there is something to do, as napari's own does
        [live] = widget.live.lives
        live._show_job.finished.connect(self._loop.quit)
        live._show_job.returned.disconnect(live._show_plane)
        self._show = live._show_plane
        live._show_job.returned.connect(self._timed)

    def _timed(self, plane: Any) -> None:
        self.slots.append(milliseconds(lambda: self._show(plane)))

    def move(self, widget: SegmentWidget, name: str, value: Any) -> float:
        """Move a slider, and return the milliseconds until the plane is on the screen."""
        from qtpy.QtWidgets import QApplication

        started = time.perf_counter()
        widget.form.rows[name].set(value)
        self._loop.exec()
        QApplication.processEvents()  # the drawing that our slot asked for
        return (time.perf_counter() - started) * 1000


def measure(widget: SegmentWidget, edge: int, moves: int) -> list[dict[str, Any]]:
    """Segment an image of some size, and move each slider."""
    from qtpy.QtTest import QTest

    from napari_unet_seg.gui.kept_maps import maps_of

    layer = widget._viewer.add_image(make_image(edge), name=f"{edge}")
    widget.images.image_box.setCurrentText(layer.name)
    widget.segment()
    while widget.job.running:
        QTest.qWait(50)
    result = widget.results.of(layer)
    if result is None:
        raise RuntimeError(widget.status.message.text.text())
    kept, watch, rows = maps_of(result.labels), Watch(widget), []
    for name, values in SLIDERS.items():
        settle(widget)
        watch.slots.clear()
        times = [watch.move(widget, name, value) for value in values[:moves] if value != widget.form.rows[name].get()]
        alone, again = decoding_times(kept.plane(()) if kept else None, name, values[:moves])
        figures = (edge, name, result.outcome.count, alone, again, statistics.median(watch.slots), statistics.median(times), max(times))
        rows.append(dict(zip(HEADER, figures, strict=True)))
        widget.reset_button.click()
    settle(widget)
    return rows


def settle(widget: SegmentWidget) -> None:
    """Wait until nothing follows any more."""
    from qtpy.QtTest import QTest

    QTest.qWait(100)
    while widget.live.busy or widget.live.lives[0]._show_job.running:
        QTest.qWait(20)
    QTest.qWait(100)  # what came of it is drawn


def main() -> int:
    """Measure, print the table, and return 1 if the goal is missed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--edges", type=int, nargs="+", default=[512, 1024, 2048])
    options.add_argument("--moves", type=int, default=12)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    rows = [row for edge in given.edges for row in in_new_window(edge, given.moves)]
    report(rows)
    if given.json is not None:
        given.json.write_text(json.dumps({"unit": "ms", "goal": GOAL_MS, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    at_goal = [row["move to pixels"] for row in rows if row["pixels"] == GOAL_EDGE]
    return int(any(taken > GOAL_MS for taken in at_goal))


def in_new_window(edge: int, moves: int) -> list[dict[str, Any]]:
    """Measure in a viewer of its own, so that what is on the screen is one image and its nuclei."""
    import napari
    from qtpy.QtTest import QTest

    from napari_unet_seg.gui.segment_widget import SegmentWidget

    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    QTest.qWait(500)
    while widget.engine.looking:
        QTest.qWait(20)
    try:
        return measure(widget, edge, moves)
    finally:
        viewer.close()


def report(rows: list[dict[str, Any]]) -> None:
    """Print the table: medians in milliseconds, and the slowest move."""
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    for row in rows:
        print("| " + " | ".join(f"{value:.0f}" if isinstance(value, float) else str(value) for value in row.values()) + " |")
    print(f"\nmilliseconds; goal: {GOAL_MS:.0f} from move to pixels at {GOAL_EDGE} x {GOAL_EDGE}")


if __name__ == "__main__":
    raise SystemExit(main())

"""Where the time of a large plane goes besides the network, how much of that all cores share, and what many cores would come to.

    python -m benchmarks.scale_cores DATA/dsb2018 [--edge 8192] [--json benchmarks/results/scale_cores.json]

A plane of 16-bit pixels in memory to labels, of the fluorescence images of one fold. The network answers at once, with the maps of one
tile, as a GPU does that is much faster than all the rest. Everything is done by one core, so that what is cut into bands for all cores can
be told from what is not; times are of the processor. The rates that follow from them (Amdahl 1967) leave out what many cores lose to each
other, as where memory is the limit.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import napari_unet_seg as nus
from benchmarks.dsb2018 import read_fold
from benchmarks.large_image import report
from benchmarks.speed import mosaic
from napari_unet_seg.core import bands
from napari_unet_seg.core.broken import count_broken
from napari_unet_seg.core.predict import Predictor

STAGES = {
    "find_basins": "hills and passes",
    "find_holes": "holes",
    "drawn": "drawing the labels",
    "put": "putting maps together",
    "count_broken": "looking for what is no number",
    "ScaledPlane._normalized": "normalising",
    "_counted_percentiles": "limits",
    "_block_means": "limits",
}
"""What functions that share work among cores do; the rest is counting and choosing nuclei."""
REST = "counting and choosing"
CORES = (1, 2, 4, 8, 16)
TILE = 2048

Times = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", default="0")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--edge", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    image, _ = mosaic(list(read_fold(options.data, options.fold)), options.edge)
    model = nus.load_model(options.model)
    known: dict[tuple[int, ...], Any] = {}
    timed_run(image, model, known)  # the network makes its maps
    best = min((timed_run(image, model, known) for _ in range(options.repeats)), key=lambda run: sum(run.values()))
    report(
        "scale_cores", rows(best, image.size / 1e6), {"edge": options.edge, "model": model.name, "Mpx/s": rates(best, image)}, options.json
    )
    print("\nMpx/s besides the network: " + ", ".join(f"{rate} with {count} cores" for count, rate in rates(best, image).items()))


def rows(taken: Times, megapixels: float) -> list[dict[str, Any]]:
    """Return the stages, the longest first."""
    ordered = sorted(taken.items(), key=lambda item: -item[1])
    return [{"stage": stage, "processor ms a megapixel": round(1000 * value / megapixels, 2)} for stage, value in ordered]


def rates(taken: Times, image: Any) -> dict[int, int]:
    """Return megapixels a second for numbers of cores, if what is shared were shared evenly."""
    alone = taken["one core alone"]
    shared = sum(taken.values()) - alone
    return {count: round(image.size / 1e6 / (alone + shared / count)) for count in CORES}


def timed_run(image: Any, model: nus.Model, known: dict[tuple[int, ...], Any]) -> Times:
    """Return the processor time of each stage of a run; what the network said is kept in `known`."""
    taken: Times = defaultdict(float)
    settings = nus.SegmentSettings(**{**model.defaults.to_dict(), "tile": TILE})
    with at_once(known), in_one_thread(taken):
        before = time.process_time()
        nus.segment(image, model, "cpu", settings=settings)
        whole = time.process_time() - before
    return {**taken, "one core alone": whole - sum(taken.values())}


@contextmanager
def at_once(known: dict[tuple[int, ...], Any]) -> Iterator[None]:
    """Have the network answer at once, for each shape of a window with the maps of the first that it saw."""
    run = Predictor.run

    def _answer(self: Predictor, window: Any) -> Any:
        if window.shape not in known:
            known[window.shape] = run(self, window)
        count_broken(*known[window.shape])  # as of what comes from a GPU
        return known[window.shape]

    with patch.object(Predictor, "run", _answer):
        yield


@contextmanager
def in_one_thread(taken: Times) -> Iterator[None]:
    """Do in one thread what is shared among cores, and note how long that takes."""
    lock = threading.Lock()

    def _each(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        name = sys._getframe(1).f_code.co_qualname
        if name == "filled":
            name = sys._getframe(2).f_code.co_qualname
        started = time.thread_time()
        made = [function(item) for item in items]
        with lock:
            taken[STAGES.get(name, REST)] += time.thread_time() - started
        return made

    shared = bands.each
    with ExitStack() as stack:
        for module in [module for name, module in sys.modules.items() if name.startswith("napari_unet_seg.core")]:
            if getattr(module, "each", None) is shared:
                stack.enter_context(patch.object(module, "each", _each))
        yield


if __name__ == "__main__":
    main()

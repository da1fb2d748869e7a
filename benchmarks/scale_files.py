"""What a folder of small files costs beside the network.

    python -m benchmarks.scale_files DATA/dsb2018 [--files 1000] [--json benchmarks/results/scale_files.json]

The files are the 256 x 256 images of one fold, again and again, as TIFF. They are segmented as by one command, with labels, tables and a
contact sheet, model loaded. The measure is the sum of the times that the network took (aim: 1.3 times that). On a computer that is busy
with other work, seconds of processor time tell more: with OMP_NUM_THREADS=1, since the network's are those of one thread. Memory is told
after each tenth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import tifffile

import napari_unet_seg as nus
from benchmarks.dsb2018 import read_fold
from benchmarks.large_image import megabytes, peak_megabytes, report
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.inputs import find_inputs

EDGE = 256
AIM = 1.3


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", default="0")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    model = nus.load_model(options.model)
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as name:
        folder = Path(name)
        write_files(folder / "images", [np.asarray(item.image) for item in read_fold(options.data, options.fold)], options.files)
        nus.segment(np.zeros((EDGE, EDGE), np.uint8), model, "cpu")  # the network is compiled
        row, memory = timed_run(folder, model)
    report("scale_files", [row], {"aim": AIM, "memory_mb": memory, "model": model.name}, options.json)


def write_files(folder: Path, images: list[Any], count: int) -> None:
    """Write so many TIFF files of the small images."""
    folder.mkdir(parents=True)
    small = cycle(image for image in images if image.shape == (EDGE, EDGE))
    for number, image in enumerate(islice(small, count)):
        tifffile.imwrite(folder / f"{number:05}.tif", image)


def timed_run(folder: Path, model: nus.Model) -> tuple[dict[str, Any], list[int]]:
    """Segment a folder's images, and say how long that took, and the network; and the memory in MB after each tenth."""
    plan = Plan(find_inputs([folder / "images"], folder / "results").sources, folder / "results", summary=True)
    network = {"s": 0.0, "processor s": 0.0}
    memory: list[int] = []
    step = max(len(plan.sources) // 10, 1)
    with ExitStack() as stack:
        stack.enter_context(patch.object(Predictor, "run", counted(Predictor.run, network)))
        before = clocks()
        steps = iter_batch(plan, model, "cpu")
        outcomes = nus.drain(steps, lambda now: memory.append(round(megabytes())) if now.preview and now.done % step == 0 else None)
        whole = {name: now - before[name] for name, now in clocks().items()}
    shares = {f"{name}, times the network": round(taken / network[name], 2) for name, taken in whole.items()}
    taken = {name: round(value, 2) for name, value in ({f"network {name}": value for name, value in network.items()} | whole).items()}
    nuclei = sum(outcome.nuclei or 0 for outcome in outcomes)
    return {"files": len(outcomes), "nuclei": nuclei, **taken, **shares, "most memory, MB": round(peak_megabytes())}, memory


def clocks() -> dict[str, float]:
    """Return the time, and that of all cores of this process."""
    return {"s": time.perf_counter(), "processor s": time.process_time()}


def counted(run: Any, taken: dict[str, float]) -> Any:
    """Return `Predictor.run`, adding up the time that it takes."""

    def _run(self: Predictor, window: Any) -> Any:
        started, processor = time.perf_counter(), time.thread_time()
        try:
            return run(self, window)
        finally:
            taken["s"] += time.perf_counter() - started
            taken["processor s"] += time.thread_time() - processor

    return _run


if __name__ == "__main__":
    main()

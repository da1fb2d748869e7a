"""What a small image costs: the command line from nothing, and a thousand files with one command.

    python -m benchmarks.scale_start [--files 1000] [--repeats 5] [--json FILE]

The first table compares ``napari-unet-seg segment`` of one image of 256 x 256 pixels with ``import torch``, each in a process of its own,
and takes the median; aim: at most 3 s more. The second segments many such images in this process, and compares the whole with the time
that the network alone took (aim: within 1.3 times), and the memory after a tenth of the files with that at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_unet_seg as nus
from benchmarks.large_image import peak_megabytes, report
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.inputs import find_inputs

AIM_START, AIM_FILES = 3.0, 1.3


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
        place = Path(folder)
        (place / "many").mkdir()
        for number in range(options.files):
            tifffile.imwrite(place / "many" / f"{number:05}.tif", draw(number))
        rows = [cold_start(place, options), many_files(place, options)]
    columns = dict.fromkeys(name for row in rows for name in row)
    filled = [{name: row.get(name, "") for name in columns} for row in rows]
    report("scale_start", filled, {"command": "python -m benchmarks.scale_start"}, options.json)


def draw(seed: int) -> Any:
    """Return an image of 256 x 256 with some forty discs: uint8, (Y, X)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    image = random.normal(20, 4, (256, 256))
    for cy, cx, radius in random.uniform((0, 0, 6), (256, 256, 11), (40, 3)):
        image[np.hypot(y - cy, x - cx) < radius] += 90
    return image.clip(0, 255).astype(np.uint8)


def cold_start(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Compare the command line with importing torch."""
    image = next((place / "many").iterdir())
    program = [
        sys.executable,
        "-m",
        "napari_unet_seg.cli",
        "segment",
        str(image),
        "-o",
        str(place / "one"),
        "-m",
        options.model,
        "--overwrite",
    ]
    found = {"import": [sys.executable, "-c", "import torch"], "segment": program}
    times = {name: statistics.median(seconds(command) for _ in range(options.repeats)) for name, command in found.items()}
    more = times["segment"] - times["import"]
    row = {
        "what": "cold start, one file",
        "files": 1,
        "s": round(times["segment"], 2),
        "s of torch or the network": round(times["import"], 2),
    }
    return row | {"s more": round(more, 2), "aim": f"{AIM_START:g} s more", "met": more <= AIM_START}


def seconds(command: Sequence[str]) -> float:
    """Time a command."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - started


def many_files(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Segment many files, and time the network apart."""
    spent, early = 0.0, 0.0
    run = Predictor.run

    def timed(self: Predictor, window: Any) -> Any:
        nonlocal spent
        started = time.perf_counter()
        maps = run(self, window)
        spent += time.perf_counter() - started
        return maps

    Predictor.run = timed  # type: ignore[method-assign]
    plan = Plan(find_inputs([str(place / "many")]).sources, place / "out", summary=True)
    started = time.perf_counter()
    for progress in iter_batch(plan, nus.load_model(options.model)):
        if progress.preview is not None and progress.done == max(options.files // 10, 1):
            early = peak_megabytes()
    whole = time.perf_counter() - started
    Predictor.run = run  # type: ignore[method-assign]
    times = whole / spent
    row = {"what": "many files, one command", "files": options.files, "s": round(whole, 2), "s of torch or the network": round(spent, 2)}
    row |= {"times the network": round(times, 2), "aim": f"{AIM_FILES:g} times", "met": times <= AIM_FILES}
    return row | {"peak after a tenth, MB": round(early), "peak at the end, MB": round(peak_megabytes())}


if __name__ == "__main__":
    main()

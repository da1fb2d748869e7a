"""What a small image costs by the command line, from nothing; a thousand of them: `benchmarks.scale_files`.

    python -m benchmarks.scale_start [--repeats 5] [--json FILE]

Compares ``napari-unet-seg segment`` of one image of 256 x 256 pixels with ``import torch``, each in a process of its own, and takes the
median; aim: at most 3 s more.
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

from benchmarks.large_image import report

AIM = 3.0
"""Seconds more than the import."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
        row = cold_start(Path(folder), options)
    report("scale_start", [row], {"command": "python -m benchmarks.scale_start"}, options.json)


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
    image = place / "image.tif"
    tifffile.imwrite(image, draw(0))
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
    measured = {"s": round(times["segment"], 2), "s of importing torch": round(times["import"], 2), "s more": round(more, 2)}
    return {"what": "cold start, one file", **measured, "aim": f"{AIM:g} s more", "met": more <= AIM}


def seconds(command: Sequence[str]) -> float:
    """Time a command."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

"""Memory and time against the size of an image that is segmented block by block, and whether seams show.

    python -m benchmarks.scale_blocks DATA/dsb2018 [--sizes 8192 16384] [--seams 2048] [--device auto] [--json FILE]

Each size runs in a process of its own, from a zarr of pieces of real images to labels and table on the disk. Memory is that of the whole
process at its worst; `memory of the program alone` is what it had before it saw the image. Processor time, unlike time, does not depend on
what else the machine does. Then one image is segmented whole, and in blocks of three sizes: the labels must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import napari_unet_seg as nus
from benchmarks.large_image import peak_megabytes, read_pieces, report, write_image

BLOCKS = (512, 1000, 2048)
"""Edges of blocks that must give equal labels."""
MOST_MEMORY = 1536
"""MB that the whole process may have."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument("--seams", type=int, default=2048, help="edge of the image that is segmented whole and in blocks")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(run_one(*options.one, options.model, options.device)))
        return
    pieces = read_pieces(options.data)
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
        rows = [measure(write_image(Path(folder) / f"{size}.zarr", size, pieces), size, options) for size in options.sizes]
        seams = find_seams(write_image(Path(folder) / "seams.zarr", options.seams, pieces), options)
    first, last = rows[0], rows[-1]
    growth = {
        "time per megapixel, last over first": round(last["s a megapixel"] / first["s a megapixel"], 3),
        "processor time per megapixel, last over first": round(last["processor s a megapixel"] / first["processor s a megapixel"], 3),
        "memory, last over first": round(last["peak, MB"] / first["peak, MB"], 3),
        "within the limit of memory": all(row["peak, MB"] <= MOST_MEMORY for row in rows),
    }
    report("scale_blocks", rows, {"growth": growth, "seams": seams, "command": "python -m benchmarks.scale_blocks"}, options.json)
    print(f"\n{growth}\n{seams}")


def run_one(image: Path, target: Path, model: str, device: str) -> dict[str, Any]:
    """Segment an image in this process, and say how long each step took and how much memory it needed."""
    loaded = nus.load_model(model)
    nus.segment(np.zeros((64, 64), np.uint8), loaded, device)
    before, started, worked = peak_megabytes(), time.perf_counter(), time.process_time()
    spent: Counter[str] = Counter()
    steps = nus.iter_segment_to(zarr.open_array(image, mode="r"), target, loaded, device)
    last = started
    while True:
        try:
            stage = next(steps).stage
        except StopIteration as stop:
            stored = stop.value
            break
        now = time.perf_counter()
        spent[stage] += now - last
        last = now
    whole = time.perf_counter() - started
    parts = {stage: round(seconds, 2) for stage, seconds in spent.items()} | {"Finishing": round(time.perf_counter() - last, 2)}
    worked = time.process_time() - worked
    return {"seconds": whole, "processor": worked, "peak": peak_megabytes(), "before": before, "nuclei": stored.count, "parts": parts}


def measure(image: Path, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Segment an image in a process of its own."""
    words = [str(options.data), "--one", str(image), str(image.with_suffix(".labels.zarr")), "--model", options.model]
    command = [sys.executable, "-m", "benchmarks.scale_blocks", *words, "--device", options.device]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()[-1])
    megapixels = size * size / 1e6
    row = {"edge": size, "megapixels": round(megapixels, 1), "nuclei": found["nuclei"], "s": round(found["seconds"], 1)}
    row |= {"s a megapixel": round(found["seconds"] / megapixels, 4), "processor s a megapixel": round(found["processor"] / megapixels, 4)}
    row |= {"peak, MB": round(found["peak"])}
    return row | {"memory of the program alone, MB": round(found["before"])} | found["parts"]


def find_seams(image: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Segment an image whole and in blocks: which blocks give other labels, and how many nuclei they cut."""
    pixels = zarr.open_array(image, mode="r")[...]
    whole = nus.segment(pixels, options.model, options.device)
    found: dict[str, Any] = {"edge": options.seams, "nuclei": int(whole.max()), "blocks": list(BLOCKS)}
    differing, cut = [], 0
    for block in BLOCKS:
        target = image.with_name(f"blocks-{block}.zarr")
        nus.segment_to(pixels, target, options.model, options.device, options=nus.OutOfCore(block=block))
        labels = zarr.open_array(target / "0", mode="r")[...]
        differing += [] if np.array_equal(labels, whole) else [block]
        cut += cut_nuclei(whole, labels)
    return found | {"blocks with other labels": differing, "nuclei cut": cut}


def cut_nuclei(whole: Any, labels: Any) -> int:
    """Count the nuclei of the whole image that have not exactly the pixels of one nucleus of the other labels."""
    pairs = np.unique(np.stack([whole.ravel(), labels.ravel().astype(np.int64)], axis=1), axis=0)
    pairs = pairs[pairs.any(axis=1)]
    partners, reverse = Counter(pairs[:, 0].tolist()), Counter(pairs[:, 1].tolist())
    good = sum(1 for a, b in pairs.tolist() if a and b and partners[a] == reverse[b] == 1)
    return int(whole.max()) - good


if __name__ == "__main__":
    main()

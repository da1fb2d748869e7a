"""How much faster two workers of one thread are than one of one thread, on blocks of one image with dask.distributed.

    python -m benchmarks.scale_cluster DATA/dsb2018 [--edge 8192] [--workers 1 2] [--json FILE]

Workers are processes of this machine, which read the image and write the labels themselves. They are started, and have loaded the model,
before the clock runs. Aim: two at least 1.7 times as fast as one; the labels must be equal. It takes three minutes,
and needs a machine that does nothing else: the workers share its cores with nobody.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr
from distributed import LocalCluster

import napari_unet_seg as nus
from benchmarks.large_image import read_pieces, report, write_image

AIM, TWO = 1.7, 2
PROCESSES = True
"""Whether each worker is a process of its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--edge", type=int, default=8192)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args(arguments)
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # the workers are started with it
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
        image = write_image(Path(folder) / "image.zarr", options.edge, read_pieces(options.data))
        rows = [measure(image, workers, options.model) for workers in options.workers]
        targets = [image.with_name(f"{workers}.labels.zarr") for workers in options.workers]
        first, *others = (zarr.open_array(target / "0", mode="r") for target in targets)
        equal = all(np.array_equal(first[...], other[...]) for other in others)
    for row in rows:
        row["times one"] = round(rows[0]["s"] / row["s"], 2)
    met = any(row["workers"] == TWO and row["times one"] >= AIM for row in rows)
    more = {"labels equal": equal, "aim": AIM, "met": met, "command": "python -m benchmarks.scale_cluster"}
    report("scale_cluster", rows, more, options.json)
    print(f"\nlabels equal: {equal}; aim of {AIM} times with {TWO} workers: {'met' if met else 'not met'}")


def measure(image: Path, workers: int, model: str) -> dict[str, Any]:
    """Time one image on some workers."""
    pixels = da.from_zarr(image)
    settings = {"n_workers": workers, "threads_per_worker": 1, "processes": PROCESSES, "dashboard_address": ":0", "memory_limit": 0}
    with LocalCluster(**settings) as cluster:
        run = nus.OutOfCore(scheduler=cluster.scheduler_address, overwrite=True)
        # A piece for each worker and more, so that all of them have loaded torch and the model.
        nus.segment_to(pixels[:1024, : 1024 * 2 * workers], image.with_name("warm.zarr"), model, "cpu", options=run)
        started = time.perf_counter()
        stored = nus.segment_to(pixels, image.with_name(f"{workers}.labels.zarr"), model, "cpu", options=run)
        seconds = time.perf_counter() - started
    megapixels = pixels.size / 1e6
    return {"workers": workers, "megapixels": round(megapixels, 1), "nuclei": stored.count, "s": round(seconds, 2)}


if __name__ == "__main__":
    main()

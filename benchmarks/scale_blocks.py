"""Memory and time against the size of an image that is segmented block by block, and whether seams show.

    python -m benchmarks.scale_blocks DATA/dsb2018 [--sizes 8192 16384] [--seams 2048] [--device auto] [--json FILE]
    python -m benchmarks.scale_blocks DATA/dsb2018 --sizes 8192 65536 --folder DIR --resume
    python -m benchmarks.scale_blocks DATA/dsb2018 --sizes 8192 65536 --network small

Each size runs in a process of its own, from a zarr of pieces of real images to labels and table on the disk. Memory is that of the whole
process at its worst; `memory of the program alone` is what it had before it saw the image. Processor time, unlike time, does not depend on
what else the machine does. Then one image is segmented whole, and in blocks of three sizes: the labels must be equal.

65536 pixels of edge take an hour of two cores. With `--folder` everything is kept there, and `--resume` goes on with what a killed run
left; times are summed over its runs, and memory is the most of any. `--network small` trains a network of four features in half a minute,
which finds most of the nuclei: all else (limits, hills, joining, drawing, writing, measuring) is as with the real one, and the network
takes less. Its table goes to a file of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import napari_unet_seg as nus
from benchmarks.large_image import read_pieces, report, write_image
from benchmarks.scale_one import NAME, run_one
from benchmarks.small_network import train_small

BLOCKS = (512, 1000, 2048)
"""Edges of blocks that must give equal labels."""
MOST_MEMORY = 1536
"""MB that the whole process may have."""
FIRST_EDGE = 8192
"""What larger images are compared with: 64 megapixels."""
MOST_GROWTH, MOST_MORE = 1.15, 1.2
"""Time a megapixel and memory of the largest image over those of `FIRST_EDGE`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--network", choices=("real", "small"), default="real")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8192, 16384])
    parser.add_argument("--seams", type=int, default=2048, help="edge of the image that is segmented whole and in blocks; 0 for none")
    parser.add_argument("--folder", type=Path, help="where images and results are kept; else a temporary one")
    parser.add_argument("--resume", action="store_true", help="go on with what is in the folder")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--one", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(run_one(*options.one, options.model, options.device)))
        return
    with _folder(options) as folder:
        if options.network == "small":
            options.model = str(train_small(options.data, folder / "small.safetensors"))
        pieces = read_pieces(options.data)
        rows = [_measured(folder, size, pieces, options) for size in options.sizes]
        seams = find_seams(write_image(folder / "seams.zarr", options.seams, pieces), options) if options.seams else {}
    name = "scale_blocks" if options.network == "real" else "scale_blocks_small"
    more = {"network": options.network, "growth": growth(rows), "seams": seams, "command": "python -m benchmarks.scale_blocks"}
    report(name, rows, more, options.json)
    print(f"\n{more['growth']}\n{seams}")


@contextlib.contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    """Return the folder of the images; what is in it goes, unless it is gone on with."""
    if not options.folder:
        with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
            yield Path(folder)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.resume:
        for path in (*options.folder.glob("*.zarr"), *options.folder.glob(".*.unfinished")):
            shutil.rmtree(path)
        for path in (*options.folder.glob("*.json"), *options.folder.glob("*.safetensors")):
            path.unlink()
    yield options.folder


def growth(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Compare the largest image with that of `FIRST_EDGE`, or with the smallest when there is no such."""
    first = next((row for row in rows if row["edge"] == FIRST_EDGE), rows[0])
    last = max(rows, key=lambda row: int(row["edge"]))
    time, worked, memory = (last[name] / first[name] for name in ("s a megapixel", "processor s a megapixel", "peak, MB"))
    return {
        "edges": [first["edge"], last["edge"]],
        "time per megapixel, last over first": round(time, 3),
        "processor time per megapixel, last over first": round(worked, 3),
        "aim for time": MOST_GROWTH,
        "memory, last over first": round(memory, 3),
        "aim for memory": MOST_MORE,
        "within the limit of memory": all(row["peak, MB"] <= MOST_MEMORY for row in rows),
    }


def _measured(folder: Path, size: int, pieces: Sequence[Any], options: argparse.Namespace) -> dict[str, Any]:
    """Measure one size, unless an earlier run did."""
    done = folder / f"{size}.row.json"
    if done.exists():
        return dict(json.loads(done.read_text()))
    image = folder / f"{size}.zarr"
    if not image.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder / f"{size}.part.zarr")
        write_image(folder / f"{size}.part.zarr", size, pieces).rename(image)
    row = measure(image, size, options)
    done.write_text(json.dumps(row))
    return row


def measure(image: Path, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Segment an image in a process of its own."""
    words = [str(options.data), "--one", str(image), str(image.with_suffix(".labels.zarr")), "--model", options.model]
    command = [sys.executable, "-m", "benchmarks.scale_blocks", *words, "--device", options.device]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    found = json.loads(image.with_suffix(NAME).read_text())
    megapixels = size * size / 1e6
    row = {"edge": size, "megapixels": round(megapixels, 1), "nuclei": found["nuclei"], "s": round(found["seconds"], 1)}
    row |= {"s a megapixel": round(found["seconds"] / megapixels, 4), "processor s a megapixel": round(found["processor"] / megapixels, 4)}
    row |= {"peak, MB": round(found["peak"]), "runs": found["runs"]}
    row |= {"memory of the program alone, MB": round(found["before"])}
    return row | {stage: round(seconds, 2) for stage, seconds in found["parts"].items()}


def find_seams(image: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Segment an image whole and in blocks: which blocks give other labels, and how many nuclei they cut."""
    pixels = zarr.open_array(image, mode="r")[...]
    whole = nus.segment(pixels, options.model, options.device)
    found: dict[str, Any] = {"edge": options.seams, "nuclei": int(whole.max()), "blocks": list(BLOCKS)}
    differing, cut = [], 0
    for block in BLOCKS:
        target = image.with_name(f"blocks-{block}.zarr")
        nus.segment_to(pixels, target, options.model, options.device, options=nus.OutOfCore(block=block, overwrite=True))
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

"""Images of any size, of real nuclei: pieces of annotated fluorescence images, turned and put side by side, as a zarr."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from benchmarks.dsb2018 import markdown, read_fold
from napari_unet_seg.core.environment import describe_environment
from napari_unet_seg.io.folders import plain_colors

PIECE, CHUNK = 256, 1024
"""Pixels along the edge of a piece and of a chunk."""
RESULTS = Path(__file__).parent / "results"

Pixels = npt.NDArray[np.uint8]


def read_pieces(data: Path, fold: str = "0") -> list[Pixels]:
    """Return pieces of the gray images of a fold, each from black to white: uint8, (`PIECE`, `PIECE`)."""
    pieces = []
    for item in read_fold(data, fold):
        image = plain_colors(np.asarray(item.image))
        if image.ndim != 2 or min(image.shape) < PIECE or np.median(image) > image.mean():
            continue
        low, high = np.percentile(image, [1, 99.8])
        pieces.append((np.clip((image[:PIECE, :PIECE] - low) / max(high - low, 1), 0, 1) * 230 + 10).astype(np.uint8))
    return pieces


def write_image(path: Path, edge: int, pieces: Sequence[Pixels], seed: int = 0) -> Path:
    """Write a square image of pieces as a zarr array; equal arguments give equal images, and a part of a larger one is a smaller one."""
    image = zarr.create_array(path, shape=(edge, edge), dtype=np.uint8, chunks=(min(CHUNK, edge),) * 2, overwrite=True)
    for y in range(0, edge, CHUNK):
        for x in range(0, edge, CHUNK):
            image[y : y + CHUNK, x : x + CHUNK] = make_chunk(pieces, (seed, y, x))[: edge - y, : edge - x]
    return path


def make_chunk(pieces: Sequence[Pixels], seed: tuple[int, ...]) -> Pixels:
    """Put pieces side by side, in an order and turned as the seed says: uint8, (`CHUNK`, `CHUNK`)."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(CHUNK // PIECE):
        chosen = random.integers(len(pieces), size=CHUNK // PIECE)
        turns = random.integers(4, size=chosen.size)
        turned = [np.rot90(pieces[number], turn) for number, turn in zip(chosen, turns, strict=True)]
        rows.append(np.concatenate(turned, axis=1))
    return np.concatenate(rows)


def peak_megabytes() -> float:
    """Return the most memory that this process had, in MB (2 ** 20)."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return kilobytes / 1024


def megabytes() -> float:
    """Return the memory that this process has now, in MB (2 ** 20); where the system does not tell it as Linux does, the most it had."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return peak_megabytes()
    return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**20


def report(name: str, rows: list[dict[str, Any]], more: dict[str, Any] | None = None, target: Path | None = None) -> None:
    """Print a table, and write it with the machine's description as JSON: to a file, or to `RESULTS`."""
    print(markdown(rows))
    environment = describe_environment()
    machine = {"processor": platform.processor() or platform.machine(), "processors": os.cpu_count(), "device": environment.device}
    path = target or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"rows": rows, **(more or {}), "machine": machine | environment.versions}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

"""How fast a plane of fluorescence is segmented on this computer, array in, labels out, and where the time goes; peers in the same run.

    python -m benchmarks.speed DATA/dsb2018 [--edge 2048] [--repeats 5] [--peer-python PATH] [--json benchmarks/results/speed_cpu.json]

The plane is made of the fluorescence images of one fold, real nuclei, as 16-bit pixels. `--peer-python` is the Python of an environment
with StarDist, Cellpose or both (pip install stardist==0.9.2 tensorflow-cpu cellpose==3.1.1.2); see `benchmarks.speed_peers` for what of
them is timed. All take turns, and the median of the repeats counts. Aims: 4 times StarDist, 40 times Cellpose, 70 % of the time in the
network, at most 25 % of its pixels computed again for halos.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core import plane as plane_module
from napari_unet_seg.core.bands import cores
from napari_unet_seg.core.predict import Predictor

PEERS = {"stardist": "StarDist", "cellpose": "Cellpose"}
AIMS = {"stardist": 4, "cellpose": 40}
NETWORK_AIM, HALO_AIM = 0.7, 0.25
TILE = 256
"""Edge of the images that the plane is made of."""

Times = dict[str, float]
Run = Callable[[], Times]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", default="0")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--edge", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    image, labels = mosaic(list(read_fold(options.data, options.fold)), options.edge)
    model = nus.load_model(options.model)
    with ExitStack() as stack:
        runs: dict[str, Run] = {"napari-unet-seg": lambda: ours(image, model)}
        if options.peer_python:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="napari-unet-seg-")))
            np.savez(folder / "plane.npz", image=image, labels=labels)
            for name in PEERS:
                runs[name] = stack.enter_context(peer(options.peer_python, name, folder / "plane.npz"))
        rows = table(taken_in_turns(runs, options.repeats), image.size / 1e6)
    halo = halo_share(image, model)
    rows[0]["halo"] = round(halo, 3)
    print(markdown([{column: row.get(column, "") for column in {key: None for each in rows for key in each}} for row in rows]))
    if options.json:
        found = {"machine": machine(), "model": model.name, "edge": options.edge, "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def mosaic(items: list[Annotated], edge: int) -> tuple[Any, Any]:
    """Lay fluorescence images of 256 x 256 and their labels side by side, again and again: uint16 and int32, (edge, edge)."""
    small = [item for item in items if item.image.shape == (TILE, TILE)]
    image, labels, count = np.zeros((edge, edge), np.uint16), np.zeros((edge, edge), np.int32), 0
    places = ((y, x) for y in range(0, edge, TILE) for x in range(0, edge, TILE))
    for number, (y, x) in enumerate(places):
        item = small[number % len(small)]
        height, width = min(TILE, edge - y), min(TILE, edge - x)
        image[y : y + height, x : x + width] = item.image[:height, :width]
        part = item.labels[:height, :width]
        labels[y : y + height, x : x + width] = np.where(part, part + count, 0)
        count += int(item.labels.max())
    return image, labels


def ours(image: Any, model: nus.Model) -> Times:
    """Time one run, and in it the network and the decoder."""
    taken: Times = defaultdict(float)
    with ExitStack() as stack:
        stack.enter_context(patch.object(Predictor, "run", timed(Predictor.run, taken, "network")))
        stack.enter_context(patch.object(plane_module, "decode", timed(plane_module.decode, taken, "decoder")))
        started = time.perf_counter()
        nus.segment(image, model, "cpu")
        whole = time.perf_counter() - started
    return {**taken, "rest": whole - sum(taken.values())}


def timed(function: Callable[..., Any], taken: Times, name: str) -> Callable[..., Any]:
    """Return a function that adds its time to what was taken."""

    def _timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            taken[name] += time.perf_counter() - started

    return _timed


def halo_share(image: Any, model: nus.Model) -> float:
    """Return how many pixels the network sees more than there are, over those that there are."""
    seen: list[int] = []
    run = Predictor.run

    def _noted(self: Predictor, window: Any) -> Any:
        seen.append(window.size)
        return run(self, window)

    with patch.object(Predictor, "run", _noted):
        nus.segment(image, model, "cpu")
    return sum(seen) / image.size - 1


@contextmanager
def peer(python: Path, name: str, plane: Path) -> Iterator[Run]:
    """Start another program, and give what times one of its runs; no times if it does not start."""
    script = Path(__file__).with_name("speed_peers.py")
    command = [str(python), str(script), name, str(plane)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    questions, answers = process.stdin, process.stdout
    assert questions is not None
    assert answers is not None

    def _run() -> Times:
        try:
            questions.write("run\n")
            questions.flush()
            return dict(json.loads(answers.readline() or "{}"))
        except BrokenPipeError:
            return {}

    try:
        yield _run
    finally:
        process.kill()
        process.wait()
        answers.close()
        with suppress(BrokenPipeError):  # a question that it did not hear any more
            questions.close()


def taken_in_turns(runs: dict[str, Run], repeats: int) -> dict[str, Times]:
    """Run all of them once to warm up, then in turns; return the parts of the run whose time is the median."""
    for run in runs.values():
        run()
    found: dict[str, list[Times]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(run())
    medians = {}
    for name, times in found.items():
        whole = sorted(times, key=lambda parts: sum(parts.values()))[len(times) // 2]
        medians[name] = {**whole, "all": sum(whole.values())}
    return medians


def table(found: dict[str, Times], megapixels: float) -> list[dict[str, Any]]:
    """Make a row of the times of each program."""
    first = next(iter(found.values()))["all"]
    rows = []
    for name, times in found.items():
        whole = times["all"]
        row: dict[str, Any] = {"program": PEERS.get(name, name), "s": round(whole, 3)}
        if whole:
            row |= {"Mpx/s": round(megapixels / whole, 2), "in the network": round(times["network"] / whole, 2)}
            row |= {"times ours": round(whole / first, 1)}
        rows.append(row | {f"{part}, s": round(time_, 3) for part, time_ in times.items() if part != "all"} | aims(name, times, first))
    return rows


def aims(name: str, times: Times, first: float) -> dict[str, Any]:
    """Say whether a row shows what is aimed at."""
    if name in AIMS:
        return {"aim": f"ours {AIMS[name]} times as fast", "met": times["all"] >= AIMS[name] * first} if times["all"] else {}
    return {"aim": f"{NETWORK_AIM:.0%} in the network, halo at most {HALO_AIM:.0%}", "met": times["network"] >= NETWORK_AIM * times["all"]}


def machine() -> dict[str, Any]:
    """Describe the computer."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "torch": torch.__version__,
        "threads of torch": torch.get_num_threads(),
        "load before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()

"""Every check that needs a GPU, in one command of a few minutes: the same nuclei as the CPU, too little memory, speed against the limits.

    python -m benchmarks.gpu DATA/dsb2018 [--model nuclei] [--edge 16384] [--only CHECK,CHECK] [--json FILE]

Prints a table a check. The limits are measured first: a large copy on the device, and a large matrix product. For each stage of a run on a
plane of 16-bit pixels in memory it says how many megapixels a second it does; for the network alone, also which share of both limits that
is (operations counted layer by layer; bytes as if every layer read its input and wrote its output once). The images are those of
one fold; large planes are made of them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import napari_unet_seg as nus
from benchmarks.agreement import different_pixels
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.predict import AUTOMATIC_TILE, Predictor
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.core.unet import UNet, describe
from napari_unet_seg.errors import UnetSegError

SHARES = (1.0, 0.02, 0.005, 0.0)
"""Shares of the device's memory that may be used, for the ladder of too little memory."""
BATCHES = (8, 32, 128)
TITLES = {
    "machine": "The machine",
    "limits": "Its limits",
    "agreement": "The same nuclei as on the CPU",
    "ladder": "Ever less memory",
    "network": "The network alone",
    "run": "A whole run, stage by stage",
    "training": "Training",
}
Rows = list[dict[str, Any]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", default="0")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--edge", type=int, default=16384)
    parser.add_argument("--only", default="", help="agreement, ladder, network, run, training; all of them if not given")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This benchmark needs a GPU that torch can use; `napari-unet-seg info` says why there is none.")
    model = nus.load_model(options.model)
    items = list(read_fold(options.data, options.fold))
    checks: dict[str, Callable[[], Rows]] = {
        "machine": machine,
        "limits": limits,
        "agreement": lambda: agreement(model, items),
        "ladder": lambda: ladder(model, mosaic(items, 4096)),
        "network": lambda: network_alone(model),
        "run": lambda: whole_run(model, mosaic(items, options.edge)),
        "training": lambda: training(items),
    }
    wanted = {"machine", *options.only.split(",")} if options.only else set(checks)
    results: dict[str, Any] = {"model": model.name, "model_sha256": model.sha256}
    for name in filter(wanted.__contains__, checks):
        results[name] = checks[name]()
        print(f"\n{TITLES[name]}\n\n{markdown(results[name])}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def machine() -> Rows:
    """Describe the machine."""
    properties = torch.cuda.get_device_properties(0)
    return [
        {
            "GPU": properties.name,
            "memory, GiB": round(properties.total_memory / 2**30, 1),
            "multiprocessors": properties.multi_processor_count,
            "CPU cores": os.cpu_count(),
            "torch": torch.__version__,
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
        }
    ]


def limits() -> Rows:
    """Measure how fast the device copies, reading and writing, and multiplies matrices of bfloat16."""
    source = torch.randn(2**30, device="cuda")
    target = torch.empty_like(source)
    copied = 2 * source.numel() * 4 / seconds(lambda: target.copy_(source))
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    multiplied = 2 * 8192**3 / seconds(lambda: left @ right)
    return [{"copy, TB/s": round(copied / 1e12, 2), "bfloat16 matrix product, TFLOP/s": round(multiplied / 1e12)}]


def seconds(work: Callable[[], Any], repeats: int = 10) -> float:
    """Time work on the device: the median of some repeats after three that warm up."""
    for _ in range(3):
        work()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        work()
        event.record()
    torch.cuda.synchronize()
    return float(np.median([first.elapsed_time(second) for first, second in pairwise(events)])) / 1000


def agreement(model: nus.Model, items: list[Annotated]) -> Rows:
    """Compare the labels of the GPU with those of the CPU, each in its automatic format, and both in float32."""
    rows = []
    for precision in ("auto", "float32"):
        settings = replace(model.defaults, precision=precision)
        pairs = [[nus.segment(item.image, model, device, settings=settings) for device in ("cpu", "cuda")] for item in items]
        differ = sum(different_pixels(cpu, gpu) for cpu, gpu in pairs)
        rows.append(
            {
                "format": precision,
                "images": len(items),
                "nuclei, CPU": sum(int(cpu.max()) for cpu, _ in pairs),
                "nuclei, GPU": sum(int(gpu.max()) for _, gpu in pairs),
                "pixels that differ, %": round(100 * differ / sum(cpu.size for cpu, _ in pairs), 5),
            }
        )
    return rows


def ladder(model: nus.Model, image: Any) -> Rows:
    """Segment with ever less memory: the same labels with a notice, at last by the CPU."""
    settings = replace(model.defaults, tile=2048, precision="float32")
    rows, reference = [], None
    for share in SHARES:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(share)
        notices: list[str] = []
        try:
            steps = nus.iter_segment(image, model, "cuda", settings=settings)
            labels = nus.drain(steps, lambda step, notices=notices: notices.append(step.notice)).labels
        except UnetSegError as error:
            rows.append({"share of memory": share, "result": str(error)})
            continue
        reference = labels if reference is None else reference
        found = f"{labels.max()} nuclei, {different_pixels(reference, labels)} pixels differ"
        rows.append({"share of memory": share, "result": " ".join([found, *filter(None, notices)])})
    torch.cuda.set_per_process_memory_fraction(1.0)
    return rows


def mosaic(items: list[Annotated], edge: int) -> Any:
    """Lay the fluorescence images of 256 x 256 side by side, again and again, as 16-bit pixels."""
    small = [item.image.astype(np.uint16) for item in items if item.image.shape == (256, 256)]
    count = -(-edge // 256)
    return np.block([[small[(y * count + x) % len(small)] for x in range(count)] for y in range(count)])[:edge, :edge]


def network_alone(model: nus.Model) -> Rows:
    """Time the network on tiles that are on the device already."""
    tile = AUTOMATIC_TILE["cuda", None]
    operations, traffic = cost(model, tile)
    rows = []
    for precision in ("bfloat16", "float16", "float32"):
        predictor = Predictor(model, "cuda", replace(model.defaults, precision=precision))
        image = torch.rand(1, 1, tile, tile, device="cuda").contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cuda", predictor.dtype, predictor.dtype != torch.float32):
            taken = seconds(lambda predictor=predictor, image=image: predictor.network(image))
        rows.append(
            {
                "format": precision,
                "tile": tile,
                "Mpx/s": round(tile**2 / taken / 1e6),
                "TFLOP/s": round(operations / taken / 1e12, 1),
                "TB/s": round(traffic * (4 if precision == "float32" else 2) / taken / 1e12, 2),
            }
        )
    return rows


def cost(model: nus.Model, tile: int) -> tuple[float, float]:
    """Count the operations of the network on a tile, and the numbers that its layers read and write."""
    operations, numbers, channels = 0.0, 0.0, model.settings.in_channels
    for layer in describe(model.network, 256):
        pixels = layer["shape"][1] * layer["shape"][2] * (tile / 256) ** 2
        if layer["kind"] == "Conv2d":
            operations += 2 * layer["parameters"] * pixels
        elif layer["kind"] == "ConvTranspose2d":
            operations += layer["parameters"] / 2 * pixels  # each output pixel has one of the four weights of its input
        if "Conv" in layer["kind"]:
            numbers += (layer["shape"][0] + channels) * pixels
        channels = layer["shape"][0]
    return operations, numbers


def whole_run(model: nus.Model, image: Any) -> Rows:
    """Time the stages of a run on a plane of 16-bit pixels in memory, labels out."""
    nus.segment(image[:2048, :2048], model, "cuda")
    taken: dict[str, float] = defaultdict(float)
    before = start = time.perf_counter()

    def note(stage: str) -> None:
        nonlocal before
        now = time.perf_counter()
        taken[stage] += now - before
        before = now

    found = nus.drain(nus.iter_segment(image, model, "cuda"), lambda step: note(step.stage))
    note("after the last step")
    taken["all"] = time.perf_counter() - start
    nuclei = int(found.labels.max())
    return [
        {
            "stage": stage,
            "seconds": round(time_, 2),
            "Mpx/s": round(image.size / 1e6 / max(time_, 1e-9)),
            "edge": len(image),
            "nuclei": nuclei,
        }
        for stage, time_ in taken.items()
    ]


def training(items: list[Annotated]) -> Rows:
    """Time steps of training, and drawing of the batches alone."""
    samples = [prepare(item.image, item.labels) for item in items]
    rows = []
    for batch in BATCHES:
        settings = nus.TrainSettings(batch=batch, device="cuda").for_base(base=False)
        trainer = Trainer(nus.Model(UNet(nus.NetworkSettings())), samples, settings)
        step = seconds(lambda trainer=trainer: trainer.step(1e-3))
        draw = seconds(trainer.sampler.batch)
        rows.append({"batch": batch, "patches/s": round(batch / step), "drawing alone, patches/s": round(batch / draw)})
    return rows


if __name__ == "__main__":
    main()

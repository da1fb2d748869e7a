"""What does each member of the U-Net family bring? All trained alike on Data Science Bowl 2018, and measured on what they never saw.

    python -m benchmarks.family DATASET [--steps 1000] [--seeds 3] [--device auto] [--jobs N] [--json FILE]

DATASET is the folder of ``images/``, ``masks/`` and ``index.csv``. Each member takes the same number of steps on folds 1 to 4, with the
settings of the bundled model, and is measured on fold 0 with one and the same decoder. Prints, for each, the average precision at IoU 0.5
and its mean over 0.5 to 0.9 (mean and range over the seeds, pooled over nuclei), the difference from the plain network, parameters, and
the speed of the network alone. Several trainings run side by side in processes of their own, on one device. The file is written anew
whenever one ends, so that an interrupted run leaves what it has; a run that finds results of as many steps and images in the file goes on
with them, and leaves others there. ``--steps 300 --seeds 1 --unseen 40`` is a short run, which orders the members roughly.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.settings import ADVERSARIAL

SETTINGS = nus.TrainSettings(decay=0.3, average=0.998, validation=0)
"""As in ``recipes/nuclei_v3.py``, with a shorter memory."""
SPEED_EDGE, SPEED_TIMES = 2048, 5
"""Edge of the image, in pixels, on which speed is measured, and how often."""
WATCH_S = 5.0
"""How often a training looks whether anybody waits for it."""
WITHIN = 0.03
"""A member whose mean AP is lower than that of the plain network by more than this needs a reason."""


@dataclass(frozen=True)
class Member:
    """One of the family.

    Parameters
    ----------
    network : NetworkSettings
    training : dict
        What differs in `TrainSettings`.
    """

    network: nus.NetworkSettings = field(default_factory=nus.NetworkSettings)
    training: dict[str, Any] = field(default_factory=dict)


FAMILY = {
    "plain": Member(),
    "wider (24)": Member(nus.NetworkSettings(width=24)),
    "deeper (5)": Member(nus.NetworkSettings(depth=5)),
    "strided (2), wider (32)": Member(nus.NetworkSettings(stride=2, width=32)),
    "residual": Member(nus.NetworkSettings.of("residual")),
    "attention": Member(nus.NetworkSettings.of("attention")),
    "residual + attention": Member(nus.NetworkSettings.of("residual-attention")),
    "deep supervision": Member(training={"supervision": True}),
    "adversarial": Member(training={"adversarial": ADVERSARIAL}),
}


@dataclass(frozen=True)
class Data:
    """What all trainings share: planes ready to teach, and annotated images to measure on."""

    samples: list[Any]
    unseen: list[Annotated]


_DATA: list[Data] = []
"""Of this process: handed over once, when it starts."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure and print the table."""
    options = _options(arguments)
    began = time.monotonic()
    results, others = _earlier(options)
    jobs = options.jobs or os.cpu_count() or 1
    context = get_context("fork" if sys.platform == "linux" else "spawn")  # forked processes share the planes
    with ProcessPoolExecutor(jobs, context, _limit_threads) as pool:
        data = read(options.dataset, pool, options.most, options.unseen)
    _say(f"{len(data.samples)} planes to learn from, {len(data.unseen)} to measure on: {time.monotonic() - began:.0f} s")
    with ProcessPoolExecutor(jobs, context, _take, (data,)) as pool:
        for result in run(options, pool, results):
            results.append(result | {"most": options.most, "unseen": options.unseen})
            _write(options, [*others, *results], {})
            _say(f"{result['member']}, seed {result['seed']}: AP 0.5 {result['ap50']:.3f}, {result['seconds']:.0f} s")
    with ProcessPoolExecutor(1, context, _limit_threads, (os.cpu_count(),)) as pool:
        speeds = {name: pool.submit(speed, name, options.device).result() for name in options.members}
    _write(options, [*others, *results], speeds)
    print(markdown([row(name, results, speeds[name]) for name in options.members]))
    _say(f"{time.monotonic() - began:.0f} s in all")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, metavar="DATASET")
    parser.add_argument("--steps", type=int, default=1000, help="of each training")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each member")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=0, help="trainings side by side; 0 is one for each processor core")
    parser.add_argument("--members", nargs="+", choices=list(FAMILY), default=list(FAMILY))
    parser.add_argument("--most", type=int, default=0, help="images of each side at most, to try the benchmark itself; 0 takes all")
    parser.add_argument("--unseen", type=int, default=0, help="images to measure on at most; 0 takes all")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def read(dataset: Path, pool: Executor, most: int = 0, measured: int = 0) -> Data:
    """Read the images, and prepare those that teach.

    Parameters
    ----------
    dataset : Path
    pool : Executor
        Prepares several at a time.
    most : int
        Images of each side at most; 0 takes all.
    measured : int
        Images to measure on at most; 0 takes all.
    """
    teaching, unseen = (list(read_fold(dataset, folds))[: most or None] for folds in ("1234", "0"))
    unseen = unseen[: measured or None]
    return Data([pickle.loads(sample) for sample in pool.map(_prepare, teaching, chunksize=8)], unseen)


def _prepare(item: Annotated) -> bytes:
    """Prepare a plane; as bytes, since torch would hand tensors over in shared memory, of which a container may have little."""
    from napari_unet_seg.core.data import prepare

    return pickle.dumps(prepare(item.image, item.labels))


def run(options: argparse.Namespace, pool: Executor, done: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Train and measure each member with each seed, less what is done: results as they come."""
    known = {(result["member"], result["seed"]) for result in done}
    wanted = [(name, seed) for seed in range(options.seeds) for name in options.members if (name, seed) not in known]
    futures = {pool.submit(train_and_measure, name, seed, options.steps, options.device): (name, seed) for name, seed in wanted}
    for future in as_completed(futures):
        if (error := future.exception()) is None:
            yield future.result()
        else:  # the others go on
            _say(f"{futures[future]} failed: {error}")


def train_and_measure(name: str, seed: int, steps: int, device: str) -> dict[str, Any]:
    """Train one member from nothing and measure it.

    Parameters
    ----------
    name : str
        A key of `FAMILY`.
    seed, steps : int
    device : str

    Returns
    -------
    dict
        ``member``, ``seed``, ``steps``, ``parameters``, ``seconds`` of training, ``loss`` at the end, ``ap50``, ``mean_ap``.
    """
    from napari_unet_seg.core.optimizer import schedule
    from napari_unet_seg.core.start import start_from
    from napari_unet_seg.core.trainer import Trainer

    member, data = FAMILY[name], _DATA[0]
    settings = replace(SETTINGS, seed=seed, steps=steps, device=device, **member.training).for_base(False)
    trainer = Trainer(start_from(member.network, seed), data.samples, settings)
    began = time.monotonic()
    for step in range(1, steps + 1):
        metrics, _ = trainer.step(settings.learning_rate * schedule(step, steps, settings.decay))
    seconds = time.monotonic() - began
    network = trainer.start.network
    network.load_state_dict(trainer.weights())
    scores = _score(nus.Model(network.eval()), data.unseen, device)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    found = {"member": name, "seed": seed, "steps": steps, "parameters": parameters, "seconds": round(seconds, 1)}
    return found | {"loss": metrics["loss"], "ap50": scores.ap(0.5), "mean_ap": scores.mean_ap()}


def _score(model: nus.Model, unseen: Sequence[Annotated], device: str) -> nus.Scores:
    scores = [nus.evaluate(item.labels, nus.segment(item.image, model, device)) for item in unseen]
    return sum(scores[1:], scores[0])


def speed(name: str, device: str) -> float:
    """Measure how many megapixels a second a member's network takes, folded, in the number format of the device; the fastest of some."""
    import numpy as np

    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.start import start_from

    predictor = Predictor(start_from(FAMILY[name].network, 0), device)
    edge = SPEED_EDGE if predictor.device.name != "cpu" else SPEED_EDGE // 4
    image = np.random.default_rng(0).random((edge, edge), np.float32)
    times = []
    for _ in range(SPEED_TIMES):
        began = time.perf_counter()
        predictor.run(image)  # gives the maps in memory, so that a GPU has ended its work
        times.append(time.perf_counter() - began)
    return round(edge * edge / min(times) / 1e6, 1)


def row(name: str, results: Sequence[dict[str, Any]], megapixels: float) -> dict[str, Any]:
    """Return a member's row of the table."""
    mine, plain = ([result for result in results if result["member"] == which] for which in (name, "plain"))
    found: dict[str, Any] = {"network": name, "seeds": len(mine)}
    for key, title in (("ap50", "AP 0.5"), ("mean_ap", "mean AP")):
        values = [result[key] for result in mine]
        found[title] = f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})" if values else ""
    if mine and plain:
        gain = statistics.mean(result["mean_ap"] for result in mine) - statistics.mean(result["mean_ap"] for result in plain)
        found["against plain"] = f"{gain:+.3f}" + (" (!)" if gain < -WITHIN else "")
    found["parameters"] = f"{mine[0]['parameters'] / 1e6:.2f} M" if mine else ""
    found["training, s"] = round(statistics.mean(result["seconds"] for result in mine)) if mine else ""
    return found | {"network, Mpx/s": megapixels}


def _take(data: Data) -> None:
    """Start a process of the pool."""
    _limit_threads()
    _DATA[:] = [data]
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when the one that started it has been killed: nobody would take its result, and it would wait for ever."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _limit_threads(count: int = 1) -> None:
    """Keep processes from fighting for cores."""
    import torch

    torch.set_num_threads(count)


def _earlier(options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the results of an interrupted run of as many steps and images, and those of others."""
    if not options.json or not options.json.is_file():
        return [], []
    found = json.loads(options.json.read_text(encoding="utf-8"))["trainings"]
    wanted = {"steps": options.steps, "most": options.most, "unseen": options.unseen}
    same = [result for result in found if {"most": 0, "unseen": 0, **result}.items() >= wanted.items()]
    return same, [result for result in found if result not in same]


def _write(options: argparse.Namespace, results: Sequence[dict[str, Any]], speeds: dict[str, float]) -> None:
    """Write all that is known by now, in one step."""
    if not options.json:
        return
    report = {"version": nus.__version__, "dataset": options.dataset.name, "steps": options.steps, "trainings": results, "speed": speeds}
    temporary = options.json.with_suffix(".part")
    temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    temporary.replace(options.json)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

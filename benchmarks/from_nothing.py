"""How far one command comes from nothing, beside the recipe of the bundled model with the same number of patches.

    python -m benchmarks.from_nothing DATASET FOLDER [--patches 2400] [--seeds 1] [--unseen 0] [--device auto]

DATASET is the folder of Data Science Bowl 2018 (``images/``, ``masks/``, ``index.csv``). Both learn from folds 1 to 4, the one by
``napari-unet-seg train IMAGES MASKS --base none --steps N`` and else nothing, the other by `recipes.nuclei_v3`; both are measured on fold
0, of which ``--unseen`` takes some of the images, with one and the same decoder. Prints AP at IoU 0.5 and its mean over 0.5 to 0.9, pooled
over nuclei, and the difference.

FOLDER keeps the models, the states of the trainings, which are gone on with when they were broken off, and the figures (``found.json``).
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from benchmarks.kept import Kept
from napari_unet_seg.cli.app import app
from recipes import nuclei_v3

TAUGHT, UNSEEN = "1234", "0"
WITHIN = 0.03
"""The command may be worse by this."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure and print the table."""
    options = _options(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    facts = {"dataset": options.dataset.name, "patches": options.patches, "unseen": options.unseen}
    kept = Kept(options.folder / "found.json", facts)
    for seed in range(options.seeds):
        for way, train in WAYS.items():
            if kept.find("results", way=way, seed=seed) is None:
                print(json.dumps(kept.add("results", train_and_measure(options, way, train, seed))), file=sys.stderr)
    results = [row for row in kept.rows("results") if row["seed"] < options.seeds]
    print(markdown([table_row(way, results) for way in WAYS]))
    print("\n" + verdict(results))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, metavar="DATASET")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--patches", type=int, default=2400, help="that each of them is shown")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--unseen", type=int, default=0, help="images to measure on; 0 takes all of the fold")
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def train_and_measure(options: argparse.Namespace, way: str, train: Callable[..., None], seed: int) -> dict[str, Any]:
    """Train one way, unless its model is there, and measure it.

    Returns
    -------
    dict
        ``way``, ``seed``, ``steps``, ``seconds``, ``ap50``, ``mean_ap``.
    """
    path = options.folder / f"{way}-{seed}.safetensors"
    began = time.monotonic()
    if not path.is_file():
        train(options, path, seed)
    seconds = time.monotonic() - began
    model = nus.load_model(path)
    unseen = list(read_fold(options.dataset, UNSEEN))[: options.unseen or None]
    scores = [nus.evaluate(item.labels, _segment(model, item, options.device)) for item in unseen]
    pooled = sum(scores[1:], scores[0])
    found = {"way": way, "seed": seed, "steps": model.card["steps"], "seconds": round(seconds, 1)}
    return found | {"ap50": round(pooled.ap(0.5), 4), "mean_ap": round(pooled.mean_ap(), 4)}


def by_command(options: argparse.Namespace, path: Path, seed: int) -> None:
    """Train by the command, which decides everything but its length."""
    data = _taught_folder(options)
    length = ["--steps", str(options.patches // nus.TrainSettings().batch), "--seed", str(seed), "--device", options.device]
    words = ["train", str(data), str(data), "--base", "none", *length, "--output", str(path), "--resume"]
    app(words, standalone_mode=False)


def by_recipe(options: argparse.Namespace, path: Path, seed: int) -> None:
    """Train as the bundled model was."""
    steps = options.patches // nuclei_v3.SETTINGS.batch
    settings = replace(nuclei_v3.SETTINGS, steps=steps, seed=seed, device=options.device)
    pairs = [(item.image, item.labels) for item in read_fold(options.dataset, TAUGHT)]
    images, labels = zip(*pairs, strict=True)
    run = path.with_name(f"{path.stem}_run")
    nus.train(images, labels, base=nuclei_v3.NETWORK, settings=settings, run=run).save(path)


WAYS: dict[str, Callable[[argparse.Namespace, Path, int], None]] = {"command": by_command, "recipe": by_recipe}


def _taught_folder(options: argparse.Namespace) -> Path:
    """Return a folder with nothing but what is learned from: ``images/`` and ``masks/``, of links."""
    folder: Path = options.folder / "taught"
    with (options.dataset / "index.csv").open(newline="", encoding="utf-8") as index:
        names = [row["id"] for row in csv.DictReader(index) if row["fold"] in TAUGHT]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name in names:
            link = folder / kind / f"{name}.png"
            if not link.is_symlink():
                link.symlink_to((options.dataset / kind / f"{name}.png").resolve())
    return folder


def _segment(model: nus.Model, item: Annotated, device: str) -> Any:
    settings = nus.SegmentSettings()  # the bundled model's own levels were chosen for it
    return nus.segment(item.image, model, device, axes="YXS" if item.image.ndim == 3 else "YX", settings=settings)


def table_row(way: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of one way: means over the seeds."""
    mine = [row for row in results if row["way"] == way]
    means = {title: f"{statistics.mean(row[key] for row in mine):.3f}" for key, title in (("ap50", "AP 0.5"), ("mean_ap", "mean AP"))}
    return {"way": way, "seeds": len(mine), "steps": mine[0]["steps"], **means, "s": round(statistics.mean(row["seconds"] for row in mine))}


def verdict(results: Sequence[dict[str, Any]]) -> str:
    """Say how far the command is from the recipe."""
    command, recipe = (statistics.mean(row["ap50"] for row in results if row["way"] == way) for way in WAYS)
    where = "within" if command >= recipe - WITHIN else "beyond"
    return f"The command against the recipe: {command - recipe:+.3f} AP at 0.5 ({where} {WITHIN})."


if __name__ == "__main__":
    main()

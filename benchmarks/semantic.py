"""How well are classes of pixels told apart? Dice of each class, for nuclei and for types of tissue.

    python -m benchmarks.semantic DATASET [--fold 0] [--model nuclei] [--steps 300] [--device auto] [--json FILE]

DATASET is the folder of Data Science Bowl 2018 (``images/``, ``masks/``, ``index.csv``). The first table is that of the class maps which a
model of nuclei gives beside its labels: background, foreground and outline, where the truth is what the network is taught
(`napari_unet_seg.core.targets`: the outline is 2 px wide and inside the nucleus). Dice is pooled over the pixels of all images, and the
mean over images. The second table is of models that learn the four types of tissue of the sample "classes" from three other pictures drawn
like it, once from the bundled model and once from nothing, and are measured on the sample.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core.class_figures import ClassFigures, compare_classes
from napari_unet_seg.core.data import prepare, targets
from recipes.sample_classes import CLASSES, tissue_types

TEACHING_SEEDS, SAMPLE_SEED = (101, 102, 103), 4
PATCH = 128
"""Edge of a patch, in pixels: types of tissue are told apart by less than what tells a nucleus."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    options = _options(arguments)
    nuclei = class_maps(nus.load_model(options.model), read_fold(options.dataset, options.fold), options.device)
    rows = [{"Dice of": options.model, **_rounded(kind)} for kind in nuclei]
    print(markdown([{"over": over, **row} for over, row in zip(("all pixels", "images"), rows, strict=True)]) + "\n")
    starts = {"from the model": options.model, "from nothing": None}
    tissue = {start: tissue_dice(base, options.steps, options.device) for start, base in starts.items()}
    print(markdown([{"trained": start, "steps": options.steps, **_rounded(dice)} for start, dice in tissue.items()]))
    if options.json:
        report = {
            "model": options.model,
            "fold": options.fold,
            "pixels": nuclei[0],
            "images": nuclei[1],
            "steps": options.steps,
            "tissue": tissue,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, metavar="DATASET")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--steps", type=int, default=300, help="of the models of tissue types")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def true_classes(labels: Any) -> Any:
    """Return what the network is taught: 0 background, 1 foreground, 2 outline, shape (Y, X)."""
    sample = prepare(np.zeros(labels.shape, np.uint8), labels)
    return targets(sample.channels[None], torch.ones(1), nus.TrainSettings()).classes[0].numpy()


def class_maps(model: nus.Model, items: Iterable[Annotated], device: str) -> tuple[dict[str, float], dict[str, float]]:
    """Measure the class maps that a model of nuclei gives: Dice by class, pooled over pixels and as the mean over images."""
    found: list[ClassFigures] = []
    for item in items:
        result = nus.drain(nus.iter_segment(item.image, model, device))
        truth = true_classes(item.labels)
        found.append(compare_classes(model.settings.classes, truth, result.classes, np.ones(truth.shape, bool)))
        print(f"{item.name}: {found[-1].dice}", file=sys.stderr)
    each = {name: [figures.dice[name] for figures in found if name in figures.dice] for name in model.settings.classes}
    return sum(found[1:], found[0]).dice, {name: float(np.mean(values)) for name, values in each.items()}


def tissue_dice(base: str | None, steps: int, device: str) -> dict[str, float]:
    """Teach the four types of tissue, and measure on the sample: Dice by class, and the seconds that it took."""
    pairs = [tissue_types(seed) for seed in TEACHING_SEEDS]
    settings = nus.TrainSettings(steps=steps, classes=CLASSES, patch=PATCH, validation=0, device=device)
    began = time.monotonic()
    model = nus.train([image for image, _ in pairs], [classes for _, classes in pairs], base=base, settings=settings)
    seconds = time.monotonic() - began
    image, truth = tissue_types(SAMPLE_SEED)
    found = nus.segment(image, model, device)
    figures = compare_classes(model.settings.classes, truth, found, np.ones(truth.shape, bool))
    return {**figures.dice, "mean": figures.mean_dice, "seconds": seconds}


def _rounded(dice: dict[str, float]) -> dict[str, Any]:
    return {name: round(value) if name == "seconds" else f"{value:.3f}" for name, value in dice.items()}


if __name__ == "__main__":
    main()

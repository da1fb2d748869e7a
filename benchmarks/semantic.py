"""How well are classes of pixels told apart? Dice of each class, for nuclei and for types of tissue.

    python -m benchmarks.semantic DATASET [--fold 0] [--parts maps,painted,tissue] [--model nuclei] [--painted-steps 400] [--steps 300]
        [--run FOLDER] [--device auto] [--json FILE]

DATASET is the folder of Data Science Bowl 2018 (``images/``, ``masks/``, ``index.csv``). There are three parts:

*maps*: the class maps which a model of nuclei gives beside its labels, where the truth is what the network is taught
(`napari_unet_seg.core.targets`): the outline is 2 px wide and inside the nucleus.

*painted*: the labels of all other folds, painted as classes (1 foreground, 2 outline), teach a model as they would teach anybody's
(``napari-unet-seg train IMAGES CLASSES --classes foreground,outline``), and it is measured on the fold. Here the outline is 3 px wide: the
border pixels of each nucleus and those beside them, inside and out. The width decides how high Dice can be, for annotators differ by a
pixel: the true outlines of fold 0, moved by one pixel, have 0.82 with themselves when they are 3 px wide, and 0.66 when they are 2 px wide
(``find_boundaries(mode="thick")`` of scikit-image, or 2 px inside).

*tissue*: models learn the four types of tissue of the sample "classes" from three other pictures drawn like it, once from the bundled model
and once from nothing, and are measured on the sample.

Dice of nuclei is pooled over the pixels of all images; its mean over images stands below.
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
from scipy import ndimage
from skimage.segmentation import find_boundaries

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core.class_figures import ClassFigures, compare_classes
from napari_unet_seg.core.data import prepare, targets
from recipes.sample_classes import CLASSES, tissue_types

PARTS = ("maps", "painted", "tissue")
NUCLEUS_CLASSES = ("foreground", "outline")
TEACHING_SEEDS, SAMPLE_SEED = (101, 102, 103), 4
PATCH = 128
"""Edge of a patch, in pixels: types of tissue are told apart by less than what tells a nucleus."""

Dice = tuple[dict[str, float], dict[str, float]]
"""By class: pooled over all pixels, and the mean over images."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each part."""
    options = _options(arguments)
    report: dict[str, Any] = {"model": options.model, "fold": options.fold}
    if "maps" in options.parts:
        dice = class_maps(nus.load_model(options.model), read_fold(options.dataset, options.fold), options.device)
        report |= _shown(f"class maps of {options.model}", "maps", dice)
    if "painted" in options.parts:
        dice = painted_dice(options)
        report |= {"painted_steps": options.painted_steps, **_shown("painted classes", "painted", dice)}
    if "tissue" in options.parts:
        starts = {"from the model": options.model, "from nothing": None}
        tissue = {start: tissue_dice(base, options.steps, options.device) for start, base in starts.items()}
        print(markdown([{"trained": start, "steps": options.steps, **_rounded(found)} for start, found in tissue.items()]))
        report |= {"steps": options.steps, "tissue": tissue}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, metavar="DATASET")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--parts", type=_parts, default=PARTS, metavar="PART,...")
    parser.add_argument("--model", default="nuclei", help="measured, and the base of what is taught")
    parser.add_argument("--painted-steps", type=int, default=400, help="of the model of painted classes")
    parser.add_argument("--steps", type=int, default=300, help="of the models of tissue types")
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="of the training on painted classes, which can go on there")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if not set(parts) <= set(PARTS):
        raise argparse.ArgumentTypeError(f"the parts are {', '.join(PARTS)}")
    return parts


def true_classes(labels: Any) -> Any:
    """Return what the network is taught: 0 background, 1 foreground, 2 outline, shape (Y, X)."""
    sample = prepare(np.zeros(labels.shape, np.uint8), labels)
    return targets(sample.channels[None], torch.ones(1), nus.TrainSettings()).classes[0].numpy()


def painted_classes(labels: Any) -> Any:
    """Paint labels as classes: 0 background, 1 foreground, 2 outline of 3 px, shape (Y, X)."""
    outline = ndimage.binary_dilation(find_boundaries(labels, mode="inner"), np.ones((3, 3)))
    return np.where(outline, 2, labels > 0).astype(np.uint8)


def class_maps(model: nus.Model, items: Iterable[Annotated], device: str, paint: Any = true_classes) -> Dice:
    """Measure the class maps that a model gives, against those that `paint` makes of the true labels."""
    found: list[ClassFigures] = []
    for item in items:
        result = nus.drain(nus.iter_segment(item.image, model, device, axes="YXS" if item.image.ndim == 3 else "YX"))
        truth = paint(item.labels)
        found.append(compare_classes(model.settings.classes, truth, result.classes, np.ones(truth.shape, bool)))
        print(f"{item.name}: {found[-1].dice}", file=sys.stderr)
    each = {name: [figures.dice[name] for figures in found if name in figures.dice] for name in model.settings.classes}
    return sum(found[1:], found[0]).dice, {name: float(np.mean(values)) for name, values in each.items()}


def painted_dice(options: argparse.Namespace) -> Dice:
    """Teach the classes painted on all other folds, and measure on the fold."""
    others = "".join(fold for fold in "01234" if fold not in options.fold)
    teaching = list(read_fold(options.dataset, others))
    settings = nus.TrainSettings(steps=options.painted_steps, classes=NUCLEUS_CLASSES, validation=0, device=options.device)
    images, painted = [item.image for item in teaching], [painted_classes(item.labels) for item in teaching]
    training = nus.iter_train(images, painted, base=options.model, settings=settings, run=options.run)
    model = nus.drain(training, lambda step: print(f"{step.stage} {step.done}/{step.total} {step.metrics}", file=sys.stderr))
    return class_maps(model, read_fold(options.dataset, options.fold), options.device, painted_classes)


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


def _shown(title: str, name: str, dice: Dice) -> dict[str, Any]:
    """Print the table of one part, and return what the report says of it."""
    over = zip(("all pixels", "images"), dice, strict=True)
    print(markdown([{"Dice of": title, "over": what, **_rounded(found)} for what, found in over]) + "\n")
    return {name: {"pixels": dice[0], "images": dice[1]}}


def _rounded(dice: dict[str, float]) -> dict[str, Any]:
    return {name: round(value) if name == "seconds" else f"{value:.3f}" for name, value in dice.items()}


if __name__ == "__main__":
    main()

"""How the bundled model ``nuclei-v3`` was made: one call of the public training function, then its figures on images it never saw.

    python recipes/nuclei_v3.py train DATA/dsb2018 src/napari_unet_seg/weights/nuclei-v3.safetensors
    python recipes/nuclei_v3.py describe DATA/dsb2018 src/napari_unet_seg/weights/nuclei-v3.safetensors

``DATA/dsb2018`` holds ``images/``, ``masks/`` and ``index.csv`` (columns id, fold, modality). Folds 1 to 4 are trained on; fold 0 chooses
the two levels of the decoder, calibrates the score and gives the figures of the card. The training resumes from its run folder beside
the model; interrupting it (Ctrl-C) keeps the model reached so far. What was tried on the way is in ``recipes/README.md``.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from imagecodecs import imread

import napari_unet_seg as nus
from napari_unet_seg.core.calibration import calibrate
from napari_unet_seg.core.quantization import with_ranges

SETTINGS = nus.TrainSettings(
    steps=4766,
    seed=2,
    batch=32,
    patch=256,
    learning_rate=3e-3,
    decay=0.5,
    average=0.999,
    balance=0.3,
    exact=0.4,
    empty=0.06,
    validation=0,  # fold 0 is kept out whole
)
NETWORK = nus.NetworkSettings(width=16, depth=4)
VALIDATION_FOLD = "0"
EVERY = 8
"""Of the images that the model learned from, every eighth shows what range the values of its layers have."""
EQUAL = 0.002
"""Levels of the decoder are equally good whose mean AP is so near."""
PROBABILITIES, SPLITTINGS = (0.45, 0.5, 0.55, 0.6), (0.4, 0.45, 0.5, 0.55)
CARD: dict[str, Any] = {
    "name": "nuclei-v3",
    "title": "Nuclei in fluorescence, stained sections and bright field",
    "diameter": 20,
    "licence": "BSD-3-Clause",
    "data": "Data Science Bowl 2018 stage 1 (BBBC038), CC0, community label fixes; folds 1 to 4, neighbouring tiles kept together",
    "adjoining": "Some training images are neighbouring tiles of the StarDist paper's 50 test images, as in that paper's own training set.",
    "recipe": "recipes/nuclei_v3.py",
    "limits": [
        "Nuclei of about 10 to 80 pixels across; larger ones are reduced by an estimate of their size, smaller ones need a diameter.",
        "Stained sections and bright field are learned from few, unevenly annotated images.",
        "Scores are calibrated on fold 0 of the same data: images of another kind may be right less often than they say.",
    ],
}


def main() -> None:
    """Train on folds 1 to 4, or measure on fold 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=["train", "describe"])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    {"train": train, "describe": describe}[options.job](options.data, options.model)


def train(data: Path, path: Path) -> None:
    """Train and write the model, with what it learned from."""
    rows = [row for row in read_index(data) if row["fold"] != VALIDATION_FOLD]
    images, labels, digest = read_pairs(data, [row["id"] for row in rows])
    started = time.monotonic()
    model = follow(nus.iter_train(images, labels, base=NETWORK, settings=SETTINGS, run=path.with_name(f"{path.stem}_run")))
    hours = round((time.monotonic() - started) / 3600, 2)
    card = {**model.card, **CARD, "images": len(rows), "data_sha256": digest, "hours": hours}
    nus.Model(model.network, card, model.defaults, CARD["name"]).save(path)


def describe(data: Path, path: Path) -> None:
    """Choose the levels of the decoder on fold 0 and write them, and the figures, into the model."""
    index = read_index(data)
    learned = [row["id"] for row in index if row["fold"] != VALIDATION_FOLD]
    model = with_ranges(nus.load_model(path), read_pairs(data, learned[::EVERY])[0])
    rows = [row for row in index if row["fold"] == VALIDATION_FOLD]
    images, truths, _ = read_pairs(data, [row["id"] for row in rows])
    maps = [nus.predict(image, model) for image in images]
    choices = [nus.SegmentSettings(probability=p, splitting=s) for p, s in itertools.product(PROBABILITIES, SPLITTINGS)]
    scores = {settings: [nus.evaluate(t, nus.instances(m, settings)) for m, t in zip(maps, truths, strict=True)] for settings in choices}
    for settings, found in scores.items():
        print(settings.probability, settings.splitting, json.dumps(figures(pooled(found))))
    # Of those about equally good over all thresholds, the one that finds the most nuclei.
    top = max(pooled(found).mean_ap(0.5, 0.9) for found in scores.values())
    good = [settings for settings in choices if pooled(scores[settings]).mean_ap(0.5, 0.9) > top - EQUAL]
    best = max(good, key=lambda settings: pooled(scores[settings]).ap(0.5))
    by_modality = defaultdict(list)
    for row, score in zip(rows, scores[best], strict=True):
        by_modality[row["modality"]].append(score)
        by_modality["all"].append(score)
    table = {modality: {"images": len(found), **figures(pooled(found))} for modality, found in by_modality.items()}
    command = "python recipes/nuclei_v3.py describe DATA/dsb2018 MODEL"
    card = {**model.card, **CARD, "figures": {"data": "fold 0, never trained on; chose the decoder's levels", "command": command, **table}}
    described = nus.Model(model.network, card, best, CARD["name"])
    described = calibrate(described, images, truths, [row["field"] for row in rows])
    described.save(path)
    print(json.dumps(described.card, indent=1))


def read_index(data: Path) -> list[dict[str, str]]:
    """Read the rows of the index."""
    return list(csv.DictReader((data / "index.csv").open()))


def read_pairs(data: Path, names: list[str]) -> tuple[list[Any], list[Any], str]:
    """Read images and masks, and hash the bytes of all these files in order."""
    digest = hashlib.sha256()
    pairs: dict[str, list[Any]] = {"images": [], "masks": []}
    for name in names:
        for folder, arrays in pairs.items():
            content = (data / folder / f"{name}.png").read_bytes()
            digest.update(content)
            arrays.append(imread(content))
    return pairs["images"], pairs["masks"], digest.hexdigest()


def follow(steps: Any) -> nus.Model:
    """Run the training, log every 50th step, and stop early on an interrupt."""
    command: list[nus.Command | None] = [None]
    signal.signal(signal.SIGINT, lambda *_: command.append(nus.Command.STOP))
    started = time.monotonic()
    try:
        progress = next(steps)
        while True:
            if progress.done % 50 == 0:
                line = {"step": progress.done, "seconds": round(time.monotonic() - started), **progress.metrics}
                print(json.dumps(line), flush=True)
            progress = steps.send(command[-1])
    except StopIteration as stop:
        return stop.value


def pooled(scores: list[nus.Scores]) -> nus.Scores:
    """Add the counts of all images."""
    return sum(scores[1:], scores[0])


def figures(scores: nus.Scores) -> dict[str, float]:
    """Round what a card should say."""
    at = {f"AP {threshold}": round(scores.ap(threshold), 3) for threshold in (0.5, 0.7, 0.8, 0.9)}
    return at | {"mean AP .5-.9": round(scores.mean_ap(0.5, 0.9), 3), "precision .5": round(scores.precision(0.5), 3)}


if __name__ == "__main__":
    main()

"""How the bundled model ``nuclei-v1`` was trained: one call of the public training function.

    python recipes/nuclei_v1.py DATA/dsb2018 --output src/napari_unet_seg/weights/nuclei-v1.safetensors

``DATA/dsb2018`` holds ``images/``, ``masks/`` and ``index.csv`` (columns id, fold, modality). Folds 1 to 4 are trained on; fold 0 is left
for ``napari-unet-seg evaluate``. Interrupting it (Ctrl-C) keeps the model reached so far.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from imagecodecs import imread

import napari_unet_seg as nus

SETTINGS = nus.TrainSettings(steps=8000, seed=1, batch=8, patch=256, learning_rate=2e-3)
NETWORK = nus.NetworkSettings(width=16, depth=4)
VALIDATION_FOLD = "0"
CARD: dict[str, Any] = {
    "name": "nuclei-v1",
    "title": "Nuclei in fluorescence, stained sections and bright field",
    "diameter": 20,
    "licence": "BSD-3-Clause",
    "data": "Data Science Bowl 2018 stage 1 (BBBC038), CC0, community label fixes; folds 1 to 4, neighbouring tiles kept together",
    "recipe": "recipes/nuclei_v1.py",
}


def main() -> None:
    """Train on folds 1 to 4 and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for row in csv.DictReader((options.data / "index.csv").open()) if row["fold"] != VALIDATION_FOLD]
    images, labels, digest = read_pairs(options.data, [row["id"] for row in rows])
    started = time.monotonic()
    model = follow(nus.iter_train(images, labels, base=None, settings=SETTINGS, network=NETWORK))
    hours = round((time.monotonic() - started) / 3600, 2)
    card = {**model.card, **CARD, "images": len(rows), "data_sha256": digest, "hours": hours}
    nus.Model(model.network, card, model.defaults, CARD["name"]).save(options.output)


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
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
            progress = steps.send(command[-1])
    except StopIteration as stop:
        return stop.value


if __name__ == "__main__":
    main()

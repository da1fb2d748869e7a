"""What the number formats cost in accuracy and give in speed, on one fold and on one large mosaic.

    python -m benchmarks.precision DATA/dsb2018 [--model nuclei] [--device cpu] [--fold 0]

A format of 16 or 8 bits is the automatic choice only where it is faster and the pooled AP at IoU 0.5 stays within 0.002 of float32.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core.normalize import estimate_limits
from napari_unet_seg.core.predict import Predictor

PRECISIONS = {"cpu": ("float32", "bfloat16", "int8"), "cuda": ("float32", "bfloat16", "float16"), "mps": ("float32", "float16")}
MOSAIC = 2048
ROUNDS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fold", default="0")
    options = parser.parse_args()
    model = nus.load_model(options.model)
    items = list(read_fold(options.data, options.fold))
    print(markdown([row(model, options.device, precision, items) for precision in PRECISIONS[options.device]]))


def row(model: nus.Model, device: str, precision: str, items: list[Annotated]) -> dict[str, Any]:
    """Score and time one format."""
    settings = nus.SegmentSettings.from_dict(model.defaults.to_dict() | {"precision": precision})
    first, *rest = [nus.evaluate(item.labels, nus.segment(item.image, model, device, settings=settings)) for item in items]
    scores = sum(rest, first)
    predictor, image = Predictor(model, device, settings), mosaic(items)
    limits = estimate_limits(image, settings)
    speeds = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        nus.drain(predictor.iter_maps(image, limits))
        speeds.append(image.size / 1e6 / (time.perf_counter() - started))
    figures = {f"AP {t}": f"{scores.ap(t):.4f}" for t in (0.5, 0.7, 0.9)}
    return {"format": precision, **figures, "network, Mpx/s": f"{np.median(speeds[1:]):.2f}"}


def mosaic(items: list[Annotated]) -> Any:
    """Lay the fluorescence images of 256 x 256 side by side, again and again, into one large plane."""
    small = [item.image for item in items if item.image.shape == (256, 256)]
    count = MOSAIC // 256
    return np.block([[small[(y * count + x) % len(small)] for x in range(count)] for y in range(count)])


if __name__ == "__main__":
    main()

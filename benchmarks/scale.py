"""How accuracy depends on the size of the nuclei: images of the validation fold, reduced and enlarged.

    python -m benchmarks.scale DATA/dsb2018 [--model nuclei] [--fold 0] [--every 4]

Prints pooled AP at IoU 0.5 with the automatic scale, and without it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from skimage.transform import resize

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold

ZOOMS = (0.25, 0.5, 1, 2, 3, 4)
MOST_PIXELS = 3_000_000
"""Larger enlargements are left out, for time."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--every", type=int, default=4, help="use every n-th image")
    options = parser.parse_args()
    automatic = nus.load_model(options.model)
    # A card that does not say which size the model knows switches the automatic scale off.
    fixed = nus.Model(automatic.network, {**automatic.card, "diameter": 0}, automatic.defaults, automatic.name)
    items = list(read_fold(options.data, options.fold))[:: options.every]
    print(markdown([row(zoom, items, {"automatic": automatic, "fixed": fixed}) for zoom in ZOOMS]))


def row(zoom: float, items: list[Annotated], models: dict[str, nus.Model]) -> dict[str, Any]:
    """Score one zoom."""
    pairs = [pair for item in items if (pair := zoomed(item, zoom))[0].size <= MOST_PIXELS * (3 if item.image.ndim == 3 else 1)]
    result: dict[str, Any] = {"zoom": zoom, "images": len(pairs)}
    for name, model in models.items():
        first, *rest = [nus.evaluate(labels, nus.segment(image, model)) for image, labels in pairs]
        result[f"AP 0.5, {name} scale"] = f"{sum(rest, first).ap(0.5):.3f}"
    return result


def zoomed(item: Annotated, zoom: float) -> tuple[Any, Any]:
    """Return image and labels at another size."""
    shape = tuple(max(1, round(size * zoom)) for size in item.labels.shape)
    image = resize(item.image, shape + item.image.shape[2:], order=1, preserve_range=True, anti_aliasing=zoom < 1)
    labels = resize(item.labels, shape, order=0, preserve_range=True, anti_aliasing=False)
    return image.astype(item.image.dtype), labels.astype(np.int32)


if __name__ == "__main__":
    main()

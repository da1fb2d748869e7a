"""How accuracy depends on the size of the nuclei: images of the validation fold, reduced and enlarged.

    python -m benchmarks.scale DATA/dsb2018 [--model nuclei] [--fold 0] [--every 4]

Prints pooled AP at IoU 0.5 with the automatic scale, and without it, on the same images at every size; and how far it varies from 0.5x
to 3x (aim: 0.05). Images that would be larger than six megapixels at 4x are left out, for time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage.transform import resize

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold

ZOOMS = (0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 4)
AIM = (0.5, 3)
"""Zooms from and to which accuracy should hold."""
MOST_PIXELS = 6_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--every", type=int, default=4, help="use every n-th image")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    automatic = nus.load_model(options.model)
    # A card that does not say which size the model knows switches the automatic scale off.
    fixed = nus.Model(automatic.network, {**automatic.card, "diameter": 0}, automatic.defaults, automatic.name)
    items = [item for item in read_fold(options.data, options.fold) if item.labels.size * max(ZOOMS) ** 2 <= MOST_PIXELS]
    models = {"automatic": automatic, "fixed": fixed}
    found = {zoom: accuracies(zoom, items[:: options.every], models) for zoom in ZOOMS}
    print(markdown([{"zoom": zoom, **{f"AP 0.5, {name} scale": f"{ap:.3f}" for name, ap in one.items()}} for zoom, one in found.items()]))
    spreads = {name: spread({zoom: one[name] for zoom, one in found.items()}) for name in models}
    words = ", ".join(f"{width:.3f} with {name} scale" for name, width in spreads.items())
    print(f"\n{len(items[:: options.every])} images. AP 0.5 varies from {AIM[0]}x to {AIM[1]}x by {words}.")
    if options.json:
        figures = {"model": automatic.name, "ap": found, "spread": spreads}
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def accuracies(zoom: float, items: list[Annotated], models: dict[str, nus.Model]) -> dict[str, float]:
    """Return pooled AP at 0.5 of each model at one zoom."""
    pairs = [zoomed(item, zoom) for item in items]
    result = {}
    for name, model in models.items():
        first, *rest = [nus.evaluate(labels, nus.segment(image, model)) for image, labels in pairs]
        result[name] = sum(rest, first).ap(0.5)
    return result


def spread(ap: dict[float, float]) -> float:
    """Return the difference of the best and the worst AP over the zooms of `AIM`."""
    inside = [value for zoom, value in ap.items() if AIM[0] <= zoom <= AIM[1]]
    return max(inside) - min(inside)


def zoomed(item: Annotated, zoom: float) -> tuple[Any, Any]:
    """Return image and labels at another size."""
    shape = tuple(max(1, round(size * zoom)) for size in item.labels.shape)
    image = resize(item.image, shape + item.image.shape[2:], order=1, preserve_range=True, anti_aliasing=zoom < 1)
    labels = resize(item.labels, shape, order=0, preserve_range=True, anti_aliasing=False)
    return image.astype(item.image.dtype), labels.astype(np.int32)


if __name__ == "__main__":
    main()

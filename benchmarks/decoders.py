"""Compare decoders: the same maps, several ways to make labels of them.

    python -m benchmarks.decoders DATA/dsb2018 [--model nuclei] [--fold 0]

Prints accuracy on the fold (pooled over all modalities) and the time of decoding alone. The one kept is `napari_unet_seg.instances`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core.holes import fill_holes
from napari_unet_seg.core.instances import select
from napari_unet_seg.core.normalize import estimate_limits
from napari_unet_seg.core.predict import Predictor

CORE = 0.3
"""Relative distance above which a pixel belonged to a core."""

Decoder = Callable[[Any, nus.SegmentSettings], Any]


def kept(maps: Any, settings: nus.SegmentSettings) -> Any:
    """Part the hills of the distance map by their rise above the passes between them: the decoder of this package."""
    return nus.instances(maps, settings)


def distance_cores(maps: Any, settings: nus.SegmentSettings) -> Any:
    """Grow the parts where the smoothed distance is above 0.3 by a watershed: the decoder before."""
    mask = maps[0] <= 1 - settings.probability
    smooth = ndimage.gaussian_filter(maps[-1].astype(np.float32), 1.0)
    cores, _ = ndimage.label(mask & (smooth > CORE))
    return select(fill_holes(watershed(-smooth, cores, mask=mask).astype(np.int32)), settings)


def outline_cores(maps: Any, settings: nus.SegmentSettings) -> Any:
    """Grow the parts where foreground beats outline (the three-class U-Net of the StarDist paper) by a watershed."""
    mask = maps[0] <= 1 - settings.probability
    smooth = ndimage.gaussian_filter((maps[1] - maps[2]).astype(np.float32), 0.5)
    cores, _ = ndimage.label(mask & (smooth > 0))
    return select(fill_holes(watershed(-smooth, cores, mask=mask).astype(np.int32)), settings)


def pointers(maps: Any, settings: nus.SegmentSettings) -> Any:
    """Let each pixel point to its highest neighbour in the smoothed distance, and double the pointers until they stop."""
    mask = maps[0] <= 1 - settings.probability
    height = np.where(mask, ndimage.gaussian_filter(maps[-1].astype(np.float32), 1.5), -1)
    rows, columns = height.shape
    padded = np.pad(height, 1, constant_values=-1)
    offsets = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    around = np.stack([padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns] for dy, dx in offsets])
    step = np.array([dy * columns + dx for dy, dx in offsets])
    own = around[4]
    best = np.where(around.max(axis=0) > own, around.argmax(axis=0), 4)
    parent = (np.arange(rows * columns).reshape(rows, columns) + step[best]).ravel()
    while not np.array_equal(parent, following := parent[parent]):
        parent = following
    parent = np.where(mask.ravel(), parent, 0)
    _, labels = np.unique(parent, return_inverse=True)
    labels = np.where(mask, labels.reshape(rows, columns) + 1, 0)
    return select(fill_holes(labels.astype(np.int32)), settings)


def components(maps: Any, settings: nus.SegmentSettings) -> Any:
    """Take connected parts of the mask: no splitting at all."""
    mask = maps[0] <= 1 - settings.probability
    return select(fill_holes(ndimage.label(mask)[0].astype(np.int32)), settings)


DECODERS: dict[str, tuple[Decoder, dict[str, float]]] = {
    "hills of the distance (kept)": (kept, {}),
    "the same, split more readily": (kept, {"splitting": 0.7}),
    "watershed from cores of the distance": (distance_cores, {}),
    "watershed from foreground minus outline": (outline_cores, {}),
    "pointers to the highest neighbour": (pointers, {}),
    "connected components": (components, {}),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--fold", default="0")
    options = parser.parse_args()
    predictor = Predictor(nus.load_model(options.model))
    items = [(item, predicted(predictor, item)) for item in read_fold(options.data, options.fold)]
    print(markdown([row(name, decoder, changes, items) for name, (decoder, changes) in DECODERS.items()]))


def predicted(predictor: Predictor, item: Annotated) -> Any:
    """Predict the maps of one image."""
    return nus.drain(predictor.iter_maps(item.image, estimate_limits(item.image, predictor.settings)))


def row(name: str, decoder: Decoder, changes: dict[str, float], items: list[tuple[Annotated, Any]]) -> dict[str, Any]:
    """Score and time one decoder."""
    settings = nus.SegmentSettings(**changes)
    started = time.perf_counter()
    found = [decoder(maps, settings) for _, maps in items]
    seconds = time.perf_counter() - started
    first, *rest = [nus.evaluate(item.labels, labels) for (item, _), labels in zip(items, found, strict=True)]
    scores = sum(rest, first)
    megapixels = sum(labels.size for labels in found) / 1e6
    figures = {f"AP {t}": f"{scores.ap(t):.3f}" for t in (0.5, 0.7, 0.9)} | {"mean .5-.9": f"{scores.mean_ap():.3f}"}
    return {"decoder": name, **figures, "Mpx/s": f"{megapixels / seconds:.1f}"}


if __name__ == "__main__":
    main()

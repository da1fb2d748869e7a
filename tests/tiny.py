"""Images of discs with exact labels, and a small network trained on them in seconds, for tests that need one that knows something."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

import napari_unet_seg as nus
from napari_unet_seg.core.grid import Grid
from napari_unet_seg.core.map_parts import MapPart, PlaneMaps

ENGINE = [
    *("settings", "network_settings"),
    *(f"core.{name}" for name in ("augment", "data", "draws", "emptiness", "losses", "normalize", "optimizer")),
    *(f"core.{name}" for name in ("pool", "run", "sampler", "targets", "trainer", "unet")),
]
"""Modules on which the weights of a training depend."""


def discs(shape=(128, 128), count=12, seed=0, radius=(6, 11)):
    """Return a uint16 image of bright discs on a noisy ground, and its int32 labels; discs may touch, never overlap."""
    image, labels = _discs(tuple(shape), count, seed, tuple(radius))
    return image.copy(), labels.copy()


@cache
def _discs(shape, count, seed, radius):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for _ in range(count * 20):
        cy, cx, r = random.uniform(0, shape[0]), random.uniform(0, shape[1]), random.uniform(*radius)
        disc = (y - cy) ** 2 + (x - cx) ** 2 <= r**2
        if not labels[disc].any() and labels.max() < count:
            labels[disc] = labels.max() + 1
    image = 300 + 2000 * (labels > 0) * (1 + 0.2 * np.sin(labels)) + random.normal(0, 60, shape)
    return image.clip(0).astype(np.uint16), labels


@cache
def tiny_model():
    """Load, or train, a network of width 8 and depth 3 that knows discs; the same weights in every run on one machine."""
    path = Path(tempfile.gettempdir()) / f"napari-unet-seg-tests-{_engine_digest()}" / "tiny.safetensors"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        _train_tiny().save(path)
    model = nus.load_model(path)
    return nus.Model(model.network, {"diameter": 17}, model.defaults, "tiny")


def whole_plane(maps):
    """Return float16 maps (C, Y, X) as those of a whole plane."""
    box = (slice(0, maps.shape[1]), slice(0, maps.shape[2]))
    return PlaneMaps((MapPart(box, maps.astype(np.float16)),), Grid(box), maps.shape[1:])


def _train_tiny():
    pairs = [discs(seed=seed) for seed in range(8)]
    look = {"average": 0.9, "intensity": 0.3, "empty": 0.1, "exact": 0.6, "validation": 0.0}
    settings = nus.TrainSettings(steps=160, batch=4, patch=96, learning_rate=8e-3, decay=1.0, device="cpu", **look)
    network = nus.NetworkSettings(width=8, depth=3)
    return nus.train([image for image, _ in pairs], [labels for _, labels in pairs], base=network, settings=settings)


def _engine_digest():
    """Hash what decides the weights, so that they are trained again whenever it changes."""
    import torch

    parts = [importlib.import_module(f"napari_unet_seg.{name}") for name in ENGINE] + [_discs, _train_tiny]
    sources = "".join(inspect.getsource(part) for part in parts)
    return hashlib.sha256((torch.__version__ + sources).encode()).hexdigest()[:16]

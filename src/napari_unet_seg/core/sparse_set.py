"""Sparse annotations of whole sets of images: what the base model sees keeps rings of ground off nuclei that nobody painted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_unet_seg.core.annotations import Annotation, sparse
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.normalize import within_limits
from napari_unet_seg.core.segment import iter_segment
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps, relay

STAGE = "Looking at the neighbours"
AROUND = 128
"""Pixels around what is painted that the base looks at."""


def iter_sparse(
    images: Sequence[Any],
    labels: Sequence[Any],
    grounds: Sequence[Any] | None = None,
    base: str | os.PathLike[str] | Model | None = "nuclei",
    device: str = "auto",
) -> Steps[list[Annotation]]:
    """Make sparse annotations of images, with what the base model sees around the painted nuclei.

    Parameters
    ----------
    images : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour.
    labels : sequence of ndarray of int, shape (Y, X)
        Some nuclei, each painted whole.
    grounds : sequence of (ndarray or None), optional
        Painted ground: not 0 where there is no nucleus.
    base : str, path, Model or None
        The model that will be taught; None sees nothing.
    device : {"auto", "cuda", "mps", "cpu"}
        Where it looks.

    Yields
    ------
    Progress
        After each image.

    Returns
    -------
    list of Annotation

    Raises
    ------
    InputError
        If images, labels and grounds do not fit together.
    ModelError, DeviceError, OutOfMemoryError, ComputeError
        As `segment`.
    """
    grounds = [None] * len(labels) if grounds is None else grounds
    if not len(images) == len(labels) == len(grounds):
        raise InputError(f"There are {len(images)} images, {len(labels)} labels and {len(grounds)} grounds; give as many of each.")
    model = None if base is None else load_model(base)
    found = []
    for done, (image, painted, ground) in enumerate(zip(images, labels, grounds, strict=True), start=1):
        needed = model is not None and model.settings.distance and np.any(painted) and not (ground is not None and np.any(ground))
        seen = (yield from _iter_seen(np.asarray(image), np.asarray(painted), model, device)) if needed and model else None
        found.append(sparse(painted, ground, seen))
        yield Progress(STAGE, done, len(labels))
    return found


def _iter_seen(image: Any, painted: Any, model: Model, device: str) -> Steps[Any]:
    """Segment the part of a plane around what is painted, with the limits of the whole."""
    if image.shape[:2] != painted.shape:
        raise InputError(f"The image has shape {image.shape} and its labels {painted.shape}; both must cover the same (Y, X) plane.")
    rows, columns = (_around(painted.any(axis=axis)) for axis in (1, 0))
    settings = within_limits(image, model.defaults)
    axes = "YXS" if image.ndim == 3 else "YX"
    steps = iter_segment(image[rows, columns], model, device, axes, settings=settings)
    # Its notices are about a result that nobody will see.
    result = yield from relay(steps, lambda progress: replace(progress, stage=STAGE, done=0, total=0, notice=""))
    seen = np.zeros(painted.shape, np.int32)
    seen[rows, columns] = result.labels
    return seen


def _around(occupied: Any) -> slice:
    places = np.flatnonzero(occupied)
    return slice(max(int(places[0]) - AROUND, 0), int(places[-1]) + 1 + AROUND)

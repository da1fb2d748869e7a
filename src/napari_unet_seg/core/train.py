"""Training: the one engine, for the bundled models and for the user's own.

A part of the annotation is kept out of training where there is enough of it (`napari_unet_seg.core.split`); every 50 steps the average of
the weights is measured there, and the best is what is returned. Fewer than 20 nuclei all teach, for a fixed number of steps, and are then
looked for by three short trainings without them (`napari_unet_seg.core.cross_validation`).

In a run folder the state is kept every 100 steps and at the end (`napari_unet_seg.core.run_state`). A training of the same data, base and
settings that finds a state there goes on with it: on the CPU, to exactly the weights of one without a break. The number of steps may then
be another one as long as the learning rate of the steps so far is the same with it, as it is on the plateau that `TrainSettings.decay`
leaves; the result is that of a training which had that number from the start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_unet_seg.core.annotations import Annotation, summary
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.data import Sample, annotated, prepare
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.report import make_report
from napari_unet_seg.core.run import Run
from napari_unet_seg.core.run_state import RunState, hash_data
from napari_unet_seg.core.scale import estimate_diameter
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps, drain
from napari_unet_seg.settings import NetworkSettings, TrainSettings

Base = str | os.PathLike[str] | Model | NetworkSettings | None
"""Where training starts: a model, by name, path or itself; or from nothing, with a network of this or of the usual shape."""


def train(
    images: Sequence[Any],
    labels: Sequence[Any],
    *,
    known: Sequence[Any] | None = None,
    base: Base = "nuclei",
    settings: TrainSettings | None = None,
    run: str | os.PathLike[str] | None = None,
) -> Model:
    """Train a model and wait for it; see `iter_train`."""
    return drain(iter_train(images, labels, known=known, base=base, settings=settings, run=run))


def iter_train(
    images: Sequence[Any],
    labels: Sequence[Any],
    *,
    known: Sequence[Any] | None = None,
    base: Base = "nuclei",
    settings: TrainSettings | None = None,
    run: str | os.PathLike[str] | None = None,
) -> Steps[Model]:
    """Train a model step by step.

    Parameters
    ----------
    images, labels : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour; integers of shape (Y, X), 0 the ground, or an `Annotation` made of them.
    known : sequence of ndarray of bool, shape (Y, X), optional
        Where the annotation can be believed; everywhere if not given.
    base : str, path, Model, NetworkSettings or None
        The model to start from; a shape, or None for the usual one, starts from random weights.
    settings : TrainSettings, optional
        Length, augmentation, seed.
    run : path-like, optional
        Folder of the state, to go on later (see above).

    Yields
    ------
    Progress
        "Preparing" each plane; "Training" each step, with ``loss``, its terms, ``rate``, ``seconds``, after a look ``validation_loss`` and
        ``ap`` (mean, IoU 0.5 to 0.9); "Checking" few nuclei. `Command.STOP` sent back returns the best so far, `Preview` shows it.

    Returns
    -------
    Model
        The best average of the weights; the card says what it learned from and how, and in ``report`` what came of it.

    Raises
    ------
    InputError, SettingsError, ModelError, WriteError, OutOfMemoryError, ComputeError
        If nothing is annotated, images and labels do not fit together, `run` holds another training or cannot be written, or torch fails.
    """
    annotations = _annotations(images, labels, known)
    known_base = base is not None and not isinstance(base, NetworkSettings)
    settings = (settings or TrainSettings()).for_base(known_base)
    start = _start(base, settings.seed)
    samples = yield from _iter_prepare(images, annotations)
    state, folder = RunState(settings, hash_data(images, annotations), start.sha256), None if run is None else Path(run)
    work = Run(samples, start, state, folder, measured=known_base)
    yield from work.iter_steps()
    report = make_report(summary(annotations), (yield from work.iter_outcome()), work.state, work.ended)
    return _model(work, _facts(annotations, start if known_base else None) | {"report": report})


def _annotations(images: Sequence[Any], labels: Sequence[Any], known: Sequence[Any] | None) -> list[Annotation]:
    if not len(images) or len(images) != len(labels) or (known is not None and len(known) != len(labels)):
        raise InputError(f"There are {len(images)} images and {len(labels)} label images; give at least one pair, and as many of each.")
    masks = known if known is not None else [None] * len(labels)
    found = [annotated(label, mask) for label, mask in zip(labels, masks, strict=True)]
    if not any(annotation.known.any() for annotation in found):
        raise InputError("Nothing is annotated: paint some nuclei, or say where the labels can be believed.")
    return found


def _iter_prepare(images: Sequence[Any], annotations: Sequence[Annotation]) -> Steps[list[Sample]]:
    """Prepare the planes on which something is known."""
    samples = []
    for done, (image, annotation) in enumerate(zip(images, annotations, strict=True), start=1):
        if annotation.known.any():
            with compute_errors("Preparing the images"):
                samples.append(prepare(image, annotation))
        yield Progress("Preparing", done, len(annotations))
    return samples


def _start(base: Base, seed: int) -> Model:
    if base is not None and not isinstance(base, NetworkSettings):
        return load_model(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(UNet(base or NetworkSettings()).eval())


def _facts(annotations: Sequence[Annotation], base: Model | None) -> dict[str, Any]:
    """Say what a model learned from; nothing of its base's card, whose figures are not the new model's."""
    diameters = [diameter for diameter in _diameters(annotations) if diameter]
    diameter = round(float(np.median(diameters)), 1) if diameters else 0.0
    facts = {"images": len(annotations), "diameter": diameter}
    if base is None:
        return facts
    # It still knows nuclei of its base's size: a smaller diameter would let images of these be reduced to the size of those painted.
    return facts | {"diameter": max(diameter, float(base.card.get("diameter", 0))), "base": base.name, "base_sha256": base.sha256}


def _diameters(annotations: Sequence[Annotation]) -> Iterator[float]:
    for annotation in annotations:
        yield estimate_diameter(np.where(annotation.known, annotation.labels, 0))


def _model(work: Run, facts: dict[str, Any]) -> Model:
    """Return the best weights as a model on the CPU."""
    card = {**facts, "training": work.state.settings.to_dict(), "steps": work.state.step}
    return Model(work.best_network(), card, work.trainer.start.defaults)

"""Training: the one engine, for the bundled models and for the user's own.

A part of the annotation is kept out of training where there is enough of it (`napari_unet_seg.core.split`); every 50 steps the average of
the weights is measured there, and the best is what is returned. Fewer than 20 nuclei all teach, for a fixed number of steps, and are then
looked for by three short trainings without them (`napari_unet_seg.core.cross_validation`).

In a run folder the state is kept every 100 steps and at the end (`napari_unet_seg.core.run_state`). A training of the same data, base and
settings that finds a state there goes on with it: on the CPU, to exactly the weights of one without a break, and with as many threads as it
began with (`napari_unet_seg.core.threads`). The number of steps may then be another one as long as the learning rate of the steps so far is
the same with it, as it is on the plateau that `TrainSettings.decay` leaves; the result is that of a training which had that number from the
start.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_unet_seg.core.annotations import FEW, Annotation, Summary, summary
from napari_unet_seg.core.augment import BLOCK
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.class_samples import class_polarity, prepare_classes
from napari_unet_seg.core.classes import class_summary
from napari_unet_seg.core.data import Sample, annotated, prepare
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.learned_ranges import with_learned_ranges
from napari_unet_seg.core.remembering import SPARSE
from napari_unet_seg.core.report import make_report
from napari_unet_seg.core.run import Run
from napari_unet_seg.core.run_state import RunState, hash_data
from napari_unet_seg.core.scale import estimate_diameter
from napari_unet_seg.core.start import Base, knows_what_is_taught, start_from
from napari_unet_seg.core.threads import threads_restored
from napari_unet_seg.errors import ComputeError, InputError, OutOfMemoryError
from napari_unet_seg.progress import Progress, Steps, drain
from napari_unet_seg.settings import SMALLEST_PATCH, NetworkSettings, TrainSettings

WHOLE_IN_SMALL = 64.0
"""Diameter in pixels up to which a nucleus is seen with its neighbourhood in a small patch: half of its edge."""


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
        Length, augmentation, seed; with `classes`, labels are numbers of classes of pixels and the model gives class maps.
    run : path-like, optional
        Folder of the state, to go on later (see above).

    Yields
    ------
    Progress
        "Preparing" each plane; "Training" each step, with ``loss``, its terms, ``rate``, ``seconds``, after a look ``validation_loss`` and
        ``ap`` (mean, IoU 0.5 to 0.9) or ``mean_dice``; "Checking" few nuclei. `Command.STOP` returns the best so far, `Preview` shows it.

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
    origin = None if base is None or isinstance(base, NetworkSettings) else load_model(base)
    settings, start = _begin(base, settings or TrainSettings(), images, annotations)
    samples = yield from _iter_prepare(images, annotations, settings.classes, start.defaults.polarity)
    state, folder = RunState(settings, hash_data(images, annotations), start.sha256), None if run is None else Path(run)
    with threads_restored():  # a training that goes on has the number of threads that it began with
        work = Run(samples, start, state, folder, measured=knows_what_is_taught(base, settings.classes))
        yield from work.iter_steps()
        report = make_report(_found(annotations, settings), (yield from work.iter_outcome()), work.state, work.ended)
        return _model(work, _facts(annotations, origin, settings) | {"report": report})


def _found(annotations: Sequence[Annotation], settings: TrainSettings) -> Summary:
    """Say what there is to learn from."""
    return class_summary(annotations, settings.classes) if settings.classes else summary(annotations)


def _begin(base: Base, settings: TrainSettings, images: Sequence[Any], annotations: Sequence[Annotation]) -> tuple[TrainSettings, Model]:
    """Decide what is automatic, and where to start; of classes also which polarity all planes have."""
    from_nothing = base is None or isinstance(base, NetworkSettings)
    new_head = not knows_what_is_taught(base, settings.classes)
    settings = settings.for_base(not from_nothing, new_head, all(_is_small(annotation) for annotation in annotations))
    start = start_from(base, settings.seed, settings.classes)
    if settings.classes and start.defaults.polarity == "auto":
        start = replace(start, defaults=replace(start.defaults, polarity=class_polarity(images, annotations)))
    return replace(settings, patch=_fitting(settings.patch, start.settings.multiple)), start


def _fitting(patch: int, multiple: int) -> int:
    """Return the largest patch, up to the one asked for, that network and augmentation can cut up without a rest."""
    whole = math.lcm(multiple, BLOCK)
    return max(patch // whole, math.ceil(SMALLEST_PATCH / whole)) * whole


def _is_small(annotation: Annotation) -> bool:
    """Whether most of a plane is unknown, and the nuclei that are known are seen whole in a small patch."""
    return annotation.known.mean() < SPARSE and max(_diameters([annotation])) <= WHOLE_IN_SMALL


def _annotations(images: Sequence[Any], labels: Sequence[Any], known: Sequence[Any] | None) -> list[Annotation]:
    if not len(images) or len(images) != len(labels) or (known is not None and len(known) != len(labels)):
        raise InputError(f"There are {len(images)} images and {len(labels)} label images; give at least one pair, and as many of each.")
    masks = known if known is not None else [None] * len(labels)
    found = [annotated(label, mask) for label, mask in zip(labels, masks, strict=True)]
    if not any(annotation.known.any() for annotation in found):
        raise InputError("Nothing is annotated: paint some nuclei, or say where the labels can be believed.")
    return found


def _iter_prepare(images: Sequence[Any], annotations: Sequence[Annotation], classes: Sequence[str], polarity: str) -> Steps[list[Sample]]:
    """Prepare the planes on which something is known."""
    samples = []
    for done, (image, annotation) in enumerate(zip(images, annotations, strict=True), start=1):
        if annotation.known.any():
            with compute_errors("Preparing the images"):
                samples.append(prepare_classes(image, annotation, classes, polarity) if classes else prepare(image, annotation))
        yield Progress("Preparing", done, len(annotations))
    return samples


def _facts(annotations: Sequence[Annotation], base: Model | None, settings: TrainSettings) -> dict[str, Any]:
    """Say what a model learned from; nothing of its base's card, whose figures are not the new model's."""
    origin = {} if base is None else {"base": base.name, "base_sha256": base.sha256}
    if settings.classes:
        return {"images": len(annotations), **origin}
    diameters = [diameter for diameter in _diameters(annotations) if diameter]
    diameter = round(float(np.median(diameters)), 1) if diameters else 0.0
    facts = {"images": len(annotations), "diameter": diameter}
    if base is None:
        return facts
    # It still knows nuclei of its base's size: images of these are not to be rescaled to the size of those painted. A few of another size
    # do not teach that size as well as the base knows its own, so that other images are still brought to that.
    known = [size for size in (float(base.card.get(name, 0)) for name in ("diameter", "smallest_diameter")) if size]
    few = sum(len(annotation.numbers) for annotation in annotations) < FEW
    sizes = known if few and known else [size for size in (diameter, *known) if size]
    return facts | {"diameter": max(sizes, default=0.0), "smallest_diameter": min(sizes, default=0.0), **origin}


def _diameters(annotations: Sequence[Annotation]) -> Iterator[float]:
    for annotation in annotations:
        yield estimate_diameter(np.where(annotation.known, annotation.labels, 0))


def _model(work: Run, facts: dict[str, Any]) -> Model:
    """Return the best weights as a model on the CPU, with the ranges of its layers if it can be run in 8 bits."""
    share = {"share": work.share} if work.measured else {}  # of the way from the base
    memory = work.trainer.memory
    trust = {"remembered": memory.weight} if memory else {}  # weight of the base where nothing was annotated
    learning = {"learning": work.trainer.learning} if work.measured else {}
    card = {**facts, "training": work.state.settings.to_dict(), "steps": work.state.step, **share, **trust, **learning}
    start = work.trainer.start
    model = Model(work.best_network(), card, start.defaults)
    with suppress(ComputeError, OutOfMemoryError), compute_errors("Looking at the layers"):  # a long training is not lost for speed
        return with_learned_ranges(model, work.samples, work.settings, start.card)
    return model

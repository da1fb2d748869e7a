"""What few nuclei teach about one another: each is left out once, and looked for by a network that learned briefly from the others."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_unet_seg.core.annotations import Annotation, hide
from napari_unet_seg.core.blending import blend
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.optimizer import schedule
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.core.validation import Figures, measure, nothing, window_around
from napari_unet_seg.progress import Command, Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.data import Sample
    from napari_unet_seg.core.unet import UNet
    from napari_unet_seg.settings import TrainSettings

FOLDS = 3
"""Trainings: with three, each learns from two thirds of the nuclei."""
SHARE = 3
"""Each takes this part of the steps, so that all of them take as long as the training itself."""
LEAST_STEPS = 50
"""But at least so many, or as many as the training: after fewer a network has hardly begun, and says nothing of what is taught."""
HALO = 6
"""Pixels around a nucleus that is left out which teach nothing either."""


@dataclass(frozen=True)
class Place:
    """A nucleus: which sample, its number there, and its box."""

    sample: int
    number: int
    box: tuple[slice, slice]


def iter_cross_validate(samples: Sequence[Sample], start: Model, settings: TrainSettings, threads: int = 0) -> Steps[Figures | None]:
    """Measure what a training on few nuclei brings, on nuclei that it did not see.

    Parameters
    ----------
    samples : sequence of Sample
        All that is annotated.
    start : Model
        The base.
    settings : TrainSettings
        With everything automatic decided; `steps` and `blend` are those of the training that is judged.
    threads : int
        As for `Trainer`.

    Yields
    ------
    Progress
        After each step; `Command.STOP` ends it without a result.

    Returns
    -------
    Figures or None
        Of all nuclei together; None with fewer than two, or when it was stopped.
    """
    places = find_nuclei(samples)
    folds = min(FOLDS, len(places))
    steps = max(settings.steps // SHARE, min(settings.steps, LEAST_STEPS), 1)
    if folds < 2:
        return None
    figures = nothing()
    for fold in range(folds):
        # Neighbours in the list are neighbours in the image, and are left out together.
        left_out = places[fold * len(places) // folds : (fold + 1) * len(places) // folds]
        teaching = _without(samples, left_out)
        if not any(sample.known.any() for sample in teaching):
            return None
        trainer = Trainer(start, [sample for sample in teaching if sample.known.any()], replace(settings, steps=steps), threads)
        for step in range(1, steps + 1):
            _, notice = trainer.step(settings.learning_rate * schedule(step, steps, settings.decay))
            if (yield Progress("Checking", fold * steps + step, folds * steps, notice=notice)) is Command.STOP:
                return None
        figures += measure(look_at(samples, left_out, settings.patch), partial(trainer.look, network=_learned(trainer)), start.defaults)
    return figures


def _learned(trainer: Trainer) -> UNet:
    """Return what became of a base, blended with it as its settings say."""
    network = copy.deepcopy(trainer.average)
    network.load_state_dict(blend(trainer.start.network.state_dict(), trainer.weights(), trainer.settings.blend))
    return network


def find_nuclei(samples: Sequence[Sample]) -> list[Place]:
    """List the known nuclei, plane after plane, along the longer edge of each.

    Parameters
    ----------
    samples : sequence of Sample

    Returns
    -------
    list of Place
    """
    places = []
    for index, sample in enumerate(samples):
        numbers, inside = compact(np.where(sample.known, sample.labels, 0))
        boxes = zip(numbers.tolist(), ndimage.find_objects(inside), strict=True)
        axis = int(np.argmax(sample.labels.shape))
        places += sorted((Place(index, number, box) for number, box in boxes), key=lambda place: place.box[axis].start)
    return places


def look_at(samples: Sequence[Sample], places: Sequence[Place], patch: int) -> list[Sample]:
    """Cut a window around each nucleus, in which that nucleus alone is known.

    Parameters
    ----------
    samples : sequence of Sample
    places : sequence of Place
    patch : int
        Edge of a window, in pixels.

    Returns
    -------
    list of Sample
    """
    return [_alone(samples[place.sample], place, patch) for place in places]


def _alone(sample: Sample, place: Place, patch: int) -> Sample:
    window = window_around(sample, place.box, patch)
    return window.believing((window.labels == place.number) & window.known)


def _without(samples: Sequence[Sample], places: Sequence[Place]) -> list[Sample]:
    hidden = []
    for index, sample in enumerate(samples):
        numbers = np.array([place.number for place in places if place.sample == index], np.int64)
        known = hide(Annotation(sample.labels, sample.known), numbers, HALO).known
        hidden.append(sample.believing(known) if numbers.size else sample)
    return hidden

"""A training as the window asks for it, as generators; what needs torch runs where torch starts. No Qt and no thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.learning import PAINTED, annotation_of, read_steps
from napari_unet_seg.io.run_plan import Plan, read_data, remove_run, write_plan
from napari_unet_seg.progress import Preview, Progress, Steps
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Annotation
    from napari_unet_seg.gui.learning import Lesson, Material

PREPARING = "Preparing"
MOST_LOOKED_AT = 64_000_000
"""Pixels of the largest plane whose limits are taken for a picture of a part of it."""
MODEL = "best.safetensors"


@dataclass(frozen=True, eq=False)
class Look:
    """A wish to see what the network finds by now, before the limits of the plane are known; becomes a `Preview` beside the window.

    Parameters
    ----------
    plane : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour; not read yet, if the image is not.
    box : tuple of slice
        The part of it to show.
    settings : SegmentSettings
        How it is segmented.
    known : dict
        Where the settings with the limits of the plane are kept from one look to the next.
    """

    plane: Any
    box: tuple[slice, slice]
    settings: SegmentSettings = SegmentSettings()
    known: dict[str, SegmentSettings] = field(default_factory=dict)

    def preview(self) -> Preview:
        """Read the part, and see to it that it is segmented as the whole would be."""
        if not self.known:
            from napari_unet_seg.core.normalize import within_limits

            large = self.plane.shape[0] * self.plane.shape[1] > MOST_LOOKED_AT
            self.known["settings"] = within_limits(np.asarray(self.plane[self.box] if large else self.plane), self.settings)
        return Preview(np.asarray(self.plane[self.box]), self.known["settings"])


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Parameters
    ----------
    plan : Plan
        What was asked for; its folder holds the model and the pictures.
    report : mapping
        As in `napari_unet_seg.core.report.make_report`.
    sentences : tuple of str
        What it means.
    steps : int
    seconds : float
        How long it took.
    pictures : tuple of Path
        Annotated, base and model beside each other.
    trouble : str
        Why there are no pictures; else empty.
    """

    plan: Plan
    report: Mapping[str, Any]
    sentences: tuple[str, ...]
    steps: int
    seconds: float
    pictures: tuple[Path, ...] = ()
    trouble: str = ""

    @property
    def model(self) -> Path:
        """The file of the model."""
        return self.plan.folder / MODEL


def train_steps(plan: Plan, material: Material) -> Steps[Trained]:
    """Train on layers.

    Parameters
    ----------
    plan : Plan
        Its folder is there and empty.
    material : Material

    Yields
    ------
    Progress
        As `napari_unet_seg.core.train.iter_train`; a `Look` that is sent in is answered as a `Preview` is.

    Returns
    -------
    Trained

    Raises
    ------
    UnetSegError
        As `iter_train`; before that, if there is a model of the name already.
    """
    yield Progress(PREPARING, 0, 0)
    read = yield from read_steps(material)
    from napari_unet_seg.core.apart import iter_apart

    bare = replace(material, source=replace(material.source, data=None), labels=None, ground=None)
    return (yield from _iter_looking(iter_apart(engine_steps, plan, read, bare)))


def resume_steps(plan: Plan) -> Steps[Trained]:
    """Go on with a training; parameters, results and errors as `train_steps`."""
    yield Progress(PREPARING, 0, 0)
    from napari_unet_seg.core.apart import iter_apart

    return (yield from _iter_looking(iter_apart(engine_steps, plan)))


def engine_steps(plan: Plan, read: list[Lesson] | None = None, material: Material | None = None) -> Steps[Trained]:
    """Train, with torch; at the top of a module, so that another process can be asked to do it.

    Parameters
    ----------
    plan : Plan
    read : list of Lesson, optional
        What is annotated; what the folder of the plan holds if not given.
    material : Material, optional
        How it was annotated; without arrays.

    Yields
    ------
    Progress

    Returns
    -------
    Trained
    """
    from napari_unet_seg.core.registry import check_name
    from napari_unet_seg.core.report import sentences
    from napari_unet_seg.core.train import iter_train

    started = time.monotonic()
    if read is None or material is None:  # its name may have been taken since, and another one be given when it is kept
        images, annotations = read_data(plan.folder)
    else:
        check_name(plan.name)
        images, annotations = [lesson.image for lesson in read], (yield from _iter_annotations(plan, read, material))
        write_plan(plan, images, annotations)
    model = yield from iter_train(images, annotations, base=plan.base or plan.network, settings=plan.settings, run=plan.folder)
    model = replace(model, name=plan.name)
    model.save(plan.folder / MODEL)  # before anything else can fail
    pictures, trouble = yield from _iter_pictures(plan, images, annotations, model)
    report, steps = model.card["report"], int(model.card["steps"])
    return Trained(plan, report, tuple(sentences(report)), steps, time.monotonic() - started, pictures, trouble)


def keep_steps(plan: Plan, name: str) -> Steps[str]:
    """Put a model that was trained among the user's own, and delete the folder of its training.

    Parameters
    ----------
    plan : Plan
    name : str
        What to call it.

    Yields
    ------
    Progress

    Returns
    -------
    str
        Its name.

    Raises
    ------
    ModelError
        If the name is taken or cannot be used, or the system refuses to write.
    """
    yield Progress("Saving", 0, 0)
    from napari_unet_seg.core.apart import iter_apart

    yield from iter_apart(_store, plan.folder / MODEL, name)
    remove_run(plan.folder)
    return name


def discard_steps(plan: Plan) -> Steps[None]:
    """Delete the folder of a training."""
    yield Progress("Deleting", 0, 0)
    remove_run(plan.folder)


def find_steps() -> Steps[Plan | None]:
    """Look for a training that can go on."""
    yield Progress("Looking", 0, 0)
    from napari_unet_seg.io.run_plan import unfinished

    return unfinished()


def _iter_looking(steps: Steps[Trained]) -> Steps[Trained]:
    """Pass on what is sent in, each `Look` as a `Preview`."""
    with closing(steps):
        try:
            progress = next(steps)
            while True:
                command: Any = yield progress
                progress = steps.send(command.preview() if isinstance(command, Look) else command)
        except StopIteration as stop:
            trained: Trained = stop.value
            return trained


def _iter_annotations(plan: Plan, read: list[Lesson], material: Material) -> Steps[list[Annotation]]:
    """Say where the planes can be believed; of painted nuclei, the base is asked where others are."""
    if material.mode != PAINTED or material.semantic:
        return [annotation_of(lesson, material) for lesson in read]
    from napari_unet_seg.core.sparse_set import iter_sparse

    images, labels, grounds = ([getattr(lesson, name) for lesson in read] for name in ("image", "labels", "ground"))
    found = yield from iter_sparse(images, labels, grounds, plan.base or None, plan.settings.device)
    return [replace(annotation, group=material.source.name) for annotation in found]


def _iter_pictures(plan: Plan, images: list[Any], annotations: list[Annotation], model: Any) -> Steps[tuple[tuple[Path, ...], str]]:
    """Write the report and its pictures into the folder; the model is safe by now, so that trouble is only told."""
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.examples import iter_examples
    from napari_unet_seg.io.run_folder import write_run

    try:
        base = load_model(plan.base) if plan.base else None
        written = write_run(plan.folder, model, (yield from iter_examples(images, annotations, model, base, plan.settings.device)))
    except UnetSegError as error:
        return (), f"There are no pictures: {error}"
    return tuple(path for path in written if path.name.startswith("picture_")), ""


def _store(path: Path, name: str) -> Steps[None]:
    from napari_unet_seg.core.registry import import_model

    yield Progress("Saving", 0, 0)
    import_model(path, name)

"""``napari-unet-seg train``: a model from folders of images and labels."""

from __future__ import annotations

import dataclasses
import itertools
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_unet_seg.cli.network import INSTANCES, chosen_base, chosen_classes
from napari_unet_seg.cli.terminal import FAILED, Bar, before_work, note, say, setting
from napari_unet_seg.errors import InputError, ModelError, SettingsError, UnetSegError, WriteError
from napari_unet_seg.progress import Command, Progress, Steps
from napari_unet_seg.settings import ADVERSARIAL, ARCHITECTURES, NetworkSettings, TrainSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Annotation
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.io.training_data import TrainingSet

Result = TypeVar("Result")
Start = str | NetworkSettings
"""A model by name or path, or the shape of a network that starts from nothing."""

_GIVEN = (
    *("steps", "minutes", "seed", "device", "precision", "batch", "patch", "loss", "learning_rate", "decay", "validation", "patience"),
    *("supervision", "blend", "remember", "learning"),
)
"""Settings that are options of their own, as they are."""
_LABELS = "Folder of labels, called like the images: x_mask.png, x.labels.tif ...; IMAGES again if it holds images/ and masks/."
_SPARSE = "The labels are some painted nuclei, and what has no label is unknown: a narrow ring around each of them is background."
_CLASSES = "What numbers of the labels mean: instances are nuclei; else the number of classes of pixels, or their names, from 1 on."
_ADVERSARIAL = "Let a second network learn to tell the maps from annotated ones, and the first to deceive it."
_RUN = "Folder of the run: state to resume from, history, curves, report with pictures; by default MODEL_run beside the model."


@dataclass(frozen=True)
class TrainOptions:
    """Arguments and options of the command; None stands for the default of `TrainSettings`."""

    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Folder of images.", show_default=False)]
    labels: Annotated[str, typer.Argument(metavar="LABELS", help=_LABELS, show_default=False)]
    output: Annotated[str, typer.Option("--output", "-o", metavar="MODEL", help="File to write (.safetensors).", show_default=False)]
    known: Annotated[str, typer.Option(metavar="DIR", help="Folder of masks: not 0 where the labels can be believed.")] = ""
    sparse: Annotated[bool, typer.Option("--sparse", help=_SPARSE)] = False
    ground: Annotated[str, typer.Option(metavar="DIR", help="With --sparse, folder of masks: not 0 where background is painted.")] = ""
    classes: Annotated[str, typer.Option(metavar="instances|N|NAME,NAME", help=_CLASSES)] = INSTANCES
    base: Annotated[str, typer.Option(metavar="NAME|PATH|none", help="Model to start from; none starts from random weights.")] = "nuclei"
    architecture: Annotated[str, typer.Option(metavar="|".join(ARCHITECTURES), help="Kind of U-Net, with --base none.")] = ""
    width: Annotated[int | None, setting(NetworkSettings, "width")] = None
    depth: Annotated[int | None, setting(NetworkSettings, "depth")] = None
    stride: Annotated[int | None, setting(NetworkSettings, "stride")] = None
    supervision: Annotated[bool | None, setting(TrainSettings, "supervision")] = None
    adversarial: Annotated[bool, typer.Option("--adversarial", help=_ADVERSARIAL)] = False
    channel: Annotated[str, typer.Option(metavar="NAME|N", help="Channel that shows nuclei, where there are several.")] = ""
    steps: Annotated[int | None, setting(TrainSettings, "steps")] = None
    minutes: Annotated[float | None, setting(TrainSettings, "minutes")] = None
    seed: Annotated[int | None, setting(TrainSettings, "seed")] = None
    device: Annotated[str | None, setting(TrainSettings, "device")] = None
    precision: Annotated[str | None, setting(TrainSettings, "precision")] = None
    batch: Annotated[int | None, setting(TrainSettings, "batch")] = None
    patch: Annotated[int | None, setting(TrainSettings, "patch")] = None
    loss: Annotated[str | None, setting(TrainSettings, "loss")] = None
    learning_rate: Annotated[float | None, setting(TrainSettings, "learning_rate")] = None
    decay: Annotated[float | None, setting(TrainSettings, "decay")] = None
    blend: Annotated[float | None, setting(TrainSettings, "blend")] = None
    remember: Annotated[float | None, setting(TrainSettings, "remember")] = None
    learning: Annotated[str | None, setting(TrainSettings, "learning")] = None
    validation: Annotated[float | None, setting(TrainSettings, "validation")] = None
    patience: Annotated[int | None, setting(TrainSettings, "patience")] = None
    run: Annotated[str, typer.Option(metavar="DIR", help=_RUN)] = ""
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was interrupted.")] = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model and a run that are there.")] = False


def train(options: TrainOptions) -> None:
    """Train a model on images and labels; Ctrl-C ends the training and keeps the best so far, a second Ctrl-C cancels."""
    target = _target(options)
    settings = _settings(options)
    folder = _run_folder(options, target)
    with before_work():
        base = chosen_base(options.base, options.architecture, options.width, options.depth, options.stride)
    started = time.monotonic()
    try:
        data, annotations = _annotations(options, base, settings)
        from napari_unet_seg.core.train import iter_train

        model = follow(iter_train(data.images, annotations, base=base, settings=settings, run=folder))
        model = dataclasses.replace(model, name=target.stem)
        path = _save(model, target)
        _finish(data.images, annotations, model, base, folder)
    except KeyboardInterrupt:
        from napari_unet_seg.core.run_files import STATE

        kept = f"; --resume goes on with {folder}" if (folder / STATE).is_file() else ""
        note(f"Cancelled: no model is written{kept}.")
        raise typer.Exit(FAILED) from None
    say(f"{path}: {model.card['steps']} steps, {time.monotonic() - started:.0f} s; use it by --model {path}")


def follow(steps: Steps[Model]) -> Model:
    """Train to the end or to the first Ctrl-C, with a bar that shows the loss.

    Parameters
    ----------
    steps : generator
        A training.

    Returns
    -------
    Model

    Raises
    ------
    KeyboardInterrupt
        At a Ctrl-C before the first step, or at the second one.
    """
    progress = _through(next(steps), steps, "Preparing")
    if not isinstance(progress, Progress):
        return progress
    with _first_interrupt() as interrupted:
        while isinstance(progress, Progress):
            progress = _through(progress, steps, progress.stage, lambda: Command.STOP if interrupted() else None)
    return progress


def _through(
    progress: Progress | Result, steps: Steps[Result], stage: str, command: Callable[[], Command | None] = lambda: None
) -> Progress | Result:
    """Go through one stage with a bar of its own: the first step of the next one, or the result."""
    with Bar(1.0) as bar:
        while isinstance(progress, Progress) and progress.stage == stage:
            bar.update(progress.done / max(progress.total, 1), _described(progress))
            if progress.notice:
                note(progress.notice)
            try:
                progress = steps.send(command())
            except StopIteration as stop:
                result: Result = stop.value
                return result
    return progress


def _watch(steps: Steps[Result]) -> Result:
    """Run something else than the training, with a bar for each of its stages; Ctrl-C cancels."""
    try:
        progress: Progress | Result = next(steps)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    while isinstance(progress, Progress):
        progress = _through(progress, steps, progress.stage)
    return progress


@contextmanager
def _first_interrupt() -> Iterator[Callable[[], bool]]:
    """Only note the first Ctrl-C; the second is an ordinary one."""
    seen: list[int] = []

    def _handle(number: int, frame: Any) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, previous)
        note("Ending and keeping the best so far; Ctrl-C again cancels.")

    previous = signal.signal(signal.SIGINT, _handle)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, previous)


def _annotations(options: TrainOptions, base: Start, settings: TrainSettings) -> tuple[TrainingSet, list[Annotation]]:
    """Read images and labels, and say what there is to learn from."""
    from napari_unet_seg.core.annotations import summary
    from napari_unet_seg.core.classes import class_summary
    from napari_unet_seg.io.training_data import read_training_set

    known, ground = (Path(folder) if folder else None for folder in (options.known, options.ground))
    with before_work():
        data = read_training_set(Path(options.images), Path(options.labels), known, options.channel, ground, not settings.classes)
        annotations = _annotated(data, options, base)
        found = class_summary(annotations, settings.classes) if settings.classes else summary(annotations)
        if not found.nuclei:
            why, what = found.warnings[0], "class" if settings.classes else "nucleus"
            raise InputError(f"There is no {what} in {options.labels}: {why[0].lower()}{why[1:]}")
    for sentence in (*data.notices, *found.warnings):
        note(sentence)
    note(f"Learning from {found.sentence}. Ctrl-C ends the training and keeps the best so far.")
    return data, annotations


def _annotated(data: TrainingSet, options: TrainOptions, base: Start) -> list[Annotation]:
    from napari_unet_seg.core.classes import painted_classes
    from napari_unet_seg.core.data import annotated
    from napari_unet_seg.core.sparse_set import iter_sparse

    if options.sparse and options.classes != INSTANCES:
        grounds = itertools.repeat(None) if data.ground is None else data.ground
        found = [painted_classes(labels, ground) for labels, ground in zip(data.labels, grounds, strict=False)]
    elif options.sparse:
        model = base if isinstance(base, str) else None
        found = _watch(iter_sparse(data.images, data.labels, data.ground, model, options.device or "auto"))
    else:
        masks = itertools.repeat(None) if data.known is None else data.known
        found = [annotated(labels, known) for labels, known in zip(data.labels, masks, strict=False)]
    return [dataclasses.replace(annotation, group=group) for annotation, group in zip(found, data.groups, strict=True)]


def _finish(images: Sequence[Any], annotations: Sequence[Annotation], model: Model, base: Start, folder: Path) -> None:
    """Say what came of it, and write it into the run folder; the model is safe by now."""
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.examples import iter_examples
    from napari_unet_seg.core.report import sentences
    from napari_unet_seg.io.run_folder import write_run

    for sentence in sentences(model.card["report"]):
        note(sentence)
    try:
        device = model.card["training"]["device"]
        examples = _watch(iter_examples(images, annotations, model, load_model(base) if isinstance(base, str) else None, device))
        write_run(folder, model, examples)
    except UnetSegError as error:
        note(f"The report was not written: {error}")
    else:
        note(f"Report, curves and pictures: {folder / 'report.md'}")


def _save(model: Model, target: Path) -> Path:
    """Write the model; where that fails after all, into a temporary folder, since hours may be in it."""
    try:
        return model.save(target)
    except ModelError as error:
        note(f"Error: {error}")
        path = model.save(Path(tempfile.mkdtemp(prefix="napari-unet-seg-")) / target.name)
        note(f"It is kept as {path}; move it from there.")
        raise typer.Exit(FAILED) from error


def _described(progress: Progress) -> str:
    """Describe a step beside the bar."""
    metrics = progress.metrics
    if "loss" not in metrics:
        return progress.stage
    text = f"loss {metrics['loss']:.3f}"
    if "validation_loss" not in metrics:
        return text
    figure = f"AP {metrics['ap']:.2f}" if "ap" in metrics else f"Dice {metrics['mean_dice']:.2f}"
    return f"{text}, validation {metrics['validation_loss']:.3f}, {figure}"


def _settings(options: TrainOptions) -> TrainSettings:
    if options.sparse and options.known:
        raise SettingsError("Both --sparse and --known are given; give one of them.")
    if options.ground and not options.sparse:
        raise SettingsError("--ground needs --sparse: elsewhere, what has no label is background already.")
    given = {name: value for name in _GIVEN if (value := getattr(options, name)) is not None}
    return TrainSettings(**given, classes=chosen_classes(options.classes), adversarial=ADVERSARIAL * options.adversarial)


def _target(options: TrainOptions) -> Path:
    """Return the file to write, which may not exist, in a folder that must: before hours are spent."""
    target = Path(options.output)
    target = target if target.suffix == ".safetensors" else target.with_name(target.name + ".safetensors")
    if target.exists() and not (options.overwrite or options.resume):
        raise ModelError(f"{target} exists already; choose another name, or allow overwriting (--overwrite).")
    if not target.parent.is_dir():
        raise ModelError(f"There is no folder {target.parent}; make it, or choose another.")
    return target


def _run_folder(options: TrainOptions, target: Path) -> Path:
    """Return the folder of the run: with --resume the one that is there, else one without a state."""
    folder = Path(options.run) if options.run else target.with_name(f"{target.stem}_run")
    from napari_unet_seg.core.run_files import STATE

    state = folder / STATE
    if options.resume:
        if not state.is_file():
            note(f"There is nothing in {folder} to go on with: the training starts from its beginning.")
        return folder
    if state.is_file() and not options.overwrite:
        raise ModelError(
            f"{folder} holds a run already; go on with it (--resume), replace it (--overwrite), or give another folder (--run)."
        )
    try:
        state.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{state} cannot be replaced: {error.strerror or error}; give another folder (--run).") from error
    return folder

"""``napari-unet-seg train``: a model from folders of images and labels."""

from __future__ import annotations

import dataclasses
import math
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet_seg.cli.terminal import FAILED, Bar, before_work, note, say, setting
from napari_unet_seg.errors import ModelError, SettingsError
from napari_unet_seg.progress import Command, Steps
from napari_unet_seg.settings import TrainSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

_TRIAL_STEPS = 8
"""Steps that are timed to find out how many fit into a number of minutes; the first of them is slower and does not count."""
_GIVEN = ("seed", "device", "batch", "patch", "learning_rate", "validation")
"""Settings that are options of their own, as they are."""


@dataclass(frozen=True)
class TrainOptions:
    """Arguments and options of the command; None stands for the default of `TrainSettings`."""

    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Folder of images.", show_default=False)]
    labels: Annotated[str, typer.Argument(metavar="LABELS", help="Folder of labels, called like the images: x_mask.png, x.labels.tif ...")]
    output: Annotated[str, typer.Option("--output", "-o", metavar="MODEL", help="File to write (.safetensors).", show_default=False)]
    known: Annotated[str, typer.Option(metavar="DIR", help="Folder of masks: not 0 where the labels can be believed.")] = ""
    base: Annotated[str, typer.Option(metavar="NAME|PATH|none", help="Model to start from; none starts from random weights.")] = "nuclei"
    channel: Annotated[str, typer.Option(metavar="NAME|N", help="Channel that shows nuclei, where there are several.")] = ""
    steps: Annotated[int | None, setting(TrainSettings, "steps")] = None
    minutes: Annotated[float, typer.Option(min=0.0, metavar="M", help="As many steps as fit into M minutes.", show_default=False)] = 0.0
    seed: Annotated[int | None, setting(TrainSettings, "seed")] = None
    device: Annotated[str | None, setting(TrainSettings, "device")] = None
    batch: Annotated[int | None, setting(TrainSettings, "batch")] = None
    patch: Annotated[int | None, setting(TrainSettings, "patch")] = None
    learning_rate: Annotated[float | None, setting(TrainSettings, "learning_rate")] = None
    validation: Annotated[float | None, setting(TrainSettings, "validation")] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False


def train(options: TrainOptions) -> None:
    """Train a model on images and labels; Ctrl-C ends the training and keeps what was reached."""
    target = _target(options)
    settings = _settings(options)
    from napari_unet_seg.core.train import iter_train
    from napari_unet_seg.io.training_data import read_training_set

    known = Path(options.known) if options.known else None
    with before_work():
        data = read_training_set(Path(options.images), Path(options.labels), known, options.channel)
    for sentence in data.notices:
        note(sentence)
    base = None if options.base == "none" else options.base

    def start(settings: TrainSettings) -> Steps[Model]:
        return iter_train(data.images, data.labels, known=data.known, base=base, settings=settings)

    note(f"Training on {len(data.images)} planes; Ctrl-C ends it and keeps what was reached.")
    started = time.monotonic()
    try:
        if options.minutes:
            settings = dataclasses.replace(settings, steps=steps_within(options.minutes * 60, start, settings))
        model = follow(start(settings), settings.steps, started + (options.minutes * 60 or math.inf))
    except KeyboardInterrupt:
        note("Interrupted: nothing is written.")
        raise typer.Exit(FAILED) from None
    path = _save(dataclasses.replace(model, name=target.stem), target)
    say(f"{path}: {model.card['steps']} steps, {time.monotonic() - started:.0f} s; use it by --model {path}")


def steps_within(seconds: float, start: Callable[[TrainSettings], Steps[Model]], settings: TrainSettings) -> int:
    """Find out how many steps fit into a time, by doing a few.

    The learning rate falls to 0 over the steps, so that their number has to be known before the first.

    Parameters
    ----------
    seconds : float
        The time, from now on.
    start : callable
        Starts a training with given settings.
    settings : TrainSettings
        All but the number of steps.

    Returns
    -------
    int
        1 at least.
    """
    begun = time.monotonic()
    trial = start(dataclasses.replace(settings, steps=_TRIAL_STEPS))
    moments = []
    for _ in trial:
        moments.append(time.monotonic())
        if moments[-1] - begun > seconds / 2:
            break
    trial.close()
    prepared = moments[0] - begun  # images are prepared once more for the training itself
    each = (moments[-1] - moments[0]) / max(len(moments) - 1, 1) or prepared
    return max(1, int((seconds - (moments[-1] - begun) - prepared) / each))


def follow(steps: Steps[Model], total: int, deadline: float = math.inf) -> Model:
    """Train to the end, to the first Ctrl-C or to the deadline, with a bar that shows the loss.

    Parameters
    ----------
    steps : generator
        A training.
    total : int
        Its number of steps.
    deadline : float
        When to end at the latest, on the clock of `time.monotonic`.

    Returns
    -------
    Model

    Raises
    ------
    KeyboardInterrupt
        At a Ctrl-C before the first step, or at the second one.
    """
    with Bar(total) as bar:
        progress = next(steps)
        with _first_interrupt() as interrupted:
            while True:
                bar.update(progress.done, _losses(progress.metrics))
                enough = interrupted() or time.monotonic() > deadline
                try:
                    progress = steps.send(Command.STOP if enough else None)
                except StopIteration as stop:
                    model: Model = stop.value
                    return model


@contextmanager
def _first_interrupt() -> Iterator[Callable[[], bool]]:
    """Only note the first Ctrl-C; the second is an ordinary one."""
    seen: list[int] = []

    def handle(number: int, frame: Any) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, previous)


def _save(model: Model, target: Path) -> Path:
    """Write the model; where that fails after all, into a temporary folder, since hours may be in it."""
    try:
        return model.save(target)
    except ModelError as error:
        note(f"Error: {error}")
        path = model.save(Path(tempfile.mkdtemp(prefix="napari-unet-seg-")) / target.name)
        note(f"It is kept as {path}; move it from there.")
        raise typer.Exit(FAILED) from error


def _losses(metrics: Any) -> str:
    text = f"loss {metrics['loss']:.3f}"
    return text + f", validation {metrics['validation_loss']:.3f}" if "validation_loss" in metrics else text


def _settings(options: TrainOptions) -> TrainSettings:
    if options.minutes and options.steps is not None:
        raise SettingsError("Both --steps and --minutes are given; give one of them.")
    given = {name: value for name in ("steps", *_GIVEN) if (value := getattr(options, name)) is not None}
    return TrainSettings(**given)


def _target(options: TrainOptions) -> Path:
    """Return the file to write, which may not exist, in a folder that must: before hours are spent."""
    target = Path(options.output)
    target = target if target.suffix == ".safetensors" else target.with_name(target.name + ".safetensors")
    if target.exists() and not options.overwrite:
        raise ModelError(f"{target} exists already; choose another name, or allow overwriting (--overwrite).")
    if not target.parent.is_dir():
        raise ModelError(f"There is no folder {target.parent}; make it, or choose another.")
    return target

"""The course of a training: when it looks, saves, shows a preview and ends."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.annotations import FEW
from napari_unet_seg.core.blending import HALF_WAY, blend, choose_share, least_share
from napari_unet_seg.core.checkpoint import Model
from napari_unet_seg.core.class_figures import ClassFigures, measure_classes
from napari_unet_seg.core.cross_validation import find_nuclei, iter_cross_validate, look_at
from napari_unet_seg.core.optimizer import schedule
from napari_unet_seg.core.quantization import CARD_KEY
from napari_unet_seg.core.report import Outcome
from napari_unet_seg.core.run_state import SAVE_EVERY, RunState, load_state, open_folder
from napari_unet_seg.core.segment import segment
from napari_unet_seg.core.split import count_nuclei, split
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.core.validation import Figures, Look, cut_windows, measure
from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.progress import Command, Preview, Progress, Steps

if TYPE_CHECKING:
    from torch import Tensor

    from napari_unet_seg.core.data import Sample
    from napari_unet_seg.core.unet import UNet

LOOK_EVERY = 50
"""Steps between two looks at what is kept out of training."""
SCHEDULE_STEPS = 1000
"""A training by time takes its learning rate from a course of so many steps."""


class Run:
    """A training with all that is around it.

    Parameters
    ----------
    samples : list of Sample
        All that is annotated.
    start : Model
        The base, or random weights.
    state : RunState
        Of a training that begins.
    folder : Path or None
        Where the state is kept, and taken from if there is one.
    measured : bool
        Whether the base is a model, whose figures are worth having.

    Raises
    ------
    SettingsError
        If the folder holds another training.
    ModelError, WriteError
        If it cannot be read or made.
    """

    def __init__(self, samples: list[Sample], start: Model, state: RunState, folder: Path | None, *, measured: bool) -> None:
        """Divide the annotation, and go on with what the folder holds."""
        self.began = time.monotonic()
        self.settings = state.settings
        self.folder = folder
        self.measured = measured
        self.samples = samples
        self.parts = split(samples, self.settings)
        self.few = sum(map(count_nuclei, samples)) < FEW
        self.trainer = Trainer(start, self.parts.training, self.settings)
        self.windows = cut_windows(self.parts.validation, self.settings.patch, self.settings.seed)
        self.state = self._resumed(state)
        self.saved = self.state.step
        self.before = self.state.seconds
        self.ended = ""
        self.figures: Figures | None = None

    def iter_steps(self) -> Steps[None]:
        """Train to the end, or to `Command.STOP`; closing the generator cancels.

        Yields
        ------
        Progress
            After each step.
        """
        shown: Preview | None = None
        while not self._is_over():
            metrics, notice = self._step()
            picture, trouble = self._picture(shown)
            command = yield Progress("Training", self.state.step, self._total(), metrics, picture, notice or trouble)
            shown = command if isinstance(command, Preview) else None
            if command is Command.STOP:
                self.ended = f"It was stopped after {self.state.step} steps."
                break
        self._save()
        if self.windows and self.state.step % LOOK_EVERY:
            self._look(self.state.history[-1])  # not saved: a training that goes on must not depend on where it was stopped

    def iter_outcome(self) -> Steps[Outcome]:
        """Measure what came of it, and the base beside it.

        Yields
        ------
        Progress
            While few nuclei are left out in turn.

        Returns
        -------
        Outcome
        """
        shape = self.trainer.network.settings
        if not (shape.distance or shape.is_semantic):
            return Outcome("training", self.parts.sentence, None, None)
        if self.windows:
            return Outcome("validation", self.parts.sentence, self._measure_base(self.windows), self._measure_best(self.windows))
        if not self.few or shape.is_semantic:
            windows = cut_windows(self.parts.training, self.settings.patch, self.settings.seed)
            return Outcome("training", self.parts.sentence, self._measure_base(windows), self._measure_best(windows))
        windows = look_at(self.samples, find_nuclei(self.samples), self.settings.patch)
        crossed = None
        if not self.ended:
            settings = replace(self.settings, steps=self.state.step, batch=self.trainer.batch, blend=self.share)
            crossed = yield from iter_cross_validate(self.samples, self.trainer.start, settings, self.trainer.threads)
        after = crossed or self._measure_best(windows)
        return Outcome("cross-validation" if crossed else "training", self.parts.sentence, self._measure_base(windows), after)

    def best_network(self) -> UNet:
        """Return the best weights as a network on the CPU, in evaluation mode; with a base, blended with its own."""
        return self._blended(self.state.best or self.trainer.weights(), self.share)

    @cached_property
    def share(self) -> float:
        """Share of the way from the base to what was learned that the model goes; asked for when the training has ended."""
        usual = self._usual_share()
        if self.settings.blend or usual == 1:
            return usual
        learned = self.state.best or self.trainer.weights()
        if sum(map(count_nuclei, self.windows)) >= FEW:
            return choose_share(lambda share: self._measure_network(self.windows, self._blended(learned, share)).quality[0])
        painted = cut_windows(self.parts.training, self.settings.patch, self.settings.seed)
        return least_share(lambda share: _overlap(self._measure_network(painted, self._blended(learned, share))))

    def _usual_share(self) -> float:
        return 1.0 if not self.measured else self.settings.blend or HALF_WAY

    def _blended(self, learned: Mapping[str, Tensor], share: float) -> UNet:
        network = copy.deepcopy(self.trainer.start.network).cpu().eval()
        network.load_state_dict(blend(network.state_dict(), learned, share))
        return network

    def _resumed(self, state: RunState) -> RunState:
        state.batch, state.threads = self.trainer.batch, self.trainer.threads
        if self.folder is None:
            return state
        open_folder(self.folder)
        found = load_state(self.folder)
        if found is None:
            return state
        kept, tensors = found
        kept.check(state, self.folder)
        self.trainer.load(tensors, kept.step)
        self.trainer.batch = kept.batch
        self.trainer.threads = kept.threads = kept.threads or self.trainer.threads
        kept.settings = self.settings
        return kept

    def _is_over(self) -> bool:
        state, settings = self.state, self.settings
        looks_since = (state.step - state.best_step) // LOOK_EVERY
        if settings.patience and state.best_step and looks_since >= settings.patience:
            self.ended = (
                f"It ended after {state.step} steps, since {settings.patience} looks showed nothing better than at {state.best_step}."
            )
            return True
        return state.seconds >= 60 * settings.minutes if settings.minutes else state.step >= settings.steps

    def _step(self) -> tuple[dict[str, float], str]:
        """Do one step, look at what is kept out and save the state where it is time: the metrics and a notice."""
        state = self.state
        rate = self.settings.learning_rate * self._share()
        terms, notice = self.trainer.step(rate)
        state.step, state.batch = state.step + 1, self.trainer.batch
        row = {**terms, "step": state.step, "rate": rate}
        if self.windows and state.step % LOOK_EVERY == 0:
            self._look(row)
        state.seconds = self.before + time.monotonic() - self.began
        row["seconds"] = round(state.seconds, 3)
        state.history.append(row)
        if state.step % SAVE_EVERY == 0:
            self._save()
        return {name: value for name, value in row.items() if name != "step"}, notice

    def _share(self) -> float:
        """Return the share of the highest learning rate for the next step."""
        settings = self.settings
        if not settings.minutes:
            return schedule(self.state.step + 1, settings.steps, settings.decay)
        done = min(self.state.seconds / (60 * settings.minutes), 1.0)
        return schedule(1 + done * (SCHEDULE_STEPS - 1), SCHEDULE_STEPS, settings.decay)

    def _total(self) -> int:
        """Return the number of steps, or, in a training by time, what it will be at the present pace."""
        if not self.settings.minutes:
            return self.settings.steps
        done = min(self.state.seconds / (60 * self.settings.minutes), 1.0)
        return max(self.state.step, round(self.state.step / max(done, 1e-9)))

    def _look(self, row: dict[str, float]) -> None:
        """Measure the average on what is kept out, and keep it if it is the best."""
        figures = self._measure(self.windows, self.trainer.look)
        row |= {"validation_loss": figures.loss, **figures.metrics}
        self.state.offer(figures.quality, self.trainer.weights())

    def _save(self) -> None:
        if self.folder is not None and self.state.step > self.saved:
            self.state.save(self.folder, self.trainer.state())
            self.saved = self.state.step

    def _measure(self, windows: Sequence[Sample], look: Look) -> Figures | ClassFigures:
        if self.trainer.network.settings.is_semantic:
            return measure_classes(windows, look, self.trainer.network.settings.classes)
        return measure(windows, look, self.trainer.start.defaults)

    def _measure_base(self, windows: Sequence[Sample]) -> Figures | ClassFigures | None:
        if not self.measured:
            return None
        base = self.trainer.base()
        return self._measure(windows, lambda window: self.trainer.look(window, base))

    def _measure_best(self, windows: Sequence[Sample]) -> Figures | ClassFigures:
        return self._measure_network(windows, self.best_network())

    def _measure_network(self, windows: Sequence[Sample], network: UNet) -> Figures | ClassFigures:
        network = network.to(self.trainer.device)
        return self._measure(windows, lambda window: self.trainer.look(window, network))

    def _picture(self, wanted: Preview | None) -> tuple[npt.NDArray[np.int32] | None, str]:
        """Segment the plane of a preview with the average by now: labels, or why there are none."""
        if wanted is None:
            return None, ""
        try:
            return self._segmented(wanted), ""
        except UnetSegError as error:  # a picture that cannot be shown is no reason to end a training
            return None, str(error)

    def _segmented(self, wanted: Preview) -> npt.NDArray[np.int32]:
        start = self.trainer.start
        card = {name: value for name, value in start.card.items() if name != CARD_KEY}  # ranges of the base are not those of these weights
        model = Model(self._blended(self.trainer.weights(), self._usual_share()), card, start.defaults)
        settings = wanted.settings
        if self.settings.classes and settings.polarity != start.defaults.polarity:
            settings = start.defaults  # classes were learned with one polarity
        labels = segment(wanted.image, model, self.trainer.device, settings=settings)
        if labels.ndim != 2:
            raise InputError(f"The preview has shape {labels.shape}; it must be one plane.")
        return labels


def _overlap(figures: Figures | ClassFigures) -> float:
    """Return how well what is annotated is found, 0 to 1."""
    return figures.iou if isinstance(figures, Figures) else figures.quality[0]

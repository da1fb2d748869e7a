"""The state of a training on the disk, from which it goes on to exactly the weights that it would have reached without a break.

``state.safetensors`` in the run folder holds the network, the average and best weights, AdamW's running means, the state of the random
numbers and the history, and in its metadata, as JSON, the step, the settings and hashes of the data and the base. It is written in one
step, so that a killed process leaves the state before. Nothing in it is code.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.checkpoint import Model
from napari_unet_seg.core.optimizer import schedule
from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.errors import ModelError, SettingsError, WriteError
from napari_unet_seg.settings import TrainSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Annotation

SAVE_EVERY = 100
"""Steps between two writings of the state."""
_FORMAT = 1
_KEY = "napari_unet_seg_run"
_FREE = ("steps", "minutes", "device", "precision", "patience")
"""Settings that may differ when a training goes on; more steps under a condition of their own."""

Row = dict[str, float]


@dataclass
class RunState:
    """What a run needs to go on, less the trainer's own tensors.

    Parameters
    ----------
    settings : TrainSettings
        With everything automatic decided.
    data, start : str
        Hashes of what is learned from, and of the base or the random weights at the start.
    step : int
        Steps done.
    seconds : float
        Time spent on them.
    batch : int
        Patches a step, which memory may have made fewer.
    threads : int
        With which the CPU computes; 0 before a training has begun.
    best_step : int
        Step of the best weights; 0 before the first look.
    quality : tuple of float
        What made them the best.
    history : list of dict
        A row of metrics for each step.
    best : dict of str to Tensor
        The best weights; empty before the first look.
    """

    settings: TrainSettings
    data: str
    start: str
    step: int = 0
    seconds: float = 0.0
    batch: int = 0
    threads: int = 0
    best_step: int = 0
    quality: tuple[float, float] = (-math.inf, -math.inf)
    history: list[Row] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, quality: tuple[float, float], weights: dict[str, Tensor]) -> None:
        """Keep weights if they are better than the best so far."""
        if quality > self.quality:
            self.quality, self.best_step, self.best = quality, self.step, weights

    def check(self, other: RunState, folder: Path) -> None:
        """Raise `SettingsError` if this state, found in a folder, is not one of the training that `other` starts."""
        for name, what in (("data", "of other images or labels"), ("start", "with another base or network")):
            if getattr(self, name) != getattr(other, name):
                raise SettingsError(f"The run in {folder} is a training {what}; give another folder, or the same data and base.")
        mine, theirs = self.settings.to_dict(), other.settings.to_dict()
        differing = [name for name in mine if mine[name] != theirs[name] and name not in _FREE]
        if differing:
            name = differing[0]
            raise SettingsError(f"The run in {folder} has {name} {mine[name]}, not {theirs[name]}; give the same, or another folder.")
        if not self._agrees(other.settings):
            raise SettingsError(
                f"The run in {folder} was to take {_length(self.settings)}, and its learning rate has followed that; "
                "go on with the same, or start from its model instead."
            )

    def _agrees(self, settings: TrainSettings) -> bool:
        """Whether the steps so far would have been the same with the other length."""
        mine = self.settings
        if (mine.steps, mine.minutes) == (settings.steps, settings.minutes):
            return True
        if mine.minutes or settings.minutes or settings.steps < self.step:
            return False
        rates = (
            (schedule(step, mine.steps, mine.decay), schedule(step, settings.steps, settings.decay)) for step in range(1, self.step + 1)
        )
        return all(first == second for first, second in rates)

    def save(self, folder: Path, tensors: Mapping[str, Tensor]) -> None:
        """Write the state into a folder, replacing the one before in one step.

        Parameters
        ----------
        folder : Path
            There already.
        tensors : mapping of str to Tensor
            The trainer's.

        Raises
        ------
        WriteError
            If the system refuses; the state before is then still whole.
        """
        columns = sorted({name for row in self.history for name in row})
        table = torch.tensor([[row.get(name, math.nan) for name in columns] for row in self.history], dtype=torch.float64)
        every = {**tensors, "history": table, **{f"best.{name}": tensor for name, tensor in self.best.items()}}
        described = {name: getattr(self, name) for name in ("data", "start", "step", "seconds", "batch", "threads", "best_step")}
        described |= {"format_version": _FORMAT, "columns": columns, "settings": self.settings.to_dict()}
        described["quality"] = self.quality if self.best else None
        _write(folder / STATE, {name: tensor.detach().cpu().contiguous() for name, tensor in every.items()}, described)


def load_state(folder: Path) -> tuple[RunState, dict[str, Tensor]] | None:
    """Read the state of a run.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of (RunState, dict of str to Tensor), or None
        And the trainer's tensors; None when there is no state.

    Raises
    ------
    ModelError
        If it is damaged or of another version.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a dict
        if described.pop("format_version") != _FORMAT:
            raise ModelError(f"The run in {folder} is of another version of this program; start again in another folder.")
        columns, quality = described.pop("columns"), described.pop("quality")
        settings = TrainSettings.from_dict(described.pop("settings"))
        history = [_row(columns, values) for values in tensors.pop("history").tolist()]
        best = {name.removeprefix("best."): tensors.pop(name) for name in list(tensors) if name.startswith("best.")}
        state = RunState(settings=settings, history=history, best=best, **described)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The run in {folder} cannot be read: {error}; start again in another folder.") from error
    state.quality = tuple(quality) if quality else state.quality
    return state, tensors


def last_model(state: RunState, tensors: Mapping[str, Tensor], like: Model) -> Model:
    """Return the averaged weights at the last step of a run, which are not always the best.

    Parameters
    ----------
    state : RunState
    tensors : mapping of str to Tensor
        The trainer's, from `load_state`.
    like : Model
        The model that came of the run: name, card and settings are taken from it.

    Returns
    -------
    Model
    """
    network = copy.deepcopy(like.network)
    network.load_state_dict({name.removeprefix("average."): tensor for name, tensor in tensors.items() if name.startswith("average.")})
    card = {name: value for name, value in like.card.items() if name != "report"}
    return Model(network, card | {"steps": state.step}, like.defaults, f"{like.name}-last")


def hash_data(images: Sequence[Any], annotations: Sequence[Annotation]) -> str:
    """Hash what is learned from.

    Parameters
    ----------
    images : sequence of ndarray
    annotations : sequence of Annotation

    Returns
    -------
    str
        SHA-256 of all pixels, shapes and dtypes in order.
    """
    digest = hashlib.sha256()
    for image, annotation in zip(images, annotations, strict=True):
        for array in (np.asarray(image), annotation.labels, annotation.known):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(annotation.group.encode())
    return digest.hexdigest()


def _row(columns: Sequence[str], values: Sequence[float]) -> Row:
    return {name: value for name, value in zip(columns, values, strict=True) if not math.isnan(value)}


def _length(settings: TrainSettings) -> str:
    return f"{settings.minutes:g} minutes" if settings.minutes else f"{settings.steps} steps"


def open_folder(folder: Path) -> None:
    """Make a run folder, before hours are spent on what is to be kept there.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    WriteError
        If the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritten(folder, error) from error


def _write(path: Path, tensors: dict[str, Tensor], described: dict[str, Any]) -> None:
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {_KEY: json.dumps(described)})
    except SafetensorError as error:
        raise _unwritten(path.parent, error) from error


def _unwritten(folder: Path, error: Exception) -> WriteError:
    return WriteError(f"The run cannot be kept in {folder}: {getattr(error, 'strerror', None) or error}; choose another folder.")

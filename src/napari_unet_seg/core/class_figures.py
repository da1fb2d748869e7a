"""Figures of a network that tells classes apart: Dice of each class, on annotated pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.data import PAINTED

if TYPE_CHECKING:
    from napari_unet_seg.core.data import Sample
    from napari_unet_seg.core.validation import Look


@dataclass(frozen=True)
class ClassFigures:
    """What was measured; ``a + b`` pools two measurements.

    Parameters
    ----------
    names : tuple of str
        Of the classes, the background first.
    shared, truth, found : tuple of int
        Pixels of each class that are annotated and found as such, annotated, and found where something is annotated.
    losses : float
        Sum of the losses of the windows.
    windows : int
        Their number.
    """

    names: tuple[str, ...]
    shared: tuple[int, ...]
    truth: tuple[int, ...]
    found: tuple[int, ...]
    losses: float = 0.0
    windows: int = 0

    def __add__(self, other: ClassFigures) -> ClassFigures:
        """Pool two measurements."""
        shared, truth, found = (tuple(map(sum, zip(a, b, strict=True))) for a, b in zip(self._counts, other._counts, strict=True))
        return ClassFigures(self.names, shared, truth, found, self.losses + other.losses, self.windows + other.windows)

    @property
    def _counts(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self.shared, self.truth, self.found

    @property
    def dice(self) -> dict[str, float]:
        """Dice, 2 |A ∩ B| / (|A| + |B|), of each class that is annotated (Dice, Ecology 1945)."""
        rows = zip(self.names, *self._counts, strict=True)
        return {name: 2 * shared / (truth + found) for name, shared, truth, found in rows if truth}

    @property
    def mean_dice(self) -> float:
        """Mean Dice of the classes that are annotated; 0 without any."""
        return sum(self.dice.values()) / len(self.dice) if self.dice else 0.0

    @property
    def loss(self) -> float:
        """Mean loss of the windows."""
        return self.losses / self.windows if self.windows else math.nan

    @property
    def quality(self) -> tuple[float, float]:
        """What makes weights the best: the mean Dice first, then the loss."""
        return round(self.mean_dice, 4), -self.loss

    @property
    def metrics(self) -> dict[str, float]:
        """What a look adds to the history: ``mean_dice``, and ``dice_<class>`` for each class."""
        return {"mean_dice": self.mean_dice, **{f"dice_{name}": value for name, value in self.dice.items()}}

    def to_dict(self) -> dict[str, Any]:
        """Return the figures rounded, as a card holds them."""
        return {"mean_dice": round(self.mean_dice, 4), "dice": {name: round(value, 4) for name, value in self.dice.items()}}


def measure_classes(windows: Sequence[Sample], look: Look, names: tuple[str, ...]) -> ClassFigures:
    """Measure a network on windows.

    Parameters
    ----------
    windows : sequence of Sample
        Each at most a patch large, with a map for each class.
    look : callable
        Computes loss and maps of one.
    names : tuple of str
        Of the classes, the background first.

    Returns
    -------
    ClassFigures
    """
    none = (0,) * len(names)
    figures = ClassFigures(names, none, none, none)
    for window in windows:
        loss, maps = look(window)
        found = np.zeros(window.labels.shape, np.int64) if maps is None else maps[: len(names)].argmax(axis=0)
        figures += compare_classes(names, window.channels[PAINTED:].numpy().argmax(axis=0), found, window.known, loss)
    return figures


def compare_classes(
    names: tuple[str, ...], truth: npt.NDArray[Any], found: npt.NDArray[Any], known: npt.NDArray[np.bool_], loss: float = 0.0
) -> ClassFigures:
    """Count the pixels that two class maps have in common.

    Parameters
    ----------
    names : tuple of str
        Of the classes 0, 1, ...
    truth, found : ndarray of int, shape (Y, X)
        Class maps.
    known : ndarray of bool, shape (Y, X)
        Where the first can be believed; elsewhere nothing counts.
    loss : float

    Returns
    -------
    ClassFigures
    """
    truth, found = truth[known], found[known]
    shared, true, seen = (tuple(np.bincount(part, minlength=len(names)).tolist()) for part in (truth[truth == found], truth, found))
    return ClassFigures(names, shared, true, seen, loss, 1)

"""Figures on annotated pixels: of the base before, of the model as it learns, and of what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.data import Box, Sample
from napari_unet_seg.core.instances import instances
from napari_unet_seg.core.metrics import THRESHOLDS, Scores, evaluate, overlaps

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

MOST_WINDOWS = 24
"""Windows on which is measured at most: a look must cost little beside the steps between two."""
HALF = 0.5
"""A nucleus counts as known, or found, from half on."""

Look = Callable[[Sample], tuple[float, "npt.NDArray[Any] | None"]]
"""What computes the loss and the maps (C, Y, X) of a window; None for a model that has no nuclei to decode."""


@dataclass(frozen=True)
class Figures:
    """What was measured; ``a + b`` pools two measurements.

    Parameters
    ----------
    scores : Scores
        Matched and unmatched nuclei, among those that are known.
    best_iou : float
        Sum, over the annotated nuclei, of the IoU with the nucleus found there.
    losses : float
        Sum of the losses of the windows.
    windows : int
        Their number.
    """

    scores: Scores
    best_iou: float = 0.0
    losses: float = 0.0
    windows: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Pool two measurements."""
        return Figures(self.scores + other.scores, self.best_iou + other.best_iou, self.losses + other.losses, self.windows + other.windows)

    @property
    def nuclei(self) -> int:
        """Annotated nuclei."""
        return self.scores.tp[0] + self.scores.fn[0]

    @property
    def found(self) -> int:
        """Nuclei that the model finds where something is known."""
        return self.scores.tp[0] + self.scores.fp[0]

    @property
    def loss(self) -> float:
        """Mean loss of the windows."""
        return self.losses / self.windows if self.windows else math.nan

    @property
    def iou(self) -> float:
        """Mean IoU of the annotated nuclei with what is found there; 0 for one that is missed."""
        return self.best_iou / self.nuclei if self.nuclei else 0.0

    @property
    def quality(self) -> tuple[float, float]:
        """What makes weights the best: mean AP of the labels first, then the loss."""
        return round(self.scores.mean_ap(), 4), -self.loss

    @property
    def metrics(self) -> dict[str, float]:
        """What a look adds to the history: ``ap``, the mean AP."""
        return {"ap": self.scores.mean_ap()}

    def to_dict(self) -> dict[str, float]:
        """Return the figures rounded, as a card holds them."""
        figures = {"ap50": self.scores.ap(HALF), "mean_ap": self.scores.mean_ap(), "recall": self.scores.recall(HALF), "iou": self.iou}
        rounded = {name: round(value, 4) for name, value in figures.items()}
        return {"nuclei": self.nuclei, "found": self.found, **rounded}


def nothing() -> Figures:
    """Return the figures of no window, to add to."""
    none = (0,) * len(THRESHOLDS)
    return Figures(Scores(THRESHOLDS, none, none, none, (0.0,) * len(THRESHOLDS)))


def measure(windows: Sequence[Sample], look: Look, decoding: SegmentSettings) -> Figures:
    """Measure a network on windows.

    Parameters
    ----------
    windows : sequence of Sample
        Each at most a patch large.
    look : callable
        Computes loss and maps of one.
    decoding : SegmentSettings
        How maps become labels.

    Returns
    -------
    Figures
    """
    figures = nothing()
    for window in windows:
        loss, maps = look(window)
        found = np.zeros_like(window.labels) if maps is None else instances(maps, decoding)
        scores, best = compare(window, found, decoding.min_area)
        figures += Figures(scores, best, loss, 1)
    return figures


def compare(window: Sample, found: npt.NDArray[Any], smallest: int = 0) -> tuple[Scores, float]:
    """Match what was found with what is known.

    Parameters
    ----------
    window : Sample
        Labels, and where they can be believed.
    found : ndarray of int, shape (Y, X)
        What the network finds.
    smallest : int
        Area (px2) below which a part of an annotated nucleus, cut by the window, does not count.

    Returns
    -------
    Scores
        Nuclei that lie for the larger part where nothing is known are left out, on both sides.
    float
        Sum of the IoU of each annotated nucleus with the best one found.
    """
    truth, found = _believed(window.labels, window.known, smallest), _believed(found, window.known, 0)
    iou = overlaps(truth, found)
    best = float(iou.max(axis=1).sum()) if iou.nnz else 0.0
    return evaluate(truth, found), best


def _believed(labels: npt.NDArray[Any], known: npt.NDArray[np.bool_], smallest: int) -> npt.NDArray[Any]:
    numbers, places = np.unique(labels, return_inverse=True)
    places = places.reshape(labels.shape)
    area, seen = np.bincount(places.ravel()), np.bincount(places[known], minlength=len(numbers))
    keep = (seen >= HALF * area) & (area >= smallest) & (numbers > 0)
    return np.where(keep[places], labels, 0)


def cut_windows(samples: Sequence[Sample], edge: int, seed: int, most: int = MOST_WINDOWS) -> list[Sample]:
    """Cut samples into windows, of which some are chosen at random.

    Parameters
    ----------
    samples : sequence of Sample
    edge : int
        Largest edge of a window, in pixels.
    seed : int
        Of the choice.
    most : int
        How many at most.

    Returns
    -------
    list of Sample
        Those in which something is known; those with a nucleus come first.
    """
    windows = [sample.crop(box) for sample in samples for box in _boxes(sample.labels.shape, edge)]
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(seed)).tolist()
    known = [windows[place] for place in order if windows[place].known.any()]
    return sorted(known, key=lambda window: not (window.known & (window.labels > 0)).any())[:most]


def window_around(sample: Sample, box: Box, edge: int) -> Sample:
    """Cut a window around a nucleus.

    Parameters
    ----------
    sample : Sample
    box : tuple of slice
        The nucleus' bounding box.
    edge : int
        Largest edge of the window, in pixels; it lies inside the sample.

    Returns
    -------
    Sample
    """
    sides = []
    for side, size in zip(box, sample.labels.shape, strict=True):
        start = min(max((side.start + side.stop - edge) // 2, 0), max(size - edge, 0))
        sides.append(slice(start, min(start + edge, size)))
    return sample.crop((sides[0], sides[1]))


def _boxes(shape: tuple[int, ...], edge: int) -> list[Box]:
    """Divide a plane into boxes of nearly equal size, none larger than `edge`."""
    sides = []
    for size in shape:
        ends = np.linspace(0, size, -(-size // edge) + 1).round().astype(int)
        sides.append([slice(int(start), int(stop)) for start, stop in pairwise(ends)])
    return [(rows, columns) for rows in sides[0] for columns in sides[1]]

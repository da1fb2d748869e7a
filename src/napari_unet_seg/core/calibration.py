"""How far scores can be believed: measured against annotated images, and the curve that makes a score the chance of a nucleus to be right.

The curve is a rising one through the shares of right nuclei among those of similar score (isotonic regression; Zadrozny and Elkan 2002),
and the error is the expected calibration error (Naeini et al. 2015; Guo et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.metrics import matched_nuclei
from napari_unet_seg.core.score import CARD_KEY, Knots, calibrated
from napari_unet_seg.core.segment import iter_segment
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import drain

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

OVERLAP = 0.5
"""IoU with a nucleus of the truth from which on a nucleus is right."""
KNOTS = 20
"""Of the curve: each is the mean of as many nuclei as the others."""
BINS = 10
"""Of the reliability: the scores from 0 to 1 in equal steps."""
_LEAST_NUCLEI = 10 * KNOTS
_DIGITS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """Nuclei that a model found, and whether they are right.

    Parameters
    ----------
    score : ndarray of float64, shape (nuclei,)
        Mean probability of each nucleus.
    right : ndarray of bool, shape (nuclei,)
        Whether it matches one of the truth at an IoU of `OVERLAP`.
    group : ndarray of int64, shape (nuclei,)
        Nuclei of one field of view belong together: none is judged by its own neighbours.
    """

    score: Floats
    right: npt.NDArray[np.bool_]
    group: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """Scores beside the truth, from low to high: the points of a reliability diagram.

    Parameters
    ----------
    score : tuple of float
        Mean score of the nuclei of each bin that holds any.
    right : tuple of float
        Share of them that are right.
    nuclei : tuple of int
        How many they are.
    """

    score: tuple[float, ...]
    right: tuple[float, ...]
    nuclei: tuple[int, ...]

    @property
    def error(self) -> float:
        """The expected calibration error: how far scores are from the share that is right, averaged over the nuclei; 0 without any."""
        gaps = np.abs(np.subtract(self.score, self.right))
        return float(np.average(gaps, weights=self.nuclei)) if self.nuclei else 0.0


def calibrate(model: Model, images: Iterable[Any], truths: Iterable[Any], groups: Iterable[Any]) -> Model:
    """Measure how far the scores of a model can be believed, and write the curve that mends them into its card.

    Parameters
    ----------
    model : Model
        Its own settings are used, and a curve that it has already is not.
    images : iterable of array-like
        Planes that the model did not learn from.
    truths : iterable of array-like of int, shape (Y, X)
        Their nuclei.
    groups : iterable of str or int
        The field of view of each, so that the error is measured on other fields than the curve.

    Returns
    -------
    Model
        With `calibration` in its card: ``knots``, the number of ``nuclei`` and ``fields`` they come from, and the expected calibration
        error of the mean probability, ``error_before``, and of the curve on fields that it was not made from, ``error_after``.

    Raises
    ------
    InputError
        If there are too few nuclei or fields, or images, truths and groups are not equally many.
    """
    examples = collect_examples(model, images, truths, groups)
    _check(examples)
    after = cross_calibrated(examples)
    facts = {
        "knots": [list(knot) for knot in fit_knots(examples.score, examples.right)],
        "nuclei": len(examples.score),
        "fields": len(np.unique(examples.group)),
        "right": f"overlaps a nucleus of the truth at IoU {OVERLAP:g} or more",
        "error_before": round(reliability(examples.score, examples.right).error, _DIGITS),
        "error_after": round(reliability(after, examples.right).error, _DIGITS),
    }
    return replace(model, card={**model.card, CARD_KEY: facts})


def collect_examples(model: Model, images: Iterable[Any], truths: Iterable[Any], groups: Iterable[Any]) -> Examples:
    """Segment annotated images, and say which nuclei are right; parameters as `calibrate`.

    Returns
    -------
    examples : Examples
        The nuclei of all images.

    Raises
    ------
    InputError
        If images, truths and groups are not equally many, or a truth does not fit its image.
    """
    images, truths, groups = list(images), list(truths), list(groups)
    if not len(images) == len(truths) == len(groups):
        raise InputError(f"There are {len(images)} images, {len(truths)} labels and {len(groups)} fields; give equally many.")
    bare = replace(model, card={key: value for key, value in model.card.items() if key != CARD_KEY})
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    parts: list[tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.int64]]] = [(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64))]
    for image, truth, group in zip(images, truths, groups, strict=True):
        found = drain(iter_segment(image, bare))
        _, right = matched_nuclei(truth, found.labels, OVERLAP)
        parts.append((found.features["score"].to_numpy(np.float64), right, np.full(right.size, numbers[group])))
    return Examples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fit_knots(score: Floats, right: npt.NDArray[np.bool_]) -> Knots:
    """Draw a rising curve through the shares of right nuclei.

    Parameters
    ----------
    score : ndarray of float64, shape (nuclei,)
        Mean probability of each.
    right : ndarray of bool, shape (nuclei,)
        Whether it is right.

    Returns
    -------
    tuple of (float, float)
        At most `KNOTS`, both coordinates rising.

    Raises
    ------
    InputError
        If there is no nucleus.
    """
    from scipy.optimize import isotonic_regression

    if not score.size:
        raise InputError("There is no nucleus to calibrate with; give images in which the model finds some.")
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, KNOTS) if part.size]
    middle = np.array([score[part].mean() for part in parts])
    share = np.array([(right[part].sum() + 1) / (part.size + 2) for part in parts])  # Laplace's rule: nothing is certain
    rising = isotonic_regression(share, weights=np.array([part.size for part in parts])).x
    first = np.append(True, np.diff(middle.round(_DIGITS)) > 0)  # equal scores are one knot
    return tuple((round(float(x), _DIGITS), round(float(y), _DIGITS)) for x, y in zip(middle[first], rising[first], strict=True))


def cross_calibrated(examples: Examples) -> Floats:
    """Return the score of each nucleus by the curve of the other half of the fields: what new fields can expect.

    Parameters
    ----------
    examples : Examples

    Returns
    -------
    ndarray of float64, shape (nuclei,)
    """
    groups, size = np.unique(examples.group, return_counts=True)
    # The largest field to the one half, the next two to the other, and so on: halves of about as many nuclei.
    second = np.isin(examples.group, [group for place, group in enumerate(groups[np.argsort(-size, kind="stable")]) if place % 4 in (1, 2)])
    score = np.empty_like(examples.score)
    for half in (second, ~second):
        score[half] = calibrated(examples.score[half], fit_knots(examples.score[~half], examples.right[~half]))
    return score


def reliability(score: Floats, right: npt.NDArray[np.bool_]) -> Reliability:
    """Compare scores with the truth.

    Parameters
    ----------
    score : ndarray of float64, shape (nuclei,)
        From 0 to 1.
    right : ndarray of bool, shape (nuclei,)
        Whether the nucleus is right.

    Returns
    -------
    Reliability
    """
    place = np.clip((score * BINS).astype(np.int64), 0, BINS - 1)
    nuclei = np.bincount(place, minlength=BINS)
    held = nuclei > 0
    mean, share = (np.bincount(place, values, minlength=BINS)[held] / nuclei[held] for values in (score, right.astype(np.float64)))
    return Reliability(tuple(mean.tolist()), tuple(share.tolist()), tuple(nuclei[held].tolist()))


def _check(examples: Examples) -> None:
    fields = len(np.unique(examples.group))
    if len(examples.score) < _LEAST_NUCLEI or fields < 2:
        raise InputError(f"A calibration needs {_LEAST_NUCLEI} nuclei in two fields; there are {len(examples.score)} in {fields}.")

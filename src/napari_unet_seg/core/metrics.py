"""How well labels agree with the truth: counts of matched nuclei at many thresholds, pooled over images by adding them.

The matching is that of the StarDist paper (Schmidt et al., MICCAI 2018; Caicedo et al., Nature Methods 2019): nuclei match one to one when their
intersection over union (IoU) reaches the threshold, and AP = TP / (TP + FP + FN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array

from napari_unet_seg.errors import InputError

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.5, 0.55, ... 0.95."""
_TOLERANCE = 1e-9
"""An IoU that equals the threshold but for rounding is at the threshold."""

Counts = tuple[int, ...]


@dataclass(frozen=True)
class Scores:
    """Matched and unmatched nuclei at each threshold; ``a + b`` pools two images.

    Parameters
    ----------
    thresholds : tuple of float
        IoU thresholds.
    tp, fp, fn : tuple of int
        Matched nuclei, predicted nuclei without a match, true nuclei without one.
    iou : tuple of float
        Sum of the IoU of the matched pairs.
    """

    thresholds: tuple[float, ...]
    tp: Counts
    fp: Counts
    fn: Counts
    iou: tuple[float, ...]

    def __add__(self, other: Scores) -> Scores:
        """Add the counts of two images."""
        if self.thresholds != other.thresholds:
            raise InputError(f"Scores at {self.thresholds} and at {other.thresholds} cannot be pooled; use equal thresholds.")
        pairs = ((self.tp, other.tp), (self.fp, other.fp), (self.fn, other.fn))
        tp, fp, fn = (tuple(a + b for a, b in zip(*pair, strict=True)) for pair in pairs)
        return Scores(self.thresholds, tp, fp, fn, tuple(a + b for a, b in zip(self.iou, other.iou, strict=True)))

    def ap(self, threshold: float) -> float:
        """Return TP / (TP + FP + FN); 1 when there are no nuclei in truth and prediction."""
        tp, fp, fn = self._at(threshold)
        return _ratio(tp, tp + fp + fn)

    def mean_ap(self, low: float = 0.5, high: float = 0.9) -> float:
        """Return the mean AP over the thresholds from `low` to `high`, both included."""
        chosen = [t for t in self.thresholds if low - _TOLERANCE <= t <= high + _TOLERANCE]
        if not chosen:
            raise InputError(f"No threshold lies between {low} and {high}; there are {self.thresholds}.")
        return sum(map(self.ap, chosen)) / len(chosen)

    def precision(self, threshold: float) -> float:
        """Return TP / (TP + FP); 1 when nothing is predicted."""
        tp, fp, _ = self._at(threshold)
        return _ratio(tp, tp + fp)

    def recall(self, threshold: float) -> float:
        """Return TP / (TP + FN); 1 when there is nothing to find."""
        tp, _, fn = self._at(threshold)
        return _ratio(tp, tp + fn)

    def f1(self, threshold: float) -> float:
        """Return the harmonic mean of precision and recall; 1 when both are empty."""
        tp, fp, fn = self._at(threshold)
        return _ratio(2 * tp, 2 * tp + fp + fn)

    def pq(self, threshold: float) -> float:
        """Return the panoptic quality (Kirillov et al. 2019): mean IoU of the matches times F1."""
        tp, fp, fn = self._at(threshold)
        return _ratio(self.iou[self._position(threshold)], tp + 0.5 * fp + 0.5 * fn)

    def _at(self, threshold: float) -> tuple[int, int, int]:
        position = self._position(threshold)
        return self.tp[position], self.fp[position], self.fn[position]

    def _position(self, threshold: float) -> int:
        for position, known in enumerate(self.thresholds):
            if abs(known - threshold) < _TOLERANCE:
                return position
        raise InputError(f"There is no score at IoU {threshold}; there are {self.thresholds}.")


def evaluate(truth: npt.NDArray[Any], prediction: npt.NDArray[Any], thresholds: tuple[float, ...] = THRESHOLDS) -> Scores:
    """Match the nuclei of two label images.

    Parameters
    ----------
    truth, prediction : ndarray of int, equal shapes
        0 is background, each nucleus has its own number; any number of dimensions.
    thresholds : tuple of float
        IoU, over 0 and at most 1.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If the shapes differ, the arrays are not integers, or a threshold is out of range.
    """
    _check(truth, prediction, thresholds)
    iou, true_count, predicted_count = overlaps(truth, prediction)
    matched = [_match(iou, threshold) for threshold in thresholds]
    tp = tuple(len(values) for values in matched)
    return Scores(
        tuple(thresholds),
        tp,
        tuple(predicted_count - count for count in tp),
        tuple(true_count - count for count in tp),
        tuple(float(values.sum()) for values in matched),
    )


def overlaps(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> tuple[coo_array, int, int]:
    """Compute the IoU of every pair of nuclei that overlap.

    Parameters
    ----------
    truth, prediction : ndarray of int, equal shapes

    Returns
    -------
    iou : scipy.sparse.coo_array, shape (true nuclei, predicted nuclei)
        In the order of the numbers.
    true_count, predicted_count : int
    """
    (rows, true_count, true_area), (columns, predicted_count, area) = _compact(truth), _compact(prediction)
    both = (rows > 0) & (columns > 0)
    ones = np.ones(int(both.sum()))
    shared = coo_array((ones, (rows[both] - 1, columns[both] - 1)), shape=(true_count, predicted_count))
    shared.sum_duplicates()
    row, column = shared.coords
    union = true_area[row] + area[column] - shared.data
    return coo_array((shared.data / union, (row, column)), shape=shared.shape), true_count, predicted_count


def _compact(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int, npt.NDArray[np.int64]]:
    """Number the nuclei from 1 without gaps: (flat numbers, count, areas)."""
    found, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.ravel() + int(found.size > 0 and found[0] > 0)  # without background, 0 stays free for it
    area = np.bincount(numbers)[1:]
    return numbers, area.size, area


def _match(iou: coo_array, threshold: float) -> npt.NDArray[np.float64]:
    """Return the IoU of the matched pairs: as many pairs as possible, of these the best."""
    reached = iou.data >= threshold - _TOLERANCE
    rows, columns, values = iou.coords[0][reached], iou.coords[1][reached], iou.data[reached]
    single = (np.bincount(rows, minlength=1)[rows] == 1) & (np.bincount(columns, minlength=1)[columns] == 1) if rows.size else reached[:0]
    if single.all():
        return np.asarray(values, np.float64)
    # Only at IoU 0.5 and below can a nucleus reach the threshold with two others.
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    gain = np.zeros((row_ids.size, column_ids.size))
    gain[row, column] = 1 + values / (2 * min(gain.shape))
    chosen = linear_sum_assignment(gain, maximize=True)
    gained = gain[chosen]
    return np.asarray((gained[gained > 0] - 1) * 2 * min(gain.shape), np.float64)


def _check(truth: npt.NDArray[Any], prediction: npt.NDArray[Any], thresholds: tuple[float, ...]) -> None:
    if truth.shape != prediction.shape:
        raise InputError(f"The truth has shape {truth.shape} and the prediction {prediction.shape}; they must be equal.")
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype.kind not in "iu":
            raise InputError(f"The {name} has dtype {labels.dtype}; labels are integers, one for each nucleus.")
    for threshold in thresholds:
        if not 0 < threshold <= 1:
            raise InputError(f"The threshold is {threshold}; an IoU threshold is over 0 and at most 1.")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0

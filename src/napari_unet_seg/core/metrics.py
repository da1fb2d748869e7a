"""How well labels agree with the truth: counts of matched nuclei at many thresholds, pooled over images by adding them.

The matching is that of the StarDist paper (Schmidt et al., MICCAI 2018; Caicedo et al., Nature Methods 2019): nuclei match one to one
when their intersection over union (IoU) reaches the threshold, and AP = TP / (TP + FP + FN).

The counts, and from thresholds of 0.5 on all figures, are those of StarDist's `matching`, but for one thing: where truth and prediction
are both empty its precision, recall, F1 and accuracy are 0, and here they are 1, since nothing was to be found and nothing was. Pooled
figures are the same, for such an image adds no counts. Below 0.5 a nucleus may reach the threshold with several others; of equally many
matches those of the highest IoU are taken here, while StarDist also weighs the pairs that are no match, and its PQ can be lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from napari_unet_seg.core.assignment import assign
from napari_unet_seg.core.numbering import compact
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


def evaluate(truth: Any, prediction: Any, thresholds: tuple[float, ...] = THRESHOLDS) -> Scores:
    """Match the nuclei of two label images.

    Parameters
    ----------
    truth, prediction : array-like of int, equal shapes
        0 is background, each nucleus has its own number; any number of dimensions.
    thresholds : tuple of float
        IoU, over 0 and at most 1.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If the shapes differ, the arrays are not integers, a number is negative, or a threshold is out of range.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    _check(truth, prediction, thresholds)
    iou = overlaps(truth, prediction)
    true_count, predicted_count = iou.shape
    matched = [iou.data[_match(iou, threshold)] for threshold in thresholds]
    tp = tuple(values.size for values in matched)
    return Scores(
        tuple(thresholds),
        tp,
        tuple(predicted_count - count for count in tp),
        tuple(true_count - count for count in tp),
        tuple(float(values.sum()) for values in matched),
    )


def overlaps(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> coo_array:
    """Compute the IoU of every pair of nuclei that overlap.

    Parameters
    ----------
    truth, prediction : ndarray of int, equal shapes
        0 is background.

    Returns
    -------
    scipy.sparse.coo_array of float64, shape (true nuclei, predicted nuclei)
        In the order of the numbers.
    """
    shared, true_area, area = shared_pixels(truth, prediction)
    row, column = shared.coords
    union = true_area[row] + area[column] - shared.data
    return coo_array((shared.data / union, (row, column)), shape=shared.shape)


def shared_pixels(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> tuple[coo_array, npt.NDArray[Any], npt.NDArray[Any]]:
    """Count the pixels that nuclei have in common.

    Parameters
    ----------
    truth, prediction : ndarray of int, equal shapes
        0 is background.

    Returns
    -------
    shared : scipy.sparse.coo_array of float64, shape (true nuclei, predicted nuclei)
        Pixels of every pair that overlaps, in the order of the numbers.
    true_area, area : ndarray of int64, shape (true nuclei,) and (predicted nuclei,)
        Pixels of each nucleus.
    """
    (true_numbers, rows), (numbers, columns) = compact(truth.ravel()), compact(prediction.ravel())
    true_area, area = (np.bincount(places, minlength=1)[1:] for places in (rows, columns))
    both = (rows > 0) & (columns > 0)
    pairs = coo_array((np.ones(int(both.sum())), (rows[both] - 1, columns[both] - 1)), shape=(true_numbers.size, numbers.size))
    return pairs.tocsr().tocoo(), true_area, area  # by way of CSR, which adds up equal pairs


def matched_nuclei(truth: Any, prediction: Any, threshold: float = 0.5) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Say which nuclei have a match.

    Parameters
    ----------
    truth, prediction : array-like of int, equal shapes
        0 is background.
    threshold : float
        IoU, over 0 and at most 1.

    Returns
    -------
    found : ndarray of bool, shape (true nuclei,)
        Which true nuclei are found, in the order of their numbers.
    right : ndarray of bool, shape (predicted nuclei,)
        Which predicted nuclei are right.

    Raises
    ------
    InputError
        As `evaluate`.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    _check(truth, prediction, (threshold,))
    iou = overlaps(truth, prediction)
    pairs = _match(iou, threshold)
    found, right = (np.zeros(size, bool) for size in iou.shape)
    found[iou.coords[0][pairs]] = True
    right[iou.coords[1][pairs]] = True
    return found, right


def _match(iou: coo_array, threshold: float) -> npt.NDArray[np.int64]:
    """Return the places of the matched pairs among the values of `iou`: as many pairs as possible, of these the best."""
    reached = np.flatnonzero(iou.data >= threshold - _TOLERANCE)
    rows, columns, values = iou.coords[0][reached], iou.coords[1][reached], iou.data[reached]
    alone = (np.bincount(rows, minlength=1)[rows] == 1) & (np.bincount(columns, minlength=1)[columns] == 1)
    # Only at IoU 0.5 and below can a nucleus reach the threshold with two others. A pair more is worth more than any IoU.
    best = assign(rows[~alone], columns[~alone], 1 + values[~alone] / (2 * max(values.size, 1)))
    return np.concatenate([reached[alone], reached[~alone][best]])


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

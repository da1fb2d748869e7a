"""What is wrong with labels, in words that say what to mend: merged, split, missed and invented nuclei, and outlines that are too wide.

A predicted nucleus *covers* a true one when it holds at least half of it, and *lies in* a true one when at least half of it is there.

- A true nucleus is **merged** when the prediction that covers it covers another true nucleus too. Both count.
- It is **split** when two or more predictions lie in it.
- It is **missed** when no prediction covers it or lies in it.
- A prediction is **extra** when it covers no true nucleus and lies in none.
- The **area ratio** is that of the predicted to the true area of a match (IoU of at least 0.5); the figure is the median of all matches.
- The **count error** is the number of predicted less that of true nuclei, relative to the true ones, over all images.
- A nucleus found with an IoU of less than 0.5 that is none of these has a **poor outline**.

Nothing here depends on which nuclei match, so a merged nucleus may also be a match: the larger one of two, for instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.metrics import matched_nuclei, overlaps, shared_pixels

HALF = 0.5


@dataclass(frozen=True)
class Verdict:
    """What is said of each nucleus of one image, in the order of its number.

    Parameters
    ----------
    found, merged, split, missed : ndarray of bool, shape (true nuclei,)
        Of the true nuclei.
    right, extra : ndarray of bool, shape (predicted nuclei,)
        Of the predicted ones.
    ratios : ndarray of float, shape (matches,)
        Predicted over true area.
    """

    found: npt.NDArray[np.bool_]
    merged: npt.NDArray[np.bool_]
    split: npt.NDArray[np.bool_]
    missed: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]
    extra: npt.NDArray[np.bool_]
    ratios: npt.NDArray[np.float64]

    @property
    def poor(self) -> npt.NDArray[np.bool_]:
        """True nuclei whose outline alone is wrong."""
        return ~(self.found | self.merged | self.split | self.missed)


@dataclass(frozen=True)
class Errors:
    """The same, counted; ``a + b`` pools two images."""

    truth: int
    predicted: int
    merged: int
    split: int
    missed: int
    poor: int
    extra: int
    ratios: tuple[float, ...]

    def __add__(self, other: Errors) -> Errors:
        """Add the counts of two images."""
        return Errors(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    def figures(self) -> dict[str, float | None]:
        """Return shares of the true nuclei, the median area ratio (None without a match) and the signed count error."""
        whole = max(self.truth, 1)
        shares = {name: getattr(self, name) / whole for name in ("merged", "split", "missed", "poor", "extra")}
        ratio = float(np.median(self.ratios)) if self.ratios else None
        return shares | {"area_ratio": ratio, "count_error": (self.predicted - self.truth) / whole}


def judge(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> Verdict:
    """Say of each nucleus what is wrong with it.

    Parameters
    ----------
    truth, prediction : ndarray of int, equal shapes
        0 is background.

    Returns
    -------
    Verdict
    """
    shared, true_area, area = shared_pixels(truth, prediction)
    row, column = shared.coords
    covers = shared.data >= HALF * true_area[row]
    lies_in = shared.data >= HALF * area[column]
    related = covers | lies_in
    covered = np.bincount(column[covers], minlength=area.size)  # true nuclei under each prediction
    inside = np.bincount(row[lies_in], minlength=true_area.size)  # predictions in each true nucleus
    merged = np.zeros(true_area.size, bool)
    merged[row[covers & (covered[column] > 1)]] = True
    missed, extra = np.ones(true_area.size, bool), np.ones(area.size, bool)
    missed[row[related]] = False
    extra[column[related]] = False
    found, right = matched_nuclei(truth, prediction)
    iou = overlaps(truth, prediction)
    matches = (iou.data >= HALF) & found[row] & right[column]
    return Verdict(found, merged, inside > 1, missed, right, extra, (area[column] / true_area[row])[matches])


def count(verdict: Verdict) -> Errors:
    """Count a verdict."""
    sums = {name: int(getattr(verdict, name).sum()) for name in ("merged", "split", "missed", "poor", "extra")}
    return Errors(verdict.found.size, verdict.right.size, **sums, ratios=tuple(verdict.ratios.tolist()))

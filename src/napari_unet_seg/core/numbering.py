"""Whatever integers labels hold, nuclei are counted 1, 2, 3 ... inside: so that one number of two thousand million costs no memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import InputError

_SPREAD = 4
"""Numbers up to this many times the pixels are found by counting, which is faster than sorting."""

Numbers = npt.NDArray[np.int64]


def compact(labels: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    """Give the nuclei of labels numbers without gaps.

    Parameters
    ----------
    labels : ndarray of int, any shape
        0 is background, each nucleus has its own positive number.

    Returns
    -------
    numbers : ndarray of int64, shape (nuclei,)
        The labels that occur, in ascending order, without 0.
    places : ndarray of int64, shape of `labels`
        0 for background, ``i + 1`` where the label is ``numbers[i]``.

    Raises
    ------
    InputError
        If `labels` are not integers, or a number is negative or beyond int64.
    """
    if labels.dtype.kind not in "iu":
        raise InputError(f"The labels have dtype {labels.dtype}; they must be integers, one for each nucleus and 0 for the background.")
    if labels.size == 0:
        return np.zeros(0, np.int64), np.zeros(labels.shape, np.int64)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > np.iinfo(np.int64).max:
        raise InputError(f"The labels hold the number {low if low < 0 else high}; use 0 for the background and 1 to 2**63 - 1 for nuclei.")
    return _counted(labels, high) if high <= _SPREAD * labels.size else _sorted(labels)


def as_int32(labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return labels as int32, numbered anew where numbers are larger, as they are in some files: it counts which pixels belong together.

    Parameters
    ----------
    labels : ndarray of bool or int, not negative

    Returns
    -------
    ndarray of int32, shape of the labels
        The same array if it is one.
    """
    fits = labels.size == 0 or labels.max() <= np.iinfo(np.int32).max
    return (labels if fits else compact(labels)[1]).astype(np.int32, copy=False)


def _counted(labels: npt.NDArray[Any], high: int) -> tuple[Numbers, Numbers]:
    occurs = np.zeros(high + 1, bool)
    occurs[labels] = True
    occurs[0] = False
    places = np.cumsum(occurs) * occurs
    return np.flatnonzero(occurs), places[labels]


def _sorted(labels: npt.NDArray[Any]) -> tuple[Numbers, Numbers]:
    found, places = np.unique(labels, return_inverse=True)
    background = int(found[0] == 0)
    return found[background:].astype(np.int64), places.reshape(labels.shape) + (1 - background)

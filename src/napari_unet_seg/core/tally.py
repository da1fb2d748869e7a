"""How many pixels each label of a plane has, and where it begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each

Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Tally:
    """What is counted of labels.

    Parameters
    ----------
    area : ndarray of int64, shape (largest label + 1,)
        Pixels of each; 0 for those that do not occur, and for the background.
    first, last : ndarray of int64, shape (largest label + 1,)
        Raster index of the first and the last pixel of each; 0 for those that do not occur, and for the background.
    """

    area: Integers
    first: Integers
    last: Integers


def tally(labels: Labels) -> Tally:
    """Count the pixels of each label of a plane.

    Parameters
    ----------
    labels : ndarray of int32, shape (Y, X)
        0 is background; numbers are not much larger than there are labels.

    Returns
    -------
    Tally
    """
    parts = each(lambda rows: _count(labels[rows], rows.start * labels.shape[1]), bands(labels.shape))
    size = max(low + found.area.size for low, found in parts)
    whole = Tally(*(np.zeros(size, np.int64) for _ in range(3)))
    for low, found in parts:
        here = np.flatnonzero(found.area)
        new = here[whole.area[low + here] == 0]
        whole.first[low + new] = found.first[new]
        whole.last[low + here] = found.last[here]
        whole.area[low + here] += found.area[here]
    return whole


def _count(labels: Labels, start: int) -> tuple[int, Tally]:
    """Count in a band: the least label, and from there on what is known of each; a band has few of all labels."""
    pixels = np.flatnonzero(labels)
    if not pixels.size:
        return 1, Tally(*(np.zeros(0, np.int64) for _ in range(3)))
    values = labels.ravel()[pixels]
    low = int(values.min())
    values -= low
    area = np.bincount(values)
    first, last = np.zeros(area.size, np.int64), np.zeros(area.size, np.int64)
    # Of repeated indices NumPy keeps the last.
    first[values[::-1]] = pixels[::-1] + start
    last[values] = pixels + start
    return low, Tally(area, first, last)

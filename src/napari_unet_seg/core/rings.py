"""A ring around each nucleus, which stands for its cytoplasm where nothing else shows the cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.regions import Regions
from napari_unet_seg.errors import InputError

GAP = 1.0
"""Pixels beside a nucleus, its own and every other, that no ring takes: the blur of the nucleus reaches them."""
_BAND_PIXELS = 2**22
"""Pixels that are looked at together: distances need some 20 bytes for each."""


def find_rings(labels: npt.NDArray[Any], width: float, gap: float = GAP) -> Regions:
    """Collect the pixels of the ring around each nucleus of one plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background; any positive numbers.
    width : float
        Width of the rings in pixels, at least 1.
    gap : float
        Pixels within this distance of any nucleus are left out.

    Returns
    -------
    Regions
        With the number of every nucleus, also of one that has no room for a ring.

    Raises
    ------
    InputError
        If `width` is less than a pixel or not finite, or the labels are not positive integers.

    Notes
    -----
    A background pixel belongs to the nucleus whose nearest pixel is closest to it, and to its ring when that distance is more than `gap`
    and at most `gap` + `width`. So a ring holds no pixel of another nucleus, none within `gap` of one, and none that is closer to another
    nucleus than to its own; where two of them meet, they share the room. This is "Distance - N" of CellProfiler's IdentifySecondaryObjects
    (Carpenter et al. 2006) less the nucleus and the gap, and equal to `skimage.segmentation.expand_labels` with that distance.
    """
    if not 1 <= width < math.inf:
        raise InputError(f"The ring is {width:g} px wide; it must have at least 1 px.")
    numbers, _ = compact(labels[labels != 0])
    reach = gap + width
    halo = math.ceil(reach)
    rows = max(halo, _BAND_PIXELS // max(labels.shape[1], 1))
    bands = [_band(labels, start, min(start + rows, len(labels)), halo) for start in range(0, len(labels), rows)]
    parts = [_ring_pixels(labels[first:last], keep, first, (gap, reach)) for first, last, keep in bands]
    owner, row, column = (np.concatenate(part) for part in zip(*parts, strict=True)) if parts else (np.zeros(0, np.int64),) * 3
    order = np.argsort(owner, kind="stable")
    return Regions(numbers, np.searchsorted(numbers, owner[order]), row[order], column[order], (labels.shape[0], labels.shape[1]))


def _band(labels: npt.NDArray[Any], start: int, end: int, halo: int) -> tuple[int, int, slice]:
    """Return the rows to look at for the rows from start to end, and which of them these are."""
    first, last = max(start - halo, 0), min(end + halo, len(labels))
    return first, last, slice(start - first, end - first)


def _ring_pixels(
    labels: npt.NDArray[Any], keep: slice, first: int, distances: tuple[float, float]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the nucleus, the row and the column of each ring pixel in some rows of a band."""
    from scipy.ndimage import distance_transform_edt

    if not labels.any():  # then there is no nearest nucleus
        return (np.zeros(0, np.int64),) * 3
    distance, nearest = distance_transform_edt(labels == 0, return_indices=True)  # (Y, X), (2, Y, X)
    gap, reach = distances
    rows, columns = np.nonzero((distance[keep] > gap) & (distance[keep] <= reach))
    places = nearest[:, keep][:, rows, columns]
    return labels[places[0], places[1]], rows + keep.start + first, columns

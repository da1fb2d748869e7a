"""The nuclei of a large plane in groups that lie in few rows, so that several groups are measured side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import PIXELS, each
from napari_unet_seg.core.regions import Regions, find_regions
from napari_unet_seg.core.tally import Tally, tally


def find_groups(labels: npt.NDArray[Any]) -> list[Regions]:
    """Collect the pixels of the nuclei of one plane, group by group.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background; any positive numbers.

    Returns
    -------
    list of Regions
        At least one; those of `find_regions` one after the other. Only labels that are numbered as the decoder does, in raster order of
        their first pixels, come in several groups.

    Raises
    ------
    InputError
        If `labels` are not integers, or one is negative.
    """
    if labels.size < 2 * PIXELS or labels.dtype != np.int32 or not 0 < int(labels.max()) <= labels.size or labels.min() < 0:
        return [find_regions(labels)]
    found = tally(labels)
    if (found.area[1:] == 0).any() or (np.diff(found.first[1:]) < 0).any():
        return [find_regions(labels)]
    count = found.area.size - 1
    edges = np.linspace(0, count, min(count, round(labels.size / PIXELS)) + 1).astype(int) + 1
    return each(lambda edge: _group(labels, found, *edge), pairwise(edges.tolist()))


def _group(labels: npt.NDArray[np.int32], found: Tally, start: int, stop: int) -> Regions:
    """Collect the nuclei from number `start` up to, not with, `stop`."""
    width = labels.shape[1]
    top, bottom = int(found.first[start]) // width, int(found.last[start:stop].max()) // width + 1
    here = labels[top:bottom]
    regions = find_regions(np.where((here >= start) & (here < stop), here, 0))
    return Regions(regions.numbers, regions.places, regions.rows + top, regions.columns, labels.shape)

"""From labels to what the network learns: classes, a distance map, and where touching nuclei are decided.

Distances are computed once for each image in its own pixels and then travel through augmentation with it, so that a patch costs
interpolation alone and the outline keeps its width in pixels at every zoom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, find_objects

from napari_unet_seg.core.numbering import compact

NEIGHBOUR_REACH = 12
"""Distances to a second nucleus are computed up to this many pixels; beyond, it is far."""

FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Distances:
    """What is known of each pixel's place among the nuclei, in pixels.

    Parameters
    ----------
    inside : ndarray of float32, shape (Y, X)
        Distance to the nearest pixel that is not of this nucleus; 0 on the ground, 1 on the nucleus' border.
    relative : ndarray of float32, shape (Y, X)
        The same divided by its largest value in the nucleus: 0 to 1.
    second : ndarray of float32, shape (Y, X)
        Distance to the second nearest nucleus, at most `NEIGHBOUR_REACH`.
    """

    inside: FloatMap
    relative: FloatMap
    second: FloatMap


def measure_distances(labels: npt.NDArray[Any]) -> Distances:
    """Compute the distance maps of labels.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        One integer a nucleus, 0 the ground.

    Returns
    -------
    Distances
        Nuclei cut by the image's edge have no border there: the edge is not an outline.

    Raises
    ------
    InputError
        If `labels` are not integers, or one is negative.
    """
    _, labels = compact(labels)
    inside = np.zeros(labels.shape, np.float32)
    relative = np.zeros(labels.shape, np.float32)
    nearest = np.full(labels.shape, NEIGHBOUR_REACH, np.float32)
    second = nearest.copy()
    for label, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        _add_inside(labels[box] == label, _touches(box, labels.shape), inside[box], relative[box])
        window = tuple(slice(max(s.start - NEIGHBOUR_REACH, 0), s.stop + NEIGHBOUR_REACH) for s in box)
        away = distance_transform_edt(labels[window] != label).astype(np.float32)
        second[window] = np.minimum(second[window], np.maximum(nearest[window], away))
        nearest[window] = np.minimum(nearest[window], away)
    return Distances(inside, relative, second)


def _touches(box: tuple[slice, ...], shape: tuple[int, ...]) -> list[tuple[bool, bool]]:
    return [(side.start == 0, side.stop == size) for side, size in zip(box, shape, strict=True)]


def _add_inside(mask: npt.NDArray[np.bool_], touches: list[tuple[bool, bool]], inside: FloatMap, relative: FloatMap) -> None:
    """Write one nucleus' distances into views of the maps."""
    # Beyond the image's edge a cut nucleus goes on: repeat its edge far enough that no border is seen there.
    far = max(mask.shape)
    padded = np.pad(mask, [(far if low else 0, far if high else 0) for low, high in touches], mode="edge")
    padded = np.pad(padded, 1)
    distance = distance_transform_edt(padded)
    crop = tuple(slice(1 + far * low, 1 + far * low + size) for (low, _), size in zip(touches, mask.shape, strict=True))
    distance = distance[crop].astype(np.float32)
    inside[mask] = distance[mask]
    relative[mask] = distance[mask] / distance[mask].max()

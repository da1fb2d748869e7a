"""Kept maps to labels once more: the part of a segmentation that a slider changes, without the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.assembly import Assembly
from napari_unet_seg.core.map_parts import PlaneDecoding
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.score import Foreground
from napari_unet_seg.core.stack import assemble, plane_settings
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.map_parts import PlaneMaps
    from napari_unet_seg.core.score import Knots
    from napari_unet_seg.settings import SegmentSettings

STAGE = "Following the sliders"

Index = tuple[int, ...]


@dataclass(frozen=True)
class MapStack:
    """The maps of a segmentation, plane by plane.

    Parameters
    ----------
    axes : str
        One letter a dimension of the labels, ``YX`` last.
    shape : tuple of int
        Of the labels, (..., Y, X).
    plane : callable
        Returns the maps of the plane at an index along the leading axes; None when they are not there any more.
    decoded : mapping
        Labels of planes that are decoded already with the same settings, by index; of a region they are decoded again.
    knots : tuple of (float, float)
        Curve of the model from mean probabilities to scores, see `napari_unet_seg.core.score.knots_of`.
    """

    axes: str
    shape: tuple[int, ...]
    plane: Callable[[Index], PlaneMaps | None]
    decoded: Mapping[Index, npt.NDArray[np.int32]] = field(default_factory=dict)
    knots: Knots = ()


def iter_redecode(stack: MapStack, settings: SegmentSettings) -> Steps[tuple[npt.NDArray[np.int32], pd.DataFrame]]:
    """Decode and measure every plane.

    Parameters
    ----------
    stack : MapStack
        The maps.
    settings : SegmentSettings
        As for `napari_unet_seg.instances`.

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    labels : ndarray of int32, shape (..., Y, X)
        Those that `napari_unet_seg.segment` finds with these settings at the same scale.
    features : pandas.DataFrame
        As in `napari_unet_seg.core.segment.Segmentation`.

    Raises
    ------
    InputError
        If the maps of a plane are not there any more.
    """
    found = Assembly(stack.axes, stack.shape)
    indices, flat = list(np.ndindex(*stack.shape[:-2])), plane_settings(settings)
    for number, index in enumerate(indices, start=1):
        maps = stack.plane(index)
        if maps is None:
            raise InputError("The maps behind this result were let go to save memory; segment the image again.")
        known = stack.decoded.get(index)
        if known is None or maps.whole is None:
            found.add(index, *PlaneDecoding(maps).measured(flat, stack.knots))
        else:
            found.add(index, known, measure_plane(known, Foreground(maps.whole[0]), stack.knots))
        yield Progress(STAGE, number, len(indices))
    return assemble(found.labels, found.table(), stack.axes, settings)

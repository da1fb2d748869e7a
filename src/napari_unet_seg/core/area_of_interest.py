"""Where in a plane nuclei are looked for: polygons that a person drew, and which nuclei lie inside them.

A nucleus belongs to an area when its centroid does, so that two areas side by side share no nucleus and lose none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_unet_seg.core.tiling import Box

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AreaOfInterest:
    """Polygons on a plane.

    Parameters
    ----------
    polygons : tuple of ndarray of float64, shape (corners, 2)
        Corners (y, x) in pixels; the middle of the first pixel is (0, 0). A polygon that runs over itself is filled by the even-odd rule,
        so that a hole may be part of its outline.
    """

    polygons: tuple[Points, ...]

    @classmethod
    def of(cls, polygons: Iterable[Any]) -> AreaOfInterest:
        """Make an area of the polygons of `SegmentSettings.region`."""
        return cls(tuple(np.asarray(polygon, np.float64).reshape(-1, 2) for polygon in polygons))

    def reduced(self, step: int) -> AreaOfInterest:
        """Return the area on a grid whose pixels are `step` times as long."""
        return AreaOfInterest(tuple((polygon + 0.5) / step - 0.5 for polygon in self.polygons))

    def contains(self, y: Any, x: Any) -> Mask:
        """Say which points lie in one of the polygons.

        Parameters
        ----------
        y, x : array-like of float, shape (points,)
            In pixels.

        Returns
        -------
        ndarray of bool, shape (points,)
        """
        y, x = np.asarray(y, np.float64), np.asarray(x, np.float64)
        inside = np.zeros(y.shape, bool)
        for polygon in self.polygons:
            inside |= _even_odd(polygon, y, x)
        return inside

    def box(self, shape: tuple[int, int], margin: float = 0.0) -> Box | None:
        """Return the pixels around the polygons.

        Parameters
        ----------
        shape : tuple of int
            (Y, X) of the plane.
        margin : float
            Pixels added on each side.

        Returns
        -------
        tuple of slice or None
            Inside the plane; None when nothing of it is near.
        """
        if not self.polygons:
            return None
        corners = np.concatenate(self.polygons)
        low = np.clip(np.floor(corners.min(axis=0) - margin), 0, shape).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0) + margin) + 1, 0, shape).astype(int)
        return (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))) if (low < high).all() else None

    def touches(self, box: Box, margin: float = 0.0) -> bool:
        """Say whether a polygon and a box, enlarged by a margin, have a point in common.

        Parameters
        ----------
        box : tuple of slice
            (Y, X) in pixels.
        margin : float
            Pixels added to the box on each side.

        Returns
        -------
        bool
        """
        low = np.array([side.start - 0.5 - margin for side in box])
        high = np.array([side.stop - 0.5 + margin for side in box])
        return any(_meets(polygon, low, high) for polygon in self.polygons)

    def groups(self, shape: tuple[int, int], margin: float) -> list[AreaOfInterest]:
        """Part the polygons into areas whose boxes do not overlap, so that what lies between two distant ones is not computed.

        Parameters
        ----------
        shape : tuple of int
            (Y, X) of the plane; polygons beyond it are left out.
        margin : float
            Pixels around each.

        Returns
        -------
        list of AreaOfInterest
            In the order of their first polygons.
        """
        groups: list[AreaOfInterest] = []
        for polygon in self.polygons:
            new = AreaOfInterest((polygon,))
            if new.box(shape) is None:
                continue
            while near := [group for group in groups if _overlap(group.box(shape, margin), new.box(shape, margin))]:
                new = AreaOfInterest(tuple(p for group in [*near, new] for p in group.polygons))
                groups = [group for group in groups if not any(group is other for other in near)]
            groups.append(new)
        return groups


def _even_odd(polygon: Points, y: Points, x: Points) -> Mask:
    """Count the edges that a ray to the right crosses, one edge at a time: polygons have few, planes many nuclei."""
    inside = np.zeros(y.shape, bool)
    for (y0, x0), (y1, x1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _meets(polygon: Points, low: Points, high: Points) -> bool:
    """Say whether a polygon and a rectangle overlap: an edge meets the rectangle, or it lies inside."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    near = ((np.minimum(start, end) <= high) & (np.maximum(start, end) >= low)).all(axis=1)
    corners = np.array([(y, x) for y in (low[0], high[0]) for x in (low[1], high[1])])
    along = (end - start)[near, None]
    off = corners[None] - start[near, None]
    side = along[..., 0] * off[..., 1] - along[..., 1] * off[..., 0]
    crossed = bool(((side.min(axis=1) <= 0) & (side.max(axis=1) >= 0)).any()) if near.any() else False  # else all corners are on one side
    return crossed or bool(_even_odd(polygon, low[:1], low[1:])[0])


def _overlap(one: Box | None, other: Box | None) -> bool:
    return one is not None and other is not None and all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))

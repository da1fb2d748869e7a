"""The outline of each nucleus along the edges of its pixels, exact to the pixel.

Contour finders for images interpolate between pixels; measured on such an outline, a nucleus has another area than in the labels. Here
each edge between a pixel and a differing neighbour is one step, and edges are chained to rings. The pixel at column x and row y has the
corners (x, y) and (x + 1, y + 1), as in ImageJ and QuPath, so that the area inside an outline equals the number of pixels.

Pixels that share only a corner are apart. A ring that comes by a corner twice is split there; shells and holes then never touch
themselves, and polygons are valid in the sense of the OGC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_unet_seg.io.labels_info import iter_bands

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, np.dtype[Any]]

_BATCH = 2**19
"""Edges chained at a time: the lists of one batch take about 50 MB."""
_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
"""Where an edge begins, (x, y) from its pixel's corner; an edge goes right above the pixel (0), down (1), left (2) or up (3)."""


class Outline(NamedTuple):
    """The outline of one nucleus in one plane.

    Parameters
    ----------
    label : int
        Number of the nucleus.
    polygons : list of list of numpy.ndarray
        For each connected part its rings: the shell, then the holes. A ring is int64 (corners, 2), columns x and y, not closed. With x to
        the right and y taken upwards, shells go counter-clockwise (the GeoJSON rule) and holes clockwise.
    """

    label: int
    polygons: list[list[Array]]


@dataclass(frozen=True)
class _Edges:
    """Edges as parallel arrays; an edge is its pixel's number times 4 plus its side."""

    label: Array
    edge: Array
    following: Array
    pinched: Array
    """Whether the edge ends at a corner where two pixels of the nucleus meet diagonally."""

    def part(self, chosen: Any) -> _Edges:
        """Return some of them."""
        return _Edges(self.label[chosen], self.edge[chosen], self.following[chosen], self.pinched[chosen])


class _Rings(NamedTuple):
    """Rings as parallel arrays over their corners."""

    label: Array
    """(rings,)"""
    corners: Array
    """(corners, 2), x and y"""
    pixel: Array
    """(corners,): the pixel inside, beside the edge that begins at the corner"""
    starts: Array
    """(rings + 1,): where each ring begins in the arrays above, and their end"""
    pinched: Array
    """(rings,)"""


def trace_outlines(plane: Any) -> Iterator[Outline]:
    """Trace the outlines of all nuclei of a plane.

    Parameters
    ----------
    plane : array-like
        Labels, shape (Y, X); dask arrays are read in bands, so that only their edges need to fit in memory.

    Yields
    ------
    Outline
        In the order of the labels.
    """
    width = plane.shape[1] + 2  # (Y, X) with a border of one pixel: neighbours are then plain offsets
    edges = _all_edges(plane)
    for batch in _batches(edges):
        yield from _outlines(_chain(batch, width), width)


def _all_edges(plane: Any) -> _Edges:
    parts = [part for row, band in _padded_bands(plane) for part in _band_edges(band, row)]
    label, edge, following, pinched = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Edges(label, edge, following, pinched).part(np.lexsort((edge, label)))


def _padded_bands(plane: Any) -> Iterator[tuple[int, Array]]:
    """Yield bands with one more row above and below, and a column at each side; each row is read once."""
    above = pending = None
    start = 0
    for row, band in iter_bands(plane):
        if pending is not None:
            yield start, _pad(above, pending, band[:1])
            above = pending[-1:]
        start, pending = row, band
    if pending is not None:
        yield start, _pad(above, pending, None)


def _pad(above: Array | None, band: Array, below: Array | None) -> Array:
    outside = np.zeros_like(band[:1])
    rows = np.concatenate([outside if above is None else above, band, outside if below is None else below])
    return np.pad(rows, ((0, 0), (1, 1)))


def _band_edges(band: Array, row: int) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Find the edges of a padded band, whose second row is `row`, and which edge follows each: it depends on three neighbours only."""
    width = band.shape[1]
    towards = (-width, 1, width, -1)  # the neighbour across an edge of side 0, 1, 2, 3
    flat = band.ravel()
    inner = np.zeros(band.shape, bool)
    inner[1:-1, 1:-1] = band[1:-1, 1:-1] > 0
    candidates = np.flatnonzero(inner)
    labels = flat[candidates]
    first = row * width  # the padded rows of the whole plane count from -1, as those of the band from row - 1
    for side in range(4):
        across, ahead = towards[side], towards[(side + 1) % 4]
        is_edge = flat[candidates + across] != labels
        pixel, label = candidates[is_edge], labels[is_edge]
        turns_in = flat[pixel + ahead] != label  # nothing ahead: on along the same pixel
        diagonal = flat[pixel + ahead + across] == label
        straight = np.where(diagonal, (pixel + ahead + across) * 4 + (side + 3) % 4, (pixel + ahead) * 4 + side)
        following = np.where(turns_in, pixel * 4 + (side + 1) % 4, straight)
        yield label, (pixel + first) * 4 + side, following + first * 4, turns_in & diagonal


def _batches(edges: _Edges) -> Iterator[_Edges]:
    """Split between nuclei: edges are sorted by label, and those of a nucleus follow one another only."""
    begins = np.flatnonzero(np.diff(edges.label, prepend=0))
    start = 0
    while start < len(edges.label):
        after = np.searchsorted(begins, start + _BATCH)
        stop = int(begins[after]) if after < len(begins) else len(edges.label)
        yield edges.part(slice(start, stop))
        start = stop


def _chain(edges: _Edges, width: int) -> _Rings:
    """Order the edges along their rings and keep those that begin at a corner."""
    order, starts = _walk(_positions(edges).tolist())
    side = edges.edge[order] % 4
    before = np.roll(side, 1)
    before[starts[:-1]] = side[starts[1:] - 1]
    corner = side != before
    pixel = edges.edge[order] // 4
    xy = np.stack([pixel % width - 1, pixel // width - 1], axis=1) + _CORNERS[side]  # the padding is taken off
    counts = np.add.reduceat(corner.astype(np.int64), starts[:-1])
    pinched = np.logical_or.reduceat(edges.pinched[order], starts[:-1])
    kept = np.concatenate([[0], np.cumsum(counts)])
    return _Rings(edges.label[order][starts[:-1]], xy[corner], pixel[corner], kept, pinched)


def _positions(edges: _Edges) -> Array:
    """Turn the number of the following edge into its position in the arrays."""
    by_number = np.argsort(edges.edge)
    positions: Array = by_number[np.searchsorted(edges.edge, edges.following, sorter=by_number)]
    return positions


def _walk(following: list[int]) -> tuple[Array, Array]:
    """Return positions ring by ring, and where the rings start in them, with the end last."""
    order: list[int] = []
    starts = [0]
    seen = bytearray(len(following))
    for first in range(len(following)):
        if seen[first]:
            continue
        position = first
        while not seen[position]:
            seen[position] = 1
            order.append(position)
            position = following[position]
        starts.append(len(order))
    return np.array(order, np.int64), np.array(starts, np.int64)


def _outlines(rings: _Rings, width: int) -> Iterator[Outline]:
    """Gather the rings of each label; those of one label lie together."""
    begins = np.flatnonzero(np.diff(rings.label, prepend=0)).tolist()
    for begin, end in zip(begins, [*begins[1:], len(rings.label)], strict=True):
        simple = [part for ring in range(begin, end) for part in _simple_rings(rings, ring)]
        yield Outline(int(rings.label[begin]), [[simple[0][0]]] if len(simple) == 1 else _nest(simple, width))


def _simple_rings(rings: _Rings, ring: int) -> list[tuple[Array, int]]:
    """Return the corners of a ring, and a pixel inside beside it; split where it comes by a corner twice."""
    here = slice(rings.starts[ring], rings.starts[ring + 1])
    corners, pixel = rings.corners[here], rings.pixel[here]
    if not rings.pinched[ring]:
        return [(corners, int(pixel[0]))]
    loops: list[list[int]] = []
    path: list[int] = []
    on_path: dict[tuple[int, int], int] = {}
    points = [(int(x), int(y)) for x, y in corners]
    for position, point in enumerate(points):
        if point in on_path:
            first = on_path[point]
            loops.append(path[first:])
            for left in path[first:]:
                del on_path[points[left]]
            del path[first:]
        on_path[point] = len(path)
        path.append(position)
    return [(corners[loop], int(pixel[loop[0]])) for loop in [*loops, path]]


def _nest(rings: list[tuple[Array, int]], width: int) -> list[list[Array]]:
    """Give each hole to the smallest shell around the pixel beside it."""
    areas = [_signed_area(ring) for ring, _ in rings]
    shells = sorted((index for index, area in enumerate(areas) if area > 0), key=lambda index: areas[index])
    polygons = {shell: [rings[shell][0]] for shell in sorted(shells)}
    for index, (ring, pixel) in enumerate(rings):
        if areas[index] < 0:
            x, y = pixel % width - 1, pixel // width - 1
            home = next(shell for shell in shells if _surrounds(rings[shell][0], x, y))
            polygons[home].append(ring)
    return list(polygons.values())


def _signed_area(ring: Array) -> int:
    x, y = ring[:, 0], ring[:, 1]
    return int(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) // 2


def _surrounds(ring: Array, x: int, y: int) -> bool:
    """Count the ring's vertical edges left of the pixel's centre in its row: an odd number is inside."""
    column, top, bottom = ring[:, 0], ring[:, 1], np.roll(ring[:, 1], -1)
    crossed = (column <= x) & (np.minimum(top, bottom) <= y) & (np.maximum(top, bottom) > y)
    return bool(np.count_nonzero(crossed) % 2)

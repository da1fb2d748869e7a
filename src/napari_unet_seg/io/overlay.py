"""Pictures to look at: an image as a screen shows it, with the outline of each nucleus drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.atomic import atomic_path

if TYPE_CHECKING:
    import os

    from napari_unet_seg.io.image import ImageFile

    Picture = npt.NDArray[np.uint8]

ON_DARK, ON_BRIGHT = (255, 214, 0), (0, 230, 60)
"""Colours of the outlines: yellow over fluorescence, green over stained sections, whose own colours are blue and pink."""
LARGEST_EDGE = 2048
"""Pixels of the longer edge of an overlay; what is larger is shrunk."""
_ENDS, _HALF = (1.0, 99.8), 0.5
"""Percentiles of the intensities that are drawn black and white."""
_MIDDLE = 128
"""More pixels below than above: a dark picture."""
_UNFILTERED = 8
"""Of PNG: rows as they are, not as differences."""
_SHARE, _ROOM, _THICKEST = 512, 5, 4
"""Outlines are this share of a picture wide, at most this share of a nucleus, and at most so many pixels."""


def draw_overlay(image: ImageFile, labels: Any, channel: int | None = None, edge: int = LARGEST_EDGE) -> Picture:
    """Draw the outlines of nuclei over the image.

    Parameters
    ----------
    image : ImageFile
        Of a stack, the plane in the middle is drawn.
    labels : array-like of int
        The image's axes less the channel, (..., Y, X).
    channel : int, optional
        Which channel to draw.
    edge : int
        Longest edge of the picture in pixels; whole pixels are averaged when the image is larger.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
        Red, green, blue. Outlines lie inside the nuclei; they are a pixel wide, and up to four in large pictures, where one would vanish on
        a screen, as far as the nuclei have room for it.
    """
    plane, height = _middle_plane(image, channel, edge)
    step = max(1, -(-max(plane.shape[:2]) // edge))
    picture = _gray_to_screen(plane) if step == 1 and _is_counted(plane) else _to_screen(_shrink(plane, step))
    flat = labels[tuple(size // 2 for size in labels.shape[:-2])]
    small = _sample(flat, picture.shape[:2], step * height)
    picture[_outlines(small, _width(small))] = ON_DARK if 2 * np.count_nonzero(picture < _MIDDLE) > picture.size else ON_BRIGHT
    return picture


def write_png(path: str | os.PathLike[str], picture: Picture) -> None:
    """Write a picture as PNG.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written.
    picture : ndarray of uint8, shape (Y, X, 3)

    Raises
    ------
    WriteError
        If the system refuses to write.
    """
    import imagecodecs

    content = imagecodecs.png_encode(picture, level=1, filter=_UNFILTERED)  # an eighth of the time of the usual ways, for as many bytes
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _middle_plane(image: ImageFile, channel: int | None, edge: int) -> tuple[npt.NDArray[Any], float]:
    """Read the middle plane, (Y, X) or (Y, X, S), from the smallest level that is large enough; and how much smaller that is."""
    y, x = image.axes.index("Y"), image.axes.index("X")
    levels = image.levels
    large_enough = [level for level in levels if max(level.shape[y], level.shape[x]) >= edge]
    level = large_enough[-1] if large_enough else levels[0]
    places = [size // 2 if axis not in "YXS" else slice(None) for axis, size in zip(image.axes, level.shape, strict=True)]
    if image.channel_axis is not None:
        places[image.channel_axis] = channel or 0
    return np.asarray(level[tuple(places)]), levels[0].shape[y] / level.shape[y]


def _shrink(plane: npt.NDArray[Any], step: int) -> npt.NDArray[np.float32]:
    """Average blocks of `step` x `step` pixels: (Y, X, S or 1)."""
    with np.errstate(over="ignore"):
        pixels = plane.reshape(*plane.shape[:2], -1)[..., :3].astype(np.float32)
    height, width = (max(size // step, 1) for size in pixels.shape[:2])
    step_y, step_x = min(step, pixels.shape[0]), min(step, pixels.shape[1])
    blocks = pixels[: height * step_y, : width * step_x].reshape(height, step_y, width, step_x, -1)
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        averaged: npt.NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return averaged


def _to_screen(pixels: npt.NDArray[np.float32]) -> Picture:
    """Stretch intensities to 0 to 255: (Y, X, 1 or 3) becomes (Y, X, 3)."""
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, _ENDS) if finite.size else (0.0, 1.0)
    return np.array(np.broadcast_to(_stretched(pixels, low, high), (*pixels.shape[:2], 3)))  # a copy, to draw on


def _stretched(values: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.uint8]:
    span = high - low if high > low else 1.0
    screen = np.nan_to_num((values - np.float32(low)) / np.float32(span), nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    drawn: npt.NDArray[np.uint8] = (255 * screen).round().astype(np.uint8)
    return drawn


def _is_counted(plane: npt.NDArray[Any]) -> bool:
    """Say whether the values of a plane are so few that counting them is quicker than sorting the pixels."""
    return plane.ndim == 2 and plane.dtype.kind == "u" and plane.dtype.itemsize <= 2 and plane.size > 1


def _gray_to_screen(plane: npt.NDArray[Any]) -> Picture:
    """Do as `_to_screen`, value by value instead of pixel by pixel: (Y, X) of unsigned integers becomes (Y, X, 3)."""
    counts = np.bincount(plane.ravel())
    reached = np.cumsum(counts)
    # As of `numpy.percentile`: between the two values that stand before and after the place.
    places = np.array(_ENDS) / 100 * (plane.size - 1)
    ranks = np.floor(places).astype(int)
    before, after = (
        np.searchsorted(reached, rank, side="right").astype(np.float32) for rank in (ranks, np.minimum(ranks + 1, plane.size - 1))
    )
    share = places - ranks
    low, high = np.where(share < _HALF, before + (after - before) * share, after - (after - before) * (1 - share))
    drawn = _stretched(np.arange(counts.size, dtype=np.float32), low, high)[plane]
    return np.repeat(drawn[..., None], 3, axis=2)


def _sample(labels: Any, shape: tuple[int, ...], step: float) -> npt.NDArray[Any]:
    """Take the label in the middle of each block: labels are never averaged."""
    middles = [((np.arange(size) + 0.5) * step).astype(int) for size in shape]
    rows, columns = (middle.clip(max=size - 1) for middle, size in zip(middles, labels.shape, strict=True))
    return np.asarray(np.asarray(labels)[np.ix_(rows, columns)])


def _width(labels: npt.NDArray[Any]) -> int:
    """Choose how wide outlines are drawn: a 512th of the picture, and no more than a fifth of a typical nucleus."""
    _, area = np.unique(labels[labels > 0], return_counts=True)
    diameter = 2 * float(np.sqrt(np.median(area) / np.pi)) if area.size else 0.0
    return int(np.clip(min(max(labels.shape) // _SHARE, diameter / _ROOM), 1, _THICKEST))


def _outlines(labels: npt.NDArray[Any], width: int) -> npt.NDArray[np.bool_]:
    """Return the pixels of nuclei that are nearer than `width` to another nucleus or the ground."""
    outlines = _edge(labels)
    inner = labels
    for _ in range(width - 1):
        inner = np.where(outlines, 0, inner)
        outlines |= _edge(inner)
    return outlines


def _edge(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return the pixels of nuclei beside which another nucleus or the ground lies."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        before, after = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        edge[before] |= differs
        edge[after] |= differs
    outlines: npt.NDArray[np.bool_] = edge & (labels > 0)
    return outlines

"""TIFFs whose pixels are numbers of a palette: whether the numbers are intensities, and the colours where they are not."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from tifffile import TiffPageSeries

    Array = np.ndarray[Any, np.dtype[Any]]

_PALETTE = 3
"""The photometric interpretation of such pixels."""

_LABELS = re.compile(r"(^|[._\- ])(labels?|classes|masks?|truth|gt|instances|known)($|[._\- ])", re.IGNORECASE)
"""Names of files and folders of labels, which other programs store with colours to look at, too: their numbers count."""

_TOLERANCE = 0.02
"""Part of the brightest colour by which colours may miss an even rise: files hold them in 8 bits."""

_BRIGHTNESS = (0.299, 0.587, 0.114)


def palette_colors(path: Path, series: TiffPageSeries) -> Array | None:
    """Return the colours that the pixels of an image stand for.

    Parameters
    ----------
    path : Path
        The file; under a name of labels the numbers are kept.
    series : TiffPageSeries
        The image in it.

    Returns
    -------
    numpy.ndarray or None
        uint8, (colours, 3). None where the pixels are intensities: without a palette, or when it only says in which colour to show them,
        as ImageJ's look-up tables do.
    """
    page = series.keyframe
    if int(page.photometric) != _PALETTE or page.colormap is None or series.dtype not in ("uint8", "uint16"):
        return None
    if set("CS") & set(series.axes) or _LABELS.search(path.name) or _LABELS.search(path.parent.name):
        return None
    stored = page.colormap.T
    table: Array = (stored if stored.max() < 256 else stored >> 8).astype(np.uint8)  # some programs store 8 bits, where 16 belong
    return None if _is_ramp(table, any_hue=series.kind == "imagej") else table


def look_up(level: Any, table: Array) -> Any:
    """Replace numbers by their colours.

    Parameters
    ----------
    level : numpy.ndarray or dask.array.Array
        Numbers of colours, of any shape.
    table : numpy.ndarray
        uint8, (colours, 3).

    Returns
    -------
    numpy.ndarray or dask.array.Array
        uint8, with red, green and blue as one more dimension at the end.
    """
    take = functools.partial(_take, table=table)
    if isinstance(level, np.ndarray):
        return take(level)
    return level.map_blocks(take, dtype=np.uint8, chunks=(*level.chunks, (3,)), new_axis=level.ndim)


def _take(numbers: Array, table: Array) -> Array:
    return np.take(table, numbers, axis=0, mode="clip")


def _is_ramp(table: Array, *, any_hue: bool) -> bool:
    """Whether colours only get brighter, or only darker, up to the last in use, and are shades of one, unless told otherwise."""
    used = np.flatnonzero(table.any(axis=1))
    colors = table[: used.max(initial=0) + 1].astype(float)
    brightness = colors @ _BRIGHTNESS
    allowed = _TOLERANCE * brightness.max()
    falls = (np.maximum.accumulate(brightness) - brightness).max()
    rises = (brightness - np.minimum.accumulate(brightness)).max()
    if min(falls, rises) > allowed:
        return False
    brightest = brightness.argmax()
    shades = np.outer(brightness / max(brightness[brightest], 1), colors[brightest])
    return any_hue or bool(np.abs(colors - shades).max() <= max(_TOLERANCE * 255, 1))

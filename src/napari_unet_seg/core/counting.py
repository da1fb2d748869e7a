"""What is counted, in words: nuclei, outlines in planes, nuclei in 3D, tracks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_unet_seg.core.volumes import is_in_3d

if TYPE_CHECKING:
    import pandas as pd

TRACK = "track"


def sizes_of(axes: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Return the lengths of the axes before Y and X, by letter.

    Parameters
    ----------
    axes : str
        One letter a dimension.
    shape : tuple of int
        Of the labels, (..., Y, X).

    Returns
    -------
    dict of str to int
    """
    return dict(zip(axes[:-2], shape[:-2], strict=False))


def count_tracks(table: pd.DataFrame | None) -> int | None:
    """Return the number of tracks of a table; None when nuclei were not followed."""
    return int(table[TRACK].nunique()) if table is not None and TRACK in table else None


def counted(table: pd.DataFrame, sizes: Mapping[str, int]) -> str:
    """Say how many there are of what the rows of a table are.

    Parameters
    ----------
    table : pandas.DataFrame
        One row an outline, a nucleus in 3D, or either at one time.
    sizes : mapping of str to int
        Lengths of the axes before Y and X; ``T`` is time, all others are planes.

    Returns
    -------
    str
    """
    return counted_words(len(table), sizes, is_in_3d(table), count_tracks(table))


def counted_words(count: int, sizes: Mapping[str, int], in_3d: bool = False, tracks: int | None = None) -> str:
    """Say how many there are.

    Parameters
    ----------
    count : int
        Rows of the table.
    sizes : mapping of str to int
        As of `counted`.
    in_3d : bool
        Whether planes are linked; else a nucleus may have an outline in several of them.
    tracks : int, optional
        Number of tracks, when nuclei were followed through time.

    Returns
    -------
    str

    Examples
    --------
    >>> counted_words(312, {}), counted_words(1, {}), counted_words(4312, {"Z": 60})
    ('312 nuclei', '1 nucleus', '4,312 outlines in 60 planes')
    >>> counted_words(312, {"Z": 60}, in_3d=True), counted_words(480, {"T": 12})
    ('312 nuclei in 3D (60 planes)', '480 outlines at 12 times')
    >>> counted_words(480, {"T": 12}, tracks=48), counted_words(480, {"T": 12, "Z": 60}, True, 1)
    ('48 tracks over 12 times', '1 track in 3D (60 planes) over 12 times')
    """
    planes, times = count_planes(sizes), sizes.get("T", 1)
    in_planes = f" in {planes:,} planes" if planes > 1 else ""
    if in_3d and planes > 1:
        in_planes = f" in 3D ({planes:,} planes)"
    if tracks is not None:
        return f"{_many(tracks, 'track', 'tracks')}{in_planes} over {_many(times, 'time', 'times')}"
    at_times = f" at {times:,} times" if times > 1 else ""
    nuclei = in_3d or not (in_planes or at_times)
    return _many(count, *(("nucleus", "nuclei") if nuclei else ("outline", "outlines"))) + in_planes + at_times


def count_planes(sizes: Mapping[str, int]) -> int:
    """Return the number of planes at each time.

    Parameters
    ----------
    sizes : mapping of str to int
        As of `counted`.
    """
    planes = 1
    for axis, length in sizes.items():
        planes *= 1 if axis == "T" else length
    return planes


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"

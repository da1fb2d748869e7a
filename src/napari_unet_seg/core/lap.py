"""Nuclei followed through time by LapTrack, for those that move too far to overlap.

LapTrack (Fukai and Kawaguchi 2023, *Bioinformatics* 39, btac799) solves the linear assignment problem of Jaqaman et al. (2008, *Nature
Methods* 5, 695), as TrackMate's LAP tracker does. It is no part of a plain installation: ``pip install "napari-unet-seg[tracking]"``.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.core.tracking import MISSED, Links, Tracks
from napari_unet_seg.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

REACH = 1.5
"""How far a nucleus may move from one time to the next, in typical diameters."""
DIVISION_REACH = 1.0
"""How far from where its mother was a daughter may appear, in typical diameters."""
_MISSING = "Following nuclei with LapTrack needs that library; install it (pip install laptrack), or follow them by overlap."
_COORDINATES = ["z", "y", "x"]


def is_installed() -> bool:
    """Say whether LapTrack is there; it is not loaded."""
    return importlib.util.find_spec("laptrack") is not None


def check_installed() -> None:
    """Raise when LapTrack is not there.

    Raises
    ------
    SettingsError
        With what to install.
    """
    if not is_installed():
        raise SettingsError(_MISSING)


def follow_far(table: pd.DataFrame) -> Tracks:
    """Follow nuclei through time by where their centres are.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a nucleus: ``label``, ``time`` (int), ``z``, ``y``, ``x`` (of one unit) and ``diameter`` (of the same).

    Returns
    -------
    Tracks

    Raises
    ------
    SettingsError
        If LapTrack is not installed.
    """
    check_installed()
    laptrack: Any = importlib.import_module("laptrack")
    links = Links(int(table["label"].max()) + 1 if len(table) else 1)
    times = [np.sort(group.to_numpy(np.int64)) for _, group in table.groupby("time")["label"]]
    if len(times) > 1:
        diameter = float(table["diameter"].median())
        reach, division = (REACH * diameter) ** 2, (DIVISION_REACH * diameter) ** 2  # it measures squares
        tracker = laptrack.LapTrack(
            cutoff=reach, splitting_cutoff=division, gap_closing_cutoff=reach, gap_closing_max_frame_count=MISSED, merging_cutoff=False
        )
        _read(links, *tracker.predict_dataframe(table, _COORDINATES, "time", only_coordinate_cols=False)[:2])
    return links.tracks(times)


def _read(links: Links, tracks: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Take over what LapTrack found."""
    ordered = tracks.sort_values(["track_id", "frame"] if "frame" in tracks else ["track_id", "time"])
    ends: dict[int, tuple[int, int]] = {}
    for name, group in ordered.groupby("track_id")["label"]:
        numbers = group.to_numpy(np.int64)
        links.join(numbers[:-1], numbers[1:])
        ends[int(name)] = int(numbers[0]), int(numbers[-1])
    if len(splits):
        for name, pair in splits.groupby("parent_track_id")["child_track_id"]:
            for child in pair:
                links.mother[ends[int(child)][0]] = ends[int(name)][1]

"""What a table of nuclei says in a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.core.counting import count_tracks, sizes_of
from napari_unet_seg.core.intensities import is_intensity
from napari_unet_seg.gui.columns import SIZES, formatter, numbers
from napari_unet_seg.gui.words import count_words

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo

_UNITS = {"area_um2": "µm²", "area": "px²", "volume_um3": "µm³", "volume": "voxels"}
_MOST_MEANS = 3
"""Channels whose mean is told; the table has them all."""


def numbered(features: pd.DataFrame | None) -> pd.DataFrame:
    """Return the features of a layer as a table with ``label``; without anything in it when nothing is known of the nuclei.

    Parameters
    ----------
    features : pandas.DataFrame or None
        With ``label`` or ``index``, else the row's number is that of the nucleus, as napari takes it.

    Returns
    -------
    pandas.DataFrame
        Without rows for the background.
    """
    import pandas as pd

    if features is None or not len(features.columns):
        return pd.DataFrame({"label": np.zeros(0, np.int64)})
    if "label" in features:
        return features
    labels = features["index"] if "index" in features else pd.Series(np.arange(len(features)), features.index)
    table = features.drop(columns="index", errors="ignore")
    table.insert(0, "label", labels.to_numpy())
    return table[table["label"] != 0].reset_index(drop=True)


def summary_words(table: pd.DataFrame, shape: tuple[int, ...], info: LabelsInfo) -> tuple[str, str]:
    """Say how many nuclei there are, how large, how dense and how bright.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a nucleus.
    shape : tuple of int
        Of the labels, (..., Y, X).
    info : LabelsInfo
        With the scale, as far as known.

    Returns
    -------
    headline, detail : str
    """
    volumes = "volume" in table or "centroid_z" in table or "centroid_t" in table
    sizes = sizes_of(info.axes, shape)
    parts = []
    size = next((name for name in SIZES if name in table), "")
    if size:
        parts.append(f"median {'volume' if size.startswith('volume') else 'area'} {_value(table, size, np.nanmedian)} {_UNITS[size]}")
    y, x = info.step("Y"), info.step("X")
    if y and x and not volumes:
        density = len(table) / (math.prod(shape) * y * x) * 1e6
        parts.append(f"{density:,.0f} per mm²" if density >= 1 else f"{density:.2g} per mm²")
    means = [str(name) for name in table if str(name).startswith("mean_")]
    parts += [f"mean {name.removeprefix('mean_')} {_value(table, name, np.nanmean)}" for name in means[:_MOST_MEANS]]
    detail = ", ".join(parts)
    headline = count_words(len(table), sizes, volumes, count_tracks(table))
    return headline, detail[:1].upper() + detail[1:] + "." if detail else ""


def missing_words(table: pd.DataFrame) -> str:
    """Say that intensities of some nuclei are not known, since these were corrected after they were measured; else nothing.

    Parameters
    ----------
    table : pandas.DataFrame

    Returns
    -------
    str
    """
    names = [name for name in table if is_intensity(str(name)) and not str(name).startswith(("ring_", "ratio_"))]
    count = int(table[names].isna().all(axis=1).sum()) if names else 0
    if not count:
        return ""
    return f"{count:,} {'nucleus was' if count == 1 else 'nuclei were'} changed since the intensities were measured; press Measure again."


def _value(table: pd.DataFrame, name: str, statistic: Callable[[Any], Any]) -> str:
    values = numbers(table, name)
    values = values[np.isfinite(values)]
    value = np.array([float(statistic(values)) if values.size else math.nan])
    return formatter(value)(value[0])

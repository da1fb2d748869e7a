"""Nuclei of a region into labels that are there: those inside are replaced, all others keep their pixels, numbers and measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.measure import measure_plane

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.settings import Polygons

Labels = npt.NDArray[np.int32]


def merge_region(
    old: tuple[npt.NDArray[Any], pd.DataFrame], new: tuple[Labels, pd.DataFrame], region: Polygons
) -> tuple[Labels, pd.DataFrame]:
    """Replace the nuclei whose centroid lies inside a region.

    Parameters
    ----------
    old : tuple
        Labels, int32 (..., Y, X), and their table with ``label``, ``index``, ``centroid_y`` and ``centroid_x`` in pixels.
    new : tuple
        What a run of the region found: labels of the same shape, and their table.
    region : tuple of polygons
        As in `SegmentSettings.region`, but in pixels of the labels.

    Returns
    -------
    labels : ndarray of int32, shape (..., Y, X)
        New nuclei have numbers above all old ones. Where an old nucleus that stays and a new one overlap, the old one keeps its pixels.
    table : pandas.DataFrame
        Rows of the old nuclei that stay, then those of the new ones; columns that only the old table has are NaN in new rows.
    """
    labels, table = old
    inside = AreaOfInterest.of(region).contains(table["centroid_y"], table["centroid_x"])
    gone = np.isin(labels, table["label"][inside]) & (labels > 0)
    first = int(labels.max(initial=0))
    return _merged((np.where(gone, 0, labels).astype(np.int32), table[~inside]), new, first)


def replace_above(old: tuple[npt.NDArray[Any], pd.DataFrame], new: tuple[Labels, pd.DataFrame], first: int) -> tuple[Labels, pd.DataFrame]:
    """Replace the nuclei that `merge_region` had put in.

    Parameters
    ----------
    old : tuple
        Labels and table, as `merge_region` returned them.
    new : tuple
        What is found in the same region otherwise.
    first : int
        The largest number of the nuclei that had been there before.

    Returns
    -------
    labels : ndarray of int32, shape (..., Y, X)
        As if the new ones had been put in at first.
    table : pandas.DataFrame
        Likewise.
    """
    labels, table = old
    return _merged((np.where(labels > first, 0, labels).astype(np.int32), table[table["label"] <= first]), new, first)


def put_over(stay: npt.NDArray[Any], new: Labels, first: int) -> Labels:
    """Put labels among others, which keep their pixels.

    Parameters
    ----------
    stay : ndarray of int, shape (..., Y, X)
        Numbers above `first` are those of nuclei that are replaced.
    new : ndarray of int32, shape (..., Y, X)
    first : int
        The new nuclei have numbers above it.

    Returns
    -------
    ndarray of int32, shape (..., Y, X)
    """
    return np.where((stay > 0) & (stay <= first), stay, np.where(new > 0, new + np.int32(first), 0)).astype(np.int32)


def _merged(stay: tuple[Labels, pd.DataFrame], new: tuple[Labels, pd.DataFrame], first: int) -> tuple[Labels, pd.DataFrame]:
    import pandas as pd

    (labels, table), (found, rows) = stay, new
    merged = put_over(labels, found, first)
    rows = rows.assign(label=rows["label"] + first, index=rows["label"] + first)
    cut = np.unique(found[(labels > 0) & (found > 0)]) + first
    rows = _measured_again(merged, rows, cut) if cut.size else rows
    return merged, pd.concat([part for part in (table, rows) if len(part)] or [table], ignore_index=True)


def _measured_again(merged: Labels, rows: pd.DataFrame, cut: npt.NDArray[np.int32]) -> pd.DataFrame:
    """Measure nuclei anew that lost pixels; those that lost all have no row."""
    import pandas as pd

    parts = np.where(np.isin(merged, cut), merged, 0)
    tables = [measure_plane(parts[index]) for index in np.ndindex(parts.shape[:-2])]
    again = pd.concat(tables, ignore_index=True).set_index("label")
    columns = [column for column in again if column in rows and column != "index"]
    rows = rows[~rows["label"].isin(cut) | rows["label"].isin(again.index)].set_index("label")
    rows[columns] = rows[columns].astype({column: again[column].dtype for column in columns})
    rows.loc[again.index, columns] = again[columns]
    rows = rows.reset_index()
    return rows[["label", *(column for column in rows if column != "label")]]

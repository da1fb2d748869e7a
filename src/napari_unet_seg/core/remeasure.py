"""The table after a correction: only the nuclei that changed are measured again, and each change of rows can be taken back exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.edits import Box, box_of, grown, joined
from napari_unet_seg.core.intensities import follows_pixels
from napari_unet_seg.core.measure import add_physical, measure_plane

if TYPE_CHECKING:
    import pandas as pd

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Change:
    """Rows of a table that are replaced by others.

    Parameters
    ----------
    out_at, in_at : ndarray of int64
        Positions of the rows that go, in the table before; and of those that come, in the table after.
    out_rows, in_rows : pandas.DataFrame
        The rows.
    """

    out_at: Positions
    out_rows: pd.DataFrame
    in_at: Positions
    in_rows: pd.DataFrame

    def apply(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table after the change.

        Parameters
        ----------
        table : pandas.DataFrame
            As it was when the change was made, or after `revert`.
        """
        return _replaced(table, self.out_at, self.in_at, self.in_rows)

    def revert(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table before the change, given that after it."""
        return _replaced(table, self.in_at, self.out_at, self.out_rows).astype(self.out_rows.dtypes)


def remeasure(
    labels: npt.NDArray[Any], numbers: Iterable[int], around: Box, background: npt.NDArray[Any] | None = None
) -> tuple[pd.DataFrame, Box]:
    """Measure some nuclei of a plane.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
    numbers : iterable of int
        The nuclei; those that are not there are left out.
    around : tuple of slice
        Where they are, see `napari_unet_seg.core.edits.box_of`.
    background : ndarray of float, shape (Y, X), optional
        Probability of each pixel to be of no nucleus; gives the ``score``.

    Returns
    -------
    table : pandas.DataFrame
        As `napari_unet_seg.core.measure.measure_plane`.
    box : tuple of slice
        That was read.
    """
    wanted = np.array(sorted({int(number) for number in numbers} - {0}), np.int64)
    found = [box for number in wanted if (box := box_of(labels, int(number), around)) is not None]
    # One pixel more on each side: what touches the border of the window then touches that of the plane.
    box = grown(joined(around, *found), 1, labels.shape)
    window = labels[box]
    table = measure_plane(np.where(np.isin(window, wanted), window, 0), None if background is None else 1 - background[box])
    table["centroid_y"] += box[0].start
    table["centroid_x"] += box[1].start
    return table, box


def change_rows(
    table: pd.DataFrame, fresh: pd.DataFrame, numbers: Iterable[int], plane: Sequence[int] = (), scale: Sequence[float] | None = None
) -> Change:
    """Say which rows of a table change with some nuclei.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``index``; in stacks with a column ``plane_...`` for each leading axis.
    fresh : pandas.DataFrame
        From `remeasure`: those of the nuclei that are still there.
    numbers : iterable of int
        All nuclei that may have changed, also those that are gone.
    plane : sequence of int
        From `place_of`.
    scale : sequence of float, optional
        Micrometres per pixel (Y, X), for columns in micrometres.

    Returns
    -------
    Change
        Nuclei that stay keep their row's place and what others wrote into it, less what is not known of the new pixels: intensities, and
        sizes in micrometres without a `scale`.
        New nuclei come last.
    """
    out_at = np.flatnonzero(np.isin(table["index"], list(numbers)) & rows_of(table, plane))
    old = table.iloc[out_at]
    stays = np.isin(old["index"], fresh["index"])
    staying, gone = out_at[stays], out_at[~stays]
    new = fresh["index"][~np.isin(fresh["index"], old["index"])]
    if scale is not None and "area_um2" in table:
        fresh = add_physical(fresh, scale)
    fresh = fresh.assign(**dict(zip(plane_columns(table), plane, strict=True)))
    fresh = fresh.set_index("index", drop=False).loc[[*old["index"][stays], *new]].reset_index(drop=True)
    rows = _with_foreign(fresh[[name for name in table if name in fresh]], old)
    in_at = np.concatenate([staying - np.searchsorted(gone, staying), len(table) - gone.size + np.arange(len(new))])
    return Change(out_at, old, in_at.astype(np.int64), rows)


def plane_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns that say in which plane of a stack a nucleus is, in the order of the axes."""
    return [str(name) for name in table if str(name).startswith("plane_")]


def can_follow(table: pd.DataFrame, leading: Sequence[int]) -> bool:
    """Say whether the rows of a table can follow corrections: numbers of nuclei, shapes, and planes if there are any.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a labels layer.
    leading : sequence of int
        Lengths of the axes before Y and X.
    """
    return {"index", "area"} <= set(table) and len(plane_columns(table)) in (len(leading), _long(leading))


def place_of(table: pd.DataFrame, index: Sequence[int], leading: Sequence[int]) -> tuple[int, ...]:
    """Return what the columns of the plane say of a plane; axes of length 1 may have none.

    Parameters
    ----------
    table : pandas.DataFrame
        One that `can_follow`.
    index : sequence of int
        Of the plane, along all leading axes.
    leading : sequence of int
        Lengths of these axes.
    """
    if len(plane_columns(table)) == len(leading):
        return tuple(index)
    return tuple(place for place, length in zip(index, leading, strict=True) if length > 1)


def rows_of(table: pd.DataFrame, place: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Mark the rows of the nuclei of one plane.

    Parameters
    ----------
    table : pandas.DataFrame
        One that `can_follow`.
    place : sequence of int
        From `place_of`.
    """
    marked = np.ones(len(table), bool)
    for name, step in zip(plane_columns(table), place, strict=True):
        marked &= table[name].to_numpy() == step
    return marked


def _long(leading: Sequence[int]) -> int:
    return sum(length > 1 for length in leading)


def _with_foreign(rows: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """Add what others wrote of the nuclei that stay."""
    names = [name for name in old if name not in rows and not follows_pixels(str(name))]
    foreign = old.set_index("index", drop=False)[names]
    foreign = foreign[~foreign.index.duplicated()]
    return rows.assign(**{str(name): foreign[name].reindex(rows["index"]).array for name in names if name != "index"})


def _replaced(table: pd.DataFrame, out_at: Positions, in_at: Positions, rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    stays = np.ones(len(table), bool)
    stays[out_at] = False
    kept = table[stays]
    if not len(rows):
        return kept.reset_index(drop=True)
    joined = pd.concat([kept, rows], ignore_index=True) if len(kept) else rows.reindex(columns=list(table)).reset_index(drop=True)
    order = np.full(len(joined), -1, np.int64)
    order[in_at] = np.arange(len(kept), len(joined))
    order[order < 0] = np.arange(len(kept))
    return joined[list(table)].iloc[order].reset_index(drop=True)

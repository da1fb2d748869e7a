"""Pairs one to one: which of the pairs that are possible are worth most together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

_BATCH = 4096
"""Pairs that are assigned at once, and as many more as belong to the last group of them."""


def assign(rows: npt.NDArray[Any], columns: npt.NDArray[Any], gains: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Choose pairs one to one whose gains add up to the most, by the Hungarian method on a sparse matrix (Jonker and Volgenant 1987).

    Parameters
    ----------
    rows, columns : ndarray of int, shape (pairs,)
        What each pair joins; no pair comes twice.
    gains : ndarray of float64, shape (pairs,)
        Positive.

    Returns
    -------
    ndarray of bool, shape (pairs,)
        Which pairs are taken. Some rows and columns may be left without a partner.
    """
    best = np.zeros(gains.size, bool)
    batch = _batches(rows, columns)
    order = np.argsort(batch, kind="stable")
    for pairs in np.split(order, np.flatnonzero(np.diff(batch[order])) + 1) if gains.size else ():
        best[pairs] = _assigned(rows[pairs], columns[pairs], gains[pairs])
    return best


def _batches(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Put pairs that have nothing to do with each other into batches, since the time grows with the square of what is assigned at once."""
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    count = row_ids.size + column_ids.size
    graph = coo_array((np.ones(row.size, bool), (row, row_ids.size + column)), shape=(count, count))
    group = connected_components(graph, directed=False)[1][row]
    batches: npt.NDArray[np.int64] = (np.cumsum(np.bincount(group, minlength=1)) // _BATCH)[group]
    return batches


def _assigned(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], gains: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    count, width = row_ids.size, column_ids.size + row_ids.size  # each row may take a column of its own: that is no pair
    alone = np.arange(count)
    none = 1.0 + float(gains.max())  # no cost is 0, which a sparse matrix would not hold
    cost = np.concatenate([none - gains, np.full(count, none)])
    costs = coo_array((cost, (np.append(row, alone), np.append(column, column_ids.size + alone))), shape=(count, width))
    chosen = np.ravel_multi_index(min_weight_full_bipartite_matching(costs.tocsr()), costs.shape)
    best: npt.NDArray[np.bool_] = np.isin(row * width + column, chosen)
    return best

"""The table of the nuclei as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.io.atomic import atomic_path
from napari_unet_seg.io.labels_info import iter_bands, iter_planes, open_labels

if TYPE_CHECKING:
    import os

    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo

    Array = np.ndarray[Any, np.dtype[Any]]


def write_csv(path: str | os.PathLike[str], labels: Any, info: LabelsInfo) -> None:
    """Write one row a nucleus: the features, or else number, area and centroid.

    Parameters
    ----------
    path : path-like
        Replaced only when all is written. UTF-8 with commas, a point in decimals, and line feeds; numbers in full precision.
    labels : array-like or sequence of array-like
        Integers, (..., Y, X).
    info : LabelsInfo
        Its features are the table; see `labels_table`.

    Raises
    ------
    InputError
        If the array holds no labels that can be written.
    WriteError
        If the system refuses to write.
    """
    table = labels_table(open_labels(labels, info), info)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def labels_table(array: Any, info: LabelsInfo) -> pd.DataFrame:
    """Return a table with exactly one row for each nucleus that is in the labels.

    Features of nuclei that were erased are left out, and nuclei that were painted since are added with what the pixels tell.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        What `open_labels` returned.
    info : LabelsInfo
        Axes and features.

    Returns
    -------
    pandas.DataFrame
        Column ``label`` first; without features ``area`` (pixels) and ``centroid_y``, ``centroid_x`` ... (pixels) follow.
    """
    import pandas as pd

    pixels = _measured(array, info)
    if info.features is None or not len(info.features.columns):
        return pixels
    features = _with_label(info.features)
    features = features[features["label"].isin(pixels["label"])]
    new = pixels[~pixels["label"].isin(features["label"])]
    if new.empty:
        return features.reset_index(drop=True)
    return pd.concat([features, new[[name for name in new if name in features]]], ignore_index=True)


def _with_label(features: pd.DataFrame) -> pd.DataFrame:
    """Return a copy whose first column is ``label``; napari's ``index`` says the same, and without either the row's number does."""
    table = features.copy()
    numbers = table.get("label", table.get("index", np.arange(len(table))))
    table = table.drop(columns=[name for name in ("label", "index") if name in table])
    table.insert(0, "label", np.asarray(numbers))
    return table


def _measured(array: Any, info: LabelsInfo) -> pd.DataFrame:
    import pandas as pd

    sums = [_sums(band, (*index, row)) for index, plane in iter_planes(array) for row, band in iter_bands(plane)]
    total = pd.concat(sums).groupby("label", sort=True).sum()
    count = total.pop("area")
    centroids = total.div(count, axis=0)
    centroids.columns = [f"centroid_{axis.lower()}" for axis in info.stored_axes]
    return pd.concat([count, centroids], axis=1).reset_index()


def _sums(band: Array, origin: tuple[int, ...]) -> pd.DataFrame:
    """Count the pixels of each label and add up their coordinates, which for the leading axes are those of the plane."""
    import pandas as pd

    rows, columns = np.nonzero(band)
    labels, group = _compact(band[rows, columns])
    count = np.bincount(group, minlength=len(labels))
    leading = {axis: count * place for axis, place in enumerate(origin[:-1])}
    y = np.bincount(group, rows, minlength=len(labels)) + count * origin[-1]
    x = np.bincount(group, columns, minlength=len(labels))
    return pd.DataFrame({"label": labels.astype(np.int64), "area": count} | leading | {"y": y, "x": x})


def _compact(values: Array) -> tuple[Array, Array]:
    """Return the different values, sorted, and for each value its place among them; by counting when they lie close, which is faster."""
    if not len(values) or int(values.max()) - int(values.min()) > 4 * len(values) + 2**16:
        return np.unique(values, return_inverse=True)
    low = values.min()
    counts = np.bincount(values - low)
    present = np.flatnonzero(counts)
    places = np.zeros(len(counts), np.int64)
    places[present] = np.arange(len(present))
    return present + low, places[values - low]

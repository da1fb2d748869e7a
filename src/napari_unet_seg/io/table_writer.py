"""The table of the nuclei as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.intensities import follows_pixels
from napari_unet_seg.core.measure import add_physical, measure_plane
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.volumes import add_micrometres, volume_table
from napari_unet_seg.io.cells import cells_of, write_rows
from napari_unet_seg.io.labels_info import iter_bands, iter_planes, open_labels

if TYPE_CHECKING:
    import os

    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo

    Array = np.ndarray[Any, np.dtype[Any]]

_COMPARED_IN_3D = ("volume", "centroid_z", "centroid_y", "centroid_x")
_COMPARED = ("area", "centroid_y", "centroid_x")
"""A table with either of these is taken for one of `napari_unet_seg.core.measure`; what they mean in others is not known."""


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
    # Opened here: given a path, pandas raises an error of its own for a folder that is not there, without the reason in it.
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, lineterminator="\n")


def write_table(path: str | os.PathLike[str], features: pd.DataFrame) -> None:
    """Write the features that came with the labels from a segmentation; as `write_csv`, which would find that they are true of the pixels.

    Parameters
    ----------
    path : path-like
        As of `write_csv`.
    features : pandas.DataFrame
        One row a nucleus.

    Raises
    ------
    WriteError
        If the system refuses to write.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, cells_of(features))


def labels_table(array: Any, info: LabelsInfo) -> pd.DataFrame:
    """Return a table with exactly one row for each nucleus that is in the labels.

    Features of nuclei that were erased are left out, and nuclei that were painted since are added with what the pixels tell. Where area or
    centroid of our own features are no longer those of the pixels, the shape is measured again, and score and intensities are NaN.

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
    if set(_COMPARED_IN_3D) <= set(features) and "Z" in info.stored_axes and features["label"].is_unique:
        return _corrected_in_3d(features, array, info)
    if set(_COMPARED) <= set(features) and features["label"].is_unique:
        return _corrected(features, pixels, array, info)
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


def _corrected(features: pd.DataFrame, pixels: pd.DataFrame, array: Any, info: LabelsInfo) -> pd.DataFrame:
    """Return the features with what is true of the pixels, in rows that are not, and with rows of the nuclei that are new."""
    import pandas as pd

    agree = _agree(features, pixels.set_index("label").loc[features["label"]], _plane_columns(features, info))
    kept, changed = features[agree], features[~agree]
    stale = pixels[~pixels["label"].isin(kept["label"])]
    if stale.empty:
        return features.reset_index(drop=True)
    order = [*features["label"], *stale["label"][~stale["label"].isin(changed["label"])]]
    fresh = _measured_again(array, info, stale, _plane_columns(features, info))
    fresh = fresh[[name for name in fresh if name in features]]
    others = [name for name in changed if name == "label" or not (name in fresh or follows_pixels(str(name)))]
    # Columns of which nothing is known are left to be filled with NaN: they must not decide on the type of the whole.
    fresh = fresh.merge(changed[others], on="label", how="left").dropna(axis=1, how="all")
    table = pd.concat([kept, fresh]) if len(kept) else fresh.reindex(columns=features.columns)
    return table.set_index("label").loc[order].reset_index()[list(features)]


def _corrected_in_3d(features: pd.DataFrame, array: Any, info: LabelsInfo) -> pd.DataFrame:
    """Return the features of nuclei in 3D with what is true of the pixels, and with rows of the nuclei that are new."""
    fresh = _volumes(array, info).set_index("label")
    known = features.set_index("label")
    rows = [label for label in known.index if label in fresh.index] + [label for label in fresh.index if label not in known.index]
    table, now = known.reindex(rows), fresh.loc[rows]
    compared = [*_COMPARED_IN_3D, *(str(name) for name in table if str(name).startswith("plane_") and name in now)]
    same = np.logical_and.reduce([np.isclose(table[name].astype(float), now[name], rtol=1e-7, atol=1e-4) for name in compared])
    if same.all():
        return features.reset_index(drop=True)
    for name in (str(name) for name in table):
        if name in now:
            table[name] = np.where(same, table[name], now[name])
        elif follows_pixels(name):
            table.loc[~same, name] = np.nan
    return table.reset_index()[list(features)]


def _volumes(array: Any, info: LabelsInfo) -> pd.DataFrame:
    """Measure nuclei in 3D; one whose number was painted at several times has one row, as all others."""
    import pandas as pd

    axes = info.stored_axes
    places = [f"plane_{axis.lower()}" for axis in axes[:-2]]
    planes = [measure_plane(np.asarray(plane)).assign(**dict(zip(places, index, strict=True))) for index, plane in iter_planes(array)]
    outlines = pd.concat([table for table in planes if len(table)] or planes[:1], ignore_index=True)
    table = volume_table(outlines, outlines["label"].to_numpy(), "z", array.shape[axes.index("Z")])
    return add_micrometres(table, {axis: step for axis in "ZYX" if (step := info.step(axis))}).drop(columns="index")


def _plane_columns(features: pd.DataFrame, info: LabelsInfo) -> list[str]:
    """Return the columns that tell in which plane a nucleus is, in the order of the leading axes; none if they do not fit these."""
    names = [name for name in features if str(name).startswith("plane_")]
    return names if len(names) == len(info.axes) - 2 else []


def _agree(features: pd.DataFrame, pixels: pd.DataFrame, planes: list[str]) -> Array:
    """Return for each row whether area, centroid and plane are those of the pixels, less what is lost in float32."""
    leading = [name for name in pixels if name not in _COMPARED]
    pairs = [(name, name) for name in _COMPARED] + list(zip(planes, leading, strict=False))
    same = [np.isclose(features[ours].astype(float), pixels[true], rtol=1e-7, atol=1e-4) for ours, true in pairs]
    agree: Array = np.logical_and.reduce(same)
    return agree


def _measured_again(array: Any, info: LabelsInfo, stale: pd.DataFrame, planes: list[str]) -> pd.DataFrame:
    """Measure the shape of some nuclei; of one that lies in several planes only what is defined then."""
    import pandas as pd

    tables = []
    for index, plane in iter_planes(array):
        values = np.asarray(plane)
        chosen = np.where(np.isin(values, stale["label"]), values, 0)
        if chosen.any():
            tables.append(measure_plane(chosen).assign(**dict(zip(planes, index, strict=False))))
    groups = pd.concat(tables).drop(columns="index").groupby("label")
    fresh = groups.first()
    fresh["touches_border"] = groups["touches_border"].any()
    flat = [name for name in fresh if name not in ("touches_border", *planes)]
    fresh.loc[groups.size() > 1, flat] = np.nan
    fresh[list(_COMPARED)] = stale.set_index("label")[list(_COMPARED)].astype(float)
    y, x = info.step("Y"), info.step("X")
    return (add_physical(fresh, (y, x)) if y and x else fresh).reset_index()


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
    labels, places = compact(band[rows, columns])
    group = places - 1  # no background among them
    count = np.bincount(group, minlength=len(labels))
    leading = {axis: count * place for axis, place in enumerate(origin[:-1])}
    y = np.bincount(group, rows, minlength=len(labels)) + count * origin[-1]
    x = np.bincount(group, columns, minlength=len(labels))
    return pd.DataFrame({"label": labels.astype(np.int64), "area": count} | leading | {"y": y, "x": x})

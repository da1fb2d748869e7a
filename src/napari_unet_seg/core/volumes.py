"""Nuclei that reach through several planes: one row each in the table, and their sizes in micrometres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.measure import add_physical, measure_intensities

if TYPE_CHECKING:
    import pandas as pd

VOLUME = "volume"
"""The column that tables of nuclei in 3D have, and others do not."""
_PLACE = "plane_"


def is_in_3d(table: pd.DataFrame | None) -> bool:
    """Say whether the rows of a table are nuclei in 3D."""
    return table is not None and VOLUME in table


def volume_table(outlines: pd.DataFrame, nuclei: npt.NDArray[Any], axis: str, depth: int) -> pd.DataFrame:
    """Put the outlines of each nucleus together.

    Parameters
    ----------
    outlines : pandas.DataFrame
        One row an outline, with ``plane_...`` for each leading axis, see `napari_unet_seg.core.measure.measure_plane`.
    nuclei : ndarray of int, shape (outlines,)
        Of which nucleus each is; 0 where it was dropped.
    axis : str
        The axis along which the planes lie, one letter.
    depth : int
        Number of planes.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus: ``label``; ``plane_...`` of other axes; ``volume`` (voxels), ``planes`` (in how many it shows);
        ``centroid_z`` (planes), ``centroid_y``, ``centroid_x`` (px); ``largest_area`` (px2) of its largest outline; ``touches_border``;
        ``cut_in_z``, whether it shows in the first or last plane, so that a part may be missing; ``score``, the mean over its pixels;
        and ``index`` for napari.
    """
    import pandas as pd

    here = outlines[nuclei > 0]
    area, plane = here["area"].to_numpy(float), here[_PLACE + axis.lower()].to_numpy()
    parts = pd.DataFrame({"label": nuclei[nuclei > 0].astype(np.int64), VOLUME: area, "largest_area": area})
    for name in (str(name) for name in here if str(name).startswith(_PLACE) and name != _PLACE + axis.lower()):
        parts[name] = here[name].to_numpy()
    means = {"centroid_z": plane, **{name: here[name].to_numpy() for name in ("centroid_y", "centroid_x", "score") if name in here}}
    parts = parts.assign(**{name: values * area for name, values in means.items()})
    parts["planes"], parts["touches_border"] = plane, here["touches_border"].to_numpy(bool)
    parts["cut_in_z"] = (plane == 0) | (plane == depth - 1)
    ways = {"largest_area": "max", "planes": "nunique", "touches_border": "any", "cut_in_z": "any"}
    table = parts.groupby("label").agg({name: _way(name, ways) for name in parts if name != "label"})
    table[list(means)] = table[list(means)].div(table[VOLUME], axis=0)
    return _ordered(table.reset_index())


def measure_intensities_in_3d(labels: npt.NDArray[Any], images: Mapping[str, Any]) -> pd.DataFrame:
    """Measure the intensities of nuclei that reach through planes: the planes are laid below each other and taken for one.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        One number a nucleus.
    images : mapping of str to array-like
        Channels by name, each of the labels' shape.

    Returns
    -------
    pandas.DataFrame
        One row a nucleus, as of `napari_unet_seg.core.measure.measure_intensities`.
    """
    below = {name: np.asarray(pixels).reshape(-1, pixels.shape[-1]) for name, pixels in images.items()}
    return measure_intensities(np.asarray(labels).reshape(-1, labels.shape[-1]), below)


def add_micrometres(table: pd.DataFrame, scale: Mapping[str, float]) -> pd.DataFrame:
    """Add columns in micrometres, as far as sizes are known.

    Parameters
    ----------
    table : pandas.DataFrame
        Of outlines or of nuclei in 3D.
    scale : mapping of str to float
        Micrometres of a step along ``Z``, ``Y`` and ``X``, as far as known.

    Returns
    -------
    pandas.DataFrame
        A copy with columns in ``_um``, ``_um2`` and ``_um3``; the same when nothing is known.
    """
    if not {"Y", "X"} <= set(scale):
        return table
    y, x = scale["Y"], scale["X"]
    if not is_in_3d(table):
        return add_physical(table, (y, x))
    steps = {"largest_area_um2": y * x, "centroid_y_um": y, "centroid_x_um": x}
    if z := scale.get("Z"):
        steps |= {"volume_um3": z * y * x, "centroid_z_um": z}
    pixels = {name: name.rpartition("_")[0] for name in steps}
    return table.assign(**{name: table[pixels[name]] * step for name, step in steps.items() if pixels[name] in table})


def _way(name: str, ways: Mapping[str, str]) -> str:
    return ways.get(name, "first" if name.startswith(_PLACE) else "sum")


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns as they are read: where, how large, how sure."""
    shape = (VOLUME, "planes", "centroid_z", "centroid_y", "centroid_x", "largest_area", "touches_border", "cut_in_z", "score")
    places = [str(name) for name in table if str(name).startswith(_PLACE)]
    return table[["label", *places, *(name for name in shape if name in table)]].assign(index=table["label"])

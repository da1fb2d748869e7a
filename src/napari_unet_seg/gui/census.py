"""What must be known of labels before they are corrected: their highest number, and their shapes. Counted beside the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

COUNTING = "Counting the nuclei"


@dataclass(frozen=True)
class Census:
    """What labels hold.

    Parameters
    ----------
    highest : int
        Of the numbers; 0 without nuclei.
    table : pandas.DataFrame or None
        One row a nucleus and plane, as a result has it; None when it was not asked for.
    """

    highest: int
    table: pd.DataFrame | None


def census_steps(labels: Any, axes: str = "", scale: tuple[float, float] | None = None, measured: bool = True) -> Steps[Census]:
    """Go through the planes of labels.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        NumPy, dask or zarr; read plane by plane.
    axes : str
        One letter a dimension, for the names of the columns that say where a plane is; without it they are numbered.
    scale : tuple of float, optional
        Micrometres per pixel (Y, X).
    measured : bool
        Whether a table is wanted.

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    Census

    Raises
    ------
    InputError
        If the labels are negative.
    """
    indices = list(np.ndindex(tuple(labels.shape[:-2])))
    yield Progress(COUNTING, 0, len(indices))
    import pandas as pd

    from napari_unet_seg.core.measure import add_physical, measure_plane

    names = [f"plane_{axes[axis].lower() if axes else axis}" for axis in range(labels.ndim - 2)]
    highest, tables = 0, []
    for done, index in enumerate(indices, start=1):
        plane = np.asarray(labels[index])
        highest = max(highest, int(plane.max(initial=0)))
        if measured:
            tables.append(measure_plane(plane).assign(**dict(zip(names, index, strict=True))))
        yield Progress(COUNTING, done, len(indices))
    if not tables:
        return Census(highest, None)
    filled = [table for table in tables if len(table)] or tables[:1]
    table = pd.concat(filled, ignore_index=True)
    return Census(highest, table if scale is None else add_physical(table, scale))

"""The table of the nuclei of an image that was measured block by block: written as it comes, in the order of the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.block_job import ROWS

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.lattice import Lattice
    from napari_unet_seg.io.block_store import BlockStore
    from napari_unet_seg.io.labels_info import LabelsInfo


def iter_bands(store: BlockStore, blocks: Lattice, plane: Mapping[str, int], scale: Sequence[float] | None) -> Iterator[pd.DataFrame]:
    """Go through the nuclei of a plane, one row of blocks after the other: their labels are consecutive.

    Parameters
    ----------
    store : BlockStore
        Of the plane.
    blocks : Lattice
        Its blocks.
    plane : mapping of str to int
        Columns that say which plane it is, such as ``{"plane_z": 3}``.
    scale : sequence of float or None
        Micrometres per pixel along Y and X, for the columns in micrometres.

    Yields
    ------
    pandas.DataFrame
        In the order of the labels; perhaps without rows.
    """
    import pandas as pd

    from napari_unet_seg.core.measure import add_physical

    for first in range(0, len(blocks), blocks.across):
        parts = [store.get(f"{ROWS}/{number}") for number in range(first, first + blocks.across)]
        # Blocks without nuclei would change the dtypes of the others.
        filled = [part for part in parts if part["label"].size] or parts[:1]
        table = pd.DataFrame({name: np.concatenate([part[name] for part in filled]) for name in filled[0]})
        table = table.sort_values("label", ignore_index=True)
        for position, (column, place) in enumerate(plane.items()):
            table.insert(1 + position, column, place)
        yield add_physical(table, scale) if scale else table


@dataclass(frozen=True)
class Found:
    """Labels and table of an image, before they are put into their places.

    Parameters
    ----------
    labels : Path
        As of `napari_unet_seg.io.zarr_writer.create_zarr`.
    bands : iterator of pandas.DataFrame
        The table, piece by piece.
    count : int or None
        Number of nuclei, where they are not those of the planes.
    """

    labels: Path
    bands: Iterator[pd.DataFrame]
    count: int | None = None


def gathered(bands: Iterator[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put a table together, of a few columns, as far as they are there.

    Parameters
    ----------
    bands : iterator of pandas.DataFrame
    columns : sequence of str

    Returns
    -------
    pandas.DataFrame
        With ``index`` for napari.
    """
    import pandas as pd

    parts = [band[[name for name in band if name in columns]] for band in bands]
    # Tables without rows would change the dtypes of the others.
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table.assign(index=table["label"])


def with_tracks(bands: Iterator[pd.DataFrame], tracks: pd.DataFrame, info: LabelsInfo) -> Iterator[pd.DataFrame]:
    """Add to each nucleus its track, and then sizes in micrometres.

    Parameters
    ----------
    bands : iterator of pandas.DataFrame
        The rows of all nuclei, in pixels.
    tracks : pandas.DataFrame
        ``label``, ``track`` and ``parent`` of each.
    info : LabelsInfo
        Its scale.

    Yields
    ------
    pandas.DataFrame
    """
    from napari_unet_seg.core.volumes import add_micrometres

    known = tracks.set_index("label")
    for band in bands:
        place = list(band).index("score") + 1
        for column in ("parent", "track"):
            band.insert(place, column, known[column].reindex(band["label"]).to_numpy(np.int64))
        yield add_micrometres(band, info.scale)


def write_bands(path: Path, bands: Iterator[pd.DataFrame]) -> int:
    """Write a table that comes piece by piece as CSV, as `napari_unet_seg.io.table_writer.write_csv` writes a whole one.

    Parameters
    ----------
    path : Path
        Replaced only when all is written.
    bands : iterator of pandas.DataFrame
        All with the same columns.

    Returns
    -------
    int
        Number of nuclei that touch the border of their plane.

    Raises
    ------
    WriteError
        If the system refuses to write.
    """
    border: Any = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, band in enumerate(bands):
            band.to_csv(file, index=False, header=number == 0, lineterminator="\n")
            border += int(band["touches_border"].sum())
    return int(border)

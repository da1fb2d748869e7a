"""Levels of a TIFF in tiles as zarr arrays: for somebody who looks at a few tiles at a time, without blocks that are larger than those.

Apart from `napari_unet_seg.io.tiff_lazy`, since tifffile's stores bring zarr along.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import tifffile
import zarr
from tifffile.zarr import ZarrTiffStore

if TYPE_CHECKING:
    from pathlib import Path


class TiffStore(ZarrTiffStore):
    """The chunks of one level; the file is open as long as this is there.

    Unlike tifffile's own, it can be sent to another process, which opens the file again.

    Parameters
    ----------
    path : Path
        The file.
    series : int
        Number of the image in it.
    level : int
        0 is the largest.
    """

    def __init__(self, path: Path, series: int, level: int) -> None:
        """Open the file; no pixel is read yet."""
        self._made_of = path, series, level
        tif = tifffile.TiffFile(path)
        weakref.finalize(self, tif.close)
        super().__init__(tif.series[series], level=level)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the name of the file."""
        return TiffStore, self._made_of


def stored_levels(path: Path, series: int, levels: int) -> tuple[zarr.Array[Any], ...]:
    """Return the levels of an image.

    Parameters
    ----------
    path : Path
        A TIFF in tiles.
    series : int
        Number of the image in it.
    levels : int
        How many levels it has.

    Returns
    -------
    tuple of zarr.Array
        Largest first; nothing of them is kept in memory.
    """
    return tuple(zarr.open_array(TiffStore(path.absolute(), series, level), mode="r") for level in range(levels))

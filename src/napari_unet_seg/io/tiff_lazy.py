"""Large TIFFs as dask arrays: each block is read and decoded when it is needed, in whichever process needs it."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_unet_seg.io.blocks import grow_block
from napari_unet_seg.io.damage import damage

if TYPE_CHECKING:
    from pathlib import Path

    import dask.array


class TiffSource:
    """One image of a TIFF, which is opened when it is first read.

    It can be sent to another process, which opens the file again: tifffile's own lazy stores cannot.

    Parameters
    ----------
    path : Path
        The file.
    series : int
        Number of the image in it.
    axes : str
        One letter a dimension.
    """

    def __init__(self, path: Path, series: int, axes: str) -> None:
        """Note what to open; nothing is opened yet."""
        self.path = path
        self.series = series
        self.axes = axes
        self._lock = threading.Lock()
        self._arrays: dict[int, Any] = {}
        self._tif: tifffile.TiffFile | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the name of the file."""
        return TiffSource, (self.path, self.series, self.axes)

    def array(self, level: int) -> Any:
        """Return a level as something to slice, which reads only what is asked for."""
        with self._lock:
            if level not in self._arrays:
                self._arrays[level] = self._open(level)
            return self._arrays[level]

    def _open(self, level: int) -> Any:
        import zarr

        if self._tif is None:
            self._tif = tifffile.TiffFile(self.path)
            weakref.finalize(self, self._tif.close)
        image = self._tif.series[self.series]
        series = image.levels[level]
        if series.dataoffset is not None:
            # Pixels that lie one after the other as they are: a block can be read without the whole strip around it, which may be a plane.
            dtype = series.dtype.newbyteorder(self._tif.byteorder)
            return np.memmap(self.path, dtype, "r", series.dataoffset, series.shape)
        return zarr.open_array(image.aszarr(level=level), mode="r")


class TiffArray:
    """One level of a `TiffSource`, with what dask wants of an array.

    Parameters
    ----------
    source : TiffSource
        The image.
    level : int
        0 is the largest.
    """

    def __init__(self, source: TiffSource, level: int) -> None:
        """Learn the shape; no pixel is read yet."""
        self.source = source
        self.level = level
        array = source.array(level)
        self.axes = source.axes
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype).newbyteorder("=")
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> Any:
        """Read pixels, in the machine's byte order; raises `ReadError` where the file is damaged."""
        with damage(self.source.path):
            return np.asarray(self.source.array(self.level)[index]).astype(self.dtype, copy=False)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Tell dask what makes this array the same as another one: a file that was not changed in between."""
        state = self.source.path.stat()
        return str(self.source.path), state.st_mtime_ns, state.st_size, self.source.series, self.level


def lazy_levels(path: Path, series: int, axes: str, levels: int) -> list[dask.array.Array]:
    """Return the levels of an image as dask arrays.

    Parameters
    ----------
    path : Path
        A TIFF.
    series : int
        Number of the image in it.
    axes : str
        One letter a dimension, as the file has them.
    levels : int
        How many levels it has.

    Returns
    -------
    list of dask.array.Array
        Largest first, in the machine's byte order.
    """
    import dask.array as da

    source = TiffSource(path.absolute(), series, axes)
    arrays = [TiffArray(source, level) for level in range(levels)]
    return [
        da.from_array(  # type: ignore[no-untyped-call]
            array, chunks=_chunks_of(array), asarray=False, fancy=False, meta=np.empty((0,) * array.ndim, array.dtype)
        )
        for array in arrays
    ]


def _chunks_of(array: TiffArray) -> tuple[int, ...]:
    stored = array.source.array(array.level)
    # Without stored blocks only what lies between neighbouring pixels, such as colours, must stay together.
    last = max(array.axes.index("Y"), array.axes.index("X"))
    smallest = stored.chunks if hasattr(stored, "chunks") else (*(1,) * (last + 1), *array.shape[last + 1 :])
    return grow_block(smallest, array.shape, array.axes, array.dtype.itemsize)

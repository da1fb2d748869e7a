"""The maps behind the results, kept for the sliders and for corrections: within a bound, and no longer than their layer.

A result layer holds its `KeptMaps` in its metadata, where no file writer looks; the cache holds them weakly. So they go with the layer,
and before that when the bound is reached: the plane goes that was not used for the longest time.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_unet_seg.core.map_parts import PlaneMaps

MAPS_KEY = "napari_unet_seg_maps"
"""Under this name the metadata of a result layer hold its maps."""
LIMIT = 2**30
"""Bytes: 128 planes of 1024 x 1024 with four maps."""

Index = tuple[int, ...]


def maps_of(layer: Labels) -> KeptMaps | None:
    """Return the maps behind a result layer.

    Parameters
    ----------
    layer : napari.layers.Labels

    Returns
    -------
    KeptMaps or None
        None for a layer that no run of this session made.
    """
    kept = layer.metadata.get(MAPS_KEY)
    return kept if isinstance(kept, KeptMaps) else None


class MapCache:
    """What all maps of a widget share: the bound.

    Parameters
    ----------
    limit : int
        Bytes.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        """Start empty."""
        self.limit = limit
        self.lock = threading.RLock()  # a run keeps maps in its thread, while the window looks at others
        self._all: weakref.WeakSet[KeptMaps] = weakref.WeakSet()
        self._clock = 0

    @property
    def size(self) -> int:
        """Bytes in use."""
        with self.lock:
            return sum(maps.nbytes for kept in self._all for maps in kept.planes.values())

    def watch(self, kept: KeptMaps) -> None:
        """Count some maps among those that share the bound, as long as they live."""
        self._all.add(kept)

    def tick(self) -> int:
        """Return a later time than ever before."""
        self._clock += 1
        return self._clock

    def __reduce__(self) -> tuple[type[MapCache], tuple[int]]:
        """Leave what is kept behind."""
        return MapCache, (self.limit,)

    def make_room(self, size: int) -> bool:
        """Let planes go until there is room for another; the one that was not used for the longest time first.

        Parameters
        ----------
        size : int
            Bytes that are needed.

        Returns
        -------
        bool
            False when it would not fit into an empty cache; then none is let go.
        """
        if size > self.limit:
            return False
        in_use = self.size
        oldest = sorted((when, kept, index) for kept in self._all for index, when in kept.used.items())
        for _, kept, index in oldest:
            if in_use + size <= self.limit:
                break
            in_use -= kept.planes[index].nbytes
            del kept.planes[index], kept.used[index]
        return True


class KeptMaps:
    """The maps behind one result.

    Parameters
    ----------
    cache : MapCache
        Whose bound they keep.
    singles : tuple of int
        Dimensions of length 1 that the layer has besides, see `napari_unet_seg.gui.layers.Source`.
    """

    def __init__(self, cache: MapCache, singles: tuple[int, ...] = ()) -> None:
        """Start without a plane."""
        self.singles = singles
        self.axes = "YX"
        self.shape: tuple[int, ...] = (0, 0)
        self.planes: dict[Index, PlaneMaps] = {}
        self.used: dict[Index, int] = {}
        self._cache = cache
        cache.watch(self)

    def describe(self, axes: str, shape: tuple[int, ...]) -> None:
        """Say of which labels these are the maps.

        Parameters
        ----------
        axes : str
            Of the image, one letter a dimension.
        shape : tuple of int
            Of the labels as the engine gives them, (..., Y, X).
        """
        self.axes = "".join(axis for axis in axes if axis not in "CSYX") + "YX"
        self.shape = shape

    def put(self, index: Index, maps: PlaneMaps) -> None:
        """Keep the maps of a plane, if they fit at all.

        Parameters
        ----------
        index : tuple of int
            Along the leading axes of the engine's labels.
        maps : PlaneMaps
        """
        with self._cache.lock:
            if self._cache.make_room(maps.nbytes):
                self.planes[index], self.used[index] = maps, self._cache.tick()

    def plane(self, index: Index) -> npt.NDArray[np.float16] | None:
        """Return the maps of a whole plane of the layer, pixel by pixel.

        Parameters
        ----------
        index : tuple of int
            Along the leading axes of the layer; empty for a single plane.

        Returns
        -------
        ndarray of float16, shape (C, Y, X), or None
            None when they were let go, or are of a region. Not to be written to.
        """
        found = self.get(self.in_engine(index))
        return None if found is None else found.whole

    def get(self, index: Index) -> PlaneMaps | None:
        """Return the maps of a plane by its index in the engine's labels, as `put` took it."""
        with self._cache.lock:
            if index not in self.planes:
                return None
            self.used[index] = self._cache.tick()
            return self.planes[index]

    @property
    def complete(self) -> bool:
        """Whether the maps of every plane, or of a region of every plane, are there for the pixels of the labels."""
        sizes = {maps.shape for maps in list(self.planes.values())}
        return len(self.planes) == int(np.prod(self.shape[:-2])) and sizes == {self.shape[-2:]}

    def in_engine(self, index: Index) -> Index:
        """Return the index in the engine's labels of a plane of the layer."""
        return tuple(place for dimension, place in enumerate(index) if dimension not in self.singles)

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptMaps:
        """Share the maps with a copy of the layer, which shows the same nuclei."""
        return self

    def __reduce__(self) -> tuple[type[KeptMaps], tuple[Any, ...]]:
        """Leave the maps behind when a layer is sent to another process."""
        return KeptMaps, (self._cache, self.singles)

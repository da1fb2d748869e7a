"""What is done with one block of a plane, in whichever process: each step reads results of the one before, and leaves its own in files.

===========  =====================================================================================================
``maps``     the network sees a tile: background and distance
``hills``    the hills that touch a block, and the passes between them
``nuclei``   once hills are joined over the whole plane: the nuclei of a block (with a ``report`` on those it owns)
``written``  once nuclei are numbered over the whole plane: labels in the file of the labels
``rows``     measurements of the nuclei that a block owns
===========  =====================================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.lattice import Lattice, box_of, grown
from napari_unet_seg.io.block_store import BlockStore, writing
from napari_unet_seg.io.zarr_writer import CHUNK

if TYPE_CHECKING:
    from napari_unet_seg.core.axes import Layout
    from napari_unet_seg.core.block_plane import Look
    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.settings import SegmentSettings

MAPS, HILLS, NUCLEI, WRITTEN, ROWS = STEPS = ("maps", "hills", "nuclei", "written", "rows")
SHARES, REPORTS, NUMBERS = "shares", "reports", "numbers"
_CELL = 4 * CHUNK
"""Edge of what is written at a time: whole chunks, so that no two workers write the same."""
_CACHE_BYTES = 2**27
"""Maps that are kept in memory: neighbouring blocks read the tiles between them again."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Job:
    """One plane of an image, and all that a worker must know of it.

    Parameters
    ----------
    levels : tuple of array-like
        The image, largest level first, read lazily.
    layout : Layout
        What its dimensions mean.
    index : tuple of int
        Which plane, along the leading axes of the labels.
    model : Path
        The model's file.
    device : str
        As a user says it.
    settings : SegmentSettings
        With a tile that is not automatic: workers must agree on the tiles.
    seen : Look
        Limits, diameter and size of blocks.
    folder : Path
        Where results of blocks go; all workers must reach it.
    labels : Path
        The zarr array of the labels.
    place : tuple of int
        Which plane of that array.
    channels : mapping of str to array-like
        Those whose intensities are measured; of the labels' shape.
    ring : float
        Width of rings in pixels; 0 for none.
    class_map : Path, optional
        The zarr array of the class map, if there is one beside the labels.
    finds_nuclei : bool
        Whether the labels are those of nuclei, and not the numbers of classes.
    """

    levels: tuple[Any, ...]
    layout: Layout
    index: tuple[int, ...]
    model: Path
    device: str
    settings: SegmentSettings
    seen: Look
    folder: Path
    labels: Path
    place: tuple[int, ...] = ()
    channels: Mapping[str, Any] = field(default_factory=dict)
    ring: float = 0.0
    class_map: Path | None = None
    finds_nuclei: bool = True


class Bench:
    """A place where blocks of a job are worked on.

    Parameters
    ----------
    job : Job
        The job.
    predictor : Predictor, optional
        The model on its device; loaded if not given.
    """

    def __init__(self, job: Job, predictor: Predictor | None = None) -> None:
        """Load what the job needs."""
        from napari_unet_seg.core.block_plane import BlockPlane
        from napari_unet_seg.core.checkpoint import load_model
        from napari_unet_seg.core.predict import Predictor
        from napari_unet_seg.core.pyramid import take_plane

        self.job = job
        self.store = BlockStore(job.folder)
        self.predictor = predictor or Predictor(load_model(job.model), job.device, job.settings)
        self.plane = BlockPlane(self.predictor, take_plane(job.levels, job.layout, job.index), job.seen)
        self.cells = Lattice.regular(self.plane.shape, _CELL)
        bytes_each = 2 * len(self.plane.kept)
        largest = max(np.diff(self.plane.tiles.rows)) * max(np.diff(self.plane.tiles.columns)) * bytes_each
        self._maps = lru_cache(max(4, _CACHE_BYTES // int(largest)))(self._load_maps)
        self.is_warm = False
        self._steps: dict[str, Callable[[int], None]] = {
            MAPS: self._run_network,
            HILLS: self._find_hills,
            NUCLEI: self._decode,
            WRITTEN: self._write,
            ROWS: self._measure,
        }

    def count(self, step: str) -> int:
        """Return how many times a step is done."""
        return len({MAPS: self.plane.tiles, WRITTEN: self.cells}.get(step, self.plane.blocks))

    def do(self, step: str, number: int) -> None:
        """Do a step for one tile, block or cell.

        Parameters
        ----------
        step : str
            One of `STEPS`.
        number : int
            Below `count`.
        """
        if step != MAPS and self.is_warm:
            self.rest()
        self.is_warm = step == MAPS
        self._steps[step](number)

    def rest(self) -> None:
        """Give back the memory that the network computed in, and maps that were kept to be read again."""
        from napari_unet_seg.core.processor import release_memory

        self.is_warm = False
        self._maps.cache_clear()
        release_memory()

    def is_done(self, step: str, number: int) -> bool:
        """Say whether that is done, and its result still whole."""
        name = f"{step}/{number}"
        if step == NUCLEI:
            return self.store.check(name) and self.store.check(f"{REPORTS}/{number}")
        if step == WRITTEN and self.store.check(name):
            return all(bytes(digest) == self._digest_of(number, key) for key, digest in self.store.get(name).items())
        return self.store.check(name)

    def _run_network(self, number: int) -> None:
        background = self.plane.blank(number)
        arrays = {"maps": self.plane.run(number)} if background is None else {"background": np.array(background)}
        self.store.put(f"{MAPS}/{number}", arrays)

    def _load_maps(self, number: int) -> Array:
        found = self.store.get(f"{MAPS}/{number}")
        return found["maps"] if "maps" in found else self.plane.empty(number, float(found["background"]))

    def _read(self, box: Box) -> Array:
        """Return background and distance of a box."""
        maps = self._read_all(box)
        return maps if len(maps) == 2 else maps[[0, -1]]

    def _read_all(self, box: Box) -> Array:
        return self.plane.read(box, self._maps)

    def _find_hills(self, number: int) -> None:
        from napari_unet_seg.core.hills import find_hills

        hills = find_hills(self._read, self.plane.blocks.cell(number), self.plane.shape, self.job.settings)
        self.store.put(f"{HILLS}/{number}", vars(hills))

    def _decode(self, number: int) -> None:
        from napari_unet_seg.core.block_nuclei import decode_block
        from napari_unet_seg.core.joining import Share

        found = self.store.get(f"{SHARES}/{number}")
        top, left, bottom, right = found["window"].tolist()
        share = Share(found["summits"], found["nuclei"], (top, left, bottom, right))
        report = dict(vars(decode_block(self._read, share, self.plane.blocks.cell(number), self.plane.shape, self.job.settings)))
        self.store.put(f"{NUCLEI}/{number}", {"labels": report.pop("labels")})
        self.store.put(f"{REPORTS}/{number}", report)

    def _write(self, number: int) -> None:
        cell = self.cells.cell(number)
        labels = self.plane.blocks.read(cell, self._numbered)
        written = {"labels": labels}
        if self.job.class_map is not None:
            written["class_map"] = self._classes(cell)
        self._put(number, written)

    def _classes(self, box: Box) -> Array:
        """Return the most likely class of each pixel of a box."""
        from napari_unet_seg.core.instances import classes

        return classes(self._read_all(box), len(self.predictor.model.settings.classes))

    def _put(self, number: int, written: Mapping[str, Array]) -> None:
        """Write a cell to where it goes, and note what it is."""
        cell = self.cells.cell(number)
        for key, pixels in written.items():
            with writing(getattr(self.job, key)):
                self._target(key)[(*self.job.place, *cell)] = pixels
        digests = {key: np.frombuffer(_digest(pixels), np.uint8) for key, pixels in written.items()}
        self.store.put(f"{WRITTEN}/{number}", digests)

    def _numbered(self, number: int) -> Array:
        numbers = np.concatenate([np.zeros(1, np.uint32), self.store.get(f"{NUMBERS}/{number}")["numbers"]])
        labels: Array = numbers[self.store.get(f"{NUCLEI}/{number}")["labels"]]
        return labels

    def _digest_of(self, number: int, key: str) -> bytes:
        try:
            return _digest(self._target(key)[(*self.job.place, *self.cells.cell(number))])
        except (OSError, ValueError, RuntimeError):  # what a damaged chunk makes of its codec
            return b""

    def _target(self, key: str = "labels") -> Any:
        import zarr

        return zarr.open_array(getattr(self.job, key), mode="r+")

    def _measure(self, number: int) -> None:
        from napari_unet_seg.core.block_measure import Sight, measure_block, reach_of
        from napari_unet_seg.core.score import knots_of

        report = self.store.get(f"{REPORTS}/{number}")
        numbers = self.store.get(f"{NUMBERS}/{number}")["numbers"]
        owned = np.sort(numbers[np.searchsorted(report["keys"], report["owned"])])
        around = _around(report["boxes"]) if owned.size else (slice(0, 1), slice(0, 1))
        window = grown(around, reach_of(self.job.ring), self.plane.shape)
        labels = self._target()[(*self.job.place, *window)].astype(np.int64)
        channels = {name: np.asarray(array[(*self.job.index, *window)]) for name, array in self.job.channels.items()}
        sight = Sight(labels, self._read(window)[0], window, self.plane.shape, channels)
        self.store.put(f"{ROWS}/{number}", measure_block(sight, owned, knots_of(self.predictor.model.card), self.job.ring))


def _around(boxes: Array) -> Box:
    """Return the box around all boxes."""
    return box_of((*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)))


def _digest(labels: Any) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(labels, np.uint32).tobytes(), digest_size=16).digest()

"""A class map larger than memory: tiles to the network, cells to the file, and the table of the classes from what all cells add up to.

===========  =====================================================================================================
``maps``     the network sees a tile: the probabilities of the classes
``written``  the most likely class of each pixel of a cell, in the file; and what there is of each class, as ``rows``
===========  =====================================================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.lattice import grown, within
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.block_job import MAPS, ROWS, WRITTEN, Bench, Job
from napari_unet_seg.io.block_run import DONE, PlaneDone, PlaneRun

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.tiling import Box
    from napari_unet_seg.progress import Steps

TABLE = "table"
_COUNTED = ("uint8", "uint16")

Array = npt.NDArray[Any]


def check_classes(channels: Mapping[str, Any], ring: float) -> None:
    """Refuse what cannot be measured of classes part by part.

    Parameters
    ----------
    channels : mapping of str to array-like
        Those whose intensities are measured.
    ring : float
        Width of rings in pixels; 0 for none.

    Raises
    ------
    InputError
        If a channel is not of whole numbers up to 65,535, or a ring is asked for.
    """
    if ring and channels:
        raise InputError(
            "Rings are of nuclei: around classes of an image that is larger than memory none are measured; leave the ring out."
        )
    for name, array in channels.items():
        if str(array.dtype) not in _COUNTED:
            raise InputError(
                f"The channel {name!r} has dtype {array.dtype}; of classes of an image that is larger than memory, channels of 8 or 16 "
                "bits without sign are measured. Leave it out, or measure a region."
            )


class ClassBench(Bench):
    """A place where cells of a class map are worked on; parameters as of `Bench`."""

    def __init__(self, job: Job, predictor: Predictor | None = None) -> None:
        """Load what the job needs."""
        super().__init__(job, predictor)
        self._steps[WRITTEN] = self._write_classes

    def is_done(self, step: str, number: int) -> bool:
        """Say whether that is done, and its result still whole."""
        return super().is_done(step, number) and (step != WRITTEN or self.store.check(f"{ROWS}/{number}"))

    def _write_classes(self, number: int) -> None:
        from napari_unet_seg.core.block_classes import REACH, ClassView, measure_part
        from napari_unet_seg.core.instances import classes

        cell = self.cells.cell(number)
        window = grown(cell, REACH, self.plane.shape)
        maps, count = self._read_all(window), len(self.predictor.model.settings.classes)
        found = classes(maps, count) * self._inside(window)
        view = ClassView(found, maps[:count].max(axis=0), window, cell, self.plane.shape)
        channels = {name: np.asarray(array[(*self.job.index, *cell)]) for name, array in self.job.channels.items()}
        self.store.put(f"{ROWS}/{number}", measure_part(view, count, channels))
        self._put(number, {"labels": found[within(cell, window)]})

    def _inside(self, box: Box) -> Array:
        """Say which pixels of a box lie in the region, if there is one."""
        from napari_unet_seg.core.area_of_interest import AreaOfInterest

        if not self.job.settings.region:
            return np.ones((1, 1), np.uint8)
        y, x = np.mgrid[box]
        inside = AreaOfInterest.of(self.job.settings.region).contains(y.ravel(), x.ravel())
        return inside.reshape(y.shape).astype(np.uint8)


class ClassRun(PlaneRun):
    """A plane on its way to a class map; parameters as of `PlaneRun`."""

    bench_class = ClassBench
    steps = (MAPS, WRITTEN)

    def iter_plane(self, before: int, told: bool) -> Steps[PlaneDone]:
        """Find the classes of the plane, write and measure them; parameters and steps as of `PlaneRun.iter_plane`."""
        del before, told  # classes have the same numbers in every plane, and none is rescaled unasked
        bench = self._bench("full")
        cells = range(bench.count(WRITTEN))
        if not (bench.store.check(DONE) and bench.store.check(TABLE) and all(bench.is_done(WRITTEN, cell) for cell in cells)):
            for step in self.steps:
                yield from self._iter_step(bench, step)
            table = _table(bench)
            bench.store.put(TABLE, table)
            bench.store.put(DONE, {"count": np.array(len(table["label"]))})
            bench.store.drop(MAPS)
        return PlaneDone(bench, int(bench.store.get(DONE)["count"]), 0.0)


def _table(bench: Bench) -> dict[str, Array]:
    """Return the columns of the table of a plane's classes."""
    from napari_unet_seg.core.block_classes import ClassTally

    tally = ClassTally(len(bench.predictor.model.settings.classes), bench.plane.shape)
    for number in range(bench.count(WRITTEN)):
        tally.add(bench.store.get(f"{ROWS}/{number}"))
    return tally.columns()


def class_table(plane: PlaneDone, axes: str) -> pd.DataFrame:
    """Return the table of the classes of a plane, in pixels.

    Parameters
    ----------
    plane : PlaneDone
        From `ClassRun`.
    axes : str
        One letter a dimension of the class map.

    Returns
    -------
    pandas.DataFrame
        As of `napari_unet_seg.core.class_work`: ``label``, ``class``, ``plane_...``, and so on.
    """
    import pandas as pd

    bench = plane.bench
    names = bench.predictor.model.settings.classes
    columns = bench.store.get(TABLE)
    table = pd.DataFrame(columns)
    table.insert(1, "class", [names[number] for number in columns["label"]])
    for position, (axis, place) in enumerate(zip(axes, bench.job.index, strict=False)):
        table.insert(2 + position, f"plane_{axis.lower()}", place)
    return table


def open_bench(job: Job, predictor: Predictor | None = None) -> Bench:
    """Return the place where blocks of a job are worked on, by what its model finds.

    Parameters
    ----------
    job : Job
    predictor : Predictor, optional
        The model on its device; loaded if not given.

    Returns
    -------
    Bench
    """
    return (Bench if job.finds_nuclei else ClassBench)(job, predictor)


def tables_of(planes: list[PlaneDone], axes: str) -> Iterator[pd.DataFrame]:
    """Return the tables of all planes that have any classes; of the first if none has.

    Parameters
    ----------
    planes : list of PlaneDone
    axes : str
        Of the class map.

    Yields
    ------
    pandas.DataFrame
    """
    tables = [class_table(plane, axes) for plane in planes]
    yield from [table for table in tables if len(table)] or tables[:1]


def job_of_classes(job: Job) -> Job:
    """Return a job that finds classes: all maps are kept, and glass, which may be a class, is not left out."""
    settings = dataclasses.replace(job.settings, skip_glass=False)
    return dataclasses.replace(job, settings=settings, seen=dataclasses.replace(job.seen, every=True), finds_nuclei=False)

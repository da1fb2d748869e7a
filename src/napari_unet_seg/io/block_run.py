"""One plane from tiles to numbered and measured nuclei, in steps that any worker does and that a killed run need not do again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.scale import UNASKED, agrees, is_too_much, is_unfamiliar, size_notice, typical_diameter
from napari_unet_seg.io.block_job import HILLS, MAPS, NUCLEI, NUMBERS, REPORTS, ROWS, SHARES, STEPS, WRITTEN, Bench, Job
from napari_unet_seg.io.block_store import BlockStore
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.io.workers import Workers

STAGE = "Segmenting"
TASKS = {MAPS: STAGE, HILLS: "Separating the nuclei", NUCLEI: "Drawing the nuclei", WRITTEN: "Writing the labels", ROWS: "Measuring"}
"""What each step is to a person."""
DONE = "done"
_FULL, _RESCALED, _CHOSEN = "full", "rescaled", "chosen"

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PlaneDone:
    """What a plane came to.

    Parameters
    ----------
    bench : Bench
        With its blocks.
    count : int
        Nuclei.
    diameter : float
        To which the plane was rescaled; 0 when it was not.
    """

    bench: Bench
    count: int
    diameter: float


class PlaneRun:
    """A plane on its way.

    Parameters
    ----------
    job : Job
        With the folder of the plane, and a look at full size.
    predictor : Predictor
        The model on the device of this process.
    workers : Workers
        Who does the steps.
    """

    bench_class = Bench
    steps: tuple[str, ...] = STEPS

    def __init__(self, job: Job, predictor: Predictor, workers: Workers) -> None:
        """Note what is to be done."""
        self.job = job
        self.predictor = predictor.with_settings(job.settings)  # of which the tile is no more automatic
        self.workers = workers

    def iter_plane(self, before: int, told: bool) -> Steps[PlaneDone]:
        """Segment, number, write and measure the plane.

        Parameters
        ----------
        before : int
            Nuclei of the planes before this one.
        told : bool
            Whether the user knows already that planes are rescaled.

        Yields
        ------
        Progress
            After each tile, block and cell.

        Returns
        -------
        PlaneDone
        """
        if (finished := self._finished(before)) is not None:
            return finished
        bench, diameter = yield from self._iter_looks(told)
        count = _number(bench, before)
        for step in (WRITTEN, ROWS):
            yield from self._iter_step(bench, step)
        bench.store.put(DONE, {"count": np.array(count), "before": np.array(before), "diameter": np.array(diameter)})
        bench.store.drop(MAPS, HILLS, SHARES, NUCLEI, REPORTS, NUMBERS)
        return PlaneDone(bench, count, diameter)

    def _bench(self, name: str, diameter: float = 0.0) -> Bench:
        seen = replace(self.job.seen, diameter=diameter)
        return self.bench_class(replace(self.job, folder=self.job.folder / name, seen=seen), self.predictor)

    def _finished(self, before: int) -> PlaneDone | None:
        """Return the plane if an earlier run had finished it, and it is still whole."""
        for name in (_RESCALED, _FULL):
            bench = self._bench(name)
            if not bench.store.check(DONE):
                continue
            found = {key: value.item() for key, value in bench.store.get(DONE).items()}
            whole = all(bench.is_done(step, number) for step in (WRITTEN, ROWS) for number in range(bench.count(step)))
            if whole and found["before"] == before:
                return PlaneDone(bench, found["count"], found["diameter"])
            bench.store.drop(DONE, WRITTEN, ROWS)
        return None

    def _iter_looks(self, told: bool) -> Steps[tuple[Bench, float]]:
        """Look at the plane, and again at another scale for nuclei of an unknown size, as `napari_unet_seg.core.plane` does."""
        chosen = BlockStore(self.job.folder / _RESCALED)
        if chosen.check(_CHOSEN):
            diameter = float(chosen.get(_CHOSEN)["diameter"])
            bench = self._bench(_RESCALED, diameter)
            yield from self._iter_look(bench)
            return bench, diameter
        bench = self._bench(_FULL)
        areas = yield from self._iter_look(bench)
        diameter, (smallest, largest) = self.job.settings.diameter, self.predictor.known_sizes
        estimate = typical_diameter(areas)
        if diameter or not is_unfamiliar(estimate, smallest, largest):
            return bench, diameter
        if is_too_much(estimate, smallest, math.prod(bench.plane.shape)):
            if not told:
                yield Progress(STAGE, 0, 0, notice=UNASKED)
            return bench, diameter
        bench.rest()
        rescaled = self._bench(_RESCALED, estimate)
        again = yield from self._iter_look(rescaled)
        if not agrees(again.sum(), areas.sum(), estimate < smallest):
            rescaled.store.drop(*STEPS, SHARES, REPORTS)
            return bench, diameter
        chosen.put(_CHOSEN, {"diameter": np.array(estimate)})
        bench.store.drop(*STEPS, SHARES, REPORTS)
        if not told:
            yield Progress(STAGE, 0, 0, notice=size_notice(estimate))
        return rescaled, estimate

    def _iter_look(self, bench: Bench) -> Steps[Array]:
        """Find the nuclei at one scale: their areas, in the order of their first pixels."""
        for step in (MAPS, HILLS):
            yield from self._iter_step(bench, step)
        _share(bench)
        yield from self._iter_step(bench, NUCLEI)
        reports = [bench.store.get(f"{REPORTS}/{number}") for number in range(bench.count(NUCLEI))]
        areas: Array = np.concatenate([report["area"] for report in reports])
        return areas[np.argsort(np.concatenate([report["first"] for report in reports]))]

    def _iter_step(self, bench: Bench, step: str) -> Steps[None]:
        count = bench.count(step)
        pending = [number for number in range(count) if not bench.is_done(step, number)]
        done = sum(bench.count(earlier) for earlier in self.steps[: self.steps.index(step)]) + count - len(pending)
        total = sum(bench.count(each) for each in self.steps)
        for _ in self.workers.each(bench, step, pending):
            done += 1
            yield Progress(TASKS[step], done, total)


def _share(bench: Bench) -> None:
    """Join the hills of the plane, and tell each block of the nuclei that may touch it."""
    from napari_unet_seg.core.hills import Hills
    from napari_unet_seg.core.joining import join_hills

    names = [f"{SHARES}/{number}" for number in range(bench.count(HILLS))]
    if all(bench.store.check(name) for name in names):
        return
    blocks = (Hills(**bench.store.get(f"{HILLS}/{number}")) for number in range(bench.count(HILLS)))
    for name, share in zip(names, join_hills(blocks, bench.plane.blocks, bench.job.settings), strict=True):
        bench.store.put(name, {key: np.asarray(value) for key, value in vars(share).items()})


def _number(bench: Bench, before: int) -> int:
    """Give the nuclei numbers by their first pixels, and tell each block the numbers of those that it shows; return how many there are."""
    from napari_unet_seg.core.block_nuclei import rank

    reports = [bench.store.get(f"{REPORTS}/{number}") for number in range(bench.count(NUCLEI))]
    owned, first = (np.concatenate([report[name] for report in reports]) for name in ("owned", "first"))
    order = np.argsort(owned)
    owned, number = owned[order], (rank(first) + before).astype(np.uint32)[order]
    for block, report in enumerate(reports):
        bench.store.put(f"{NUMBERS}/{block}", {"numbers": number[np.searchsorted(owned, report["keys"])]})
    return int(owned.size)

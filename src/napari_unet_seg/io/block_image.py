"""The planes of an image in blocks, one after the other, and everything put in its place at the end; see `out_of_core` beside this."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg import __version__
from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.errors import SettingsError, WriteError
from napari_unet_seg.io.block_job import Job
from napari_unet_seg.io.block_options import NO_RINGS_IN_3D, OutOfCore, Stored
from napari_unet_seg.io.block_run import STAGE, PlaneDone, PlaneRun
from napari_unet_seg.io.block_store import writing
from napari_unet_seg.io.block_table import Found, gathered, iter_bands, with_tracks, write_bands
from napari_unet_seg.io.kept import identity, measured_as
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.workers import LOCAL, Workers
from napari_unet_seg.io.zarr_writer import CHUNK, create_zarr, finish_zarr, stored_order
from napari_unet_seg.progress import Progress, Steps, over_planes, relay

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.normalize import Limits
    from napari_unet_seg.core.segment import Work

_LABELS, _CLASSES, _MODEL, _PLAN, _IMAGE = "labels.zarr", "classes.zarr", "model.safetensors", "plan.json", "image.zarr"


MOST_TILE = 1536
"""Edge of the tiles that a processor sees, if not set: in those of 2048 it computes in a gigabyte, in these in 0.6, and 7 % longer."""


def unfinished_of(target: Path) -> Path:
    """Return the hidden folder beside a target in which everything lies until it is finished."""
    return target.with_name(f".{target.name}.unfinished")


def is_unfinished(target: Path) -> bool:
    """Say whether a run left something to go on with.

    Parameters
    ----------
    target : Path
        Of the labels.

    Returns
    -------
    bool
        Not of a run that was killed when its labels were in their place already, and it only cleared away: that is done now.
    """
    folder = unfinished_of(target)
    if (folder / _PLAN).exists() and (folder / _LABELS).exists():
        return True
    _clear_away(folder)
    return False


def _clear_away(folder: Path) -> None:
    """Delete what lies in the folder, the plan first: without it nobody goes on with what is left if this is killed."""
    with suppress(OSError):
        (folder / _PLAN).unlink()
    shutil.rmtree(folder, ignore_errors=True)


class ImageRun:
    """An image on its way to labels on the disk.

    Parameters
    ----------
    work : Work
        The image, prepared.
    target : Path
        Where the labels go.
    options : OutOfCore
    workers : Workers
        Who does the steps.
    """

    def __init__(self, work: Work, target: Path, options: OutOfCore, workers: Workers) -> None:
        """Note what is to be done; nothing is read or written yet."""
        self.work = work
        self.target = target
        self.options = options
        self.workers = workers
        self.folder = unfinished_of(target)
        name = target.name[: -len(target.suffix)].removesuffix(".labels").removesuffix(".classes")
        self.info = LabelsInfo(work.layout.labels_axes, options.scale, name)
        self.shape = work.layout.labels_shape
        self.finds_nuclei = bool(work.predictor.model.settings.distance)

    def iter(self) -> Steps[Stored]:
        """Go through the planes, and put everything in its place.

        Yields
        ------
        Progress
            After each tile, block and cell of labels.

        Returns
        -------
        Stored
        """
        from napari_unet_seg.core.segment import blank_notice
        from napari_unet_seg.core.stack import check_stack
        from napari_unet_seg.io.block_classes import ClassRun

        if self.finds_nuclei:
            yield from check_stack(self.info.axes, self.work.settings)
        self._begin()
        done: list[PlaneDone] = []
        limits: list[Limits] = []
        told: set[str] = set()
        levels = self._levels()
        for number, index in enumerate(self.work.layout.indices()):
            job = self._job(levels, index)
            limits.append(job.seen.limits)
            steps = (PlaneRun if self.finds_nuclei else ClassRun)(job, self.work.predictor, self.workers).iter_plane(
                sum(plane.count for plane in done), any(plane.diameter for plane in done)
            )
            done.append((yield from relay(steps, partial(over_planes, number=number, planes=self.work.layout.plane_count, told=told))))
        if notice := blank_notice(limits):
            yield Progress(STAGE, 0, 0, notice=notice)
        found = yield from self._iter_assemble(done)
        return self._finish(done, limits, found)

    def _begin(self) -> None:
        """Make the folder, or go on with the one that is there if it was made in the same way."""
        plan = self._plan()
        if self.options.resume and _can_go_on(self.folder, plan, self.options.overwrite):
            return
        if not (self.options.resume or self.options.overwrite) and any(self.folder.glob("plane*")):
            raise WriteError(f"{self.folder} has what a run left unfinished; go on with it (--resume), or begin anew (--overwrite).")
        _clear_away(self.folder)
        try:
            self.folder.mkdir(parents=True)
            self.work.predictor.model.save(self.folder / _MODEL)
            shape = tuple(self.shape[place] for place in stored_order(self.info))
            create_zarr(self.folder / _LABELS, shape, np.uint32 if self.finds_nuclei else np.uint8, self.info)
            if self.options.classes:
                create_zarr(self.folder / _CLASSES, shape, np.uint8, self.info)
            (self.folder / _PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
        except OSError as error:
            raise WriteError(f"{self.folder} cannot be made: {error.strerror or error}; choose another place.") from error

    def _plan(self) -> dict[str, Any]:
        """Return what decides the results."""
        layout, predictor = self.work.layout, self.work.predictor
        full, source = self.work.levels[0], None if self.options.source is None else Path(self.options.source)
        plan = {
            "image": [layout.axes, list(full.shape), str(full.dtype), layout.channel, layout.flat, identity(full, source)],
            "version": __version__,
            "model": predictor.model.sha256,
            "settings": self.work.settings.to_dict(),
            "block": self.options.block,
            "measured": [*self.options.measure, self.options.ring],
            "scale": dict(self.options.scale),
            "classes": bool(self.options.classes),
            "computed": [predictor.device.name, str(predictor.dtype)] if self.options.scheduler == LOCAL else ["cluster"],
        }
        return dict(json.loads(json.dumps(plan)))

    def _levels(self) -> tuple[Any, ...]:
        """Return the image as workers can read it: pixels that are in this process' memory alone are put on the disk for others."""
        full = self.work.levels[0]
        if self.options.scheduler == LOCAL or not isinstance(full, np.ndarray):
            return self.work.levels
        import dask.array as da
        import zarr

        chunks = tuple(min(CHUNK, size) if axis in "YX" else 1 for axis, size in zip(self.work.layout.axes, full.shape, strict=True))
        with writing(self.folder / _IMAGE):
            stored = zarr.create_array(self.folder / _IMAGE, data=full, chunks=chunks, overwrite=True)
        return (da.from_zarr(stored),)  # type: ignore[no-untyped-call]

    def _job(self, levels: tuple[Any, ...], index: tuple[int, ...]) -> Job:
        from napari_unet_seg.core.block_plane import Look
        from napari_unet_seg.core.device import compute_errors
        from napari_unet_seg.core.normalize import estimate_limits
        from napari_unet_seg.core.pyramid import take_plane
        from napari_unet_seg.io.block_classes import job_of_classes

        predictor, layout = self.work.predictor, self.work.layout
        tile = predictor.settings.tile or min(predictor.tile, MOST_TILE if predictor.device.name == "cpu" else predictor.tile)
        settings = dataclasses.replace(predictor.settings, tile=tile)
        with compute_errors("Reading the image"):
            limits = estimate_limits(take_plane(self.work.levels, layout, index).full, settings)
        order = [place for place in stored_order(self.info) if place < len(index)]
        job = Job(
            levels=levels,
            layout=layout,
            index=index,
            model=self.folder / _MODEL,
            device=predictor.device.name if self.options.scheduler == LOCAL else predictor.asked,
            settings=settings,
            seen=Look(limits, block=self.options.block, every=bool(self.options.classes)),
            folder=self.folder / "-".join(["plane", *(f"{place:05}" for place in index)]),
            labels=self.folder / _LABELS / "0",
            place=tuple(index[place] for place in order),
            channels={} if self._linked else self._channels,
            ring=self.options.ring,
            class_map=self.folder / _CLASSES / "0" if self.options.classes else None,
        )
        return job if self.finds_nuclei else job_of_classes(job)

    @property
    def _channels(self) -> dict[str, Any]:
        return dict(self.options.measure) if isinstance(self.options.measure, Mapping) else {}

    @property
    def _linked(self) -> bool:
        from napari_unet_seg.core.stack import is_linked

        return self.finds_nuclei and is_linked(self.info.axes, self.work.settings)

    def _iter_assemble(self, done: list[PlaneDone]) -> Steps[Found]:
        """Link slices and follow times, as far as the settings ask for it."""
        from napari_unet_seg.core.stack import is_followed
        from napari_unet_seg.core.volumes import add_micrometres
        from napari_unet_seg.io.block_stack import NEEDED, Pile, follow, iter_link, iter_measure

        settings, pile = self.work.settings, Pile(self.folder / _LABELS, self.info)
        followed = self.finds_nuclei and is_followed(self.info.axes, settings)
        if not (self._linked or followed):
            return Found(pile.group, self._bands(done))
        outlines = gathered(self._bands(done, physical=False), (*NEEDED, *(f"plane_{axis.lower()}" for axis in self.info.axes)))
        if not self._linked:
            tracks = follow(pile, outlines, settings)
            return Found(pile.group, with_tracks(self._bands(done, physical=False), tracks, self.info))
        if self.options.ring and self._channels:
            yield Progress(STAGE, 0, 0, notice=NO_RINGS_IN_3D)
        linked = yield from iter_link(pile, outlines, settings)
        table = follow(linked.pile, linked.table, settings) if followed else linked.table
        if self._channels:
            measured = yield from iter_measure(linked, self._channels)
            table = table.merge(measured, on="label", validate="1:1")
        return Found(linked.pile.group, iter([add_micrometres(table.drop(columns="index"), self.info.scale)]), len(table))

    def _finish(self, done: list[PlaneDone], limits: list[Limits], found: Found) -> Stored:
        """Write table and labels to their places, and clear away what was between."""
        from napari_unet_seg.core.segment import provenance_of
        from napari_unet_seg.core.segmentation import CLASSES_KEY
        from napari_unet_seg.io.block_stack import Pile

        device, precision = self.workers.device(done[0].bench)
        provenance = provenance_of(self.work, limits, [plane.diameter for plane in done]) | {"device": device, "precision": precision}
        provenance.pop("grid", None)
        if not self.finds_nuclei:
            provenance[CLASSES_KEY] = list(self.work.predictor.model.settings.classes)
        provenance |= {**measured_as(self.options.measure, self.options.ring), **self.options.about}
        info = dataclasses.replace(self.info, provenance=provenance)
        table = Path(self.options.table or self.target.with_suffix(".csv"))
        border = write_bands(table, found.bands)
        if self.options.classes:
            Pile(self.folder / _CLASSES, info).write_tiff(Path(self.options.classes), is_classes=True)
        if self.target.suffix.lower() == ".zarr":
            with writing(found.labels):
                finish_zarr(found.labels, info)
            with atomic_path(self.target) as temporary:
                found.labels.rename(temporary)
        else:
            Pile(found.labels, info).write_tiff(self.target, is_classes=not self.finds_nuclei)
        _clear_away(self.folder)
        count = sum(plane.count for plane in done) if found.count is None else found.count
        return Stored(self.target, table, count, border, self.shape, provenance)

    def _bands(self, done: list[PlaneDone], physical: bool = True) -> Iterator[pd.DataFrame]:
        from napari_unet_seg.core.measure import add_physical
        from napari_unet_seg.io.block_classes import tables_of

        scale = (self.info.step("Y"), self.info.step("X"))
        known = None if None in scale or not physical else scale
        if not self.finds_nuclei:
            yield from (add_physical(table, known) if known else table for table in tables_of(done, self.info.axes))  # type: ignore[arg-type]
            return
        for plane in done:
            names = dict(zip((f"plane_{axis.lower()}" for axis in self.info.axes), plane.bench.job.index, strict=False))
            yield from iter_bands(plane.bench.store, plane.bench.plane.blocks, names, known)  # type: ignore[arg-type]  # not None


def _can_go_on(folder: Path, wanted: Mapping[str, Any], overwrite: bool) -> bool:
    """Say whether a run left something to go on with; what was made in another way, and may not be replaced, is an error."""
    try:
        found = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # killed before there was one, or while it was written
        return False
    changed = [name for name in wanted if found.get(name) != wanted[name]]
    if changed and not overwrite:
        how = f"in another way ({', '.join(changed)})"
        raise SettingsError(f"What a run left in {folder} was made {how}; go on as it began, or begin anew without resuming.")
    return not changed

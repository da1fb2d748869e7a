"""The planes of an image in blocks, one after the other, and everything put in its place at the end; see `out_of_core` beside this."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.errors import SettingsError, WriteError
from napari_unet_seg.io.block_job import Job
from napari_unet_seg.io.block_run import STAGE, PlaneDone, PlaneRun
from napari_unet_seg.io.block_table import iter_bands, write_bands
from napari_unet_seg.io.kept import identity, measured_as
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.workers import LOCAL, Workers
from napari_unet_seg.io.zarr_writer import CHUNK, create_zarr, finish_zarr, stored_order
from napari_unet_seg.progress import Progress, Steps, relay

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.normalize import Limits
    from napari_unet_seg.core.segment import Work

_LABELS, _MODEL, _PLAN, _IMAGE = "labels.zarr", "model.safetensors", "plan.json", "image.zarr"


def unfinished_of(target: Path) -> Path:
    """Return the hidden folder beside a target in which everything lies until it is finished."""
    return target.with_name(f".{target.name}.unfinished")


@dataclass(frozen=True)
class OutOfCore:
    """What `segment_to` must know besides the image, the target and the settings.

    Parameters
    ----------
    axes : str, optional
        One letter a dimension of an array; a file tells its own.
    channel : int or str, optional
        Which channel shows nuclei: its number, or of a file also its name.
    scale : mapping of str to float
        Micrometres per pixel along ``Z``, ``Y``, ``X`` and seconds along ``T`` of an array; a file tells its own.
    measure : mapping of str to array-like, or sequence of str
        Channels whose intensities are measured: arrays of the labels' shape by name, or of a file their names or numbers.
    ring : float
        Width in pixels of a ring around each nucleus in which they are measured too; 0 for none.
    block : int
        Edge in pixels of the blocks that are decoded at a time; 0 is automatic. It changes memory, never the labels.
    scheduler : str
        ``"local"``, or the address of a scheduler of dask.distributed; its workers must reach image and target by the same paths.
    resume : bool
        Whether to go on with what a killed run left.
    overwrite : bool
        Whether labels that are there may be replaced.
    about : mapping
        More to say in the provenance, as JSON can hold it.
    table : path-like, optional
        Where the measurements go, CSV; beside the labels if not given.
    source : path-like, optional
        The file of an array that was read from one; of a path as the image it is known. What is there is kept only while it is the same.
    """

    axes: str | None = None
    channel: int | str | None = None
    scale: Mapping[str, float] = field(default_factory=dict)
    measure: Mapping[str, Any] | Sequence[str] = ()
    ring: float = 0.0
    block: int = 0
    scheduler: str = LOCAL
    resume: bool = False
    overwrite: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    table: str | os.PathLike[str] | None = None
    source: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class Stored:
    """What `segment_to` wrote.

    Parameters
    ----------
    path : Path
        The labels.
    table : Path
        The measurements, CSV.
    count : int
        Number of nuclei (outlines, in a stack).
    touching_border : int
        How many of them touch the border of their plane.
    shape : tuple of int
        Of the labels.
    provenance : dict
        What made the labels, as of `Segmentation`.
    """

    path: Path
    table: Path
    count: int
    touching_border: int
    shape: tuple[int, ...]
    provenance: Mapping[str, Any]


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
        name = target.name[: -len(target.suffix)].removesuffix(".labels")
        self.info = LabelsInfo(work.layout.labels_axes, options.scale, name)
        self.shape = work.layout.labels_shape

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

        self._begin()
        done: list[PlaneDone] = []
        limits: list[Limits] = []
        levels = self._levels()
        for number, index in enumerate(self.work.layout.indices()):
            job = self._job(levels, index)
            limits.append(job.seen.limits)
            steps = PlaneRun(job, self.work.predictor, self.workers).iter_plane(
                sum(plane.count for plane in done), any(plane.diameter for plane in done)
            )
            done.append((yield from relay(steps, partial(_over_planes, number=number, planes=self.work.layout.plane_count))))
        if notice := blank_notice(limits):
            yield Progress(STAGE, 0, 0, notice=notice)
        return self._finish(done, limits)

    def _begin(self) -> None:
        """Make the folder, or go on with the one that is there if it was made in the same way."""
        plan = self._plan()
        if self.options.resume and _can_go_on(self.folder, plan, self.options.overwrite):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
            self.work.predictor.model.save(self.folder / _MODEL)
            shape = tuple(self.shape[place] for place in stored_order(self.info))
            create_zarr(self.folder / _LABELS, shape, np.uint32, self.info)
            (self.folder / _PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
        except OSError as error:
            raise WriteError(f"{self.folder} cannot be made: {error.strerror or error}; choose another place.") from error

    def _plan(self) -> dict[str, Any]:
        """Return what decides the results."""
        layout, predictor = self.work.layout, self.work.predictor
        full, source = self.work.levels[0], None if self.options.source is None else Path(self.options.source)
        plan = {
            "image": [layout.axes, list(full.shape), str(full.dtype), layout.channel, layout.flat, identity(full, source)],
            "model": predictor.model.sha256,
            "settings": self.work.settings.to_dict(),
            "block": self.options.block,
            "measured": [*self.options.measure, self.options.ring],
            "scale": dict(self.options.scale),
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
        stored = zarr.create_array(self.folder / _IMAGE, data=full, chunks=chunks, overwrite=True)
        return (da.from_zarr(stored),)  # type: ignore[no-untyped-call]

    def _job(self, levels: tuple[Any, ...], index: tuple[int, ...]) -> Job:
        from napari_unet_seg.core.block_plane import Look
        from napari_unet_seg.core.device import compute_errors
        from napari_unet_seg.core.normalize import estimate_limits
        from napari_unet_seg.core.predict import AUTOMATIC_TILE
        from napari_unet_seg.core.pyramid import take_plane

        predictor, layout = self.work.predictor, self.work.layout
        settings = dataclasses.replace(predictor.settings, tile=predictor.settings.tile or AUTOMATIC_TILE[predictor.device.name])
        with compute_errors("Reading the image"):
            limits = estimate_limits(take_plane(self.work.levels, layout, index).full, settings)
        order = [place for place in stored_order(self.info) if place < len(index)]
        return Job(
            levels=levels,
            layout=layout,
            index=index,
            model=self.folder / _MODEL,
            device=predictor.device.name if self.options.scheduler == LOCAL else "auto",
            settings=settings,
            seen=Look(limits, block=self.options.block),
            folder=self.folder / "-".join(["plane", *(f"{place:05}" for place in index)]),
            labels=self.folder / _LABELS / "0",
            place=tuple(index[place] for place in order),
            channels=dict(self.options.measure) if isinstance(self.options.measure, Mapping) else {},
            ring=self.options.ring,
        )

    def _finish(self, done: list[PlaneDone], limits: list[Limits]) -> Stored:
        """Write table and labels to their places, and clear away what was between."""
        from napari_unet_seg.core.segment import provenance_of

        device, precision = self.workers.device(done[0].bench)
        provenance = provenance_of(self.work, limits, [plane.diameter for plane in done]) | {"device": device, "precision": precision}
        provenance.pop("grid", None)
        provenance |= {**measured_as(self.options.measure, self.options.ring), **self.options.about}
        info = dataclasses.replace(self.info, provenance=provenance)
        table = Path(self.options.table or self.target.with_suffix(".csv"))
        border = write_bands(table, self._bands(done))
        if self.target.suffix.lower() == ".zarr":
            finish_zarr(self.folder / _LABELS, info)
            with atomic_path(self.target) as temporary:
                (self.folder / _LABELS).rename(temporary)
        else:
            self._write_tiff(info)
        shutil.rmtree(self.folder, ignore_errors=True)
        return Stored(self.target, table, sum(plane.count for plane in done), border, self.shape, provenance)

    def _bands(self, done: list[PlaneDone]) -> Iterator[pd.DataFrame]:
        scale = (self.info.step("Y"), self.info.step("X"))
        known = None if None in scale else scale
        for plane in done:
            names = dict(zip((f"plane_{axis.lower()}" for axis in self.info.axes), plane.bench.job.index, strict=False))
            yield from iter_bands(plane.bench.store, plane.bench.plane.blocks, names, known)  # type: ignore[arg-type]  # not None

    def _write_tiff(self, info: LabelsInfo) -> None:
        import dask.array as da

        from napari_unet_seg.io.tiff_writer import write_tiff

        labels = da.from_zarr(self.folder / _LABELS / "0")  # type: ignore[no-untyped-call]
        write_tiff(self.target, labels.transpose(np.argsort(stored_order(self.info)).tolist()).astype(np.int32), info)


def _over_planes(progress: Progress, number: int, planes: int) -> Progress:
    return dataclasses.replace(progress, done=number * progress.total + progress.done, total=planes * progress.total)


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

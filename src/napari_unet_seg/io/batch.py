"""One run over images: open, segment, measure, write, one after the other; an image that fails is named, and the rest goes on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_unet_seg.atomic import make_folder
from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.io.ahead import Ahead
from napari_unet_seg.io.batch_outputs import write_outputs
from napari_unet_seg.io.behind import Behind
from napari_unet_seg.io.class_formats import class_formats, with_intensities
from napari_unet_seg.io.failures import FAILURES, explain, noted
from napari_unet_seg.io.kept import measured_as
from napari_unet_seg.io.quantities import Quantity, Wishes, ring_in_pixels
from napari_unet_seg.io.remarks import describe
from napari_unet_seg.io.summary import Outcome, Summary, old_tables, refuse_old
from napari_unet_seg.progress import Progress, Steps, relay

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.segment import Segmentation
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.inputs import Source

FORMATS = {
    "tiff": ".labels.tif",
    "zarr": ".labels.zarr",
    "classes": ".classes.tif",
    "rois": ".rois.zip",
    "csv": ".labels.csv",
    "geojson": ".labels.geojson",
    "overlay": ".overlay.png",
    "trackmate": ".tracks.xml",
}
"""What can be written beside each other, and how the files end."""
_HELD = 2**24
"""Pixels of labels up to which a result may wait to be written while the next image is segmented; of larger ones there is one at a time."""
STAGE = "Segmenting"


@dataclass(frozen=True)
class Plan:
    """What to do with which images.

    Parameters
    ----------
    sources : tuple of Source
        The images.
    output : Path
        Folder of the results, made when it is missing.
    formats : tuple of str
        Keys of `FORMATS`; the first is the main result.
    channel : str
        Name or number of the channel that shows nuclei; empty to find it by its name.
    measure : tuple of str
        Names or numbers of the channels whose intensities are measured; "all" stands for every one.
    ring : Quantity or None
        Width of a ring around each nucleus in which the channels are measured too; None for no ring.
    wishes : Wishes
        Settings; the model's own stand for the rest.
    overwrite : bool
        Whether results that are there may be replaced.
    summary : bool
        Whether to write the tables over all images and the contact sheet.
    resume : bool
        Whether to keep what an earlier run had finished, and to go on where it was killed.
    scheduler : str
        ``"local"``, or the address of a dask scheduler whose workers do the blocks of all images.
    """

    sources: tuple[Source, ...]
    output: Path
    formats: tuple[str, ...] = ("tiff", "csv")
    channel: str = ""
    measure: tuple[str, ...] = ()
    ring: Quantity | None = None
    wishes: Wishes = field(default_factory=Wishes)
    overwrite: bool = False
    summary: bool = False
    resume: bool = False
    scheduler: str = "local"

    def outputs(self, source: Source) -> dict[str, Path]:
        """Return the files to write for an image, by format."""
        stem = self.output / source.stem
        return {name: stem.with_name(stem.name + FORMATS[name]) for name in self.formats}


def iter_batch(plan: Plan, model: str | Model = "nuclei", device: str = "auto") -> Steps[tuple[Outcome, ...]]:
    """Segment images one after the other.

    Parameters
    ----------
    plan : Plan
        The images, and what to write.
    model : str, path or Model
        The model.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.

    Yields
    ------
    Progress
        `done` and `total` count images; the metric ``part`` is the share of the present one that is done. When an image is finished, its
        `Outcome` is the `preview`. Closing the generator cancels, leaves no unfinished file, and writes the tables of what is finished.

    Returns
    -------
    tuple of Outcome
        One an image, in order; of an image that failed it says why.

    Raises
    ------
    InputError
        If there is no image, or a format is not known.
    ModelError, DeviceError, SettingsError
        If the model or the device is not there, or a setting is out of range; before any work.
    WriteError
        If the folder cannot be made, or holds the tables of an earlier run that may not be overwritten; before any work. Or, at the end,
        if one of the tables over all images cannot be written.
    """
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.io.workers import check_workers

    _check(plan)
    loaded = load_model(model)
    if not loaded.settings.distance:
        plan = dataclasses.replace(plan, formats=class_formats(plan.formats, loaded.name))
    predictor = Predictor(loaded, device)
    check_workers(plan.scheduler)
    plan.wishes.check(loaded.defaults)
    make_folder(plan.output)
    if not plan.summary and (old := old_tables(plan.output)):
        yield Progress(STAGE, 0, len(plan.sources), notice=f"{old} are of an earlier run over a folder, and stay as they are.")
    with closing(Summary(plan.output, of_classes=not loaded.settings.distance)) as summary:
        return (yield from _each(plan, predictor, summary))


def _each(plan: Plan, predictor: Predictor, summary: Summary) -> Steps[tuple[Outcome, ...]]:
    """Go through the images, and write the tables over them."""
    outcomes: list[Outcome] = []
    ahead, behind = Ahead([source.path for source in plan.sources]), Behind[Outcome]()
    images = len(plan.sources)
    try:
        for number, source in enumerate(plan.sources):
            image = _Image(plan, source, summary, ahead)
            stage = f"{STAGE} {source.relative.name}"
            # Not by a name here, which would hold the result until the next image is segmented.
            behind.add((yield from relay(image.run(predictor), partial(_counted, stage=stage, number=number, images=images))))
            for outcome in behind.finished(leaving=0 if image.is_large or number + 1 == images else 1):
                outcomes.append(outcome)
                yield Progress(STAGE, number + 1, images, preview=outcome)
    finally:  # also when the run is cancelled: what is finished is in the tables
        ahead.close()
        behind.close()
        if summary.started:
            summary.write()
    return tuple(outcomes)


def _check(plan: Plan) -> None:
    if not plan.sources:
        raise InputError("There is no image to segment; give a file, a folder or a pattern.")
    unknown = [name for name in plan.formats if name not in FORMATS]
    if unknown or not plan.formats:
        raise InputError(f"{(unknown or [''])[0]!r} is no format; use one or more of {', '.join(FORMATS)}.")
    if plan.ring is not None and not plan.measure:
        raise InputError("A ring is measured in channels, and none is named; name them (--measure), or leave the ring out.")
    if "trackmate" in plan.formats and plan.wishes.values.get("track", "none") == "none":
        raise InputError("There are tracks for TrackMate only of nuclei that are followed through time; say how (--track overlap).")
    if plan.summary and not (plan.overwrite or plan.resume):
        refuse_old(plan.output)


def _counted(inner: Progress, stage: str, number: int, images: int) -> Progress:
    """Turn a step of one image into a share of all."""
    part = inner.done / inner.total if inner.total else 0.0
    return Progress(stage, number, images, {"part": part}, notice=inner.notice)


class _Image:
    """The way of one image through a run."""

    def __init__(self, plan: Plan, source: Source, summary: Summary, ahead: Ahead) -> None:
        """Begin at the image."""
        self.plan, self.ahead = plan, ahead
        self.source = source
        self.summary = summary
        self.warnings: list[str] = []
        self.written: tuple[str, ...] = ()
        self.is_large = False

    def run(self, predictor: Predictor) -> Steps[Callable[[], Outcome]]:
        """Segment the image, and return what writes its files, in any thread; whatever goes wrong becomes the outcome's error."""
        started = time.monotonic()
        try:
            image, result = yield from self._segment(predictor)
        except FAILURES as error:
            return partial(self._finish, started, Outcome(self.source, error=explain(error)))
        self.is_large = result.labels.size > _HELD
        return partial(self._finish, started, None, (image, result))

    def _finish(self, started: float, outcome: Outcome | None, found: tuple[ImageFile, Segmentation] | None = None) -> Outcome:
        """Write and describe what was found; what goes wrong once the files are written is a warning."""
        table, thumbnail = None, None
        try:
            if found is not None:
                outcome = describe(self.source, *found)
                outcome = dataclasses.replace(outcome, outputs=write_outputs(self.plan.outputs(self.source), *found, self.written))
                table = found[1].features
        except FAILURES as error:
            outcome = Outcome(self.source, error=explain(error))
        assert outcome is not None  # either it failed, or something was found
        if self.plan.summary and found is not None and not outcome.error:
            with noted("The contact sheet lacks its picture", self.warnings):
                thumbnail = self._thumbnail(*found)
        warnings = (*self.warnings, *outcome.warnings)
        outcome = dataclasses.replace(outcome, seconds=time.monotonic() - started, warnings=warnings)
        return self.summary.add(outcome, table, thumbnail) if self.plan.summary else outcome

    def _segment(self, predictor: Predictor) -> Steps[tuple[ImageFile, Segmentation]]:
        from napari_unet_seg.core.segment import iter_segment
        from napari_unet_seg.io.batch_large import Found, iter_ready
        from napari_unet_seg.io.channels import choice_notice, measured_channels, nuclear_channel
        from napari_unet_seg.io.projection import maximum_projection

        self._refuse_existing()
        image = self.ahead.open(self.source.path)
        if image.is_labels:
            raise InputError(f"{self.source.path.name} holds labels, not intensities; give the image they were made from.")
        if image.notice:
            self.warnings.append(image.notice)
        settings = self.plan.wishes.settings(predictor.model.defaults, image.scale)
        channel = nuclear_channel(image, self.plan.channel)
        if notice := choice_notice(image, self.plan.channel, channel):
            self.warnings.append(notice)
        flat = maximum_projection(image) if settings.stack == "maximum" else image
        measured = measured_channels(flat, self.plan.measure, self.warnings)  # a wrong name is told before the network runs
        ring_in_pixels(self.plan.ring, image.scale)
        found = Found(image, channel, settings, measured)
        ready = yield from relay(iter_ready(self.plan, self.source, found, predictor), self._noted)
        if ready is not None:
            self.written = ready.formats
            return flat, ready.result
        steps = iter_segment(image.data, predictor, axes=image.axes, channel=channel, settings=settings)
        result = yield from relay(steps, self._noted)
        full = result.full(flat.levels[0].shape[flat.axes.index("Y") :][:2])
        return flat, self._completed(flat, full, measured)

    def _noted(self, progress: Progress) -> Progress:
        """Keep the notices of the engine for the table of images."""
        if progress.notice and progress.notice not in self.warnings:
            self.warnings.append(progress.notice)
        return progress

    def _refuse_existing(self) -> None:
        existing = [path for path in self.plan.outputs(self.source).values() if path.exists()]
        if existing and not (self.plan.overwrite or self.plan.resume):
            raise WriteError(f"{existing[0]} exists already; choose another folder, or allow overwriting (--overwrite).")

    def _completed(self, image: ImageFile, result: Segmentation, measured: Mapping[str, Any]) -> Segmentation:
        """Add intensities and micrometres to the table, and the name of the input to the provenance."""
        from napari_unet_seg.core.measure import measure_intensities
        from napari_unet_seg.core.volumes import add_micrometres, is_in_3d, measure_intensities_in_3d
        from napari_unet_seg.io.block_options import NO_RINGS_IN_3D

        features, ring = result.features, ring_in_pixels(self.plan.ring, image.scale)
        if measured and is_in_3d(features):
            self.warnings += [NO_RINGS_IN_3D] if ring else []
            features = features.merge(measure_intensities_in_3d(result.labels, measured), on="label", validate="1:1")
        elif measured:
            features = with_intensities(features, measure_intensities(result.labels, measured, ring))
        features = add_micrometres(features, image.scale)
        provenance = {**result.provenance, **measured_as(measured, ring), "input": PurePosixPath(self.source.shown).name}
        if image.channel_axis is not None:
            provenance["channel_name"] = image.channel_names[provenance["channel"]]
        return dataclasses.replace(result, features=features, provenance=provenance)

    def _thumbnail(self, image: ImageFile, result: Segmentation) -> npt.NDArray[np.uint8]:
        from napari_unet_seg.io.contact_sheet import THUMBNAIL
        from napari_unet_seg.io.overlay import draw_overlay

        return draw_overlay(image, result.labels, result.provenance["channel"], THUMBNAIL)

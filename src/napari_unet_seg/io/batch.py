"""One run over images: open, segment, measure, write, told of in their order; an image that fails is named, and the rest goes on."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.atomic import make_folder
from napari_unet_seg.core.bands import cores
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.abreast import Abreast
from napari_unet_seg.io.batch_image import BatchImage
from napari_unet_seg.io.behind import Behind
from napari_unet_seg.io.class_formats import class_formats
from napari_unet_seg.io.quantities import Quantity, Wishes
from napari_unet_seg.io.room import Room
from napari_unet_seg.io.summary import Outcome, Summary, old_tables, refuse_old
from napari_unet_seg.progress import Progress, Steps, relay

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.predict import Predictor
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
_ROOM = 2**23
"""Pixels that are worked on at a time, in one image or several: some sixty bytes each."""
_MOST_ABREAST = 8
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
    with closing(Summary(plan.output, not loaded.settings.distance, plan.overwrite)) as summary:
        return (yield from _each(plan, predictor, summary))


def _each(plan: Plan, predictor: Predictor, summary: Summary) -> Steps[tuple[Outcome, ...]]:
    """Go through the images, and write the tables over them."""
    outcomes: list[Outcome] = []
    images = [BatchImage(plan, source, summary) for source in plan.sources]
    # One is read and one is written beside each that is decoded; a single core, too, has something to do while it waits for the disk.
    team = Abreast((partial(image.work, predictor) for image in images), min(cores() + 2, _MOST_ABREAST), Room(_ROOM))
    behind = Behind[Outcome]()
    try:
        for number, image in enumerate(images):
            stage = f"{STAGE} {image.source.relative.name}"
            behind.add((yield from relay(team.follow(), partial(_counted, stage=stage, number=number, images=len(images)))))
            for outcome in behind.finished(leaving=0 if image.is_large or number + 1 == len(images) else 1):
                outcomes.append(outcome)
                yield Progress(STAGE, number + 1, len(images), preview=outcome)
    finally:  # also when the run is cancelled: what is finished is in the tables
        for add in team.stop():
            behind.add(add)
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

"""All images of a folder: what is there, a trial on a few of them, and the run, as generators. No Qt and no thread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.io.inputs import Source, find_inputs
from napari_unet_seg.io.quantities import Wishes
from napari_unet_seg.io.summary import Outcome, old_tables
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.gui.trying import Trial
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.settings import SegmentSettings

LOOKING = "Looking into the folder"
PREPARING = "Preparing"
NOTHING = "There is no image in this folder; choose one with TIFF, PNG, JPEG or OME-Zarr images in it or its subfolders."
NO_MATCH = "None of the {} images in this folder is called so; change “Only files”, or leave it empty."
NO_FOLDER = "This folder does not exist; choose another one."
_LABELS = frozenset({"tiff", "zarr"})
RESULTS = "nuclei"
"""Folder of the results, inside that of the images, when none is chosen: what lies in it is no input."""


@dataclass(frozen=True)
class Found:
    """What is in a folder.

    Parameters
    ----------
    sources : tuple of Source
        The images that are asked for.
    channels : tuple of str
        Names of the channels of the first image; empty when it has none, or cannot be read.
    earlier : str
        Tables of an earlier run that the folder of the results holds; empty when there are none.
    there : tuple of frozenset of str
        Of each image, the formats of which there are files.
    trouble : str
        Why there are no images; else empty.
    """

    sources: tuple[Source, ...] = ()
    channels: tuple[str, ...] = ()
    earlier: str = ""
    there: tuple[frozenset[str], ...] = ()
    trouble: str = ""

    def count_done(self, formats: Collection[str]) -> int:
        """Count the images that a run which writes these formats would keep: those of which all files are there."""
        return sum(there.issuperset(formats) for there in self.there)

    def count_replaced(self, formats: Collection[str]) -> int:
        """Count those with labels whose other files are not there, so that all of them would be made again."""
        return sum(bool(_LABELS & there) and not there.issuperset(formats) for there in self.there)


@dataclass(frozen=True)
class Order:
    """What to do with the images.

    Parameters
    ----------
    sources : tuple of Source
    output : Path
        Folder of the results.
    formats : tuple of str
        Keys of `napari_unet_seg.io.batch.FORMATS`.
    trial : Trial
        Model, device, channel and settings.
    measure : bool
        Whether the intensities of all channels are measured.
    overwrite : bool
        Whether results that are there are replaced.
    resume : bool
        Whether results that are there are kept, and the others are made.
    """

    sources: tuple[Source, ...]
    output: Path
    formats: tuple[str, ...]
    trial: Trial
    measure: bool = False
    overwrite: bool = False
    resume: bool = False

    def plan(self) -> Plan:
        """Return the same in terms of the engine."""
        from napari_unet_seg.io.batch import Plan

        return Plan(
            self.sources,
            self.output,
            formats=self.formats,
            channel=self.trial.channel,
            measure=("all",) if self.measure else (),
            wishes=self.trial.wishes,
            overwrite=self.overwrite,
            resume=self.resume,
            summary=True,
        )


def wishes_of(settings: SegmentSettings, defaults: SegmentSettings) -> Wishes:
    """Return what of the settings is not the model's own.

    Parameters
    ----------
    settings : SegmentSettings
        What is asked for.
    defaults : SegmentSettings
        The model's own.

    Returns
    -------
    Wishes
    """
    wanted, own = settings.to_dict(), defaults.to_dict()
    values: dict[str, Any] = {name: getattr(settings, name) for name in wanted if wanted[name] != own[name]}
    return Wishes(values)


def look_steps(folder: Path, pattern: str, output: Path) -> Steps[Found]:
    """Look which images are in a folder.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders.
    pattern : str
        A part of the name, or a pattern such as ``*_DAPI.tif`` or ``plate1/*``; empty for all. Case does not matter.
    output : Path
        Folder of the results, which are no inputs.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Found
    """
    yield Progress(LOOKING, 0, 0)
    if not folder.is_dir():
        return Found(trouble=NO_FOLDER)
    try:
        inside = find_inputs([folder], output).sources
    except UnetSegError as error:
        return Found(trouble=str(error))
    sources = tuple(source for source in inside if matches(source, pattern))
    trouble = NOTHING if not inside else NO_MATCH.format(f"{len(inside):,}") if not sources else ""
    return Found(sources, _channels(sources), old_tables(output), _look_for_results(sources, output), trouble)


def can_go_on(formats: Sequence[str]) -> bool:
    """Say whether a run that writes these formats knows of an image what an earlier run had finished: by its labels and its table.

    Parameters
    ----------
    formats : sequence of str
        Keys of `napari_unet_seg.io.batch.FORMATS`.
    """
    return "csv" in formats and bool(_LABELS & set(formats))


def _look_for_results(sources: Sequence[Source], output: Path) -> tuple[frozenset[str], ...]:
    from napari_unet_seg.io.batch import FORMATS

    stems = [output / source.stem for source in sources]
    return tuple(frozenset(name for name, end in FORMATS.items() if stem.with_name(stem.name + end).exists()) for stem in stems)


def matches(source: Source, pattern: str) -> bool:
    """Whether an image is asked for.

    Parameters
    ----------
    source : Source
    pattern : str
        As of `look_steps`.
    """
    wanted = pattern.strip().lower()
    if wanted and not any(sign in wanted for sign in "*?["):
        wanted = f"*{wanted}*"
    names = (source.relative.name.lower(), source.relative.as_posix().lower())
    return not wanted or any(fnmatch(name, wanted) for name in names)


def run_steps(order: Order) -> Steps[tuple[Outcome, ...]]:
    """Segment the images one after the other, with the engine of the command line.

    Parameters
    ----------
    order : Order

    Yields
    ------
    Progress
        As `napari_unet_seg.io.batch.iter_batch`: when an image is finished, its `Outcome` is the preview.

    Returns
    -------
    tuple of Outcome

    Raises
    ------
    UnetSegError
        As `napari_unet_seg.io.batch.iter_batch`.
    """
    yield Progress(PREPARING, 0, len(order.sources))
    from napari_unet_seg.core.apart import iter_apart
    from napari_unet_seg.io.batch import iter_batch

    return (yield from iter_apart(iter_batch, order.plan(), str(order.trial.model), order.trial.device))


def sheet_pages(output: Path) -> list[Path]:
    """Return the pages of the contact sheet of a run, in their order."""
    from napari_unet_seg.io.contact_sheet import pages_in

    first = output / "contact_sheet.png"
    return [path for path in (first, *sorted(pages_in(output))) if path.exists()]


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the images that could not be segmented."""
    return [outcome for outcome in outcomes if outcome.error]


def _channels(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the names of the channels of the first image that can be read; whatever is wrong with it is told by the run."""
    from napari_unet_seg.io.failures import FAILURES
    from napari_unet_seg.io.image import open_image

    if not sources:
        return ()
    try:
        image = open_image(sources[0].path)
    except FAILURES:
        return ()
    return tuple(image.channel_names) if image.channel_axis is not None else ()


def check_order(order: Order) -> None:
    """Raise for what cannot be done.

    Raises
    ------
    InputError
        If there is no image, or nothing is to be written.
    """
    if not order.sources:
        raise InputError(NOTHING)
    if not order.formats:
        raise InputError("Nothing would be written; tick at least one kind of result.")

"""``napari-unet-seg segment``: images to labels, tables and outlines."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet_seg.cli.terminal import DONE, FAILED, USAGE, Bar, before_work, counted, note, say, setting
from napari_unet_seg.errors import ReadError, SettingsError
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.settings import DEVICES, SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.io.inputs import Inputs
    from napari_unet_seg.io.quantities import Wishes
    from napari_unet_seg.io.summary import Outcome
    from napari_unet_seg.settings import Polygons

_NUCLEI, _WHERE, _COMPUTING = "Nuclei", "Where", "Computing"
_OF_NUCLEI = ("probability", "splitting", "fill_holes", "exclude_border", "polarity")
_PLAIN = (*_OF_NUCLEI, "stack", "spacing", "track", "skip_glass", "tile", "precision")
"""Settings that are options of their own, as they are."""

_FORMATS = "What to write: tiff, zarr, classes, rois, csv, geojson, overlay, trackmate."


def _option(*names: str, panel: str | None = None, **rest: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **rest)


@dataclass(frozen=True)
class SegmentOptions:
    """Arguments and options of the command; None stands for the model's own setting."""

    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Images, folders, patterns such as 'data/*.tif', OME-Zarr folders.")]
    output: Annotated[str, _option("--output", "-o", metavar="DIR", help="Folder of the results; relative paths are kept.")]
    model: Annotated[str, _option("--model", "-m", metavar="NAME|PATH", help="A model of `models list`, or a file.")] = "nuclei"
    channel: Annotated[str, _option(metavar="NAME|N", help="Channel of the nuclei (N from 0); not needed if a dye names it.")] = ""
    measure: Annotated[str, _option(metavar="DAPI,GFP|all", help="Channels whose intensities are measured, by name or number.")] = ""
    ring: Annotated[str, _option(metavar="5px|2um", help="Measure them also in a ring around each nucleus, of this width.")] = ""
    format: Annotated[str, _option(metavar="tiff,...", help=_FORMATS)] = "tiff,csv"
    overwrite: Annotated[bool, _option("--overwrite", help="Replace results that are there.")] = False
    resume: Annotated[bool, _option("--resume", help="Keep what an earlier run finished, and go on where it was stopped.")] = False
    json: Annotated[bool, _option("--json", help="One JSON object per input on standard output, and no bar.")] = False
    probability: Annotated[float | None, setting(SegmentSettings, "probability", _NUCLEI)] = None
    splitting: Annotated[float | None, setting(SegmentSettings, "splitting", _NUCLEI)] = None
    min_area: Annotated[str, _option(metavar="20px2|8um2", help="Smaller nuclei are dropped.", panel=_NUCLEI)] = ""
    max_area: Annotated[str, _option(metavar="900px2|360um2", help="Larger nuclei are dropped; 0 keeps them all.", panel=_NUCLEI)] = ""
    diameter: Annotated[str, _option(metavar="0|12px|8um", help="Typical diameter of the nuclei; 0 is automatic.", panel=_NUCLEI)] = ""
    fill_holes: Annotated[bool | None, setting(SegmentSettings, "fill_holes", _NUCLEI)] = None
    exclude_border: Annotated[bool | None, setting(SegmentSettings, "exclude_border", _NUCLEI)] = None
    limits: Annotated[str, _option(metavar="auto|LOW,HIGH", help="Intensities that become black and white.", panel=_NUCLEI)] = ""
    polarity: Annotated[str | None, setting(SegmentSettings, "polarity", _NUCLEI)] = None
    region: Annotated[str, _option(metavar="R.geojson", help="Only nuclei inside the polygons of this file of QuPath.", panel=_WHERE)] = ""
    stack: Annotated[str | None, setting(SegmentSettings, "stack", _WHERE)] = None
    spacing: Annotated[float | None, setting(SegmentSettings, "spacing", _WHERE)] = None
    track: Annotated[str | None, setting(SegmentSettings, "track", _WHERE)] = None
    skip_glass: Annotated[bool | None, setting(SegmentSettings, "skip_glass", _WHERE)] = None
    device: Annotated[str, _option(metavar="|".join(DEVICES), help="Where to compute; see `info`.", panel=_COMPUTING)] = "auto"
    tile: Annotated[int | None, setting(SegmentSettings, "tile", _COMPUTING)] = None
    precision: Annotated[str | None, setting(SegmentSettings, "precision", _COMPUTING)] = None
    scheduler: Annotated[str, _option(metavar="local|ADDRESS", help="Send the work to a dask cluster.", panel=_COMPUTING)] = "local"


def segment(options: SegmentOptions) -> None:
    """Find the nuclei of images and write labels, outlines and measurements."""
    from napari_unet_seg.io.inputs import find_inputs

    wishes = _wishes(options)
    inputs = find_inputs(options.inputs, options.output)
    if inputs.results:
        note(f"{inputs.results} results of this program among the inputs are left out.")
    plan = _plan(options, inputs, wishes)
    from napari_unet_seg.core.checkpoint import load_model

    run = Run(plan, load_model(options.model), options.device, options.json)
    for given, sentence in inputs.missing:
        run.report_missing(given, sentence)
    if not inputs.sources:
        if not inputs.missing:
            note("Error: There is no image among the inputs.")
        raise typer.Exit(USAGE)
    run.follow()
    raise typer.Exit(FAILED if run.failures else DONE)


class Run:
    """A run whose results are told as they come.

    Parameters
    ----------
    plan : Plan
        The images, and what to write.
    model : Model
        The model.
    device : str
        Where to compute.
    as_json : bool
        Whether results are told as JSON.
    """

    def __init__(self, plan: Plan, model: Model, device: str, as_json: bool = False) -> None:
        """Start with nothing done."""
        self.plan = plan
        self.model = model
        self.device = device
        self.as_json = as_json
        self.finished: list[Outcome] = []
        self.failures = 0
        self._told: set[str] = set()

    def follow(self) -> None:
        """Run to the end and tell each result.

        Raises
        ------
        typer.Exit
            If the user interrupts, or the run is refused before any work.
        """
        from napari_unet_seg.io.batch import iter_batch

        try:
            with Bar(len(self.plan.sources), not self.as_json) as bar, closing(iter_batch(self.plan, self.model, self.device)) as steps:
                with before_work():
                    first = next(steps)
                for progress in itertools.chain((first,), steps):
                    bar.update(progress.done + progress.metrics.get("part", 0.0), progress.stage)
                    if progress.notice:
                        self._told.add(progress.notice)
                        note(progress.notice)
                    if progress.preview is not None:
                        self._tell(progress.preview)
        except KeyboardInterrupt:
            note(f"Interrupted: {len(self.finished)} of {len(self.plan.sources)} images are done; no file is unfinished. --resume goes on.")
            raise typer.Exit(FAILED) from None
        if self.plan.summary:
            self._tell_sum()

    def report_missing(self, given: str, sentence: str) -> None:
        """Tell of an input that stands for no image.

        Parameters
        ----------
        given : str
            What the user wrote.
        sentence : str
            Why there is no image.
        """
        self.failures += 1
        note(f"Error: {sentence}")
        if self.as_json:
            from napari_unet_seg.io.summary import Outcome

            say(json.dumps(self._record(Outcome(Source(Path(given), Path(given)), error=sentence))))

    def _tell(self, outcome: Outcome) -> None:
        path = outcome.source.path
        self.finished.append(outcome)
        self.failures += bool(outcome.error)
        for sentence in outcome.warnings:
            if sentence not in self._told:
                note(f"{path}: {sentence}")
        self._told.clear()
        if outcome.error:
            note(f"Error: {path}: {outcome.error}")
        if self.as_json:
            say(json.dumps(self._record(outcome)))
        elif not outcome.error:
            say(f"{path}: {outcome.found}, {outcome.seconds:.1f} s, {outcome.outputs[0]}")

    def _tell_sum(self) -> None:
        from napari_unet_seg.io.summary import summed

        good = [outcome for outcome in self.finished if not outcome.error]
        failed = f"; {self.failures} failed" if self.failures else ""
        found = f"{counted(len(good), 'image', 'images')}, {summed(good)}"
        note(f"{found}{failed}; tables and contact sheet in {self.plan.output}")

    def _record(self, outcome: Outcome) -> dict[str, Any]:
        """Return what ``--json`` tells of one input."""
        outputs = [str(path) for path in outcome.outputs]
        return {
            "path": str(outcome.source.path),
            "output": outputs[0] if outputs else None,
            "outputs": outputs,
            "nuclei": outcome.nuclei,
            "tracks": outcome.tracks,
            "seconds": round(outcome.seconds, 3),
            "megapixels": outcome.megapixels,
            "polarity": outcome.polarity or None,
            "low": outcome.low,
            "high": outcome.high,
            "device": outcome.device or None,
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "warnings": list(outcome.warnings),
            "error": outcome.error or None,
        }


def _wishes(options: SegmentOptions) -> Wishes:
    """Gather the settings that were given."""
    from napari_unet_seg.io.quantities import Wishes, parse_area, parse_length

    values: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    if options.limits:
        values["low"], values["high"] = _limits(options.limits)
    if options.region:
        values["region"] = _region(options.region)
    given = {"min_area": parse_area, "max_area": parse_area, "diameter": parse_length}
    return Wishes(values, {name: parse(text) for name, parse in given.items() if (text := getattr(options, name))})


def _limits(text: str) -> tuple[float, float]:
    """Read ``auto`` or ``LOW,HIGH``."""
    if text == "auto":
        return 0.0, 0.0
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise SettingsError(f"The limits are {text!r}; write them as auto, or as two numbers such as 100,4000, the lower one first.")
    return low, high


def _region(path: str) -> Polygons:
    from napari_unet_seg.io.region_reader import read_region

    try:
        return read_region(path)
    except ReadError as error:  # what was given cannot be used: no image has failed
        raise SettingsError(str(error)) from error


def _plan(options: SegmentOptions, inputs: Inputs, wishes: Wishes) -> Plan:
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.io.quantities import parse_length

    return Plan(
        inputs.sources,
        Path(options.output),
        formats=_listed(options.format),
        channel=options.channel,
        measure=_listed(options.measure),
        ring=parse_length(options.ring) if options.ring else None,
        wishes=wishes,
        overwrite=options.overwrite,
        summary=inputs.many,
        resume=options.resume,
        scheduler=options.scheduler,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))

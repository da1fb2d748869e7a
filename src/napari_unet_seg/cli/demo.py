"""``napari-unet-seg demo``: the main job on the images that come with the program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from napari_unet_seg.cli.segment import Run
from napari_unet_seg.cli.terminal import DONE, FAILED, note, say
from napari_unet_seg.settings import DEVICES

FOLDER = "napari-unet-seg-demo"
"""Where the results go when no folder is named: what is there is only ever the demo's."""
FORMATS = ("tiff", "csv", "overlay")


@dataclass(frozen=True)
class DemoOptions:
    """Options of the command."""

    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help=f"Folder of the results; ./{FOLDER} if not given.")] = ""
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME|PATH", help="A model of `models list`, or a file.")] = "nuclei"
    device: Annotated[str, typer.Option(metavar="|".join(DEVICES), help="Where to compute; see `info`.")] = "auto"
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are in DIR.")] = False


def demo(options: DemoOptions) -> None:
    """Segment the sample images: labels, a table and a picture of each."""
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.io.inputs import find_inputs
    from napari_unet_seg.io.samples import DEMO, sample_path

    output = Path(options.output or FOLDER)
    sources = find_inputs([sample_path(name) for name in DEMO]).sources
    plan = Plan(sources, output, FORMATS, overwrite=options.overwrite or not options.output)
    model = load_model(options.model)
    note(f"Finding nuclei in {len(sources)} sample images with {model.name} ...")
    run = Run(plan, model, options.device)
    run.follow()
    for outcome in run.finished:
        for path in outcome.outputs[1:]:
            say(f"    {path}")
    if not run.failures:
        say(f"Look at {run.finished[0].outputs[-1]}.")
    raise typer.Exit(FAILED if run.failures else DONE)

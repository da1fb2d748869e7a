"""The commands of ``napari-unet-seg``, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_unet_seg import __version__
from napari_unet_seg.cli import models
from napari_unet_seg.cli.demo import DemoOptions, demo
from napari_unet_seg.cli.evaluate import EvaluateOptions, evaluate
from napari_unet_seg.cli.info import InfoOptions, info
from napari_unet_seg.cli.segment import SegmentOptions, segment
from napari_unet_seg.cli.terminal import command, say
from napari_unet_seg.cli.train import TrainOptions, train

app = typer.Typer(
    help="Find nuclei in microscopy images with a U-Net.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a fault of the program is reported with its plain traceback
    context_settings={"help_option_names": ["-h", "--help"]},
)
command(app, SegmentOptions)(segment)
command(app, TrainOptions)(train)
command(app, EvaluateOptions)(evaluate)
app.add_typer(models.app, name="models")
command(app, InfoOptions)(info)
command(app, DemoOptions)(demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"napari-unet-seg {__version__}")
        raise typer.Exit


_Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]


@app.callback()
def _options(version: _Version = False) -> None:
    """Find nuclei in microscopy images with a U-Net."""


def main() -> None:
    """Run the command line; the entry point of ``napari-unet-seg``."""
    app()

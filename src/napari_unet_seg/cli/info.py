"""``napari-unet-seg info``: what is installed, what computes, and what to install for a GPU."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from napari_unet_seg.cli.terminal import say, say_table


@dataclass(frozen=True)
class InfoOptions:
    """How to tell it."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False


def info(options: InfoOptions) -> None:
    """Show versions, the device that computes, why (not) a GPU, and what to install."""
    from napari_unet_seg.core.environment import describe_environment

    found = describe_environment()
    if options.json:
        say(json.dumps(asdict(found)))
        return
    say_table([*found.versions.items(), ("device", found.device or "none")], right=())
    say()
    for line in (found.reason, *found.advice):
        say(line)

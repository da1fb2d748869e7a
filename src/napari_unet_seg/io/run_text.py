"""A run written down, as a command and as Python: ready to paste, and giving the same labels."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from pathlib import Path

PLACEHOLDER = "IMAGE.tif"
RESULTS = "results"
_NO_FILE = "# “{}” comes from no file that is known here: save it, and write its path instead of {}."
_UNNAMED = "# The file does not say that one of its axes holds channels, so the command takes each as a plane; Python can be told."
_UNITS = {"min_area": "px2", "max_area": "px2", "diameter": "px"}
_APART = ("low", "high", "region")
"""Settings that the command takes in another form."""


@dataclass(frozen=True)
class Run:
    """What is asked of the engine.

    Parameters
    ----------
    name : str
        Of the image.
    path : str
        Its file; empty when there is none.
    axes : str
        Of the file, as `napari_unet_seg.segment` takes them.
    channel : int or None
        Index along C.
    model, device : str
        As the engine calls them.
    settings : SegmentSettings
        All settings.
    defaults : SegmentSettings
        The model's own, which the command takes for what it is not told.
    named : bool
        Whether the file itself says which axis holds channels.
    """

    name: str
    path: str
    axes: str
    channel: int | None
    model: str
    device: str
    settings: SegmentSettings
    defaults: SegmentSettings
    named: bool = True


def as_python(run: Run) -> str:
    """Write a run as Python.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        Lines that leave the labels in ``labels``.
    """
    given = "".join(f"\n    {name}={value!r}," for name, value in _differences(run.settings, SegmentSettings()).items())
    given += "\n" if given else ""
    channel = "" if run.channel is None else f", channel={run.channel}"
    lines = [
        *_remarks(run),
        "import napari_unet_seg as nus",
        "from napari_unet_seg.io.image import open_image",
        "",
        f"image = open_image({run.path or PLACEHOLDER!r})",
        f"settings = nus.SegmentSettings({given})",
        f"labels = nus.segment(image.data, {run.model!r}, {run.device!r}, axes={run.axes!r}{channel}, settings=settings)",
    ]
    return "\n".join(lines) + "\n"


def as_command(run: Run, region: Path | None = None) -> str:
    """Write a run as a command.

    Parameters
    ----------
    run : Run
    region : Path, optional
        The file of the region; needed when there is one.

    Returns
    -------
    str
        One line for a terminal, quoted as this system's takes it, with comments before it.
    """
    words = ["napari-unet-seg", "segment", run.path or PLACEHOLDER, "--output", RESULTS, "--model", run.model, "--device", run.device]
    if run.channel is not None and run.named:
        words += ["--channel", str(run.channel)]
    if run.settings.region and region is not None:
        words += ["--region", str(region)]
    changed = _differences(run.settings, run.defaults)
    if {"low", "high"} & set(changed):
        low, high = run.settings.low, run.settings.high
        words.append(f"--limits={low!r},{high!r}" if low < high else "--limits=auto")
    for name, value in changed.items():
        if name not in _APART:
            words += _option(name, value)
    quoted = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
    remarks = [*_remarks(run), *([] if run.named or run.channel is None else [_UNNAMED])]
    return "\n".join([*remarks, quoted]) + "\n"


def _remarks(run: Run) -> list[str]:
    return [] if run.path else [_NO_FILE.format(run.name, PLACEHOLDER)]


def _differences(settings: SegmentSettings, others: SegmentSettings) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(settings))
    return {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(others, name)}


def _option(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", f"{value}{_UNITS.get(name, '')}"]

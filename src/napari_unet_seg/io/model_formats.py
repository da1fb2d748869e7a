"""The file formats in which a model can be given away; knowing them loads nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SAFETENSORS = "safetensors"
"""The format of this program, which it opens again."""


@dataclass(frozen=True)
class ModelFormat:
    """One format.

    Parameters
    ----------
    title : str
        What it is called.
    ending : str
        Of its files.
    purpose : str
        Who opens it.
    """

    title: str
    ending: str
    purpose: str


FORMATS = {
    SAFETENSORS: ModelFormat("Model of this plugin", ".safetensors", "For a colleague who uses this plugin: everything is in it."),
    "onnx": ModelFormat("ONNX", ".onnx", "The bare network, for programs of other makers and in other languages."),
    "bioimageio": ModelFormat("bioimage.io package", ".bioimageio.zip", "For ilastik, deepImageJ and others, and to publish it there."),
}
"""By the names of the command line."""


def export_path(path: str | os.PathLike[str], name: str, kind: str) -> Path:
    """Return the file that an export writes.

    Parameters
    ----------
    path : path-like
        A file, whose ending is added where it is missing, or a folder.
    name : str
        Of the model.
    kind : str
        A key of `FORMATS`.

    Returns
    -------
    Path
    """
    ending, target = FORMATS[kind].ending, Path(path)
    if target.is_dir():
        return target / f"{name}{ending}"
    last = "." + ending.rpartition(".")[2]
    return target if target.name.lower().endswith(last) else target.with_name(target.name + ending)

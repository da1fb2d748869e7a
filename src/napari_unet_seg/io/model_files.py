"""Giving a model away: which file formats there are, and writing one of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.registry import find_entry
from napari_unet_seg.errors import ModelError
from napari_unet_seg.io.model_formats import FORMATS, SAFETENSORS, export_path
from napari_unet_seg.io.model_package import Credits, credits_of, write_package
from napari_unet_seg.progress import Progress, Steps

OURS = ("napari-unet-seg developers",)
"""Whose the bundled models are."""


@dataclass(frozen=True)
class Export:
    """What is exported.

    Parameters
    ----------
    name : str
        A registered model.
    path : path-like
        File to write, or a folder, in which the file is called like the model.
    format : str
        A key of `napari_unet_seg.io.model_formats.FORMATS`.
    overwrite : bool
        Whether a file that is there may be replaced.
    credit : Credits
        Authors and licence, for bioimage.io; the card's if not given.
    """

    name: str
    path: str | os.PathLike[str]
    format: str = SAFETENSORS
    overwrite: bool = False
    credit: Credits = field(default_factory=Credits)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    path : Path
    remark : str
        What is still to be done before it is given away; may be empty.
    """

    path: Path
    remark: str = ""


def iter_export(order: Export) -> Steps[Exported]:
    """Write a model to a file of some format, whole or not at all.

    Parameters
    ----------
    order : Export

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Exported

    Raises
    ------
    ModelError
        If there is no such model or format, the file exists already, or the packages are missing that the format needs.
    WriteError
        If the system refuses to write.
    """
    if order.format not in FORMATS:
        raise ModelError(f"There is no format {order.format!r}; choose one of {', '.join(FORMATS)}.")
    entry = find_entry(order.name)
    target = export_path(order.path, entry.name, order.format)
    if target.exists() and not order.overwrite:
        raise ModelError(f"{target} exists already; choose another name, or allow overwriting (--overwrite).")
    yield Progress(f"Exporting {entry.name}", 0, 0)
    return _write(load_model(entry.path), target, order, OURS if entry.bundled else ())


def _write(model: Model, target: Path, order: Export, makers: tuple[str, ...]) -> Exported:
    if order.format == SAFETENSORS:
        return Exported(model.save(target))
    if order.format == "onnx":
        from napari_unet_seg.core.portable import to_onnx

        content = to_onnx(model)
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
        return Exported(target)
    credit = credits_of(model, order.credit.authors or makers, order.credit.licence)
    write_package(target, model, credit)
    return Exported(target, credit.gap)

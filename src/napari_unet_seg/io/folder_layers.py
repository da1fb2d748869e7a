"""Layers of a folder of images with their labels: pictures of one size become one stack, with a slider to go through them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.io.folders import Annotated, find_annotated, iter_annotated

if TYPE_CHECKING:
    from napari_unet_seg.io.napari_reader import LayerTuple
    from napari_unet_seg.progress import Steps

MOST_BYTES = 512 * 2**20
"""Images and labels of a folder are read up to this size: they are held in memory, since labels are there to be corrected."""


@dataclass(frozen=True)
class OpenedFolder:
    """What was read of a folder.

    Parameters
    ----------
    layers : list of (data, dict, str)
        For each size of image, an Image layer and a Labels layer.
    notice : str
        A sentence that the user should read; else empty.
    """

    layers: list[LayerTuple] = field(default_factory=list)
    notice: str = ""


def iter_folder(folder: Path, names: list[str] | None = None) -> Steps[OpenedFolder]:
    """Read a folder of images with labels into layers, step by step.

    Parameters
    ----------
    folder : Path
        In one of the layouts of `napari_unet_seg.io.folders`.
    names : list of str, optional
        Which images; as many as fit into `MOST_BYTES` if not given.

    Yields
    ------
    Progress
        Before each image.

    Returns
    -------
    OpenedFolder
        Images of one size and kind are one layer with a first dimension "image"; a single one has none.

    Raises
    ------
    InputError, ReadError
        As `find_annotated` and `read_annotated`.
    """
    found = find_annotated(folder)
    items = found if names is None else [item for item in found if item.name in names]
    fitting = _fitting(items)
    read = yield from iter_annotated(fitting)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, (pixels, _) in enumerate(read):
        groups.setdefault((pixels.shape, pixels.dtype), []).append(index)
    layers: list[LayerTuple] = []
    for indices in groups.values():
        members = [fitting[index] for index in indices]
        layers += _layers(
            _title(folder, members, read[indices[0]][0] if len(groups) > 1 else None), members, [read[index] for index in indices]
        )
    return OpenedFolder(layers, _notice(folder, len(fitting), len(items)))


def _fitting(items: list[Annotated]) -> list[Annotated]:
    """Return the first images that are not too large together, told by the first one; at least one."""
    if not items:
        return []
    from napari_unet_seg.io.image import open_image

    first = open_image(items[0].image).levels[0]
    pixels = int(np.prod(first.shape[:2] if first.ndim == 3 else first.shape[-2:]))
    each = first.size * first.dtype.itemsize + 4 * pixels
    return items[: max(1, MOST_BYTES // max(1, each))]


def _layers(title: str, items: list[Annotated], read: list[tuple[Any, Any]]) -> list[LayerTuple]:
    alone = len(read) == 1
    pixels, labels = (parts[0] if alone else np.stack(parts) for parts in zip(*read, strict=True))
    rgb = pixels.ndim == labels.ndim + 1  # or with an opacity that varies
    axes = "YX" if alone else "QYX"
    shared: dict[str, Any] = {
        "axis_labels": ("y", "x") if alone else ("image", "y", "x"),
        "scale": (1.0,) * labels.ndim,
        "units": ("pixel",) * labels.ndim,
    }
    names = [item.name for item in items]
    image = {"name": title, "rgb": rgb, "metadata": {"axes": axes + "S" * rgb, "names": names}, **shared}
    return [(pixels, image, "image"), (labels, {"name": f"{title} labels", "metadata": {"axes": axes, "names": names}, **shared}, "labels")]


def _title(folder: Path, items: list[Annotated], pixels: Any) -> str:
    """Name a layer after its image or folder; where a folder gives several layers, with what they have in common."""
    if len(items) == 1:
        return items[0].name
    if pixels is None:
        return folder.name
    color = ", colour" if pixels.ndim == 3 else ""
    return f"{folder.name} ({pixels.shape[1]} × {pixels.shape[0]}{color})"


def _notice(folder: Path, opened: int, there: int) -> str:
    if opened == there:
        return ""
    return (
        f"{opened:,} of the {there:,} images of {folder.name} are open, as many as memory should hold; move the others to another folder."
    )

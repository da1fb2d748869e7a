"""The files of one image of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.atomic import make_folder
from napari_unet_seg.io.inputs import drop_suffix

if TYPE_CHECKING:
    from napari_unet_seg.core.segment import Segmentation
    from napari_unet_seg.io.image import ImageFile

# As in blocks, the table is written before the labels, and all else after them: so it is known what a killed run had replaced.
_RANK = {"csv": 0, "zarr": 1, "tiff": 2}


@dataclass(frozen=True)
class Made:
    """What is to be made of a result.

    Parameters
    ----------
    outputs : mapping of str to Path
        The file for each format.
    written : collection of str
        Formats that are there already.
    exact : bool
        Whether the table is known to be that of the labels, to the last pixel: then it is not held against them once more.
    """

    outputs: Mapping[str, Path]
    written: Collection[str] = ()
    exact: bool = False


def write_outputs(made: Made, image: ImageFile, result: Segmentation) -> tuple[Path, ...]:
    """Write what was found in an image.

    Parameters
    ----------
    made : Made
    image : ImageFile
        The image.
    result : Segmentation
        What was found.

    Returns
    -------
    tuple of Path
        All its files; without tracks where none were followed, as of an image without times, as a notice says.

    Raises
    ------
    WriteError
        If the system refuses to write.
    InputError
        If the labels cannot be stored in a format.
    """
    from napari_unet_seg.io.labels_info import LabelsInfo
    from napari_unet_seg.io.overlay import draw_overlay, write_png
    from napari_unet_seg.io.table_writer import write_table
    from napari_unet_seg.io.writers import write_labels

    axes = "".join(axis for axis in image.axes if axis not in "CS")
    info = LabelsInfo(axes, image.scale, drop_suffix(result.provenance["input"]), result.provenance, result.features)
    wanted = {name: path for name, path in made.outputs.items() if name != "trackmate" or "track" in result.features}
    for name in sorted(wanted.keys() - set(made.written), key=lambda name: (_RANK.get(name, len(_RANK)), list(wanted).index(name))):
        path = wanted[name]
        make_folder(path.parent)
        if name == "overlay":
            write_png(path, draw_overlay(image, result.labels, result.provenance["channel"]))
        elif name == "csv" and made.exact:
            write_table(path, result.features)
        else:
            write_labels(path, result.classes if name == "classes" else result.labels, info=info)
    return tuple(wanted.values())

"""Images and labels from folders, as training takes them: planes in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.numbering import as_int32
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.channels import nuclear_channel
from napari_unet_seg.io.folders import find_annotated, is_annotated, read_annotated
from napari_unet_seg.io.image import ImageFile, open_image
from napari_unet_seg.io.pairs import files_by_name, pair_files, pair_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = npt.NDArray[Any]

_PART = re.compile(
    r"([._\- ]+(tile|crop|patch|region|roi|part|row|col|column|frame|slice|plane|time|[rcxyztp])[._\- ]?\d+)+$", re.IGNORECASE
)
"""What numbers a part of a field at the end of a name, such as ``_tile3``, ``_x0_y512`` or ``-z07``."""
_FOLDERS = 4
"""Subfolders from which on each of them is a group: fewer are rather "train" and "test"."""


_ONE_MASK = "{} has one number for several separate parts: each nucleus needs a number of its own."


@dataclass
class TrainingSet:
    """Planes to learn from.

    Parameters
    ----------
    images : list of ndarray
        (Y, X), or (Y, X, S) for colour.
    labels : list of ndarray of int
        (Y, X) each.
    known : list of ndarray of bool, or None
        Where the annotation can be believed; None when it is everywhere.
    notices : list of str
        Sentences the user should read.
    groups : list of str
        What each plane belongs to: planes of one group must not be on both sides of a validation.
    ground : list of ndarray of bool, or None
        Where background is painted; None when no such masks are given.
    """

    images: list[Array] = field(default_factory=list)
    labels: list[Array] = field(default_factory=list)
    known: list[Array] | None = None
    notices: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    ground: list[Array] | None = None


def read_training_set(
    images: Path, labels: Path, known: Path | None = None, channel: str = "", ground: Path | None = None, one_each: bool = True
) -> TrainingSet:
    """Read images and the labels of the same names.

    Parameters
    ----------
    images, labels : Path
        Folders, or two files. Stacks are taken apart into planes. Twice the same folder is one that holds both: ``images/`` and
        ``masks/`` or ``labels/``, or, as Kaggle's Data Science Bowl 2018, a folder with ``images/`` and ``masks/`` for each image.
    known : Path, optional
        Folder (or file) of masks of the labels' names: not 0 where the annotation can be believed.
    channel : str
        Name or number of the channel that shows nuclei, where there are several.
    ground : Path, optional
        Folder (or file) of masks of the labels' names: not 0 where background is painted. Images without one have none.
    one_each : bool
        Whether each nucleus should have a number of its own; False for labels of classes.

    Returns
    -------
    TrainingSet

    Raises
    ------
    ReadError
        If a file cannot be read.
    InputError
        If nothing pairs, sizes differ, labels are no whole numbers, or a mask is missing.
    """
    if known is None and ground is None and images.is_dir() and images == labels and is_annotated(images):
        return _read_annotated(images)
    pairs = pair_files(images, labels)
    found = TrainingSet(known=None if known is None else [], ground=None if ground is None else [])
    masks, grounds = ({} if folder is None else _masks(folder) for folder in (known, ground))
    for name, image_path, labels_path in pairs.matched:
        image = open_image(image_path)
        planes = list(_planes(image, nuclear_channel(image, channel)))
        found.images += planes
        found.labels += _matching(labels_path, planes, "labels")
        found.groups += [group_name(name)] * len(planes)
        if found.known is not None:
            found.known += [plane != 0 for plane in _matching(_mask_of(image_path, name, masks), planes, "mask")]
        if found.ground is not None:
            found.ground += _grounds(grounds.get(name), planes)
        if one_each and _is_one_mask(found.labels[-len(planes) :]):
            found.notices.append(_ONE_MASK.format(labels_path.name))
    found.groups = _by_folder(found.groups)
    found.notices += _left_out([*pairs.first, *pairs.second])
    return found


def _mask_of(image: Path, name: str, masks: dict[str, Path]) -> Path:
    if name not in masks:
        folder = next(iter(masks.values())).parent if masks else "the folder of masks"
        raise InputError(f"{image.name} has no mask in {folder}; add one, or leave the image out.")
    return masks[name]


def _left_out(alone: list[Path]) -> list[str]:
    names = ", ".join(path.name for path in alone[:5]) + (" ..." if len(alone) > 5 else "")
    files = "1 file without a partner is" if len(alone) == 1 else f"{len(alone):,} files without a partner are"
    return [f"{files} left out: {names}"] if alone else []


def _read_annotated(folder: Path) -> TrainingSet:
    """Read a folder that holds images and labels."""
    found = TrainingSet()
    for item in find_annotated(folder):
        pixels, labels = read_annotated(item)
        found.images.append(pixels)
        found.labels.append(labels)
        found.groups.append(group_name(item.name))
        if not item.one_each and _is_one_mask([labels]):
            found.notices.append(_ONE_MASK.format(item.masks[0].name))
    return found


def group_name(name: str) -> str:
    """Return what an image belongs to, as far as its name tells: tiles, planes and times of one field have one group.

    Parameters
    ----------
    name : str
        Path relative to its folder, without the ending.

    Returns
    -------
    str
        The name without what numbers a part: a word such as tile, crop, roi, row, x or z with its number, at the end.

    Examples
    --------
    >>> group_name("a/slide3_tile_07"), group_name("well-B2_x512_y0"), group_name("image_001"), group_name("z3")
    ('a/slide3', 'well-B2', 'image_001', 'z3')
    """
    path = PurePosixPath(name)
    return path.with_name(_PART.sub("", path.name) or path.name).as_posix()


def _by_folder(groups: list[str]) -> list[str]:
    """Take subfolders as groups where there are enough of them: people sort images by slide, animal or experiment."""
    folders = [PurePosixPath(group).parent.as_posix() for group in groups]
    return folders if len(set(folders)) >= _FOLDERS else groups


def _masks(known: Path) -> dict[str, Path]:
    return files_by_name(known) if known.is_dir() else {pair_name(known.name): known}


def _planes(image: ImageFile, channel: int | None) -> Iterator[Array]:
    """Take an image apart: (Y, X), or (Y, X, S) for colour."""
    array = image.levels[0]
    if image.channel_axis is not None:
        array = array[(slice(None),) * image.channel_axis + (channel,)]
    leading = array.ndim - 2 - ("S" in image.axes)
    for index in np.ndindex(array.shape[:leading]):
        yield np.asarray(array[index])


def _matching(path: Path, planes: list[Array], what: str) -> list[Array]:
    """Read labels or a mask, and check that there is a plane of the same size for each of the image."""
    file = open_image(path)
    if "C" in file.axes or "S" in file.axes:
        raise InputError(f"The {what} {path.name} have colours or channels; save them as one plane of whole numbers, one number a nucleus.")
    found = list(_planes(file, None))
    wanted, shapes = [plane.shape[:2] for plane in planes], [plane.shape for plane in found]
    if shapes != wanted:
        raise InputError(f"The {what} {path.name} have planes of shapes {shapes}, and the image has {wanted}; they must be equal.")
    if found[0].dtype.kind not in "biu":
        raise InputError(f"The {what} {path.name} have dtype {found[0].dtype}; save them as whole numbers, one number a nucleus.")
    return [as_int32(plane) for plane in found]


def _grounds(path: Path | None, planes: list[Array]) -> list[Array]:
    """Read where background is painted: nowhere without a file."""
    if path is None:
        return [np.zeros(plane.shape[:2], bool) for plane in planes]
    return [plane != 0 for plane in _matching(path, planes, "mask")]


def _is_one_mask(labels: list[Array]) -> bool:
    """Whether labels are a black and white mask, in which nuclei that do not touch have one number all the same."""
    from scipy import ndimage

    numbers = np.unique(np.concatenate([np.unique(plane) for plane in labels]))
    return len(numbers[numbers > 0]) == 1 and any(ndimage.label(plane)[1] > 1 for plane in labels)

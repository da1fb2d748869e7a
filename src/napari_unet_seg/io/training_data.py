"""Images and labels from folders, as training takes them: planes in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import InputError
from napari_unet_seg.io.channels import nuclear_channel
from napari_unet_seg.io.image import ImageFile, open_image
from napari_unet_seg.io.pairs import files_by_name, pair_files, pair_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = npt.NDArray[Any]


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
    """

    images: list[Array] = field(default_factory=list)
    labels: list[Array] = field(default_factory=list)
    known: list[Array] | None = None
    notices: list[str] = field(default_factory=list)


def read_training_set(images: Path, labels: Path, known: Path | None = None, channel: str = "") -> TrainingSet:
    """Read images and the labels of the same names.

    Parameters
    ----------
    images, labels : Path
        Folders, or two files. Stacks are taken apart into planes.
    known : Path, optional
        Folder (or file) of masks of the labels' names: not 0 where the annotation can be believed.
    channel : str
        Name or number of the channel that shows nuclei, where there are several.

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
    pairs = pair_files(images, labels)
    found = TrainingSet(known=None if known is None else [])
    masks = {} if known is None else _masks(known)
    for name, image_path, labels_path in pairs.matched:
        image = open_image(image_path)
        planes = list(_planes(image, nuclear_channel(image, channel)))
        found.images += planes
        found.labels += _matching(labels_path, planes, "labels")
        if found.known is not None:
            if name not in masks:
                raise InputError(f"{image_path.name} has no mask in {known}; add one, or leave the image out.")
            found.known += [plane != 0 for plane in _matching(masks[name], planes, "mask")]
        if _is_one_mask(found.labels[-len(planes) :]):
            found.notices.append(f"{labels_path.name} has one number for several separate parts: each nucleus needs a number of its own.")
    alone = [*pairs.first, *pairs.second]
    if alone:
        found.notices.append(f"{len(alone)} files without a partner are left out: {', '.join(path.name for path in alone[:5])} ...")
    return found


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
    return [plane.astype(np.int32) for plane in found]


def _is_one_mask(labels: list[Array]) -> bool:
    """Whether labels are a black and white mask, in which nuclei that do not touch have one number all the same."""
    from scipy import ndimage

    numbers = np.unique(np.concatenate([np.unique(plane) for plane in labels]))
    return len(numbers[numbers > 0]) == 1 and any(ndimage.label(plane)[1] > 1 for plane in labels)

"""Folders of images with their labels, as people and competitions leave them.

Two layouts are known. That of Kaggle's Data Science Bowl 2018: a folder an image, ``<id>/images/<id>.png``, and in ``<id>/masks/`` a
black and white picture of each nucleus. And ``images/`` beside ``masks/`` or ``labels/``, with files of equal names: label images, or
pictures in which each nucleus has a colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.inputs import walk_images
from napari_unet_seg.io.pairs import pair_files
from napari_unet_seg.progress import Progress, Steps

STAGE = "Reading images and labels"
LABEL_FOLDERS = ("masks", "labels")

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Annotated:
    """An image of a folder, and the files of its labels.

    Parameters
    ----------
    name : str
        What the image is called.
    image : Path
        Its file.
    masks : tuple of Path
        One label image, or a mask a nucleus.
    one_each : bool
        Whether each mask is one nucleus.
    """

    name: str
    image: Path
    masks: tuple[Path, ...]
    one_each: bool = False


def is_annotated(folder: Path) -> bool:
    """Whether a folder has one of the two layouts; looks at the names of its first folders alone.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
    """
    if not folder.is_dir():
        return False
    return _label_folder(folder) is not None or any(_label_folder(inside) is not None for inside in _subfolders(folder)[:3])


def find_annotated(folder: Path) -> list[Annotated]:
    """Find the images of a folder that have labels.

    Parameters
    ----------
    folder : Path
        In one of the two layouts.

    Returns
    -------
    list of Annotated
        Sorted by name.

    Raises
    ------
    InputError
        If the folder has neither layout, or nothing in it pairs.
    ReadError
        If it does not exist.
    """
    if not folder.is_dir():
        raise ReadError(f"There is no folder {folder}; check the path.")
    found = _in_one(folder) if _label_folder(folder) else [item for inside in _subfolders(folder) for item in _one_id(inside)]
    if not found:
        raise InputError(
            f"{folder} holds no images with labels; there must be images/ and masks/ (or labels/) in it, with files of equal names, "
            "or a folder with images/ and masks/ for each image."
        )
    return found


def read_annotated(item: Annotated) -> tuple[npt.NDArray[Any], Labels]:
    """Read an image and its labels.

    Parameters
    ----------
    item : Annotated

    Returns
    -------
    pixels : ndarray
        (Y, X), or (Y, X, 3 or 4) for colour; a picture whose colours are all equal is grey.
    labels : ndarray of int32, shape (Y, X)
        One number a nucleus.

    Raises
    ------
    ReadError
        If a file cannot be read.
    InputError
        If image and labels differ in size, the image is a stack or has channels, or labels are no whole numbers.
    """
    pixels = plain_colors(np.asarray(open_image(item.image).levels[0]))
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[-1] not in (3, 4)):
        raise InputError(f"{item.image.name} has shape {pixels.shape}; of a folder only single planes are opened, so open it by itself.")
    planes = [_plane(path) for path in item.masks]
    for path, plane in zip(item.masks, planes, strict=True):
        if plane.shape[:2] != pixels.shape[:2]:
            raise InputError(f"{item.image.name} has {pixels.shape[:2]} pixels, and {path.name} {plane.shape[:2]}; they must be equal.")
    return pixels, _merged(planes) if item.one_each else _numbered(planes[0], item.masks[0])


def iter_annotated(items: list[Annotated]) -> Steps[list[tuple[npt.NDArray[Any], Labels]]]:
    """Read several images with their labels, step by step; errors as in `read_annotated`.

    Parameters
    ----------
    items : list of Annotated

    Yields
    ------
    Progress
        Before each image.

    Returns
    -------
    list of (ndarray, ndarray of int32)
        Images and labels.
    """
    read = []
    for number, item in enumerate(items):
        yield Progress(STAGE, number, len(items))
        read.append(read_annotated(item))
    return read


def plain_colors(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Drop an opacity that is the same everywhere, and make a picture grey whose colours are equal, as screenshots and Kaggle's files are.

    Parameters
    ----------
    pixels : ndarray
        (Y, X, 3 or 4), or anything else, which is returned as it is.

    Returns
    -------
    ndarray
        (Y, X), (Y, X, 3), or as it was.
    """
    if pixels.ndim != 3 or pixels.shape[-1] not in (3, 4):
        return pixels
    color = pixels[..., :3]
    if pixels.shape[-1] == 4 and np.ptp(pixels[..., 3]):
        return pixels
    return color[..., 0] if np.all(color == color[..., :1]) else color


def _label_folder(folder: Path) -> Path | None:
    """Return the labels beside images/, if there are both."""
    if not (folder / "images").is_dir():
        return None
    return next((folder / name for name in LABEL_FOLDERS if (folder / name).is_dir()), None)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _in_one(folder: Path) -> list[Annotated]:
    """Pair images/ with its labels; a single image whose labels have other names is one of Kaggle's."""
    labels = _label_folder(folder)
    if labels is None:
        return []
    try:
        pairs = pair_files(folder / "images", labels)
    except InputError:
        return _one_id(folder)
    return [Annotated(name, image, (mask,)) for name, image, mask in pairs.matched]


def _one_id(folder: Path) -> list[Annotated]:
    labels = _label_folder(folder)
    if labels is None:
        return []
    images, masks = list(walk_images(folder / "images")), tuple(walk_images(labels))
    return [Annotated(folder.name, images[0], masks, one_each=True)] if len(images) == 1 and masks else []


def _plane(path: Path) -> npt.NDArray[Any]:
    """Read labels or a mask: (Y, X), or (Y, X, 3) where nuclei are told apart by colours."""
    array = np.asarray(open_image(path).levels[0])
    if array.ndim == 3 and array.shape[-1] in (3, 4):
        array = array[..., :3]  # opacity tells nothing
        return array[..., 0] if np.all(array == array[..., :1]) else array
    if array.ndim != 2 or array.dtype.kind not in "biu":
        found = f"shape {array.shape} and dtype {array.dtype}"
        raise InputError(f"The labels {path.name} have {found}; save them as one plane of whole numbers.")
    return array


def _merged(masks: list[npt.NDArray[Any]]) -> Labels:
    """Give the nucleus of each mask a number; where two overlap, the first one counts."""
    labels = np.zeros(masks[0].shape[:2], np.int32)
    for number, mask in enumerate(masks, start=1):
        inside = mask.any(axis=-1) if mask.ndim == 3 else mask != 0
        labels[inside & (labels == 0)] = number
    return labels


def _numbered(plane: npt.NDArray[Any], path: Path) -> Labels:
    """Return labels as they are; of colours, each connected area of one colour is a nucleus, since colours are used again and again."""
    if plane.ndim == 2:
        if plane.size and int(plane.max()) > np.iinfo(np.int32).max:
            raise InputError(f"The labels {path.name} reach {int(plane.max())}, and may reach {np.iinfo(np.int32).max}; renumber them.")
        return plane.astype(np.int32)
    from skimage.measure import label

    red, green, blue = (plane[..., i].astype(np.int64) for i in range(3))
    code = (red << 32) | (green << 16) | blue
    return np.asarray(label(code, background=0, connectivity=2), np.int32)

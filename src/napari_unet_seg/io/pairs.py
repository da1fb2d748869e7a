"""Files that belong together: an image and its labels, or the truth and a prediction, found by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io.inputs import drop_suffix, is_result, walk_images

_ADDED = re.compile(r"[._\- ](labels?|masks?|truth|gt|instances|known)$", re.IGNORECASE)
"""What is added to an image's name to call its labels, such as ``x_mask.png`` or ``x.labels.tif``."""


@dataclass(frozen=True)
class Pairs:
    """Files of two folders, paired by name.

    Parameters
    ----------
    matched : tuple of (str, Path, Path)
        Name, file of the first folder, file of the second; sorted by name.
    first, second : tuple of Path
        Files that have no partner.
    """

    matched: tuple[tuple[str, Path, Path], ...]
    first: tuple[Path, ...] = ()
    second: tuple[Path, ...] = ()


def pair_files(first: Path, second: Path) -> Pairs:
    """Pair the files of two folders, or two files.

    Parameters
    ----------
    first, second : Path
        Folders, searched with their subfolders, or two files, which are a pair whatever their names.

    Returns
    -------
    Pairs

    Raises
    ------
    ReadError
        If one does not exist, or one is a folder and the other a file.
    InputError
        If two files of a folder have the same name but for what is dropped, or nothing pairs.
    """
    for path in (first, second):
        if not path.exists():
            raise ReadError(f"{path} does not exist; check the path.")
    if not _is_folder(first) and not _is_folder(second):
        return Pairs(((pair_name(first.name), first, second),))
    if not (_is_folder(first) and _is_folder(second)):
        raise ReadError(f"{first} and {second} are a file and a folder; give two files or two folders.")
    left, right = files_by_name(first), files_by_name(second)
    matched = tuple((name, left[name], right[name]) for name in sorted(left.keys() & right.keys()))
    if not matched:
        raise InputError(
            f"No file in {first} ({len(left)} images) has a partner in {second} ({len(right)} images); "
            "partners have equal names but for .ome, .labels, _mask and the ending."
        )
    alone = [tuple(files[name] for name in sorted(files.keys() - others.keys())) for files, others in ((left, right), (right, left))]
    return Pairs(matched, *alone)


def files_by_name(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by the name that pairs them.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders, which are part of the names. Class maps, overlays and contact sheets are left out.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    InputError
        If two files have one name.
    """
    files: dict[str, Path] = {}
    for path in walk_images(folder):
        if is_result(path) and ".labels." not in path.name.lower():
            continue
        relative = path.relative_to(folder)
        name = relative.with_name(pair_name(relative.name)).as_posix()
        if name in files:
            raise InputError(f"{files[name]} and {path} are both called {name!r} when they are paired; keep one of them in the folder.")
        files[name] = path
    return files


def pair_name(name: str) -> str:
    """Return a file's name less its ending, ``.ome``, and what is added for labels.

    Examples
    --------
    >>> pair_name("x.ome.tif"), pair_name("x.labels.tif"), pair_name("x_mask.png"), pair_name("mask.png")
    ('x', 'x', 'x', 'mask')
    """
    stem = _ADDED.sub("", drop_suffix(name))
    return stem.removesuffix(".ome") or stem


def _is_folder(path: Path) -> bool:
    from napari_unet_seg.io.inputs import is_zarr

    return path.is_dir() and not is_zarr(path)

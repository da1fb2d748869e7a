"""Which images a run is about: files, folders and patterns become a list without repeats, each image with the name of its outputs."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from napari_unet_seg.errors import InputError

SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".png", ".jpg", ".jpeg")
"""What images in a folder are called; a file that is named by itself may have any name, since its content decides."""
RESULTS = ("*.labels.*", "*.classes.*", "*.rois.zip", "*.tracks.xml", "*.overlay.png", "contact_sheet*.png")
"""What this program writes beside images; none of it is ever an input."""
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


@dataclass(frozen=True)
class Source:
    """One image of a run.

    Parameters
    ----------
    path : Path
        The file, or the folder of an OME-Zarr.
    relative : Path
        Where it lies below the folder that was given; its name alone when it was given by itself.
    """

    path: Path
    relative: Path

    @property
    def stem(self) -> Path:
        """The relative path without its ending, which outputs add theirs to."""
        return self.relative.with_name(drop_suffix(self.relative.name))

    @property
    def shown(self) -> str:
        """The relative path as text that every file can hold: bytes that are no text become question marks."""
        return os.fsencode(self.relative.as_posix()).decode(errors="replace")


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Parameters
    ----------
    sources : tuple of Source
        The images, in the order in which they were given; within a folder by name.
    missing : tuple of (str, str)
        Each input that stands for no image, and a sentence that says why.
    results : int
        Number of files left out because this program wrote them.
    many : bool
        Whether a folder, a pattern or several inputs were given, even if one image came out of them.
    """

    sources: tuple[Source, ...]
    missing: tuple[tuple[str, str], ...] = ()
    results: int = 0
    many: bool = False


def find_inputs(inputs: Iterable[str | os.PathLike[str]], output: str | os.PathLike[str] | None = None) -> Inputs:
    """Turn files, folders, OME-Zarr folders and patterns into images.

    Parameters
    ----------
    inputs : iterable of path-like
        Folders are searched with all their subfolders. ``*``, ``?``, ``[...]`` and ``**`` stand for what they mean in a shell.
    output : path-like, optional
        Folder of the outputs: what is in it is left out when it lies inside a folder that is searched.

    Returns
    -------
    Inputs

    Raises
    ------
    InputError
        If two images would give outputs of one name.
    """
    given = [os.fspath(item) for item in inputs]
    outside = Path(output).resolve() if output is not None else None
    found: dict[str, Source] = {}
    missing: list[tuple[str, str]] = []
    results: set[str] = set()
    for text in given:
        candidates = list(_expand(text, outside))
        for source in candidates:
            place = os.path.realpath(source.path)
            if is_result(source.path):
                results.add(place)
            else:
                found.setdefault(place, source)
        if not candidates:
            missing.append((text, _why_nothing(text)))
    sources = tuple(found.values())
    _refuse_equal_names(sources)
    many = len(given) > 1 or any(not os.path.exists(text) or _is_plain_folder(Path(text)) for text in given)
    return Inputs(sources, tuple(missing), len(results), many)


def is_result(path: Path) -> bool:
    """Whether a file or folder is called like something that this program writes, such as ``x.labels.tif``."""
    return any(fnmatch(path.name.lower(), pattern) for pattern in RESULTS)


def is_zarr(path: Path) -> bool:
    """Whether a path is the folder of a zarr."""
    return path.is_dir() and (path.suffix.lower() == ".zarr" or any((path / mark).exists() for mark in _ZARR_MARKS))


def drop_suffix(name: str) -> str:
    """Return a file's name without its ending, and without the ``.ome`` before it.

    Examples
    --------
    >>> drop_suffix("a.ome.tif"), drop_suffix("b.01.png"), drop_suffix("c")
    ('a', 'b.01', 'c')
    """
    stem = Path(name).stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") and len(stem) > len(".ome") else stem


def walk_images(folder: Path, outside: Path | None = None) -> Iterator[Path]:
    """Go through the images of a folder and of its subfolders, by name.

    Parameters
    ----------
    folder : Path
        Hidden files and folders in it are left out, and what lies inside an OME-Zarr.
    outside : Path, optional
        A subfolder to leave out, resolved.

    Yields
    ------
    Path
        A file with the ending of an image, or the folder of a zarr.
    """
    for place, folders, files in os.walk(folder):
        here = Path(place)
        inside = [here / name for name in sorted(folders) if not name.startswith(".")]
        stores = [path for path in inside if is_zarr(path)]
        folders[:] = [path.name for path in inside if path not in stores and path.resolve() != outside]
        images = [here / name for name in files if not name.startswith(".") and name.lower().endswith(SUFFIXES)]
        yield from sorted([*stores, *images])


def _expand(text: str, outside: Path | None) -> Iterator[Source]:
    """Find the images that one input stands for."""
    path = Path(text)
    if _is_plain_folder(path):
        for image in walk_images(path, outside):
            yield Source(image, image.relative_to(path))
    elif path.exists():
        yield Source(path, Path(os.path.basename(os.path.abspath(path))))
    elif glob.has_magic(text):
        base = _fixed_part(path)
        for match in sorted(glob.glob(text, recursive=True)):
            yield from _expand_match(Path(match), base, outside)


def _expand_match(path: Path, base: Path, outside: Path | None) -> Iterator[Source]:
    """Find the images at one place that a pattern matches."""
    parents = [parent for parent in path.parents if parent != base and parent.is_relative_to(base)]
    if any(is_zarr(parent) for parent in parents) or any(parent.resolve() == outside for parent in parents):
        return
    if _is_plain_folder(path):
        images = [] if path.resolve() == outside else list(walk_images(path, outside))
    else:
        images = [path] if is_zarr(path) or path.name.lower().endswith(SUFFIXES) else []
    for image in images:
        yield Source(image, image.relative_to(base))


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not is_zarr(path)


def _fixed_part(pattern: Path) -> Path:
    """Return the part of a pattern before the first placeholder."""
    parts = pattern.parts
    first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first])


def _why_nothing(text: str) -> str:
    path = Path(text)
    if path.is_dir():
        return f"{text} holds no images; give a folder with TIFF, PNG or JPEG files or OME-Zarr folders in it."
    if glob.has_magic(text):
        return f"{text} matches no images; check the pattern."
    return f"{text} does not exist; check the path."


def _refuse_equal_names(sources: Iterable[Source]) -> None:
    """Refuse images whose outputs would overwrite each other, also where the disk takes A and a for the same."""
    folds = sys.platform in ("win32", "darwin")
    taken: dict[str, Source] = {}
    for source in sources:
        name = str(source.stem)
        first = taken.setdefault(name.casefold() if folds else name, source)
        if first is not source:
            raise InputError(
                f"{first.path} and {source.path} would both be written as {source.stem}.labels.*; "
                "rename one of them, segment them into two folders, or give the folder above them."
            )

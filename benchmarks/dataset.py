"""Annotated images for the benchmarks, from any folder: which image has which labels, how it was made, and in which fold it is."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io.inputs import drop_suffix, walk_images
from napari_unet_seg.io.pairs import pair_files, pair_name
from napari_unet_seg.io.training_data import read_training_set

SEPARATOR = "::"
LABEL_FOLDERS = ("masks", "labels", "truth", "gt")


@dataclass(frozen=True)
class Item:
    """An annotated image that is not read yet.

    Parameters
    ----------
    name : str
        Of the image, without ending.
    modality : str
        How it was made; the name of the dataset where nothing says.
    fold, field : str
        Fold of a cross-validation and field of view, from the index; without one no fold, and each image is a field of its own.
    image, labels : Path
        The files.
    """

    name: str
    modality: str
    fold: str
    field: str
    image: Path
    labels: Path

    def planes(self) -> Iterator[tuple[Any, Any]]:
        """Read image, (Y, X) or (Y, X, S), and labels, (Y, X) int32; a stack gives one pair a plane."""
        found = read_training_set(self.image, self.labels)
        yield from zip(found.images, found.labels, strict=True)


def find_items(dataset: str) -> list[Item]:
    """Find the annotated images of a dataset.

    Parameters
    ----------
    dataset : str
        A folder with ``images`` and ``masks`` (or ``labels``, ``truth``, ``gt``), and perhaps an ``index.csv`` with columns id, modality,
        fold, field; ``IMAGES::LABELS``, two folders; or a folder in which labels lie beside their images (``x.png``, ``x_mask.png``).

    Returns
    -------
    list of Item
        Sorted by name.

    Raises
    ------
    InputError, ReadError
        If there is no such folder, or nothing pairs.
    """
    first, separator, second = dataset.partition(SEPARATOR)
    folder = Path(first)
    if not folder.is_dir():
        raise ReadError(f"{folder} is no folder; give a folder of images and masks, or IMAGES{SEPARATOR}LABELS.")
    index = _index(folder / "index.csv")
    blank = {"modality": folder.name, "fold": "", "field": ""}
    items = []
    for name, image, labels in _pairs(folder, Path(second) if separator else None):
        row = blank | index.get(name, {})
        items.append(Item(name, row["modality"], row["fold"], row["field"] or name, image, labels))
    return items


def _index(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def _pairs(folder: Path, labels: Path | None) -> tuple[tuple[str, Path, Path], ...]:
    if labels is not None:
        return pair_files(folder, labels).matched
    beside = [folder / name for name in LABEL_FOLDERS if (folder / name).is_dir()]
    if (folder / "images").is_dir() and beside:
        return pair_files(folder / "images", beside[0]).matched
    return _pairs_in_one(folder)


def _pairs_in_one(folder: Path) -> tuple[tuple[str, Path, Path], ...]:
    """Pair files of one folder: the labels' name is the image's and more."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in walk_images(folder):
        relative = path.relative_to(folder)
        files[relative.with_name(pair_name(relative.name)).as_posix()].append(path)
    matched = []
    for name, paths in sorted(files.items()):
        image, *labels = sorted(paths, key=lambda path: (len(drop_suffix(path.name)), path.name))
        if len(labels) == 1:
            matched.append((name, image, labels[0]))
    if not matched:
        raise InputError(f"{folder} has neither images/ and masks/ nor files like x.png beside x_mask.png; give IMAGES{SEPARATOR}LABELS.")
    return tuple(matched)

"""Trainings that go on later: what was asked for and learned from, kept in the run folder beside the engine's own state.

The folder holds all that a training needs, so that it can be resumed when the images are closed and the labels were painted further:
``plan.json`` says what was asked for, ``data.npz`` holds the annotated planes. Nothing in it is code.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.annotations import Annotation
from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.errors import ReadError, SettingsError, WriteError
from napari_unet_seg.settings import NetworkSettings, TrainSettings

MOST_RUNS = 3
"""Older trainings that nobody saved or discarded are deleted."""
_PLAN, _DATA = "plan.json", "data.npz"


@dataclass(frozen=True)
class Plan:
    """What a training was asked for.

    Parameters
    ----------
    name : str
        Of the model to be.
    base : str
        Name of the model that it starts from; empty when it starts from nothing.
    settings : TrainSettings
    learned_from : str
        What there is to learn from, in one line.
    folder : Path
        The run folder.
    network : NetworkSettings
        The shape of a network that starts from nothing.
    """

    name: str
    base: str
    settings: TrainSettings
    learned_from: str = ""
    folder: Path = field(default_factory=Path)
    network: NetworkSettings = field(default_factory=NetworkSettings)


def runs_folder() -> Path:
    """Return where the trainings of this user are kept; it may not exist yet."""
    from platformdirs import user_data_path

    return user_data_path("napari-unet-seg", appauthor=False) / "trainings"


def new_run(name: str) -> Path:
    """Make the folder of a training, and delete those of the oldest ones.

    Parameters
    ----------
    name : str
        Of the model to be.

    Returns
    -------
    Path

    Raises
    ------
    WriteError
        If the system refuses.
    """
    folder = runs_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:60]}-", dir=folder))
    except OSError as error:
        raise WriteError(f"The training cannot be kept in {folder}: {error.strerror or error}.") from error
    for old in _newest_first(folder)[MOST_RUNS:]:
        remove_run(old)
    return made


def write_plan(plan: Plan, images: Sequence[Any], annotations: Sequence[Annotation]) -> None:
    """Write what a training was asked for and learns from.

    Parameters
    ----------
    plan : Plan
    images : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour.
    annotations : sequence of Annotation

    Raises
    ------
    WriteError
        If the system refuses.
    """
    arrays: dict[str, Any] = {f"image_{number}": np.asarray(image) for number, image in enumerate(images)}
    for number, annotation in enumerate(annotations):
        arrays |= {f"labels_{number}": annotation.labels, f"known_{number}": annotation.known}
    with atomic_path(plan.folder / _DATA) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    described = {
        **asdict(plan),
        "settings": plan.settings.to_dict(),
        "network": plan.network.to_dict(),
        "groups": [annotation.group for annotation in annotations],
    }
    described.pop("folder")
    with atomic_path(plan.folder / _PLAN) as temporary:
        temporary.write_text(json.dumps(described, indent=1), encoding="utf-8")


def read_plan(folder: Path) -> Plan:
    """Read what a training was asked for.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Plan

    Raises
    ------
    ReadError
        If there is none, or it is damaged.
    """
    found = _described(folder)
    try:
        settings = TrainSettings.from_dict(found["settings"])
        network = NetworkSettings.from_dict(found.get("network", {}))
        return Plan(str(found["name"]), str(found["base"]), settings, str(found["learned_from"]), folder, network)
    except (KeyError, TypeError, SettingsError) as error:
        raise _damaged(folder) from error


def read_data(folder: Path) -> tuple[list[Any], list[Annotation]]:
    """Read what a training learns from.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of ndarray, list of Annotation

    Raises
    ------
    ReadError
        If it is missing or damaged.
    """
    try:
        groups = _described(folder)["groups"]
        with np.load(folder / _DATA, allow_pickle=False) as arrays:
            images = [arrays[f"image_{number}"] for number in range(len(groups))]
            kept = [Annotation(arrays[f"labels_{number}"], arrays[f"known_{number}"]) for number in range(len(groups))]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(folder) from error
    return images, [replace(annotation, group=str(group)) for annotation, group in zip(kept, groups, strict=True)]


def unfinished() -> Plan | None:
    """Return the newest training that can go on; None when there is none."""
    for folder in _newest_first(runs_folder()):
        if (folder / STATE).is_file() and (folder / _DATA).is_file():
            try:
                return read_plan(folder)
            except ReadError:  # of another version, or half deleted
                continue
    return None


def remove_run(folder: Path) -> None:
    """Delete the folder of a training; what the system holds fast is left to the next time."""
    if folder.parent == runs_folder():
        shutil.rmtree(folder, ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(found, key=_age)


def _age(folder: Path) -> float:
    marks = [folder, folder / STATE, folder / _PLAN]
    return -max((path.stat().st_mtime for path in marks if path.exists()), default=0.0)


def _described(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder) from error
    if not isinstance(found, dict):
        raise _damaged(folder)
    return found


def _damaged(folder: Path) -> ReadError:
    return ReadError(f"The training in {folder} cannot be gone on with: its files are missing or damaged. Start again.")

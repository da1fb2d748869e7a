"""The registered models: those that come with the program, and the user's own, which can be added, renamed and deleted."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from napari_unet_seg.core import checkpoint
from napari_unet_seg.core.checkpoint import SUFFIX, Model, list_models, load_model, resolve_name
from napari_unet_seg.errors import ModelError

DEFAULT = "nuclei"
FOREIGN = (".pt", ".pth", ".pkl", ".ckpt", ".onnx", ".h5", ".hdf5", ".keras", ".pb", ".zip", ".mar", ".tar", ".joblib", ".npz")
"""Endings of other programs' models, some of which are code that runs when they are opened; such a file is not even looked into."""
_NAME = re.compile(r"\w[\w-]*")
_RESERVED = re.compile(r"nuclei(-v\d+)?")
_LONGEST = 100
"""Letters of a name: with a long folder, Windows allows little more."""
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
"""What Windows takes for devices, whatever the ending."""


@dataclass(frozen=True)
class Entry:
    """A registered model.

    Parameters
    ----------
    name : str
        What `load_model` takes.
    path : Path
        Its file.
    bundled : bool
        Whether it came with the program.
    default : bool
        Whether it is the one that ``"nuclei"`` stands for.
    title : str
        What its card says it is; empty when the card says nothing, or the file is damaged.
    """

    name: str
    path: Path
    bundled: bool
    default: bool
    title: str


def list_entries() -> list[Entry]:
    """List the registered models, the bundled ones first.

    Returns
    -------
    list of Entry
    """
    default = resolve_name(DEFAULT)
    return [
        Entry(path.stem, path, bundled, bundled and path.stem == default, _title(path))
        for folder, bundled in ((checkpoint.BUNDLED, True), (checkpoint.user_folder(), False))
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    ]


def find_entry(name: str) -> Entry:
    """Find a registered model.

    Parameters
    ----------
    name : str
        Its name, or the alias ``"nuclei"``.

    Returns
    -------
    Entry

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    wanted = resolve_name(name)
    found = next((entry for entry in list_entries() if entry.name == wanted), None)
    if found is None:
        raise ModelError(f"There is no model named {name!r}; there are {', '.join(list_models())}.")
    return found


def own_entry(name: str, done: str = "changed") -> Entry:
    """Find one of the user's own models.

    Parameters
    ----------
    name : str
        Its name.
    done : str
        What is going to be done with it, for the message: "renamed".

    Returns
    -------
    Entry

    Raises
    ------
    ModelError
        If there is no model of that name, or it came with the program.
    """
    entry = find_entry(name)
    if entry.bundled:
        raise ModelError(f"{entry.name} came with the program and cannot be {done}; only your own models can.")
    return entry


def import_model(path: str | os.PathLike[str], name: str = "") -> Entry:
    """Add a model file to the user's own.

    Parameters
    ----------
    path : path-like
        A model of this program.
    name : str
        What to call it; its own name, or else that of the file, when empty.

    Returns
    -------
    Entry

    Raises
    ------
    ModelError
        If the file is no model, the name is taken or cannot be used, or the system refuses to write.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"There is no model file {path}; check the path.")
    if path.suffix.casefold() in FOREIGN:
        raise ModelError(f"{path.name} is not a model of this program, and it runs no others: give a {SUFFIX} file that it has written.")
    model = load_model(path.absolute())
    return _store(model, name or (model.name if _NAME.fullmatch(model.name) and model.name != "unnamed" else path.stem))


def rename_model(old: str, new: str) -> Entry:
    """Rename one of the user's models, in its file too.

    Parameters
    ----------
    old, new : str
        Names.

    Returns
    -------
    Entry
        Under the new name; its hash is another one, since the file tells the name.

    Raises
    ------
    ModelError
        If the model is bundled or does not exist, or the new name is taken or cannot be used.
    """
    entry = own_entry(old, "renamed")
    renamed = _store(load_model(entry.path), new)
    _remove(entry.path)
    return renamed


def delete_model(name: str) -> Path:
    """Delete one of the user's models.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    Path
        The file that was deleted.

    Raises
    ------
    ModelError
        If the model is bundled or does not exist, or the system refuses.
    """
    path = own_entry(name, "deleted").path
    _remove(path)
    return path


def check_name(name: str) -> None:
    """Raise `ModelError` if a new model cannot be called so, or one is called so already.

    Parameters
    ----------
    name : str
    """
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name.casefold()):
        raise ModelError(f"A model cannot be called {name!r}; use letters, digits, - and _, and not nuclei or nuclei-v and a number.")
    if len(name) > _LONGEST or _DEVICE.fullmatch(name.casefold()):
        raise ModelError(f"A model cannot be called {name!r}, since some systems allow no file of that name; choose another, shorter one.")
    taken = next((known for known in list_models() if known.casefold() == name.casefold()), "")
    if taken:  # or one whose letters differ only in size: macOS and Windows would take one file for both
        raise ModelError(f"There is a model named {taken!r} already; choose another name, or delete that one first.")


def _store(model: Model, name: str) -> Entry:
    check_name(name)
    folder = checkpoint.user_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"The folder of your models, {folder}, cannot be made: {error.strerror or error}.") from error
    dataclasses.replace(model, name=name).save(folder / f"{name}{SUFFIX}")
    return find_entry(name)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise ModelError(f"{path} could not be deleted: {error.strerror or error}.") from error


def _title(path: Path) -> str:
    """Read the title from the head of a file; a damaged one is still listed, so that it can be deleted."""
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})["napari_unet_seg"])["card"]
        return str(card.get("title", ""))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return ""

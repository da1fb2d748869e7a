"""Results of a benchmark that takes hours, kept as they come: a run that is broken off, or has more to do than the last one, goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import napari_unet_seg as nus
from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.errors import InputError


class Kept:
    """Results in a file.

    Parameters
    ----------
    path : Path or None
        A JSON file, or one to be; None keeps nothing.
    facts : dict
        What the results depend on, and JSON can hold.

    Raises
    ------
    InputError
        If the file holds results that depend on something else.
    """

    def __init__(self, path: Path | None, facts: dict[str, Any]) -> None:
        """Read what is there."""
        self.path = path
        self.content: dict[str, Any] = {"version": nus.__version__, **facts}
        if path is None or not path.is_file():
            return
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name, value in facts.items() if found.get(name) != value]
        if differing:
            name = differing[0]
            raise InputError(f"{path} holds results with {name} {found.get(name)}, not {facts[name]}; give another file.")
        self.content = found

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the results of a name, in the order in which they came."""
        found: list[dict[str, Any]] = self.content.setdefault(name, [])
        return found

    def find(self, name: str, **keys: Any) -> dict[str, Any] | None:
        """Return the result of a name that has these values, or None."""
        return next((row for row in self.rows(name) if all(row.get(key) == value for key, value in keys.items())), None)

    def add(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        """Keep one more result, at once and in one step; it is returned."""
        self.rows(name).append(row)
        self.write()
        return row

    def write(self, **more: Any) -> None:
        """Write everything, with what is put together from all results."""
        self.content |= more
        if self.path is not None:
            with atomic_path(self.path) as temporary:
                temporary.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")

"""What is done with models as files, as generators: no Qt and no thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import ModelError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.core.registry import Entry

_LOOKING = "Looking for models"
_TRAINED_BY_USER = "Trained with this plugin."


@dataclass(frozen=True)
class ModelNote:
    """A registered model, as it is listed.

    Parameters
    ----------
    name : str
    path : Path
        Its file.
    bundled : bool
        Whether it came with the plugin, and so can be neither renamed nor deleted.
    default : bool
        Whether it is the one that "nuclei" stands for.
    title : str
        What it is, in one line.
    facts : tuple of (str, str)
        What is known of it: a word and a value.
    trouble : str
        Why it cannot be used; empty when it can.
    """

    name: str
    path: Path
    bundled: bool
    default: bool
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Done:
    """What came of a change.

    Parameters
    ----------
    name : str
        The model that is to be shown now; empty when it is gone.
    before : str
        Its name before; empty when it is new.
    headline, detail : str
        What happened.
    """

    name: str
    before: str
    headline: str
    detail: str = ""


def list_steps() -> Steps[list[ModelNote]]:
    """Find the models, the bundled ones first.

    Yields
    ------
    Progress
        For each model.

    Returns
    -------
    list of ModelNote
    """
    yield Progress(_LOOKING, 0, 0)
    from napari_unet_seg.core.registry import list_entries

    notes, entries = [], list_entries()
    for done, entry in enumerate(entries, start=1):
        notes.append(_note(entry))
        yield Progress(_LOOKING, done, len(entries))
    return notes


def import_steps(path: Path, name: str = "") -> Steps[Done]:
    """Add a model file to the user's own; an empty name keeps that of the file.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Done

    Raises
    ------
    ModelError
        If it is no model, or its name is taken or cannot be used.
    """
    yield Progress(f"Adding {path.name}", 0, 0)
    from napari_unet_seg.core.registry import import_model

    entry = import_model(path, name)
    return Done(entry.name, "", f"“{entry.name}” is added", "Choose it in the row Model of “Segment nuclei”, or teach it more.")


def rename_steps(old: str, new: str) -> Steps[Done]:
    """Rename one of the user's models; yields, returns and raises as `import_steps`."""
    yield Progress(f"Renaming {old}", 0, 0)
    from napari_unet_seg.core.registry import rename_model

    return Done(rename_model(old, new).name, old, f"“{old}” is now called “{new}”")


def delete_steps(name: str) -> Steps[Done]:
    """Delete one of the user's models; yields, returns and raises as `import_steps`."""
    yield Progress(f"Deleting {name}", 0, 0)
    from napari_unet_seg.core.registry import delete_model

    delete_model(name)
    return Done("", name, f"“{name}” is deleted", "Segmentations that were made with it stay.")


def export_steps(name: str, path: Path, kind: str, authors: tuple[str, ...] = (), licence: str = "") -> Steps[Done]:
    """Write a model to a file, in place of one that is there; yields, returns and raises as `import_steps`.

    Parameters
    ----------
    name : str
        Of the model.
    path : Path
        The file.
    kind : str
        A key of `napari_unet_seg.io.model_formats.FORMATS`.
    authors : tuple of str
        For bioimage.io.
    licence : str
        For bioimage.io, an SPDX identifier.
    """
    from napari_unet_seg.io.model_files import Export, iter_export
    from napari_unet_seg.io.model_package import Credits

    exported = yield from iter_export(Export(name, path, kind, True, Credits(authors, licence)))
    return Done(name, name, f"“{name}” is exported", f"{exported.path}. {exported.remark}".strip())


def _note(entry: Entry) -> ModelNote:
    from napari_unet_seg.core.checkpoint import load_model

    known = (entry.name, entry.path, entry.bundled, entry.default)
    try:
        model = load_model(entry.path)
    except ModelError as error:
        return ModelNote(*known, "Damaged, or of another version", trouble=str(error))
    facts = (
        *_facts(model.card),
        ("Finds", ", ".join(model.settings.maps)),
        ("File", _size(entry.path) if entry.bundled else f"{_size(entry.path)}, {entry.path}"),
    )
    return ModelNote(*known, entry.title or _title(model.card), tuple((word, value) for word, value in facts if value))


def _title(card: Mapping[str, Any]) -> str:
    return f"{_TRAINED_BY_USER[:-1]}, from {card['base']}." if card.get("base") else _TRAINED_BY_USER


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what a card says that a user asks for."""
    images, diameter = card.get("images"), float(card.get("diameter", 0))
    learned = f"{images:,} image{'' if images == 1 else 's'}" if isinstance(images, int) else ""
    measured = _measured(card)
    return [
        ("Learned from", "; ".join(filter(None, (learned, str(card.get("data", "")))))),
        ("Started from", str(card.get("base", ""))),
        ("Nuclei of", f"about {diameter:.0f} px" if diameter else ""),
        ("Measured", measured),
        ("Licence", str(card.get("licence", ""))),
    ]


def _measured(card: Mapping[str, Any]) -> str:
    figures, report = card.get("figures"), card.get("report")
    if isinstance(figures, Mapping) and isinstance(figures.get("all"), Mapping):
        return f"AP {figures['all'].get('AP 0.5', '?')} at IoU 0.5, on images that it did not learn from"
    after = report.get("after") if isinstance(report, Mapping) else None
    return f"AP {after['ap50']:.2f} at IoU 0.5" if isinstance(after, Mapping) and isinstance(after.get("ap50"), float) else ""


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"

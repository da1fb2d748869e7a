"""``napari-unet-seg models``: what models there are, what is in them, and how to add, rename, delete and give them away."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet_seg.cli.terminal import FAILED, command, note, say, say_table
from napari_unet_seg.io.model_formats import FORMATS, SAFETENSORS
from napari_unet_seg.progress import drain

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

app = typer.Typer(no_args_is_help=True, help="List, look at, add, rename, delete and export models.")
_LEAST_ROOM = 20
"""Letters in a line, however narrow the terminal is."""
_MOST_VALUES = 50
"""In a line; the curves of a training are longer."""
_FORMAT_HELP = "safetensors is opened by this program, onnx and bioimageio by others."
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `models list` shows.", show_default=False)]


@dataclass(frozen=True)
class NoOptions:
    """A command without options."""


@command(app, NoOptions, "list")
def list_models(options: NoOptions) -> None:
    """List the models: those that came with the program, and your own."""
    from napari_unet_seg.core.checkpoint import user_folder
    from napari_unet_seg.core.registry import list_entries

    origins = {True: "bundled", False: "yours"}
    rows = [(entry.name, origins[entry.bundled], "default" if entry.default else "", entry.title) for entry in list_entries()]
    say_table(rows, right=())
    note(f"Your own models are kept in {user_folder()}.")


@dataclass(frozen=True)
class ShowOptions:
    """What to show."""

    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model of `models list`, or a file.")] = "nuclei"


@command(app, ShowOptions)
def show(options: ShowOptions) -> None:
    """Show the card of a model, and its network layer by layer."""
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.unet import describe, receptive_radius

    model = load_model(options.name)
    rows = describe(model.network)
    facts = {
        **_facts(model),
        "parameters": f"{sum(row['parameters'] for row in rows):,}",
        "receptive radius": f"{receptive_radius(model.settings)} px",
    }
    _say_facts(facts)
    say()
    say_table([("layer", "kind", "shape (C, Y, X)", "parameters"), *map(_layer, rows)], right=(2, 3))


def _facts(model: Model) -> dict[str, Any]:
    """Return what the card and the settings say, nested values in one line."""
    card = {name: value for name, value in model.card.items() if name != "name"}
    defaults = ", ".join(f"{name} {value}" for name, value in model.defaults.to_dict().items())
    facts = {"name": model.name, "sha256": model.sha256, **card, "maps": ", ".join(model.settings.maps), "settings": defaults}
    return {name: _in_line(value) for name, value in facts.items()}


def _say_facts(facts: dict[str, Any]) -> None:
    """Write names and values; on a terminal long values are broken, in a file each stays in its line."""
    column = max(map(len, facts)) + 2
    room = shutil.get_terminal_size().columns - column if sys.stdout.isatty() else 0
    for name, value in facts.items():
        lines = textwrap.wrap(str(value), max(room, _LEAST_ROOM)) if room else [str(value)]
        for start, line in zip([name, *[""] * len(lines)], lines or [""], strict=False):
            say(f"{start:{column}}{line}".rstrip())


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_line(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return f"{len(value)} values" if len(value) > _MOST_VALUES else ", ".join(map(_in_line, value))
    return str(value)


def _layer(row: dict[str, Any]) -> tuple[str, ...]:
    return row["name"], row["kind"], " x ".join(map(str, row["shape"])), f"{row['parameters']:,}"


@dataclass(frozen=True)
class ImportOptions:
    """What to add."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="A model file (.safetensors) of this program.", show_default=False)]
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it; without it, as it was called.", show_default=False)] = ""


@command(app, ImportOptions, "import")
def import_model(options: ImportOptions) -> None:
    """Add a model file to your own models."""
    from napari_unet_seg.core import registry

    entry = registry.import_model(options.file, options.name)
    say(f"{entry.name} is added; use it by --model {entry.name}")


@dataclass(frozen=True)
class RenameOptions:
    """What to rename."""

    old: _Name
    new: Annotated[str, typer.Argument(metavar="NEW", help="Letters, digits, - and _.", show_default=False)]


@command(app, RenameOptions)
def rename(options: RenameOptions) -> None:
    """Rename one of your own models."""
    from napari_unet_seg.core import registry

    entry = registry.rename_model(options.old, options.new)
    say(f"{options.old} is now called {entry.name}")


@dataclass(frozen=True)
class DeleteOptions:
    """What to delete."""

    name: _Name
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False


@command(app, DeleteOptions)
def delete(options: DeleteOptions) -> None:
    """Delete one of your own models."""
    from napari_unet_seg.core import registry

    entry = registry.own_entry(options.name, "deleted")  # what cannot be deleted is not asked about
    if not options.yes and not typer.confirm(f"Delete {entry.name} ({entry.path})?", err=True):
        note("Nothing is deleted.")
        raise typer.Exit(FAILED)
    registry.delete_model(entry.name)
    say(f"{entry.name} is deleted")


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to."""

    name: _Name
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="File or folder to write to; this folder if not given.")] = "."
    format: Annotated[str, typer.Option("--format", "-f", metavar="|".join(FORMATS), help=_FORMAT_HELP)] = SAFETENSORS
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False
    author: Annotated[list[str] | None, typer.Option(metavar="NAME", help="For bioimage.io, whose model it is; may be repeated.")] = None
    licence: Annotated[str, typer.Option(metavar="SPDX", help="For bioimage.io, what others may do with it, such as CC-BY-4.0.")] = ""


@command(app, ExportOptions)
def export(options: ExportOptions) -> None:
    """Write a model to a file, to give it away: as it is, as ONNX or as a package of bioimage.io."""
    from napari_unet_seg.io.model_files import Export, iter_export
    from napari_unet_seg.io.model_package import Credits

    credit = Credits(tuple(options.author or ()), options.licence)
    exported = drain(iter_export(Export(options.name, options.path, options.format, options.overwrite, credit)))
    say(f"{options.name} is written to {exported.path}")
    if exported.remark:
        note(exported.remark)

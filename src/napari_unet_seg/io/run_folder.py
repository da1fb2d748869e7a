"""The folder of a training: what was asked for, how it went and what came of it, to be looked at and kept.

========================  ==============================================================================
``state.safetensors``     what `iter_train` goes on from (written by it, the rest here)
``settings.json``         settings, base and versions of this program and what it stands on
``history.csv``           loss, its terms, learning rate and seconds of each step; looks at the validation part
``curves.png``            the same as curves
``best.safetensors``      the model: the best averaged weights
``last.safetensors``      the averaged weights at the last step
``report.md``             what came of it in words, with ``picture_1.png`` ...: annotated, base, model
========================  ==============================================================================
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.overlay import draw_overlay, write_png
from napari_unet_seg.io.plot import draw_curves

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.examples import Example

    Picture = npt.NDArray[np.uint8]

_TERMS = {"cross_entropy": "cross-entropy", **{name: name for name in ("distance", "supervision", "adversarial")}, "dice": "Dice"}
_PLOTS = (
    ("Loss", {"loss": "training", "validation_loss": "kept out"}),
    ("Terms of the training's loss", _TERMS),
    ("Mean AP of what is kept out", {"ap": "IoU 0.5 to 0.9"}),
    ("Dice of what is kept out", {"mean_dice": "mean of the classes"}),
)
_FIRST = ("step", "seconds", "rate", "loss")
"""Columns of the history that come first."""
_SMALLEST, _GAP = 256, 8
"""Edge that a picture of an example has at least, and the white line between two."""


def write_run(folder: Path, model: Model, examples: Sequence[Example] = ()) -> list[Path]:
    """Write what came of a training into its folder.

    Parameters
    ----------
    folder : Path
        Its run folder; the state in it gives history and last weights.
    model : Model
        What `iter_train` returned.
    examples : sequence of Example
        Pictures for the report.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    WriteError
        If the system refuses to write.
    ModelError
        If the state cannot be read.
    """
    from napari_unet_seg.core.run_state import last_model, load_state

    folder.mkdir(parents=True, exist_ok=True)
    written = [model.save(folder / "best.safetensors")]
    found = load_state(folder)
    if found is not None:
        state, tensors = found
        written.append(last_model(state, tensors, model).save(folder / "last.safetensors"))
        written.append(_write(folder / "history.csv", _table(state.history)))
    report = model.card.get("report", {})
    drawn = report.get("curves", {})
    plots = [(title, {words: drawn[name] for name, words in names.items() if name in drawn}) for title, names in _PLOTS]
    plots.append(("Dice of each class", {name: drawn[f"dice_{name}"] for name in model.settings.classes if f"dice_{name}" in drawn}))
    write_png(folder / "curves.png", draw_curves(plots))
    pictures = _pictures(folder, examples)
    described = _write(folder / "settings.json", json.dumps(_described(model), indent=1, sort_keys=True))
    return [*written, folder / "curves.png", described, *pictures, _write(folder / "report.md", _report(model, pictures))]


def draw_example(example: Example) -> Picture:
    """Draw what was annotated, what the base found and what the model finds, side by side.

    Parameters
    ----------
    example : Example

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    layers = [example.annotated, *([] if example.before is None else [example.before]), example.after]
    image = ImageFile(Path(), example.image, "YXS" if example.image.ndim == 3 else "YX")
    cells = [_enlarged(draw_overlay(image, labels)) for labels in layers]
    line = np.full((cells[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([part for cell in cells for part in (cell, line)][:-1], axis=1)


def _enlarged(picture: Picture) -> Picture:
    times = -(-_SMALLEST // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _pictures(folder: Path, examples: Sequence[Example]) -> list[Path]:
    for old in folder.glob("picture_*.png"):  # of a run that had more of them
        old.unlink(missing_ok=True)
    paths = [folder / f"picture_{number}.png" for number in range(1, len(examples) + 1)]
    for path, example in zip(paths, examples, strict=True):
        write_png(path, draw_example(example))
    return paths


def _table(history: Sequence[Mapping[str, float]]) -> str:
    columns = {name for row in history for name in row}
    ordered = [name for name in _FIRST if name in columns] + sorted(columns - set(_FIRST))
    text = io.StringIO()
    writer = csv.DictWriter(text, ordered, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: int(value) if name == "step" else f"{value:.6g}" for name, value in row.items()} for row in history)
    return text.getvalue()


def _described(model: Model) -> dict[str, Any]:
    from napari_unet_seg.core.environment import describe_environment

    kept = ("base", "base_sha256", "training", "steps", "share", "images")
    card: dict[str, Any] = {name: model.card[name] for name in kept if name in model.card}
    return {**card, "network": model.settings.to_dict(), "versions": describe_environment().versions, "model_sha256": model.sha256}


def _report(model: Model, pictures: Sequence[Path]) -> str:
    from napari_unet_seg.core.report import sentences

    report = model.card.get("report")
    lines = [f"# {model.name}", "", *(f"- {sentence}" for sentence in (sentences(report) if report else ())), ""]
    lines += [f"{model.card.get('steps', 0)} steps. Weights: `best.safetensors`.", "", "![curves](curves.png)", ""]
    if pictures:
        compared = model.card.get("base") and (model.settings.distance or (report or {}).get("before"))
        names = "annotated, base, model" if compared else "annotated, model"
        lines += ["## Pictures", "", f"From left to right: {names}.", "", *(f"![{path.stem}]({path.name})\n" for path in pictures)]
    return "\n".join(lines)


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path

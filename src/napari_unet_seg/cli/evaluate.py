"""``napari-unet-seg evaluate``: how well labels agree with the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet_seg.cli.terminal import DONE, FAILED, Bar, before_work, counted, note, say, say_table
from napari_unet_seg.errors import InputError, ReadError, UnetSegError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_unet_seg.core.metrics import Scores

_SHOWN = 10
"""Files without a partner that are named on the terminal; ``--json`` names all."""
_MEASURES = ("ap", "precision", "recall", "f1", "pq")


@dataclass(frozen=True)
class EvaluateOptions:
    """Arguments and options of the command."""

    truth: Annotated[str, typer.Argument(metavar="TRUTH", help="Labels that are right: a folder, or a file.", show_default=False)]
    prediction: Annotated[str, typer.Argument(metavar="PREDICTION", help="Labels to judge, called like them.", show_default=False)]
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False


def evaluate(options: EvaluateOptions) -> None:
    """Compare labels with the truth: average precision (AP), precision, recall, F1 and PQ at thresholds of the overlap (IoU)."""
    from napari_unet_seg.io.pairs import pair_files

    with before_work():
        pairs = pair_files(Path(options.truth), Path(options.prediction))
    alone = [*pairs.first, *pairs.second]
    _tell_alone("truth", pairs.first)
    _tell_alone("prediction", pairs.second)
    scores, errors = _score_all(pairs.matched, not options.json)
    if scores and options.json:
        say(json.dumps({**_record(scores), "unpaired": list(map(str, alone)), "errors": errors}))
    elif scores:
        _tell(scores)
    raise typer.Exit(FAILED if errors else DONE)


def _score_all(pairs: tuple[tuple[str, Path, Path], ...], with_bar: bool) -> tuple[dict[str, Scores], dict[str, str]]:
    """Score each pair; an unusable one is named, and the rest goes on."""
    from napari_unet_seg.core.metrics import evaluate as score

    scores: dict[str, Scores] = {}
    errors: dict[str, str] = {}
    with Bar(len(pairs), with_bar) as bar:
        for done, (name, truth, prediction) in enumerate(pairs):
            bar.update(done, f"Comparing {name}")
            try:
                scores[name] = score(_read(truth), _read(prediction))
            except UnetSegError as error:
                errors[name] = str(error)
                note(f"Error: {name}: {error}")
    return scores, errors


def _read(path: Path) -> npt.NDArray[np.integer[Any]]:
    """Read labels, without dimensions of length 1."""
    import numpy as np

    from napari_unet_seg.core.labels_check import looks_like_intensities
    from napari_unet_seg.io.image import open_image

    image = open_image(path)
    if "S" in image.axes:
        raise InputError(f"{path.name} is a colour image, and labels are whole numbers, one for each nucleus.")
    try:
        labels = np.squeeze(np.asarray(image.levels[0]))
    except (OSError, ValueError, RuntimeError) as error:  # a block of a large file that is damaged
        raise ReadError(f"{path.name} cannot be read: {error}") from error
    if not image.is_labels and looks_like_intensities(labels):
        raise InputError(f"{path.name} looks like an image of intensities; give labels, in which each nucleus has one number of its own.")
    return labels


def _tell_alone(what: str, paths: tuple[Path, ...]) -> None:
    if paths:
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        note(f"{len(paths)} of the {what} without a partner, left out: {', '.join(path.name for path in paths[:_SHOWN])}{more}.")


def _pool(scores: dict[str, Scores]) -> Scores:
    first, *others = scores.values()
    for other in others:
        first = first + other
    return first


def _per_image(scores: dict[str, Scores], threshold: float) -> float:
    return sum(one.ap(threshold) for one in scores.values()) / len(scores)


def _per_image_mean(scores: dict[str, Scores]) -> float:
    return sum(one.mean_ap() for one in scores.values()) / len(scores)


def _tell(scores: dict[str, Scores]) -> None:
    pooled = _pool(scores)
    rows = [("IoU", "AP pooled", "AP per image", "precision", "recall", "F1", "PQ", "TP", "FP", "FN")]
    for place, at in enumerate(pooled.thresholds):
        values = (pooled.ap(at), _per_image(scores, at), pooled.precision(at), pooled.recall(at), pooled.f1(at), pooled.pq(at))
        counts = (pooled.tp[place], pooled.fp[place], pooled.fn[place])
        rows.append((f"{at:.2f}", *(f"{value:.3f}" for value in values), *map(str, counts)))  # type: ignore[arg-type]
    say_table(rows)
    say()
    nuclei, found = pooled.tp[0] + pooled.fn[0], pooled.tp[0] + pooled.fp[0]
    say(f"mean AP 0.5 to 0.9: {pooled.mean_ap():.3f} pooled, {_per_image_mean(scores):.3f} per image")
    images, truth = counted(len(scores), "image", "images"), counted(nuclei, "nucleus", "nuclei")
    say(f"{images}, {truth} in the truth, {found:,} in the prediction")


def _record(scores: dict[str, Scores]) -> dict[str, Any]:
    pooled = _pool(scores)
    thresholds = pooled.thresholds
    return {
        "images": len(scores),
        "thresholds": list(thresholds),
        **{name: [getattr(pooled, name)(at) for at in thresholds] for name in _MEASURES},
        "ap_per_image": [_per_image(scores, at) for at in thresholds],
        "mean_ap": pooled.mean_ap(),
        "mean_ap_per_image": _per_image_mean(scores),
        "tp": list(pooled.tp),
        "fp": list(pooled.fp),
        "fn": list(pooled.fn),
        "per_image": {name: {"ap": [one.ap(at) for at in thresholds], "mean_ap": one.mean_ap()} for name, one in scores.items()},
    }

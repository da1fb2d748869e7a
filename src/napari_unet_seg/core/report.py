"""What came of a training, in figures and in words: the part of a model's card called ``report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_unet_seg.core.annotations import FEW
from napari_unet_seg.core.class_figures import ClassFigures

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Summary
    from napari_unet_seg.core.run_state import Row, RunState
    from napari_unet_seg.core.validation import Figures

CURVE_POINTS = 200
"""Points of a curve that a card keeps."""
WORSE = 0.01
"""A figure that falls by more than this makes the model worse than its base."""
MEASURED = {
    "validation": "on {nuclei} nuclei that were kept out of training",
    "cross-validation": "on {nuclei} nuclei, each left out in turn (trained briefly without it)",
    "training": "on {nuclei} nuclei that it learned from",
}
"""On what figures were measured, best first."""
CLASSES_MEASURED = {"validation": "where nothing taught it", "training": "where it learned"}
"""The same of classes."""


@dataclass(frozen=True)
class Outcome:
    """What was measured before and after.

    Parameters
    ----------
    measured : str
        A key of `MEASURED`.
    how : str
        A sentence on what was kept out, or why nothing was.
    before, after : Figures or None
        Of the base and of the model; no base, no figures before; None too when nothing could be measured.
    """

    measured: str
    how: str
    before: Figures | ClassFigures | None
    after: Figures | ClassFigures | None


def make_report(summary: Summary, outcome: Outcome, state: RunState, stopped: str = "") -> dict[str, Any]:
    """Put together what a card should say about a training.

    Parameters
    ----------
    summary : Summary
        What was learned from.
    outcome : Outcome
        What was measured.
    state : RunState
        Steps and history.
    stopped : str
        Why it ended before its last step, one sentence; else empty.

    Returns
    -------
    dict
        Of what JSON can hold: ``learned_from``, ``nuclei``, ``few``, ``measured``, ``how``, ``before``, ``after`` (None or nuclei, found,
        ap50, mean_ap, recall, iou; of classes mean_dice and dice), ``best_step``, ``stopped``, ``curves``, ``warnings``. Equal trainings
        give equal reports.
    """
    before, after = outcome.before, outcome.after
    return {
        "learned_from": summary.sentence,
        "nuclei": summary.nuclei,
        "few": summary.few,
        "measured": outcome.measured,
        "how": outcome.how,
        "before": before.to_dict() if before else None,
        "after": after.to_dict() if after else None,
        "best_step": state.best_step or state.step,
        "stopped": stopped,
        "curves": curves(state.history),
        "warnings": _warnings(before, after, summary.few),
    }


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Say what a report means, for people.

    Parameters
    ----------
    report : mapping
        From `make_report`, or ``model.card["report"]``.

    Returns
    -------
    list of str
        One sentence each, warnings first.
    """
    lines = [*report["warnings"], f"It learned from {report['learned_from']}.", report["how"]]
    after, before = report["after"], report["before"]
    if after and "dice" in after:
        lines.append(_measured_classes(report["measured"], before, after))
    elif after and after["nuclei"]:
        lines.append(_measured(report["measured"], before, after, report["few"]))
    if report["few"]:
        lines.append(f"Fewer than {FEW} nuclei are too few to measure a model: look at the pictures, and at images of your own.")
    return [*lines, report["stopped"]] if report["stopped"] else lines


def curves(history: Sequence[Row]) -> dict[str, dict[str, list[float]]]:
    """Thin the history to what can be drawn.

    Parameters
    ----------
    history : sequence of dict
        A row of metrics for each step.

    Returns
    -------
    dict of str to dict
        For each metric ``step`` and ``value``, at most `CURVE_POINTS` of each: means over neighbouring steps.
    """
    names = sorted({name for row in history for name in row} - {"step", "seconds", "rate"})
    drawn: dict[str, dict[str, list[float]]] = {}
    for name in names:
        points = [(row["step"], row[name]) for row in history if name in row]
        size = -(-len(points) // CURVE_POINTS)
        parts = [points[start : start + size] for start in range(0, len(points), size)]
        values = [round(sum(value for _, value in part) / len(part), 5) for part in parts]
        drawn[name] = {"step": [int(part[-1][0]) for part in parts], "value": values}
    return drawn


def _warnings(before: Figures | ClassFigures | None, after: Figures | ClassFigures | None, few: bool) -> list[str]:
    if isinstance(after, ClassFigures):
        return _class_warnings(before if isinstance(before, ClassFigures) else None, after)
    if isinstance(before, ClassFigures) or after is None or not after.nuclei:
        return []
    if not after.found:
        return ["The model finds nothing where nuclei are annotated: train longer, annotate more, or start from another base."]
    if before is None:
        return []
    old, new = (figures.iou if few else figures.scores.mean_ap() for figures in (before, after))
    if new < old - WORSE:
        return [f"The model is worse than its base ({new:.2f} against {old:.2f}): keep the base, or annotate more and train again."]
    return []


def _measured(measured: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], few: bool) -> str:
    where = MEASURED[measured].format(nuclei=after["nuclei"])
    names = {"recall": "recall at IoU 0.5", "iou": "mean IoU"} if few else {"ap50": "AP at IoU 0.5", "mean_ap": "mean AP"}
    parts = [f"{words} {after[name]:.2f}" + (f" (base {before[name]:.2f})" if before else "") for name, words in names.items()]
    return f"Measured {where}: {', '.join(parts)}."


def _class_warnings(before: ClassFigures | None, after: ClassFigures) -> list[str]:
    missed = [name for name, value in after.dice.items() if not value]
    found = [f"The model finds no {', no '.join(missed)} where that is annotated: train longer, or annotate more of it."] if missed else []
    if before is not None and after.mean_dice < before.mean_dice - WORSE:
        figures = f"{after.mean_dice:.2f} against {before.mean_dice:.2f}"
        found.append(f"The model is worse than its base ({figures}): keep the base, or annotate more and train again.")
    return found


def _measured_classes(measured: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    each = ", ".join(f"{name} {value:.2f}" for name, value in after["dice"].items())
    base = f" (base {before['mean_dice']:.2f})" if before else ""
    return f"Measured {CLASSES_MEASURED[measured]}, Dice: {each}; mean {after['mean_dice']:.2f}{base}."

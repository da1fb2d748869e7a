"""What the training dock says: sentences, and the time that is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_unet_seg.gui.learning import INSIDE, PAINTED, WHOLE
from napari_unet_seg.gui.words import time_words

if TYPE_CHECKING:
    from napari_unet_seg.io.run_plan import Plan
    from napari_unet_seg.progress import Progress

MODE = (
    "Painted nuclei: a few nuclei teach, all else is unknown. Inside shapes: there, every nucleus is painted, and the rest is background. "
    "Whole planes: the same for each plane on which something is painted."
)
MODE_HINTS = {
    PAINTED: "A few nuclei teach; what you did not paint is unknown.",
    INSIDE: "Inside the shapes, what is not painted is background.",
    WHOLE: "On each plane with something painted, the rest is background.",
}
BRUSH = "Painting nucleus {}. Press N for the next one."
ENDING = "Ending, and keeping the best …"
CANCELLED, GO_ON = "No model was made. What you painted is as it was.", " Resume goes on from where it was saved last."
READY = "Teach the model what you painted."
TAKEN = "There is a model named {} already; choose another name."
KEPT = "It is among the models of “Segment nuclei”, and on the command line: --model {}"
NOTHING_TO_RESUME = "There is no training to go on with: one that was stopped, or interrupted when napari was closed."
WAITS = "The training of “{}” has not ended: Resume goes on with it."
_RESUME = "Go on with the training of “{}”, which learns from {}. What was painted since then is not part of it: for that, press Start."
_SURE_AFTER = 1.0
"""Seconds after which the time that is left is told."""


def resume_words(plan: Plan | None) -> str:
    """Say what Resume does.

    Parameters
    ----------
    plan : Plan or None
        Of the training that can go on.

    Returns
    -------
    str
    """
    return NOTHING_TO_RESUME if plan is None else _RESUME.format(plan.name, plan.learned_from or "what was painted then")


def training_words(step: Progress, began: tuple[float, int]) -> str:
    """Say how far a training is, and how long it will take, once that can be told.

    Parameters
    ----------
    step : Progress
    began : tuple of (float, int)
        When its first step was seen, by `time.monotonic`, and the number of that step.

    Returns
    -------
    str
    """
    done, passed = step.done - began[1], time.monotonic() - began[0]
    words = f"Training: {step.done:,} of {step.total:,} steps"
    if done <= 0 or passed < _SURE_AFTER:
        return words
    return f"{words}, {time_words(max(round(passed / done * (step.total - step.done)), 10))} left"

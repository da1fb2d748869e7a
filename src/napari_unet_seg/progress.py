"""Long work is a generator that yields `Progress` and returns its result.

One engine then serves the viewer, the command line, the Python API and the tests:

>>> def work():
...     yield Progress("count", 1, 2)
...     yield Progress("count", 2, 2)
...     return "done"
>>> drain(work())
'done'
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

Result = TypeVar("Result")


class Command(Enum):
    """What a consumer may send back into a generator."""

    STOP = "stop"
    """Finish early and return the best result so far; closing the generator cancels instead."""


@dataclass(frozen=True, eq=False)
class Preview:
    """What a consumer may send into a training: show what the network finds by now.

    The next `Progress` then carries ``preview``, the labels of this plane (int32, shape (Y, X)), or a notice that says why there are none.

    Parameters
    ----------
    image : array-like
        Plane of shape (Y, X), or (Y, X, 3 or 4) for colour; such as the part of an image that is in view.
    settings : SegmentSettings, optional
        How it is segmented; the model's own if not given. A part of an image needs the limits (`low`, `high`, `polarity`) of the whole.
    """

    image: Any
    settings: Any = None


@dataclass(frozen=True)
class Progress:
    """One step of long work.

    Parameters
    ----------
    stage : str
        What is being done, in words a user understands: "Segmenting", "Training".
    done, total : int
        Steps finished, and steps in all; `total` 0 means that the number is not known.
    metrics : mapping of str to float
        Figures of this step, such as ``{"loss": 0.3}``.
    preview : object
        Something to show meanwhile (an array), or None; left out of comparisons, since arrays have no single answer to ``==``.
    notice : str
        One sentence the user should read, such as a fall-back to smaller tiles; else empty.
    """

    stage: str
    done: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    preview: Any = field(default=None, compare=False)
    notice: str = ""


Steps = Generator[Progress, "Command | Preview | None", Result]
"""The type of every long-running function of this package; only training answers to `Preview`."""


def relay(steps: Steps[Result], change: Callable[[Progress], Progress]) -> Steps[Result]:
    """Pass on the steps of a part of some work, changed to what they mean for the whole.

    Parameters
    ----------
    steps : generator
        A generator that yields `Progress`; it is closed with this one.
    change : callable
        Called with each `Progress`; its result is yielded.

    Yields
    ------
    Progress
        What is sent back goes on to `steps`.

    Returns
    -------
    object
        What `steps` returns.
    """
    with closing(steps):
        try:
            progress = next(steps)
            while True:
                progress = steps.send((yield change(progress)))
        except StopIteration as stop:
            result: Result = stop.value
            return result


def over_planes(progress: Progress, number: int, planes: int, told: set[str]) -> Progress:
    """Make of a step of one plane a step of all planes.

    Parameters
    ----------
    progress : Progress
        A step of the plane; each has as many.
    number, planes : int
        Which plane it is, from 0 on, and how many there are.
    told : set of str
        What users have been told of planes so far; it is added to, since a sentence that holds for many planes is told once.

    Returns
    -------
    Progress
    """
    notice = "" if progress.notice in told else progress.notice
    told.add(notice)
    return replace(progress, done=number * progress.total + progress.done, total=planes * progress.total, notice=notice)


def drain(steps: Steps[Result], on_progress: Callable[[Progress], None] | None = None) -> Result:
    """Run `steps` to its end and return its result.

    Parameters
    ----------
    steps : generator
        A generator that yields `Progress`; it is closed if `on_progress` raises, so that the work cleans up at once.
    on_progress : callable, optional
        Called with each `Progress`.

    Returns
    -------
    object
        What the generator returns.
    """
    with closing(steps):
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if on_progress is not None:
                on_progress(progress)

"""What is done with a model once it is trained, and with trainings that wait: short work beside the window, one piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.training import discard_steps, find_steps, keep_steps
from napari_unet_seg.gui.trying import try_steps

if TYPE_CHECKING:
    from pathlib import Path

    from napari_unet_seg.gui.training import Trained
    from napari_unet_seg.io.run_plan import Plan
    from napari_unet_seg.progress import Steps

_FIND, _KEEP, _DISCARD, _TRY = "find", "keep", "discard", "try"


class TrainChores(QObject):
    """Saves, deletes and tries models, and looks for trainings that can go on.

    Parameters
    ----------
    parent : QObject
        Its owner.
    """

    found = Signal(object)
    """The `Plan` of the training that can go on, or None."""
    kept = Signal(str)
    """Name of the model that was put among the user's own."""
    discarded = Signal()
    tried = Signal(object)
    """A list of `Tried`."""
    failed = Signal(object)
    """The exception for which something could not be done."""
    progressed = Signal(object)
    """A `Progress` of what a user waits for."""
    finished = Signal()

    def __init__(self, parent: QObject) -> None:
        """Start with nothing to do."""
        super().__init__(parent)
        self._task = _FIND
        self._looks_again = False
        self._waiting: tuple[Steps[Any], str] | None = None
        self.job = Job(self)
        self.job.progressed.connect(self._pass_progress)
        self.job.returned.connect(self._pass_result)
        self.job.failed.connect(self.failed)
        self.job.finished.connect(self._finish)

    @property
    def busy(self) -> bool:
        """Whether something is done that a user waits for."""
        return self._waiting is not None or (self.job.running and self._task != _FIND)

    def find(self) -> None:
        """Look for a training that can go on, at once or when the present work is done."""
        self._looks_again = not self._start(find_steps(), _FIND)

    def keep(self, plan: Plan, name: str) -> bool:
        """Put a model among the user's own; False when something else is being done."""
        return self._start(keep_steps(plan, name), _KEEP)

    def discard(self, plan: Plan) -> bool:
        """Delete a model and its training; False when something else is being done."""
        return self._start(discard_steps(plan), _DISCARD)

    def try_on(self, trained: Trained, folder: Path, device: str) -> bool:
        """Try a model on some images of a folder; False when something else is being done."""
        return self._start(try_steps(trained.model, folder, device), _TRY)

    def cancel(self) -> None:
        """End what is being done at its next step."""
        self._looks_again, self._waiting = False, None
        self.job.cancel()

    def _start(self, steps: Steps[Any], task: str) -> bool:
        """Start, or wait for a look, which nobody sees."""
        if self.job.running and self._task == _FIND != task and self._waiting is None:
            self._waiting = (steps, task)
            return True
        started = self.job.start(steps)
        if started:
            self._task = task
        return started

    def _pass_progress(self, step: Any) -> None:
        if self.busy:
            self.progressed.emit(step)

    def _pass_result(self, result: Any) -> None:
        if self._task == _DISCARD:
            self.discarded.emit()
        else:
            {_FIND: self.found, _KEEP: self.kept, _TRY: self.tried}[self._task].emit(result)

    def _finish(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._start(*waiting)
            return
        self.finished.emit()
        if self._looks_again:
            self.find()

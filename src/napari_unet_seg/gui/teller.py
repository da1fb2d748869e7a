"""Lets the table of a result follow what was painted in it while it followed a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.errors import ComputeError
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.layers import layer_axes, read_source
from napari_unet_seg.gui.retell import Painted, retell_steps
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from napari_unet_seg.gui.result import Result
    from napari_unet_seg.gui.retell import Told
    from napari_unet_seg.settings import SegmentSettings

WAIT_MS = 100
"""Time until the pixels are looked at: napari's brush tells of a stroke before it changes them; and until they are looked at once more."""
STALE = "What you painted in “{}” is kept, but not measured: {} Press Measure in “Measure nuclei”, and its table tells of it."


class Teller(QObject):
    """Measures one result at a time, until its table tells what the layer holds.

    Parameters
    ----------
    parent : QObject or None
        Its owner, with which it is deleted.
    """

    told = Signal()
    """The table follows."""
    failed = Signal(object)
    """The exception for which it does not, and what to do then."""

    def __init__(self, parent: QObject | None) -> None:
        """Start with nothing to tell of."""
        super().__init__(parent)
        self._of: tuple[Result, SegmentSettings] | None = None
        self._job, self._soon = Job(self), QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WAIT_MS)
        self._soon.timeout.connect(self._measure)
        self._job.returned.connect(self._show)
        self._job.failed.connect(self._fail)

    @property
    def result(self) -> Result | None:
        """Of which a table is in the making; None when there is none to make."""
        return None if self._of is None else self._of[0]

    def tell(self, result: Result, settings: SegmentSettings) -> None:
        """Let the table of a result follow its pixels.

        Parameters
        ----------
        result : Result
            One that was edited, and of which planes are ahead of the table.
        settings : SegmentSettings
            What these were decoded with.
        """
        if result.tells_of_nuclei:
            self._of = (result, settings)
            self._soon.start()

    def finish(self) -> None:
        """Do what is still to be done without the owner, which is closed: another one, whose owner is the program, ends when it is done."""
        if self._of is not None:
            other = Teller(QCoreApplication.instance())
            other.failed.connect(notify)
            for end in (other.told, other.failed):
                end.connect(other.deleteLater)
            other.tell(*self._of)
            self.forget()

    def forget(self) -> None:
        """Tell of nothing any more."""
        self._of = None
        self._soon.stop()
        self._job.cancel()

    def _measure(self) -> None:
        if self._of is not None and not self._job.start(retell_steps(self._painted(*self._of))):
            self._soon.start()

    def _painted(self, result: Result, settings: SegmentSettings) -> Painted:
        scale = read_source(result.image).scale
        return Painted(result.outcome, result.content(), result.ahead, settings, layer_axes(result.labels), scale)

    def _show(self, told: Told) -> None:
        if self._of is None:
            return
        result = self._of[0]
        if not result.shows(told.digests):
            self._soon.start()
            return
        self._of = None
        result.retell(told)
        self.told.emit()

    def _fail(self, error: BaseException) -> None:
        if self._of is not None and not self._soon.isActive():
            told = stale(self._of[0].labels.name, error)
            self._of = None
            self.failed.emit(told)


def stale(name: str, error: BaseException) -> ComputeError:
    """Return the error that says what to do when a table does not follow what was painted.

    Parameters
    ----------
    name : str
        Of the layer.
    error : Exception
        Why it does not; kept for the details.

    Returns
    -------
    ComputeError
    """
    told = ComputeError(STALE.format(name, explain(error)))
    told.__cause__ = error
    return told


def notify(error: BaseException) -> None:
    """Let napari tell of what a closed dock cannot.

    Parameters
    ----------
    error : Exception
    """
    show_error(explain(error))

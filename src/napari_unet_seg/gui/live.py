"""Sliders that act at once: a result is decoded again beside the window, the visible plane first, and the newest setting wins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.gui.follow import Decoder, Settlement, ShownPlane, decoding_of, prepare_steps, settle_steps, show_steps
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.teller import Teller
from napari_unet_seg.gui.where import shown_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer
    from napari.layers import Labels

    from napari_unet_seg.gui.kept_maps import Index
    from napari_unet_seg.gui.request import Outcome
    from napari_unet_seg.gui.result import Result
    from napari_unet_seg.settings import SegmentSettings

REST_MS = 300
"""A slider that was not moved for this long rests: then the other planes and the table follow."""
MOST_PREPARED = 2048 * 2048
"""Pixels of the largest plane for whose sliders work is done beforehand: it takes some twenty bytes a pixel."""
POLL_MS = 2
"""How often the window looks whether the visible plane is ready."""


class Live(QObject):
    """Makes a result follow the sliders.

    Parameters
    ----------
    viewer : napari.Viewer
        Says which plane is visible.
    parent : QObject
        Its owner, with which it is deleted.
    """

    shown = Signal(int)
    """The visible plane follows: its number of nuclei."""
    settled = Signal()
    """The whole result follows, its table too."""
    failed = Signal(object)
    """The exception for which it does not."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        """Start with nothing to follow."""
        super().__init__(parent)
        self._viewer = viewer
        self._wanted: tuple[Result, SegmentSettings] | None = None
        self._decoded: Result | None = None
        """Of which there is work that was done beforehand."""
        self._plane: ShownPlane | None = None
        self.count = 0
        """Nuclei of the plane that was shown last."""
        self._decoder, self._teller = Decoder(), Teller(self)
        self._show_job, self._settle_job = Job(self, POLL_MS), Job(self)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._settle)
        self._show_job.returned.connect(self._show_plane)
        self._show_job.finished.connect(self._show_next)
        self._settle_job.returned.connect(self._show_all)
        self._settle_job.finished.connect(self._settle_next)
        for job in (self._show_job, self._settle_job):
            job.failed.connect(self._fail)
        self._teller.told.connect(self.settled)
        self._teller.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether the layer has not followed wholly yet, or its table not what was painted meanwhile."""
        return self._wanted is not None or self._teller.result is not None

    @property
    def result(self) -> Result | None:
        """What is following; None when it has done so wholly."""
        return None if self._wanted is None else self._wanted[0]

    def follow(self, result: Result, settings: SegmentSettings) -> None:
        """Show a result with other settings, as soon as possible.

        Parameters
        ----------
        result : Result
            One that is live.
        settings : SegmentSettings
            Of these, the fields in `DECODING` are used.
        """
        wanted = decoding_of(result.outcome.settings, settings)
        if self._wanted is None and wanted == result.outcome.settings:
            return
        self._settle_job.cancel()
        self._wanted, self._decoded = (result, wanted), result
        self._rest.start()
        self._show_next()

    def prepare(self, result: Result) -> None:
        """Do what the first move of a slider would wait for, while nobody waits.

        Parameters
        ----------
        result : Result
            The one whose sliders may be moved next.
        """
        if self.busy or not result.live or math.prod(result.labels.data.shape[-2:]) > MOST_PREPARED:
            return
        index = visible_index(self._viewer, result.labels)
        if index is not None and self._show_job.start(prepare_steps((result.outcome, index), self._decoder)):
            self._decoded = result

    def keep(self, results: Sequence[Result]) -> None:
        """Follow no more, and let go of the maps, if the result is not among those that there are."""
        if self._decoded is not None and self._decoded not in results:
            self.stop()
        if self._teller.result is not None and self._teller.result not in results:
            self._teller.forget()

    def stop(self) -> None:
        """Follow no more; a layer whose table has not followed yet holds again what it held before, or its table follows the strokes."""
        if self._wanted is not None:
            result, settings = self._wanted
            if result.edited and result.ahead:
                self._teller.tell(result, settings if self._plane is None else self._plane.settings)
            else:
                result.take_back()
        self._wanted = self._plane = self._decoded = None
        self._rest.stop()
        self._settle_job.cancel()
        if not self._show_job.running:
            self._decoder.forget()

    def close(self) -> None:
        """Follow no more, and leave nothing to be done."""
        self.stop()
        self._teller.finish()

    def _show_next(self) -> None:
        """Decode the visible plane with the newest setting, unless that is shown already."""
        if self._decoded is None and not self._show_job.running:
            self._decoder.forget()  # it was at work when all was stopped
        if self._wanted is None or self._show_job.running:
            return
        result, settings = self._wanted
        index = visible_index(self._viewer, result.labels)
        if result.live and index is not None and not self._is_shown(index, settings):
            self._show_job.start(show_steps(result.labels.data[index], (result.outcome, index), settings, self._decoder))

    def _is_shown(self, index: Index, settings: SegmentSettings) -> bool:
        return self._plane is not None and (self._plane.index, self._plane.settings) == (index, settings)

    def _show_plane(self, plane: ShownPlane | None) -> None:
        if plane is None or self._wanted is None or not self._wanted[0].live:
            return
        result = self._wanted[0]
        if not result.is_intact(plane):
            result.mark_edited()
            self.stop()
            return
        result.show_plane(plane)
        self._plane = plane
        self.count = int(plane.decoded.max(initial=0))
        self.shown.emit(self.count)

    def _settle(self) -> None:
        """Decode what is left of the result, and measure all of it."""
        if self._wanted is None or self._settle_job.running:
            return
        result, settings = self._wanted
        if not result.live:
            self.stop()
        elif self._show_job.running:
            self._rest.start()
        else:
            known = self._plane if self._plane is not None and self._plane.settings == settings else None
            scale = read_source(result.image).scale
            self._settle_job.start(settle_steps(Settlement(result.outcome, result.source, result.content(), settings, scale), known))

    def _settle_next(self) -> None:
        """After a slider was moved during it, settle again when it rests."""
        if self._wanted is not None and not self._rest.isActive():
            self._rest.start()

    def _show_all(self, outcome: Outcome) -> None:
        if self._wanted is None or not self._wanted[0].live or outcome.settings != self._wanted[1]:
            return
        result, shown = self._wanted[0], self._plane
        if not result.was_intact(outcome.previous) or (shown is not None and not result.shows({shown.index: shown.digest})):
            result.mark_edited()
            self.stop()
            return
        self._wanted = self._plane = None
        result.settle(outcome)
        self.settled.emit()

    def _fail(self, error: BaseException) -> None:
        waiting = self.busy
        self.stop()
        if waiting:
            self.failed.emit(error)


def visible_index(viewer: Viewer, layer: Labels) -> Index | None:
    """Say which plane of a layer is on the screen.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels

    Returns
    -------
    tuple of int or None
        Along the leading axes of the layer; None when another cut or a volume is shown.
    """
    dims = viewer.dims
    if layer.ndim == 2:
        return ()
    if dims.ndisplay != 2 or set(dims.displayed) != {dims.ndim - 2, dims.ndim - 1}:
        return None
    return shown_index(viewer, layer)[:-2]

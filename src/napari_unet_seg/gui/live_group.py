"""Several results that follow the sliders at once: those of all channels of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.gui.live import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer

    from napari_unet_seg.gui.result import Result
    from napari_unet_seg.settings import SegmentSettings


class LiveGroup(QObject):
    """Makes one result follow the sliders, or several.

    Parameters
    ----------
    viewer : napari.Viewer
        Says which plane is visible.
    parent : QObject
        Its owner, with which it is deleted.
    """

    shown = Signal(int)
    """The visible plane follows: its number of nuclei, in all results that follow."""
    settled = Signal()
    """All of the results follow, their tables too."""
    failed = Signal(object)
    """The exception for which one does not."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        """Be ready for one result; more are seldom needed."""
        super().__init__(parent)
        self._viewer = viewer
        self.lives: list[Live] = []
        self._followed: list[Live] = []
        self._add()

    @property
    def busy(self) -> bool:
        """Whether a layer has not followed wholly yet."""
        return any(live.busy for live in self.lives)

    def follow(self, results: Sequence[Result], settings: SegmentSettings) -> None:
        """Show results with other settings, as soon as possible; others that are still following go on.

        Parameters
        ----------
        results : sequence of Result
            Those that are live follow.
        settings : SegmentSettings
            As for `Live.follow`.
        """
        self._followed = []
        for result in results:
            if result.live:
                live = self._for(result)
                self._followed.append(live)
                live.follow(result, settings)

    def prepare(self, results: Sequence[Result]) -> None:
        """Do for the first result what the first move of a slider would wait for, while nobody waits."""
        for result in results[:1]:
            self.lives[0].prepare(result)

    def follows(self, results: Sequence[Result]) -> bool:
        """Say whether one of these is following."""
        return any(live.result in results for live in self.lives if live.busy)

    def keep(self, results: Sequence[Result]) -> None:
        """Let go of results that are not among those that there are."""
        for live in self.lives:
            live.keep(results)

    def stop(self) -> None:
        """Follow no more; layers whose tables have not followed yet hold again what they held before."""
        for live in self.lives:
            live.stop()

    def close(self) -> None:
        """Follow no more, and leave nothing to be done."""
        for live in self.lives:
            live.close()

    def _for(self, result: Result) -> Live:
        """Return what follows a result already, else one that is free."""
        mine = (live for live in self.lives if live.result is result)
        free = (live for live in self.lives if not live.busy and live not in self._followed)
        return next(mine, None) or next(free, None) or self._add()

    def _add(self) -> Live:
        live = Live(self._viewer, self)
        live.shown.connect(self._tell)
        live.settled.connect(self._settle)
        live.failed.connect(self.failed)
        self.lives.append(live)
        return live

    def _tell(self, _: int) -> None:
        self.shown.emit(sum(live.count for live in self._followed))

    def _settle(self) -> None:
        if not self.busy:
            self.settled.emit()

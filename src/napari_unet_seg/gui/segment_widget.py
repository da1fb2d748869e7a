"""The widget "Segment nuclei": from an image layer to a labels layer with one outline a nucleus, which follows the sliders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.compat import isalive

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.autosave import watch_edits
from napari_unet_seg.gui.engine_picker import NO_MODEL
from napari_unet_seg.gui.follow import restore_steps
from napari_unet_seg.gui.found import NOTHING_FOUND, OTHERS_FOLLOW, Round, all_words, found_words, live_words, part_of
from napari_unet_seg.gui.grids import on_grid
from napari_unet_seg.gui.image_picker import NO_IMAGE
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.kept_maps import MapCache
from napari_unet_seg.gui.layers import Source, placement
from napari_unet_seg.gui.live_group import LiveGroup
from napari_unet_seg.gui.orders import results_meant, run_request, wish_of
from napari_unet_seg.gui.pixel_size import measure_again
from napari_unet_seg.gui.preferences import map_cache_bytes
from napari_unet_seg.gui.request import PREPARING, Outcome, segment_steps
from napari_unet_seg.gui.results import Results
from napari_unet_seg.gui.segment_panel import ADVANCED, BASIC, SegmentPanel
from napari_unet_seg.gui.standing import Standing, stand
from napari_unet_seg.gui.status import Activity
from napari_unet_seg.gui.theme import set_kind
from napari_unet_seg.gui.tracks import has_tracks, show_tracks
from napari_unet_seg.progress import Progress

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image
    from qtpy.QtGui import QShowEvent

    from napari_unet_seg.gui.layers import Channel
    from napari_unet_seg.gui.result import Result
    from napari_unet_seg.settings import SegmentSettings

__all__ = ["ADVANCED", "BASIC", "NOTHING_FOUND", "OTHERS_FOLLOW", "SegmentWidget"]

SOON = "In a moment: it is being looked up which settings suit the model."


class SegmentWidget(SegmentPanel):
    """Finds the nuclei of an image layer and adds them as a labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget; torch is loaded when it is first seen, beside the window."""
        super().__init__(napari_viewer)
        self._running: tuple[Image, Source] | None = None
        self._restoring = self._moved = self._quiet = False
        self._told: Result | None = None
        self._cache = MapCache(map_cache_bytes())
        self._activity, self._round = Activity(), Round()
        self.results = Results(napari_viewer, self._follow_results)
        self.job, self.live = Job(self), LiveGroup(napari_viewer, self)
        watch_edits(napari_viewer)
        self._connect()
        self._paint()
        self._follow_image()

    def segment(self) -> None:
        """Start a run with what the form says, as soon as it is known which settings suit the model; the widget tells what came of it."""
        layer = self.images.layer
        if self._running is None:
            self.status.clear()
            if layer is not None and self.engine.knows(self.segment):
                self._round = Round(self.images.every or [(layer, self.images.channel)])
                self._start_next()
            elif layer is not None:
                self.status.show_progress(Progress(PREPARING, 0, 0))

    def _start_next(self) -> None:
        layer, channel = task = self._round.tasks.pop(0)
        self._moved = self._moved or self.live.busy
        self.live.stop()  # a run begins with what is whole, and may be cancelled
        try:
            request = run_request(self, self.results, task, self._round.part(channel), self._cache)
        except UnetSegError as error:
            self._show_error(error)
            self._finish()
            return
        # Before napari shows its bar, during which it lets events in, such as another click.
        self._running = (layer, request.source)
        self.status.show_progress(Progress(PREPARING, 0, 0))
        self._activity.start(f"Segmenting {layer.name}")
        self.job.start(segment_steps(request))
        self._update()

    def restore(self) -> None:
        """Bring back what the result layer held before the last run; what it holds now can be brought back likewise."""
        layer = self.images.layer
        result = self._result()
        if layer is None or result is None or result.before is None or self._running is not None:
            return
        self._running, self._restoring = (layer, replace(result.source, placement=placement(result.labels))), True
        self.live.stop()  # first, for what is replaced must be whole
        self.job.start(restore_steps(result.before, self.results.replaceable(layer)))
        self._update()

    def show_tracks(self) -> None:
        """Add a layer with the paths of the nuclei."""
        result = self._result()
        if result is not None and has_tracks(result.labels.features):
            try:
                show_tracks(self._viewer, result.labels)
            except UnetSegError as error:
                self._show_error(error)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for models and devices whenever the widget comes into view."""
        super().showEvent(event)
        self.engine.refresh()

    def _close(self) -> None:
        super()._close()
        self.live.close()
        self.diameter.close()

    def _result(self) -> Result | None:
        """Return the result that is meant: that of the chosen channel, if it has one of its own."""
        return self.results.of(self.images.layer, part_of(self.images.channel))

    def _meant(self) -> list[tuple[Result, Channel | None]]:
        return results_meant(self, self.results)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.segment)
        self.cancel_button.clicked.connect(self.cancel)
        self.restore_button.clicked.connect(self.restore)
        self.tracks_button.clicked.connect(self.show_tracks)
        self.reset_button.clicked.connect(self._reset)
        self.images.changed.connect(self._follow_image)
        self.region.changed.connect(self.status.forget_error)
        for changed in (self.engine.changed, self.region.changed, self.stack.changed):
            changed.connect(self._update)
        self.form.changed.connect(self._follow_form)
        self.engine.learned.connect(self._learn)
        self.engine.failed.connect(self._show_look_error)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._show_result)
        self.job.cancelled.connect(self._show_cancelled)
        self.job.finished.connect(self._finish)
        self.live.shown.connect(self._show_live_count)
        self.live.settled.connect(self._show_settled)
        for failed in (self.troubled, self.job.failed, self.live.failed):
            failed.connect(self._show_error)

    def _standing(self) -> Standing:
        """Say what the rows mean for the result; of several, for the first that may change."""
        standings = [stand(result, wish_of(self, channel), self.live.busy) for result, channel in self._meant()]
        return next((one for one in standings if not one.locked), standings[0] if standings else Standing())

    def _update(self) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        running, ready = self._running is not None, self.images.layer is not None and bool(self.engine.model) and self.engine.settled
        result, standing = self._result(), self._standing()
        self.run_button.setEnabled(ready and not running)
        self.run_button.setText(standing.button)
        kind = "primary" if standing.urgent else "secondary"
        if self.run_button.property("kind") != kind:
            set_kind(self.run_button, kind)
        self.cancel_button.setEnabled(running)
        self.copy_run.button.setEnabled(self.images.layer is not None)
        self.restore_button.setVisible(result is not None and result.before is not None)
        self.restore_button.setEnabled(not running)
        self.tracks_button.setVisible(result is not None and has_tracks(result.labels.features))
        self.reset_button.setVisible(not self.form.is_start)
        self.enable_live(not standing.locked)
        for hint, text in ((self.live_hint, standing.hint), (self.pending_hint, "" if running else standing.pending)):
            hint.setText(text)
            hint.setVisible(bool(text))
        why = NO_IMAGE if self.images.layer is None else NO_MODEL if not self.engine.model else "Outline the nuclei of this image."
        self.run_button.setToolTip(why if self.engine.settled else SOON)

    def _follow_form(self) -> None:
        """Let the result follow what needs no network, and say what needs it; after a run, if there is one."""
        settings = wish_of(self, None).settings
        self._moved = self._running is not None and not self._quiet
        if not self._quiet and self._running is None and settings is not None:
            self.live.follow([result for result, _ in self._meant()], settings)
        self._update()

    def _follow_image(self) -> None:
        layer = self.images.layer
        with self._quietly():
            self.show_image(layer)
        self._follow_results()

    def _follow_results(self) -> None:
        """Tell of the result of the chosen image, and of no other: not of one whose layer is deleted."""
        if not isalive(self):  # type: ignore[no-untyped-call]  # the viewer may outlive the window
            return
        result = self._result()
        if self._running is None and result is not self._told:
            self._tell(result)
        elif self._told not in self.results.present:  # deleted during a run; its layer is not to be kept alive until the end
            self._told = None
        self.live.keep(self.results.present)
        self._update()

    def _tell(self, result: Result | None) -> None:
        """Say what a result is."""
        self._told = result
        if result is None:
            self.limits.show_used(())
            self.status.forget_result()
        else:
            self._say(result.outcome, result.source)

    def _say(self, outcome: Outcome, source: Source) -> None:
        self.limits.show_used(outcome.provenance["limits"])
        self.status.show_result(*found_words(outcome, source))

    def _show_live_count(self, count: int) -> None:
        meant = self._meant()
        if not self.live.follows([result for result, _ in meant]):  # another image was chosen meanwhile
            return
        self.status.show_result(*live_words(count, [(result.outcome, result.source) for result, _ in meant]))

    def _show_settled(self) -> None:
        self._tell(self._result())
        if len(meant := self._meant()) > 1:
            self.status.show_result(*all_words([(one.source.part or one.source.name, one.outcome.count) for one, _ in meant]))
        self._update()

    def _reset(self) -> None:
        with self._quietly():
            self.form.reset()
        self._follow_form()

    def _learn(self, settings: SegmentSettings) -> None:
        with self._quietly():
            self.form.set_start(settings)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Change settings without the result following at once."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _show_result(self, outcome: Outcome) -> None:
        if self._running is None:
            return
        layer, source = self._running
        if not self._restoring:
            source = replace(source, placement=on_grid(source.placement, outcome.provenance.get("grid")))
        try:
            self.results.deliver(layer, source, outcome)
        except (MemoryError, RuntimeError, OSError, ValueError, TypeError) as error:  # napari could not show it
            self._show_error(error)
            return
        self._told = self._result()
        if self._restoring:
            with self._quietly():
                self.form.set_value(outcome.settings)
            if self._told is not None:
                measure_again(self._told.labels)  # the size of a pixel may be another since
        self._say(outcome, source)
        self._round.add(outcome, source)
        if self._round.several and not self._round.tasks:
            self.status.show_result(*all_words(self._round.counts))

    def _show_error(self, error: BaseException) -> None:
        self._round.tasks.clear()
        self.status.show_error(error)
        self._notify(error)

    def _show_look_error(self, error: BaseException) -> None:
        if self._running is None:  # a run meets the same trouble, and tells of it
            self._show_error(error)

    def _show_cancelled(self) -> None:
        self._round.tasks.clear()
        self.status.show_result("Cancelled", "Nothing was changed.")

    def _finish(self) -> None:
        self._running, self._restoring = None, False
        self._activity.close()
        self._update()
        if self._round.tasks:
            self._start_next()
        elif self._moved:
            self._follow_form()
        else:
            self.live.prepare([result for result, _ in self._meant()])

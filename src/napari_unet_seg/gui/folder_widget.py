"""The widget "Segment a folder": all images of a folder with the engine of the command line, after a trial on a few of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.engine_picker import NO_MODEL
from napari_unet_seg.gui.folder_panel import RUN, FolderPanel
from napari_unet_seg.gui.folder_report import done_words
from napari_unet_seg.gui.folder_rows import NO_FOLDER, shortened
from napari_unet_seg.gui.folder_run import PREPARING, Found, Order, can_go_on, check_order, run_steps, wishes_of
from napari_unet_seg.gui.gallery import tried_sheet
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.open_image import open_paths, window_of
from napari_unet_seg.gui.segment_widget import SegmentWidget
from napari_unet_seg.gui.status import Activity
from napari_unet_seg.gui.trying import Trial, try_images
from napari_unet_seg.io.batch import STAGE
from napari_unet_seg.io.summary import Outcome
from napari_unet_seg.progress import Progress

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QShowEvent

    from napari_unet_seg.gui.trying import Tried
    from napari_unet_seg.settings import SegmentSettings

_OF_AN_IMAGE = f"{STAGE} "
"""Beginning of the stages of a run that name an image."""
EARLIER = "The folder of the results holds {}. Choose another one, or tick “Replace results that are there”."
GOES_ON = "{} of {} images were done before, and are kept. To do them again, tick “Replace results that are there”."
REPLACED = " Of {} more there are labels, but not all files that are ticked: these are made again."
NO_DOCK = "The dock “Segment nuclei” is not open; its settings are what this one has, too."
TRIED = "These are 6 images at most, chosen by chance: press again for others. Nothing was written."


class FolderWidget(FolderPanel):
    """Segments all images of a folder.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        In which images that failed can be opened.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget; torch is loaded when it is first seen, beside the window."""
        super().__init__(napari_viewer)
        self._order: Order | None = None
        self._trying = False
        self._outcomes: list[Outcome] = []
        self._activity = Activity()
        self.job = Job(self)
        self._connect()
        self._paint()
        self._update()

    def run(self) -> None:
        """Segment all images that are asked for; the widget tells what came of them."""
        self._start(trying=False)

    def try_some(self) -> None:
        """Outline a few of the images, and show them in a window."""
        self._start(trying=True)

    def cancel(self) -> None:
        """End what goes on at its next step; images that are finished stay."""
        self.job.cancel()
        self.status.show_cancelling()
        self.cancel_button.setEnabled(False)

    def take_settings(self) -> None:
        """Take over the settings, the model and the device of the dock "Segment nuclei"."""
        dock = next(iter(window_of(self._viewer).findChildren(SegmentWidget)), None)
        if dock is None:
            self.status.message.show_text(NO_DOCK, "notice")
            return
        self.engine.choose(dock.engine.model)
        self.engine.device_box.setCurrentIndex(dock.engine.device_box.currentIndex())
        self.form.set_value(dock.form.value())
        for ours, theirs in ((self.stack.box, dock.stack.box), (self.stack.times, dock.stack.times)):
            ours.setCurrentIndex(theirs.currentIndex())
        self.settings_button.setChecked(True)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for models, devices and new images whenever the widget comes into view."""
        super().showEvent(event)
        self.engine.refresh()
        if self._order is None:
            self.rows.refresh()

    def _start(self, trying: bool) -> None:
        if self._order is not None:
            return
        try:
            order = self._make_order()
        except UnetSegError as error:
            self._show_error(error)
            return
        self._order, self._trying, self._outcomes = order, trying, []
        self.status.clear()
        self.report.begin(order.output)
        # Before napari shows its bar, during which it lets events in, such as another click.
        self.status.show_progress(Progress(PREPARING, 0, 0))
        self._activity.start("Trying the settings" if trying else f"Segmenting {len(order.sources):,} images")
        steps = try_images([source.path for source in order.sources], order.trial) if trying else run_steps(order)
        self.job.start(steps)
        self._update()

    def _make_order(self) -> Order:
        settings = self.settings()
        trial = Trial(self.engine.model, self.engine.device, self.rows.channel.currentData() or "", wishes_of(settings, self.form.start))
        output, ticked = self.rows.output_folder or Path(), self.formats.ticked
        measure, replace_all = self.measure_box.isChecked(), self.replace_box.isChecked()
        order = Order(self.rows.sources, output, ticked, trial, measure, replace_all, self._goes_on)
        check_order(order)
        return order

    @property
    def _goes_on(self) -> bool:
        """Whether images that were done before are kept, and the others done."""
        done = self.rows.found is not None and self.rows.found.count_done(self.formats.ticked) > 0
        return done and not self.replace_box.isChecked() and can_go_on(self.formats.ticked)

    def _connect(self) -> None:
        self.try_button.clicked.connect(self.try_some)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.cancel)
        self.take_button.clicked.connect(self.take_settings)
        self.replace_box.toggled.connect(self._update)
        for changed in (self.rows.changed, self.engine.changed, self.stack.changed, self.formats.changed):
            changed.connect(self._update)
        self.engine.learned.connect(self._learn)
        self.engine.failed.connect(self._show_error)
        self.report.opened.connect(self._open)
        self.job.reported.connect(self._gather)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._show_result)
        self.job.failed.connect(self._show_error)
        self.job.cancelled.connect(self._show_cancelled)
        self.job.finished.connect(self._finish)

    def _update(self, event: object = None) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        running, count = self._order is not None, len(self.rows.sources)
        found = self.rows.found
        blocked = found is not None and bool(found.earlier) and not self.replace_box.isChecked() and not self._goes_on
        ready = count > 0 and bool(self.engine.model) and not running
        self.formats.offer_tracks(self.stack.settings["track"] != "none")
        self.try_button.setEnabled(ready)
        self.run_button.setEnabled(ready and not blocked and bool(self.formats.ticked))
        left = count - found.count_done(self.formats.ticked) if self._goes_on and found is not None else count
        self.run_button.setText(f"Segment {left:,}{' more' * (left < count)} images" if left > 1 else RUN)
        self.cancel_button.setEnabled(running)
        words = "" if found is None else self._earlier_words(found, blocked)
        self.earlier_hint.setText(words)
        self.earlier_hint.setVisible(bool(words) and not running)
        why = "Write labels and tables of all images, and a contact sheet to look at." if count else NO_FOLDER
        self.run_button.setToolTip(why if self.engine.model else NO_MODEL)

    def _earlier_words(self, found: Found, blocked: bool) -> str:
        """Say what an earlier run has left, and what becomes of it; nothing when there is nothing."""
        if self._goes_on:
            done, again = found.count_done(self.formats.ticked), found.count_replaced(self.formats.ticked)
            return GOES_ON.format(f"{done:,}", f"{len(found.sources):,}") + (REPLACED.format(f"{again:,}") if again else "")
        return EARLIER.format(found.earlier.partition(" in ")[0]) if blocked else ""

    def _learn(self, settings: SegmentSettings) -> None:
        self.form.set_start(settings)

    def _gather(self, reports: list[Progress]) -> None:
        """Keep every image's outcome, and name those that failed at once."""
        for report in reports:
            if isinstance(report.preview, Outcome):
                self._outcomes.append(report.preview)
                self.report.add(report.preview)

    def _show_progress(self, step: Progress) -> None:
        if step.notice and step.stage.startswith(_OF_AN_IMAGE):  # there are many images: it must say which one
            step = replace(step, notice=f"{shortened(step.stage.removeprefix(_OF_AN_IMAGE))}: {step.notice}")
        if self.cancel_button.isEnabled():
            self.status.show_progress(step)
        self._activity.show_progress(step)

    def _show_result(self, result: list[Tried] | tuple[Outcome, ...]) -> None:
        if self._trying and self._order is not None:
            self.status.show_result("Look at the pictures", TRIED)
            tried_sheet(self, str(self._order.trial.model), result).show()  # type: ignore[arg-type]  # a trial returns what was tried
        else:
            self._tell()

    def _tell(self) -> None:
        """Say what came of the images that are finished."""
        if self._order is not None:
            self.status.show_result(*done_words(self._outcomes, self._order.output, len(self._order.sources)))
            self.report.finish()

    def _show_cancelled(self) -> None:
        if self._trying:
            self.status.show_result("Cancelled", "Nothing was written.")
        else:
            self._tell()

    def _show_error(self, error: BaseException) -> None:
        self.status.show_error(error)
        self._notify(error)

    def _open(self, path: Path) -> None:
        """Open an image that failed, to see what is wrong with it."""
        open_paths(self._viewer, [str(path)])

    def _finish(self) -> None:
        self._order, self._trying = None, False
        self._activity.close()
        self.rows.refresh()
        self._update()

    def _close(self) -> None:
        self.job.cancel()
        self.rows.close()
        self._activity.close()

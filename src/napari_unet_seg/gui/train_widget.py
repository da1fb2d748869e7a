"""The widget "Train on painted labels": from a few painted nuclei to a model, while the painting goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.errors import ModelError, UnetSegError
from napari_unet_seg.gui.autosave import autosave_folder, open_edited, watch_edits
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.gallery import tried_sheet
from napari_unet_seg.gui.hand_over import segment_with
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.open_image import dialog_options
from napari_unet_seg.gui.status import Activity
from napari_unet_seg.gui.theme import set_kind
from napari_unet_seg.gui.train_chores import TrainChores
from napari_unet_seg.gui.train_inputs import NO_LABELS
from napari_unet_seg.gui.train_panel import TrainPanel
from napari_unet_seg.gui.train_preview import TrainPreview
from napari_unet_seg.gui.train_words import CANCELLED, ENDING, GO_ON, KEPT, READY, TAKEN, WAITS, resume_words, training_words
from napari_unet_seg.gui.training import PREPARING, Trained, resume_steps, train_steps
from napari_unet_seg.io.run_plan import Plan, new_run, remove_run
from napari_unet_seg.progress import Command, Progress

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QShowEvent

    from napari_unet_seg.gui.trying import Tried
    from napari_unet_seg.progress import Steps

_STOPPABLE = ("Training", "Checking")
"""Stages that Stop ends early."""


class TrainWidget(TrainPanel):
    """Teaches a model what somebody painted.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget; torch is loaded when it is first seen, beside the window."""
        super().__init__(napari_viewer)
        self._plan: Plan | None = None
        self._resumable: Plan | None = None
        self._drawn: Path | None = None
        self._result: Trained | None = None
        self._began: tuple[float, int] | None = None
        self._ending = False
        self._activity = Activity()
        self.job, self.chores = Job(self), TrainChores(self)
        self.preview = TrainPreview(napari_viewer, self)
        watch_edits(napari_viewer)
        self._connect()
        self.suggest_name()
        self._update()

    def start(self) -> None:
        """Train with what the form says; the widget tells what came of it."""
        name = self.name.text()
        if self._plan is not None:
            return
        try:
            material, settings = self.inputs.material(), self.settings()
            if self.name_is_taken():
                raise ModelError(TAKEN.format(name))
            if material is None:
                return
            count = self.learning.count
            learned_from = "" if count is None else count.summary.sentence
            plan = Plan(name, self.base, settings, learned_from, folder=new_run(name), network=self.network.value())
        except UnetSegError as error:
            self._show_error(error)
            return
        self._run(plan, train_steps(plan, material))

    def resume(self) -> None:
        """Go on with a training that was stopped or interrupted."""
        plan = self._resumable
        if plan is not None and self._plan is None:
            self._run(plan, resume_steps(plan), goes_on=plan.folder == self._drawn)

    def stop(self) -> None:
        """End the training, and keep the best so far."""
        self._ending = True
        self.job.send(Command.STOP)
        self.stop_button.setEnabled(False)
        self.status.detail.setText(ENDING)

    def cancel(self) -> None:
        """End what goes on after its present step."""
        super().cancel()
        self.chores.cancel()

    def use(self) -> None:
        """Save the new model under its name, and outline the image with it."""
        if self._result is not None and self.chores.keep(self._result.plan, self.name.text() or self._result.plan.name):
            self._begin_chore()

    def discard(self) -> None:
        """Delete the new model."""
        if self._result is not None and self.chores.discard(self._result.plan):
            self._begin_chore()

    def ask_folder(self) -> None:
        """Ask for a folder, and try the new model on some of its images."""
        folder = QFileDialog.getExistingDirectory(self, "Try the model on images of a folder", "", dialog_options())
        if folder:
            self.try_on(Path(folder))

    def try_on(self, folder: Path) -> None:
        """Try the new model on some images of a folder, and show them in a window.

        Parameters
        ----------
        folder : Path
        """
        if self._result is not None and self.chores.try_on(self._result, folder, self.engine.device):
            self._begin_chore()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for models, devices and interrupted trainings whenever the widget comes into view."""
        super().showEvent(event)
        self.engine.refresh()
        self.chores.find()

    def _close(self) -> None:
        super()._close()
        self.chores.cancel()
        self.preview.stop()
        self.inputs.release()

    def _run(self, plan: Plan, steps: Steps[Trained], *, goes_on: bool = False) -> None:
        """Start a training, or go on with one, whose curves are there already if it is the last one."""
        # Before napari shows its bar, during which it lets events in, such as another click.
        self._plan, self._result, self._began, self._ending = plan, None, None, False
        self.trained.hide()
        self.status.clear()
        if not goes_on:
            self.curves.clear()
        self._drawn = plan.folder
        self.curves.show()
        self.status.show_progress(Progress(PREPARING, 0, 0))
        self._activity.start(f"Training {plan.name}")
        self.job.start(steps)
        self._update()

    def _begin_chore(self) -> None:
        self.status.clear()
        self._update()

    def _connect(self) -> None:
        pressed = (
            (self.start_button, self.start),
            (self.stop_button, self.stop),
            (self.resume_button, self.resume),
            (self.cancel_button, self.cancel),
            (self.trained.use_button, self.use),
            (self.trained.try_button, self.ask_folder),
            (self.trained.discard_button, self.discard),
            (self.earlier_button, self._open_earlier),
        )
        for button, slot in pressed:
            button.clicked.connect(slot)
        for changed in (self.inputs.changed, self.learning.changed, self.name.textChanged, self.nothing_box.toggled):
            changed.connect(self._update)
        for failed in (self.inputs.failed, self.engine.failed, self.chores.failed, self.job.failed):
            failed.connect(self._show_error)
        self.engine.changed.connect(self._follow_models)
        self.engine.learned.connect(self.preview.set_settings)
        self.preview.wanted.connect(self.job.send)
        self.job.reported.connect(self._follow_reports)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._show_result)
        self.job.cancelled.connect(self._show_cancelled)
        self.job.finished.connect(self._finish)
        self.chores.progressed.connect(self._show_chore)
        self.chores.found.connect(self._offer)
        self.chores.kept.connect(self._hand_over)
        self.chores.discarded.connect(self._forget_result)
        self.chores.tried.connect(self._show_tried)
        self.chores.finished.connect(self._end_chore)

    def _update(self, event: object = None) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        running, teaches, taken = self._plan is not None, self.learning.teaches, self.name_is_taken()
        free = not running and not self.chores.busy
        knows = bool(self.base) or self.nothing_box.isChecked()
        self.start_button.setEnabled(free and teaches and knows and bool(self.name.text()) and not taken)
        self.start_button.setToolTip(tooltip(READY if teaches else NO_LABELS))
        self.stop_button.setEnabled(running and self._began is not None and not self._ending)
        self.cancel_button.setEnabled(not free)
        plan = self._resumable if self._result is None or self._result.report["stopped"] else None
        self.resume_button.setEnabled(plan is not None and free)
        self.resume_button.setToolTip(tooltip(resume_words(plan)))
        self.resume_hint.setText("" if plan is None else WAITS.format(plan.name))
        self.resume_hint.setVisible(plan is not None and free and self._result is None)
        self.trained.enable(free)
        kind = "primary" if self.trained.isHidden() else "secondary"
        if self.start_button.property("kind") != kind:
            set_kind(self.start_button, kind)
        self.name_hint.setText(TAKEN.format(self.name.text()) if taken else "")
        self.name_hint.setVisible(taken)
        self.earlier_button.setVisible(self.inputs.labels.layer is None and any(autosave_folder().glob("*.labels.tif")))

    def _follow_models(self) -> None:
        if self._plan is None and self._result is None:
            self.suggest_name()
        self._update()

    def _open_earlier(self) -> None:
        open_edited(self._viewer)

    def _follow_reports(self, reports: list[Progress]) -> None:
        """Draw each step, and show the picture that came with one."""
        self.curves.add(reports)
        for report in reports:
            if report.preview is not None or report.notice:
                self.preview.show(report.preview)

    def _show_progress(self, step: Progress) -> None:
        super()._show_progress(step)
        if self.cancel_button.isEnabled() and step.stage in _STOPPABLE and self._began is None:
            self._began = (time.monotonic(), step.done)
            self.preview.start(self.inputs.images.layer, self.inputs.images.channel)
            self._update()
        if self._ending:
            self.status.detail.setText(ENDING)
        elif step.stage == "Training" and self._began is not None:
            self.status.detail.setText(training_words(step, self._began))

    def _show_result(self, trained: Trained) -> None:
        self._result, self._resumable = trained, trained.plan
        self.status.forget_progress()
        self.curves.show_report(trained.report["curves"])
        self.trained.show_result(trained)
        self.suggest_name()  # that of a training which waited may have been taken since

    def _show_error(self, error: BaseException) -> None:
        self.status.show_error(error)
        self._notify(error)

    def _show_cancelled(self) -> None:
        kept = self._plan is not None and (self._plan.folder / STATE).is_file()
        self.status.show_result("Cancelled", CANCELLED + (GO_ON if kept else ""))

    def _finish(self) -> None:
        plan, self._plan, self._began = self._plan, None, None
        if plan is not None and self._result is None and not (plan.folder / STATE).is_file():
            remove_run(plan.folder)
        self.preview.stop()
        self._activity.close()
        self._update()
        self.chores.find()

    def _offer(self, plan: Plan | None) -> None:
        self._resumable = plan

    def _show_chore(self, step: Progress) -> None:
        if self.cancel_button.isEnabled():
            self.status.show_progress(step)

    def _end_chore(self) -> None:
        if self._plan is None:
            self.status.forget_progress()
        self._update()

    def _hand_over(self, name: str) -> None:
        images = self.inputs.images
        self._forget_result()
        segment_with(self._viewer, name, images.layer, images.channel_box.currentIndex())
        self.status.show_result(f"“{name}” is yours", KEPT.format(name))

    def _forget_result(self) -> None:
        self._result = self._resumable = None
        self.trained.hide()
        self.curves.hide()
        self.engine.refresh()

    def _show_tried(self, tried: list[Tried]) -> None:
        tried_sheet(self, "" if self._result is None else self._result.plan.name, tried).show()

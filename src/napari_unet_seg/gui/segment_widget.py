"""The widget "Segment nuclei": from an image layer to a labels layer with one outline a nucleus."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.editors import Panel
from napari_unet_seg.gui.engine_picker import NO_MODEL, EnginePicker
from napari_unet_seg.gui.form import SettingsForm, fields_besides
from napari_unet_seg.gui.image_picker import NO_IMAGE, ImagePicker
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.layers import Source, read_source
from napari_unet_seg.gui.request import PREPARING, Outcome, Request, segment_steps
from napari_unet_seg.gui.results import Results
from napari_unet_seg.gui.status import Activity, StatusPanel
from napari_unet_seg.gui.theme import style_sheet
from napari_unet_seg.gui.words import count_words, explain, time_words
from napari_unet_seg.progress import Progress
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image
    from qtpy.QtGui import QShowEvent

BASIC = ("diameter", "probability", "min_area", "polarity", "exclude_border")
"""The settings that everybody may need; the others are folded away."""
ADVANCED = tuple(fields_besides(SegmentSettings, BASIC))

NOTHING_FOUND = "Lower the probability, set the diameter of your nuclei, or say whether they are bright or dark."


class SegmentWidget(QWidget):
    """Finds the nuclei of an image layer and adds them as a labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget; torch is loaded when it is first seen, beside the window."""
        super().__init__()
        self._viewer = napari_viewer
        self._running: tuple[Image, Source] | None = None
        self._activity = Activity()
        self.results = Results(napari_viewer)
        self._build()
        self.job = Job(self)
        self._connect()
        self._paint()
        self._update()

    def segment(self) -> None:
        """Start a run with what the form says; the widget tells what came of it."""
        layer = self.images.layer
        if layer is None or self._running is not None:
            return
        self.status.clear()
        try:
            request = self._make_request(layer)
        except UnetSegError as error:
            self._show_error(error)
            return
        # Before napari shows its bar, during which it lets events in, such as another click.
        self._running = (layer, request.source)
        self.status.show_progress(Progress(PREPARING, 0, 0))
        self._activity.start(f"Segmenting {layer.name}")
        self.job.start(segment_steps(request))
        self._update()

    def cancel(self) -> None:
        """End the run after the present tile."""
        self.job.cancel()
        self.status.show_cancelling()
        self.cancel_button.setEnabled(False)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Look for models and devices whenever the widget comes into view."""
        super().showEvent(event)
        self.engine.refresh()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow napari's theme, which comes as another style of the window; end a run when the dock is closed."""
        super().changeEvent(event)
        kind = None if event is None else event.type()
        if kind == QEvent.Type.StyleChange:
            self._paint()
        elif kind == QEvent.Type.ParentChange and self.parent() is None:
            self.job.cancel()
            self._activity.close()

    def _make_request(self, layer: Image) -> Request:
        source = read_source(layer, self.images.channel)
        return Request(source, self.engine.model, self.engine.device, self.form.value(), self.results.replaceable(layer))

    def _build(self) -> None:
        self.images = ImagePicker(self._viewer, self)
        self.engine = EnginePicker(self)
        self.form = SettingsForm(SegmentSettings, self)
        self.advanced_button = _button("", "flat", "Settings that are rarely needed.", self)
        self.advanced_button.setCheckable(True)
        self.reset_button = _button("Reset settings", "flat", "Go back to the settings that suit the model.", self)
        self.run_button = _button("Segment", "primary", "", self)
        self.cancel_button = _button("Cancel", "secondary", "Stop after the part that is being computed. Nothing is changed.", self)
        self.status = StatusPanel(self)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._make_form())
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addStretch()
        self._order_tabs()

    def _order_tabs(self) -> None:
        """Let the tabulator go from top to bottom, whatever was made first."""
        rows = self.form.rows
        editors: list[QWidget] = [self.images.image_box, self.images.channel_box, self.engine.model_box, self.engine.device_box]
        editors += [rows[name].editor for name in BASIC] + [self.advanced_button, self.reset_button]
        editors += [rows[name].editor for name in ADVANCED] + [self.run_button, self.cancel_button, self.status.message.copy]
        for before, after in pairwise(editors):
            self.setTabOrder(before, after)

    def _make_form(self) -> Panel:
        """Return the rows in a scrolled area, so that the buttons are in view in however low a window."""
        layout = QFormLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(5)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.images.add_rows(layout)
        self.engine.add_rows(layout)
        self.form.add_rows(layout, BASIC)
        folds = QHBoxLayout()
        folds.addWidget(self.advanced_button, 1)
        folds.addWidget(self.reset_button)
        layout.addRow(folds)
        self.form.add_rows(layout, ADVANCED)
        return Panel(layout)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.segment)
        self.cancel_button.clicked.connect(self.cancel)
        self.advanced_button.toggled.connect(self._fold)
        self.reset_button.clicked.connect(self.form.reset)
        for changed in (self.images.changed, self.engine.changed, self.form.changed):
            changed.connect(self._update)
        self.engine.learned.connect(self.form.set_start)
        self.engine.failed.connect(self._show_look_error)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._show_result)
        self.job.failed.connect(self._show_error)
        self.job.cancelled.connect(self._show_cancelled)
        self.job.finished.connect(self._finish)
        self._fold(False)

    def _fold(self, unfolded: bool) -> None:
        self.advanced_button.setText("▾ Advanced" if unfolded else "▸ Advanced")
        self.form.set_visible(ADVANCED, unfolded)

    def _paint(self) -> None:
        sheet = style_sheet(self._viewer.theme)
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def _update(self) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        running, ready = self._running is not None, self.images.layer is not None and bool(self.engine.model)
        self.run_button.setEnabled(ready and not running)
        self.cancel_button.setEnabled(running)
        self.reset_button.setVisible(not self.form.is_start)
        why = NO_IMAGE if self.images.layer is None else NO_MODEL if not self.engine.model else "Outline the nuclei of this image."
        self.run_button.setToolTip(why)

    def _show_progress(self, step: Progress) -> None:
        if self.cancel_button.isEnabled():
            self.status.show_progress(step)
        self._activity.show_progress(step)

    def _show_result(self, outcome: Outcome) -> None:
        if self._running is None:
            return
        layer, source = self._running
        try:
            self.results.deliver(layer, source, outcome)
        except (MemoryError, RuntimeError, OSError, ValueError, TypeError) as error:  # napari could not show it
            self._show_error(error)
            return
        words = count_words(outcome.count, source.planes)
        detail = f"Found in {source.name} in {time_words(outcome.seconds)}. To save them: File › Save Selected Layers."
        if not outcome.count:
            detail = NOTHING_FOUND
        self.status.show_result(words, detail)

    def _show_error(self, error: BaseException) -> None:
        self.status.show_error(error)
        if not isinstance(error, UnetSegError) or not self.isVisible():
            show_error(explain(error))

    def _show_look_error(self, error: BaseException) -> None:
        if self._running is None:  # a run meets the same trouble, and tells of it
            self._show_error(error)

    def _show_cancelled(self) -> None:
        self.status.show_result("Cancelled", "Nothing was changed.")

    def _finish(self) -> None:
        self._running = None
        self._activity.close()
        self._update()


def _button(text: str, kind: str, tip: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setProperty("kind", kind)
    button.setToolTip(tip)
    return button

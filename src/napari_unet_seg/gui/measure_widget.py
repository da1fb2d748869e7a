"""The widget "Measure nuclei": a table of every nucleus of a labels layer, histograms, colours by number, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout

from napari_unet_seg.core.intensities import is_intensity
from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui import exporting
from napari_unet_seg.gui.dock import WorkingDock
from napari_unet_seg.gui.editors import Hint, Panel
from napari_unet_seg.gui.export import ExportPanel
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.measure_inputs import NO_NUCLEI, MeasureInputs
from napari_unet_seg.gui.measuring import PREPARING, Measured, layer_info, measure_steps, request_of
from napari_unet_seg.gui.nuclei_view import NucleiView
from napari_unet_seg.gui.nucleus_words import missing_words, summary_words
from napari_unet_seg.gui.status import Activity, StatusPanel
from napari_unet_seg.progress import Progress

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

    from napari_unet_seg.progress import Steps

CHANGED = "The nuclei were changed while they were measured, so that the numbers would not fit; press Measure again."
MIXED = "The nuclei were changed while they were saved, so that the file may hold some of both; save again."
OUTDATED = "The outlines were made anew, so that their intensities are not known; press Measure again."
EMPTY = "Press Measure to fill the table: size, shape, and intensity in the ticked channels."
CANCELLED = "The table is as it was; files that were saved before stay."


class MeasureWidget(WorkingDock):
    """Measures the nuclei of a labels layer, and shows, plots and saves what it knows of them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget."""
        super().__init__()
        self._viewer = napari_viewer
        self._layer: Labels | None = None
        self._busy: Labels | None = None
        self._stale = False
        self._when_changed = CHANGED
        self._measured = False
        self._activity = Activity()
        self._build()
        self.job = Job(self)
        self._connect()
        self._paint()
        self._follow()

    def measure(self) -> None:
        """Start to measure what is ticked; the table shows what came of it."""
        if self._layer is not None:
            inputs = self.inputs
            self._start(self._layer, "Measuring", CHANGED, lambda layer: measure_steps(request_of(layer, inputs.chosen, inputs.ring)))

    def save(self, paths: dict[str, Path]) -> None:
        """Save the nuclei.

        Parameters
        ----------
        paths : dict of str to Path
            By format, see `napari_unet_seg.gui.exporting.FORMATS`. What is there is replaced.
        """
        if self._layer is not None:
            self._start(self._layer, "Saving", MIXED, lambda layer: exporting.export_steps(exporting.request_of(layer, paths)))

    def _close(self) -> None:
        super()._close()
        self.view.close_link()

    def _build(self) -> None:
        self.inputs = MeasureInputs(self._viewer, self)
        self.run_button, self.cancel_button = QPushButton("Measure", self), QPushButton("Cancel", self)
        self.run_button.setProperty("kind", "primary")
        self.cancel_button.setProperty("kind", "secondary")
        self.cancel_button.setToolTip("Stop after the step that is being done. Nothing is changed.")
        self.status, self.empty = StatusPanel(self, unit=""), Hint(self)
        self.view, self.export = NucleiView(self._viewer, self), ExportPanel(self)
        self.view.tabs.addTab(self.export, "Save")
        self.empty.setText(EMPTY)
        self.empty.hide()  # without nuclei, the rows say what to do
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setVerticalSpacing(5)
        rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.inputs.add_rows(rows)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(Panel(rows))
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addWidget(self.empty)
        layout.addWidget(self.view, 1)

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.measure)
        self.cancel_button.clicked.connect(self.cancel)
        self.inputs.changed.connect(self._follow)
        self.view.shown.connect(self._summarise)
        self.export.wanted.connect(self.save)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._show_result)
        self.job.failed.connect(self._show_error)
        self.job.cancelled.connect(self._show_cancelled)
        self.job.finished.connect(self._finish)

    def _follow(self) -> None:
        """Follow another layer, if another one was chosen."""
        layer = self.inputs.layer
        if layer != self._layer:
            for emitter in _pixel_emitters(self._layer):
                emitter.disconnect(self._note_change)
            self._layer, self._measured = layer, False
            for emitter in _pixel_emitters(layer):
                emitter.connect(self._note_change)
            self.view.follow(layer)
            self._summarise()
        self._update()

    def _note_change(self, event: object = None) -> None:
        self._stale = True

    def _start(self, layer: Labels, what: str, when_changed: str, prepare: Callable[[Labels], Steps[Any]]) -> None:
        if self._busy is not None:
            return
        try:
            steps = prepare(layer)
        except UnetSegError as error:
            self._show_error(error)
            return
        self.status.clear()
        # Before napari shows its bar, during which it lets events in, such as another click.
        self._busy, self._stale, self._when_changed = layer, False, when_changed
        self.status.show_progress(Progress(PREPARING, 0, 0))
        self._activity.start(f"{what} {layer.name}")
        self.job.start(steps)
        self._update()

    def _update(self) -> None:
        """Enable what can be done now, and say why the rest cannot."""
        ready, free = self._layer is not None, self._busy is None
        self.run_button.setEnabled(ready and free)
        self.cancel_button.setEnabled(not free)
        self.run_button.setToolTip("Fill the table with size, shape and intensities." if ready else NO_NUCLEI)
        self.export.offer(self._layer, free)

    def _paint_plots(self, theme: str) -> None:
        self.view.paint(theme)

    def _summarise(self) -> None:
        """Say in a line what the table says; while something goes on, its progress stays."""
        nuclei, layer = self.view.nuclei, self._layer
        self.empty.setVisible(layer is not None and not len(nuclei))
        if self._busy is not None:
            return
        self.status.clear()
        if layer is None or not len(nuclei):
            return
        shape = (layer.data[0] if layer.multiscale else layer.data).shape
        self.status.show_result(*summary_words(nuclei, tuple(shape), layer_info(layer)))
        known = any(is_intensity(str(name)) for name in nuclei)
        self._measured = self._measured or known
        if missing := OUTDATED if self._measured and not known else missing_words(nuclei):
            self.status.message.show_text(missing, "notice")

    def _show_result(self, result: Measured | tuple[Path, ...]) -> None:
        layer, self._busy = self._busy, None
        if isinstance(result, tuple):
            self._summarise()
            saved = f"Saved {', '.join(path.name for path in result)} in {result[0].parent}"
            self.status.message.show_text(*((self._when_changed, "notice") if self._stale else (saved, "done")))
        elif self._stale or layer is None or layer != self._layer:
            self._summarise()
            self.status.message.show_text(self._when_changed, "notice")
        else:
            layer.features = result.features
            self._measured = False  # of what is ticked now, which may be nothing
            self.view.refresh()
            if result.notice:
                self.status.message.show_text(result.notice, "notice")

    def _show_error(self, error: BaseException) -> None:
        if self._stale and not isinstance(error, UnetSegError):  # pixels that change while NumPy counts them make it fail
            self.status.message.show_text(self._when_changed, "notice")
            return
        self.status.show_error(error)
        self._notify(error)

    def _show_cancelled(self) -> None:
        self.status.show_result("Cancelled", CANCELLED)

    def _finish(self) -> None:
        self._busy = None
        self._activity.close()
        self._update()


def _pixel_emitters(layer: Labels | None) -> tuple[Any, ...]:
    return () if layer is None else (layer.events.paint, layer.events.labels_update, layer.events.data)

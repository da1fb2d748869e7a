"""The widget "Correct nuclei": tools for the canvas, their undo, and what should be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout

from napari_unet_seg.core.counting import sizes_of
from napari_unet_seg.core.edits import Edit
from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.addition import LOOKING_CLOSER, NOTHING_HERE, Spot, add_from_kept, add_steps, find_spot
from napari_unet_seg.gui.autosave import watch_edits
from napari_unet_seg.gui.census import Census, census_steps
from napari_unet_seg.gui.correcting import Tools
from napari_unet_seg.gui.crop_panel import CropPanel, origin_of
from napari_unet_seg.gui.dock import Dock
from napari_unet_seg.gui.edit_history import EditHistory
from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.images_of import image_plane
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.keys import Keys
from napari_unet_seg.gui.labels_picker import NO_LABELS, LabelsPicker, why_not
from napari_unet_seg.gui.layers import MOST_DIMENSIONS
from napari_unet_seg.gui.marks import Marks
from napari_unet_seg.gui.review import Review
from napari_unet_seg.gui.status import Message
from napari_unet_seg.gui.tool_panel import ToolPanel
from napari_unet_seg.gui.volume_rows import VolumeRows
from napari_unet_seg.gui.words import count_words, explain

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_unet_seg.gui.kept_maps import Index


_USUAL_WIDTH = 320


class CorrectWidget(Dock):
    """Corrects labels by clicks, and steps through what is doubtful.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose labels layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build the widget; it touches a layer only while it is seen."""
        super().__init__()
        self._viewer = napari_viewer
        self._spot: Spot | None = None
        self._counted_at = -1
        self.history: EditHistory | None = None
        self._rows: VolumeRows | None = None
        self.marks = Marks(napari_viewer)
        self.tools = Tools(napari_viewer, self.marks, self)
        self.review = Review(napari_viewer, self.marks, self)
        self.picker = LabelsPicker(napari_viewer, self)
        self.crops = CropPanel(napari_viewer, self)
        self.panel = ToolPanel(self.tools, self)
        self.counting, self.adding = Job(self), Job(self)
        self.keys = Keys(self._actions(), {"Ctrl+Z": self.undo, "Ctrl+Shift+Z": self.redo}, self)
        watch_edits(napari_viewer)
        self._build()
        self._connect()
        self._paint()
        self._follow()

    def undo(self) -> None:
        """Take the last correction back."""
        if self.history is not None:
            self.history.undo()

    def redo(self) -> None:
        """Make the last correction that was taken back again."""
        if self.history is not None:
            self.history.redo()

    def add_at(self, index: Index, point: tuple[int, int]) -> None:
        """Outline a nucleus that was missed: from the maps at once, else with the model, beside the window.

        Parameters
        ----------
        index : tuple of int
            Of the plane.
        point : tuple of int
            (y, x) in the nucleus.
        """
        history = self.history
        if history is None or self.adding.running:
            return
        self._spot = find_spot(history, index, point)
        try:
            kept, edit = add_from_kept(history, self._spot)
            if kept:
                self._take(edit)
                return
            self.adding.start(add_steps(self._spot, image_plane(self._viewer, history, index), history.provenance))
        except UnetSegError as error:
            self._show_error(error)
            return
        self.panel.hint.setText(f"{LOOKING_CLOSER} …")

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Work on the chosen layer as long as the dock is seen."""
        super().showEvent(event)
        self._follow()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Leave the layer and the canvas as they were."""
        super().hideEvent(event)
        self._let_go()

    def _come_to_front(self, front: bool) -> None:
        """Behind another tab, leave clicks and keys to the canvas; what can be undone stays."""
        if self.history is None:
            return
        if front:
            self.keys.bind(self.history.layer)
        else:
            self.tools.stop()
            self.keys.release()
            self.marks.clear()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a width at which the sentences are short."""
        return QSize(_USUAL_WIDTH, super().sizeHint().height())

    def _actions(self) -> dict[str, Any]:
        """Say what each key does."""
        review = self.review
        return {
            **self.panel.key_actions(),
            "Escape": self.tools.stop,
            ",": review.back,
            ".": review.forward,
            "K": review.keep,
            "R": review.remove,
        }

    def _follow(self) -> None:
        """Work on the chosen layer, if it can be corrected."""
        layer = self.picker.layer
        if not self.isVisible():
            return
        self._let_go()
        why = NO_LABELS if layer is None else why_not(layer)
        self.crops.offer(layer)
        self.message.hide()
        self.about.setText(why)
        self.about.setVisible(bool(why))
        if layer is not None and not why:
            self.history = EditHistory(layer, self)
            self.history.changed.connect(self._show_state)
            self.history.replaced.connect(self._recount)
            self._rows = VolumeRows(self.history)
            self._rows.failed.connect(self._show_error)
            self.keys.bind(layer)
        self.tools.follow(self.history)
        self.review.follow(self.history)
        self._recount()

    def _let_go(self) -> None:
        self.tools.follow(None)
        self.review.follow(None)
        self.keys.release()
        self.marks.remove()
        for job in (self.counting, self.adding):
            job.cancel()
        history, self.history = self.history, None
        rows, self._rows = self._rows, None
        if history is not None:
            history.close()
        if rows is not None:
            rows.finish()

    def _recount(self) -> None:
        """Count what the layer holds, beside the window."""
        history = self.history
        if history is not None:
            layer, origin = history.layer, origin_of(history.layer)
            measured = history.table is None
            axes = "" if layer.ndim > MOST_DIMENSIONS else history.axes
            if self.counting.start(census_steps(layer.data, axes, history.micrometres, measured)):
                self._counted_at = history.edits
            history.keep_clear_of(0 if origin is None else origin.crop.highest)
        self._show_state()

    def _learn(self, census: Census) -> None:
        if self.history is not None and self.history.edits == self._counted_at:
            self.history.learn(census)

    def _count_again(self) -> None:
        """Start anew when there was an edit, or another layer, meanwhile."""
        history = self.history
        if history is not None and (not history.counted or history.edits < self._counted_at):
            self._recount()

    def _take(self, edit: Edit | None) -> None:
        """Add what was found to the layer, unless somebody was faster."""
        history, spot = self.history, self._spot
        self.panel.show_tool()
        if history is None or spot is None:
            return
        if edit is None:
            self.message.show_text(NOTHING_HERE, "notice")
            return
        try:
            free = history.plane(spot.index)[edit.rows, edit.columns] == 0
            number = history.next_number()
            history.apply(spot.index, Edit(edit.rows[free], edit.columns[free], number * edit.values[free]))
        except UnetSegError as error:
            self._show_error(error)

    def _show_state(self) -> None:
        """Show the count, and what can be done now."""
        history = self.history
        count = None if history is None else history.count
        sizes = {} if history is None else sizes_of("" if history.layer.ndim > MOST_DIMENSIONS else history.axes, (*history.leading, 0, 0))
        self.count.setText("" if history is None else "…" if count is None else count_words(count, sizes))
        self.count.setVisible(history is not None)
        for part in (self.panel, self.review):
            part.setEnabled(history is not None)

    def _show_said(self, text: str) -> None:
        self.message.hide() if not text else self.message.show_text(text, "notice")
        self.panel.show_tool()

    def _show_error(self, error: BaseException) -> None:
        self.message.show_text(explain(error), "error")
        self.panel.show_tool()

    def _build(self) -> None:
        self.about, self.count, self.message = Hint(self), QLabel(self), Message(self)
        self.count.setProperty("kind", "headline")
        self.review_title = QLabel("Review the doubtful", self)
        self.review_title.setProperty("kind", "headline")
        form = QFormLayout()
        self.picker.add_row(form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(form)
        for widget in (self.about, self.crops, self.count, self.panel, self.message, self.review_title, self.review):
            layout.addWidget(widget)
        layout.addStretch()
        self.message.hide()

    def _connect(self) -> None:
        self.panel.undo_button.clicked.connect(self.undo)
        self.panel.redo_button.clicked.connect(self.redo)
        self.picker.changed.connect(self._follow)
        self.tools.changed.connect(self.message.hide)  # what was said of another tool is settled
        self.tools.said.connect(self._show_said)
        self.review.said.connect(self._show_said)
        self.review.failed.connect(self._show_error)
        self.crops.failed.connect(self._show_error)
        for source in (self.tools, self.review):
            source.missing.connect(self.add_at)
        self.counting.returned.connect(self._learn)
        self.counting.failed.connect(self._show_error)
        self.counting.finished.connect(self._count_again)
        self.adding.returned.connect(self._take)
        self.adding.failed.connect(self._show_error)

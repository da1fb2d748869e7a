"""Stepping through what a person should look at: the rows "Review" of the correcting dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_unet_seg.core.edits import at, delete
from napari_unet_seg.core.remeasure import place_of, rows_of
from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.camera import camera_of, go_to
from napari_unet_seg.gui.correcting import PAINTING
from napari_unet_seg.gui.doubt_list import KINDS, TIPS, Material, doubt_steps
from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.images_of import image_plane
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.kept_maps import maps_of

if TYPE_CHECKING:
    from napari import Viewer

    from napari_unet_seg.core.doubts import Doubt
    from napari_unet_seg.gui.edit_history import EditHistory
    from napari_unet_seg.gui.marks import Marks

NOTHING = "None found"
NO_SCORES = "These labels have no score; only a segmentation of this plugin gives one."
_RING, _LEAST_RING = 1.9, 12.0
"""Diameter of the ring in those of the nucleus, and in pixels at least."""
_SMALL, _WANTED = 24.0, 60.0
"""Pixels of the screen: nuclei smaller than the first are enlarged to the second."""


class Review(QWidget):
    """What to review, where one is, and what to do with it.

    Parameters
    ----------
    viewer : napari.Viewer
    marks : Marks
        Where the ring is drawn.
    parent : QWidget
        Its owner.
    """

    said = Signal(str)
    failed = Signal(object)
    """The exception for which there is no list."""
    missing = Signal(object, object)
    """The index of a plane and a point in it, where a nucleus is to be added."""

    def __init__(self, viewer: Viewer, marks: Marks, parent: QWidget) -> None:
        """Start without a layer."""
        super().__init__(parent)
        self._viewer, self._marks = viewer, marks
        self._history: EditHistory | None = None
        self._doubts: list[Doubt] | None = None
        self._place = -1
        self._going = 0
        self._looked_at = -1
        self.kind_box, self.counter = Choice(self), QLabel(self)
        self.previous_button = narrow_button("◂ Previous", "secondary", "Go to the one before (comma).", self)
        self.next_button = narrow_button("Next ▸", "secondary", "Go to the next one (full stop).", self)
        self.keep_button = narrow_button("Keep", "secondary", "It is right as it is: take it off the list and go on (K).", self)
        self.remove_button = narrow_button("", "secondary", "", self)
        self._lay_out()
        self._job = Job(self)
        self._job.returned.connect(self._show_list)
        self._job.failed.connect(self.failed)
        self._job.finished.connect(self._update)
        self.kind_box.currentIndexChanged.connect(self.restart)
        self.previous_button.clicked.connect(self.back)
        self.next_button.clicked.connect(self.forward)
        self.keep_button.clicked.connect(self.keep)
        self.remove_button.clicked.connect(self.remove)
        self._update()

    @property
    def kind(self) -> str:
        """What is reviewed, one of `napari_unet_seg.gui.doubt_list.KINDS`."""
        return str(self.kind_box.currentData())

    @property
    def doubt(self) -> Doubt | None:
        """Where one is."""
        doubts = self._doubts or []
        return doubts[self._place] if 0 <= self._place < len(doubts) else None

    @property
    def job(self) -> Job:
        """What makes the list."""
        return self._job

    def follow(self, history: EditHistory | None) -> None:
        """Review another layer; None for none."""
        self._history = history
        if history is not None:
            history.changed.connect(self._go_on)
        self.restart()

    def restart(self, index: int = 0) -> None:
        """Forget the list; it is made anew at the next step."""
        self._job.cancel()
        self._doubts, self._place, self._going = None, -1, 0
        self._marks.clear()
        self._update()

    def forward(self) -> None:
        """Go to the next one; the list is made first, beside the window."""
        self.said.emit("")
        self._step(1)

    def back(self) -> None:
        """Go to the one before."""
        self.said.emit("")
        self._step(-1)

    def keep(self) -> None:
        """Take the present one off the list, and go to the next."""
        if self.doubt is not None and self._doubts is not None:
            del self._doubts[self._place]
            self._place -= 1
            self._step(1)

    def remove(self) -> None:
        """Delete the nucleus, or add the missed one, and go to the next."""
        doubt, history = self.doubt, self._history
        if doubt is None or history is None:
            return
        if not doubt.label:
            self.missing.emit(doubt.plane, (round(doubt.y), round(doubt.x)))
            return
        try:
            point = (round(doubt.y), round(doubt.x))
            history.apply(doubt.plane, delete(history.plane(doubt.plane), doubt.label, at(point)))
        except UnetSegError as error:
            self.failed.emit(error)
            return
        self.keep()

    def _step(self, by: int) -> None:
        if self._history is None:
            return
        if self._doubts is None:
            self._make_list(by)
            return
        self._drop_settled()
        if self._doubts:
            self._place = (self._place + by) % len(self._doubts) if self._place >= 0 or by > 0 else len(self._doubts) - 1
            self._go(self._doubts[self._place])
        else:
            self._place = -1
            self._marks.clear()
        self._update()

    def _go_on(self) -> None:
        """Go to the next place once a missed nucleus was added."""
        doubt, history = self.doubt, self._history
        if doubt is not None and history is not None and not doubt.label and all(_settled(history, [doubt])):
            self._step(1)

    def _make_list(self, going: int) -> None:
        if self._history is None:
            return
        try:
            material = _material(self._viewer, self._history, self.kind)
        except InputError as error:
            self.failed.emit(error)
            return
        self._going = going
        self._job.start(doubt_steps(self.kind, material))
        self._update()

    def _drop_settled(self) -> None:
        """Take what was corrected meanwhile off the list, but for the present one, from which the next is counted."""
        history, doubts = self._history, self._doubts or []
        if history is None or history.edits == self._looked_at:  # of thousands of nuclei, the list may be of all
            return
        self._looked_at = history.edits
        settled, present = _settled(history, doubts), self.doubt
        self._doubts = [doubt for doubt, gone in zip(doubts, settled, strict=True) if doubt is present or not gone]
        self._place = self._doubts.index(present) if present is not None else -1
        if present is not None and settled[doubts.index(present)]:
            del self._doubts[self._place]
            self._place -= 1

    def _show_list(self, doubts: list[Doubt]) -> None:
        going, self._going = self._going, 0
        if not going:  # another kind was chosen meanwhile
            return
        self._doubts, self._looked_at = doubts, -1  # what was corrected while the list was made is still on it
        if not doubts and self.kind == "score":
            self.said.emit(NO_SCORES)
        self._step(going)

    def _go(self, doubt: Doubt) -> None:
        """Bring a place to the middle of the canvas, large enough to be judged, and draw a ring around it."""
        if self._history is None:
            return
        layer, viewer = self._history.layer, self._viewer
        if doubt.label and str(layer.mode) != PAINTING:  # who paints goes on with the number that is free
            layer.selected_label = doubt.label
        go_to(viewer, layer, (*doubt.plane, doubt.y, doubt.x))
        camera = camera_of(viewer)
        size = doubt.diameter * float(np.mean(np.abs(layer.scale[-2:])))
        if 0 < size * camera.zoom < _SMALL:
            camera.zoom = _WANTED / size
        self._marks.show_ring(layer, doubt.plane, (doubt.y, doubt.x), max(_LEAST_RING, _RING * doubt.diameter))

    def _update(self) -> None:
        ready, found = self._history is not None, self.doubt is not None
        missed = self.kind == "missed"
        searched = self._doubts is not None
        for button in (self.previous_button, self.next_button):
            button.setEnabled(ready and not self._job.running and (not searched or bool(self._doubts)))
        self.keep_button.setEnabled(found)
        self.remove_button.setEnabled(found)
        self.keep_button.setText("Nothing here  K" if missed else "Keep  K")
        self.remove_button.setText("Add  R" if missed else "Delete  R")
        self.remove_button.setToolTip(tooltip("Outline a nucleus here (R)." if missed else "Delete this nucleus and go on (R)."))
        total = len(self._doubts or [])
        busy = "…" if self._job.running else ""
        self.counter.setText(f"{self._place + 1:,} of {total:,}" if found else NOTHING if searched and not total else busy)
        self.kind_box.setToolTip(tooltip(TIPS[self.kind]))

    def _lay_out(self) -> None:
        for name, title in KINDS.items():
            self.kind_box.addItem(title, name)
            self.kind_box.setItemData(self.kind_box.count() - 1, tooltip(TIPS[name]), Qt.ItemDataRole.ToolTipRole)
        self.kind_box.setAccessibleName("Review")
        self.counter.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.kind_box, 0, 0, 1, 6)
        layout.addWidget(self.previous_button, 1, 0, 1, 2)
        layout.addWidget(self.counter, 1, 2, 1, 2)
        layout.addWidget(self.next_button, 1, 4, 1, 2)
        layout.addWidget(self.keep_button, 2, 0, 1, 3)
        layout.addWidget(self.remove_button, 2, 3, 1, 3)
        for column in range(6):
            layout.setColumnStretch(column, 1)


def _settled(history: EditHistory, doubts: list[Doubt]) -> list[bool]:
    """Say of each whether the nucleus is gone, or the missed one is there."""
    table, there = history.table, {}
    if table is not None:
        for plane in {doubt.plane for doubt in doubts if doubt.label}:
            there[plane] = set(table["index"][rows_of(table, place_of(table, plane, history.leading))])
    return [
        doubt.label not in there.get(doubt.plane, {doubt.label})
        if doubt.label
        else bool(history.plane(doubt.plane)[round(doubt.y), round(doubt.x)])
        for doubt in doubts
    ]


def _material(viewer: Viewer, history: EditHistory, kind: str) -> Material:
    """Take from the layer what the list is made of."""
    kept = maps_of(history.layer)
    indices = np.ndindex(history.leading) if kind == "missed" and kept is None else ()
    images = {index: image_plane(viewer, history, index) for index in indices}
    return Material(history.layer.data, history.table, kept, images)

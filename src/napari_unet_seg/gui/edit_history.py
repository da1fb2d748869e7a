"""What is corrected in a labels layer: napari keeps the pixels of each step, and the table, the numbers and the provenance follow here.

Every edit goes through napari's own history, never through ``layer.data = ...``, after which its undo would write stale pixels. napari
tells of a step, ours or that of its brush, by the event ``paint``, and of its undo by nothing but a new look at the data. So one pixel of
each step is remembered with the numbers it had before and after: it shows on which side of the step the layer is.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.core.remeasure import Change, can_follow, change_rows, place_of, remeasure
from napari_unet_seg.core.score import CARD_KEY, as_knots, calibrated
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.corrected_layer import CorrectedLayer
from napari_unet_seg.gui.history_items import Touch, read_item
from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from napari.layers import Labels
    from qtpy.QtCore import QObject

    from napari_unet_seg.core.edits import Edit
    from napari_unet_seg.gui.census import Census
    from napari_unet_seg.gui.kept_maps import Index

STEPS = 100
"""As many as napari remembers."""


@dataclass
class _Step:
    """One step of napari's history, and what it changed in the table; None when somebody else has changed the table since."""

    touch: Touch
    after: int
    changes: list[Change] | None


class EditHistory(CorrectedLayer):
    """The corrections of one layer, and what follows them.

    Parameters
    ----------
    layer : napari.layers.Labels
        Its pixels are in memory (`why_not` of `napari_unet_seg.gui.labels_picker`).
    parent : QObject
        Its owner.
    """

    changed = Signal()
    """The layer was edited, or an edit was undone; the table is up to date."""
    replaced = Signal()
    """The layer has other pixels altogether."""

    def __init__(self, layer: Labels, parent: QObject) -> None:
        """Follow the layer, until `close`."""
        super().__init__(layer, parent)
        self.edits = 0
        self._own: pd.DataFrame | None = None
        self._highest: int | None = None
        self._others = 0
        self._done: deque[_Step] = deque(maxlen=STEPS)
        self._undone: list[_Step] = []
        self._news: list[Any] = []
        self._ours = self._outdated = False
        self._pixels = layer.data
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._follow_news)
        for emitter, slot in self._slots():
            emitter.connect(slot)

    def close(self) -> None:
        """Take in the last stroke, and follow the layer no more."""
        self._follow_news()
        for emitter, slot in self._slots():
            emitter.disconnect(slot)
        self.deleteLater()

    @property
    def table(self) -> pd.DataFrame | None:
        """One row a nucleus: the layer's features, or else what was measured for this; None when neither is there yet."""
        features = self.layer.features
        return features if can_follow(features, self.leading) else self._own

    @property
    def count(self) -> int | None:
        """Number of nuclei (of outlines, in a stack); None when it is not known yet."""
        return None if self.table is None else len(self.table)

    @property
    def typical_area(self) -> float:
        """Median area in px2; 0 when it is not known."""
        return float(self.table["area"].median()) if self.table is not None and len(self.table) else 0.0

    @property
    def counted(self) -> bool:
        """Whether the numbers and the table are known."""
        return self._highest is not None and self.table is not None

    def learn(self, census: Census) -> None:
        """Take what was counted beside the window."""
        self._highest = max(census.highest, self._highest or 0, self._others)
        self._own = census.table
        self.changed.emit()

    def keep_clear_of(self, highest: int) -> None:
        """Give new nuclei numbers above this; those of the layer that this one is a part of go so far."""
        self._others = highest

    def tell(self, table: pd.DataFrame) -> None:
        """Give the layer a table that is true of its pixels.

        Parameters
        ----------
        table : pandas.DataFrame
        """
        with self._at_once():
            self.layer.features = table

    @property
    def untouched(self) -> bool:
        """Whether nobody has corrected the layer yet, so that a run or a slider may still put other nuclei there."""
        return not self.provenance.get(EDITED_KEY)

    def next_number(self) -> int:
        """Return a number that no nucleus of the layer has.

        Raises
        ------
        InputError
            If the layer's numbers end before it.
        """
        if self._highest is None or self._outdated:
            self._highest, self._outdated = max(self._others, int(self.layer.data.max(initial=0))), False
        self._check_range(self._highest + 1)
        return self._highest + 1

    def apply(self, index: Index, edit: Edit) -> None:
        """Make a correction: one step of napari's history.

        Parameters
        ----------
        index : tuple of int
            Of the plane.
        edit : Edit

        Raises
        ------
        InputError
            If a number is beyond those of the layer; napari would make another nucleus' number of it.
        """
        self._check_range(int(edit.values.max(initial=0)))
        indices = (*(np.full(edit.rows.size, place) for place in index), edit.rows, edit.columns)
        # Only when its history is blocked does napari tell of the step after the pixels are changed.
        with self._at_once(), self.layer.block_history():
            self.layer.data_setitem(indices, edit.values.astype(self.layer.data.dtype))
        self._follow_news()

    def undo(self) -> None:
        """Take the last step back, as Ctrl+Z does."""
        self.layer.undo()
        self._compare()  # napari does not look at the pixels of a layer that is hidden, and then tells nothing

    def redo(self) -> None:
        """Make the last step that was taken back again."""
        self.layer.redo()
        self._compare()

    def _check_range(self, number: int) -> None:
        last = int(np.iinfo(self.layer.data.dtype).max)
        if number > last:
            raise InputError(f"The numbers of this layer end at {last:,}; right-click it in the list and convert its data type to int32.")

    def _slots(self) -> list[tuple[Any, Any]]:
        events = self.layer.events
        slots = ((events.paint, self._note), (events.set_data, self._compare), (events.data, self._restart))
        return [*slots, (events.features, self._forget_rows)]

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

    def _note(self, event: Any) -> None:
        """Keep a step in mind until the event is over; napari's brush tells of it before the pixels are changed."""
        self._news.append(event.value)
        self._undone.clear()
        if not self._ours:
            self._soon.start()

    def _follow_news(self) -> None:
        news, self._news = self._news, []
        for item in news:
            touch = read_item(item)
            if touch is not None:
                after = int(self.layer.data[touch.pixel])
                self._highest = None if self._highest is None else max(*touch.numbers, self._highest)
                step = _Step(touch, after, self._follow(touch))
                if after != touch.before:  # else it was undone in the same moment
                    self._done.append(step)
        if news:
            self._mark_edited()
            self._tell()

    def _follow(self, touch: Touch) -> list[Change] | None:
        """Measure again what a step touched."""
        table = self.table
        if table is None:
            return None
        changes = []
        curve = self.provenance.get(CARD_KEY)
        knots = as_knots(curve) if isinstance(curve, list | tuple) else ()
        for index in touch.planes:
            fresh, _ = remeasure(self.plane(index), touch.numbers, touch.box, self.background(index))
            if "score" in fresh:
                fresh["score"] = calibrated(fresh["score"].to_numpy(), knots)
            place = place_of(table, index, self.leading)
            changes.append(change_rows(table, fresh, touch.numbers, place, self.micrometres))
            table = changes[-1].apply(table)
        self._store(table)
        return changes

    def _compare(self, event: object = None) -> None:
        """Find out whether steps were undone or made again."""
        if self.layer.data is not self._pixels:  # napari looks at new pixels before it tells of them
            return
        if self.untouched and maps_of(self.layer) is not None:
            self._outdated = True  # a slider writes into these pixels, and tells of it by nothing but a new look at them
        if self._news:
            self._follow_news()
        before = len(self._undone)
        while self._done and self.layer.data[self._done[-1].touch.pixel] == self._done[-1].touch.before:
            self._undone.append(self._done.pop())
            self._restore(self._undone[-1], undone=True)
        if len(self._undone) == before:
            while self._undone and self.layer.data[self._undone[-1].touch.pixel] == self._undone[-1].after:
                self._done.append(self._undone.pop())
                self._restore(self._done[-1], undone=False)
        if len(self._undone) != before:
            self._tell()

    def _restore(self, step: _Step, undone: bool) -> None:
        table = self.table
        if step.changes is None or table is None:
            self._follow(step.touch)
            return
        for change in reversed(step.changes) if undone else step.changes:
            table = change.revert(table) if undone else change.apply(table)
        self._store(table)

    def _store(self, table: pd.DataFrame) -> None:
        """Put the table where it came from; a layer without one gets it, but nobody's own table is replaced."""
        features = self.layer.features
        if not can_follow(features, self.leading) and len(features.columns):
            self._own = table
        else:
            self.tell(table)

    def _forget_rows(self, event: object = None) -> None:
        if not self._ours:
            for step in (*self._done, *self._undone):
                step.changes = None

    def _restart(self, event: object = None) -> None:
        self._done.clear()
        self._undone.clear()
        self._news.clear()
        self._own = self._highest = None
        self._outdated = False
        self._pixels = self.layer.data
        self.edits += 1
        self.replaced.emit()

    def _mark_edited(self) -> None:
        if self.untouched:
            self.layer.metadata = {**self.layer.metadata, PROVENANCE_KEY: {**self.provenance, EDITED_KEY: True}}

    def _tell(self) -> None:
        self.edits += 1
        self.changed.emit()

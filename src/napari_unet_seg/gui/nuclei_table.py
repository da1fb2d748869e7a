"""The table of the nuclei: one row each, sorted by a click on a header, copied like that of a spreadsheet.

Cells are written when they are seen, from the columns as they are; so tens of thousands of rows cost what a screenful costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QApplication, QMenu, QTableView, QWidget

from napari_unet_seg.gui.columns import column_tip, column_title, formatter, shown_columns

if TYPE_CHECKING:
    import pandas as pd
    from qtpy.QtGui import QKeyEvent

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_WIDEST, _LOOKED_AT = 112, 40
"""Pixels of a column at first, so that a mean is seen beside number and area in a narrow dock, and rows whose texts decide on it."""
_NOWHERE = QModelIndex()
_ROWS = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
_FOCUS = QItemSelectionModel.SelectionFlag.NoUpdate

Places = npt.NDArray[np.int64]


class NucleiModel(QAbstractTableModel):
    """A data frame as Qt's views take it. A row of the data frame is called a place, a row of the view a row.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without rows."""
        super().__init__(parent)
        self.names: list[str] = []
        self.order: Places = np.zeros(0, np.int64)
        self._columns: list[npt.NDArray[Any]] = []
        self._writers: list[Any] = []
        self._sorted: tuple[str, bool] | None = None

    def set_table(self, table: pd.DataFrame) -> None:
        """Show another table, sorted as the last one was.

        Parameters
        ----------
        table : pandas.DataFrame
            One row a nucleus. It is not copied, and must not be changed.
        """
        self.beginResetModel()
        self.names = shown_columns(table)
        self._columns = [table[name].to_numpy() for name in self.names]
        self._writers = [formatter(column) for column in self._columns]
        self.order = np.arange(len(table))
        if self._sorted is not None and self._sorted[0] in self.names:
            self.order = self._order_by(self.names.index(self._sorted[0]), self._sorted[1])
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:  # noqa: N802
        """Return how many nuclei there are."""
        return 0 if parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:  # noqa: N802
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(self.names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, or how it is aligned."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self._writers[index.column()](self._columns[index.column()][self.order[index.row()]])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_RIGHT if self._columns[index.column()].dtype.kind in "iufb" else _LEFT)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return the title of a column and what it means."""
        if orientation == Qt.Orientation.Horizontal and section < len(self.names):
            if role == Qt.ItemDataRole.DisplayRole:
                return column_title(self.names[section])
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"<p>{column_tip(self.names[section])} Click to sort.</p>"
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by the numbers of a column; what was not measured comes last either way, and what is selected stays so."""
        if not 0 <= column < len(self.names):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        places = [self.order[index.row()] for index in before]
        descending = order == Qt.SortOrder.DescendingOrder
        self._sorted = self.names[column], descending
        self.order = self._order_by(column, descending)
        rows = self._rows()
        after = [self.index(int(rows[place]), index.column()) for place, index in zip(places, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def rows_of(self, places: Iterable[int]) -> Places:
        """Return the rows in which places of the data frame are shown."""
        return self._rows()[np.asarray(list(places), np.int64)]

    def as_text(self, rows: Iterable[int]) -> str:
        """Return rows as a spreadsheet takes them: tabulators between cells, names first, numbers in full precision."""
        lines = ["\t".join(self.names)]
        lines += ["\t".join(_plain(column[self.order[row]]) for column in self._columns) for row in rows]
        return "\n".join(lines)

    def _rows(self) -> Places:
        rows = np.empty_like(self.order)
        rows[self.order] = np.arange(len(self.order))
        return rows

    def _order_by(self, column: int, descending: bool) -> Places:
        import pandas as pd

        values = pd.Series(self._columns[column])
        if values.dtype.kind not in "iufb":
            values = values.astype(str).where(values.notna())
        places = values.sort_values(ascending=not descending, kind="stable", na_position="last").index
        return np.asarray(places, np.int64)


def _plain(value: Any) -> str:
    """Write a value in full; what was not measured is an empty cell."""
    return "" if value is None or value != value else str(value)  # noqa: PLR0124  # NaN


class NucleiTable(QTableView):
    """The table.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    picked = Signal(int)
    """The place of the nucleus on which the user went."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without rows."""
        super().__init__(parent)
        self._nuclei = NucleiModel(self)
        self._silent = False
        self.setModel(self._nuclei)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Table of the nuclei")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self._dress()

    def _dress(self) -> None:
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        if header is None or numbers is None:
            return
        header.setResizeContentsPrecision(_LOOKED_AT)
        header.setMaximumSectionSize(4 * _WIDEST)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)  # a long name is read from its beginning
        header.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        numbers.hide()
        numbers.setDefaultSectionSize(self.fontMetrics().height() + 6)  # one height for all rows: none is ever measured

    @property
    def nuclei(self) -> NucleiModel:
        """The model."""
        return self._nuclei

    def set_table(self, table: pd.DataFrame) -> None:
        """Show another table.

        Parameters
        ----------
        table : pandas.DataFrame
            One row a nucleus.
        """
        names = self._nuclei.names
        self._nuclei.set_table(table)
        if self._nuclei.names != names:
            self.resizeColumnsToContents()
            for column in range(len(self._nuclei.names)):
                self.setColumnWidth(column, min(self.columnWidth(column), _WIDEST))

    def select(self, places: Iterable[int]) -> None:
        """Select nuclei without going to them in the viewer, and scroll to the first.

        Parameters
        ----------
        places : iterable of int
            Their rows in the data frame.
        """
        rows = np.sort(self._nuclei.rows_of(places))
        selection, last = QItemSelection(), max(self._nuclei.columnCount() - 1, 0)
        for start, end in _runs(rows):
            selection.select(self._nuclei.index(start, 0), self._nuclei.index(end, last))
        chosen = self.selectionModel()
        if chosen is None:
            return
        self._silent = True
        try:
            chosen.select(selection, _ROWS)
            if rows.size:
                first = self._nuclei.index(int(rows[0]), 0)
                chosen.setCurrentIndex(first, _FOCUS)
                self.scrollTo(first, QAbstractItemView.ScrollHint.EnsureVisible)
        finally:
            self._silent = False

    def selected_rows(self) -> list[int]:
        """Return the selected rows of the view, from the top."""
        chosen = self.selectionModel()
        if chosen is None:
            return []
        selection = chosen.selection()
        parts = (selection[number] for number in range(len(selection)))
        return sorted({row for part in parts for row in range(part.top(), part.bottom() + 1)})

    def copy(self) -> None:
        """Put the selected rows, or all if there are none, on the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._nuclei.as_text(self.selected_rows() or range(self._nuclei.rowCount())))

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:  # noqa: N802
        """Tell on which nucleus the user went, by mouse or by arrow keys."""
        super().currentChanged(current, previous)
        if current.isValid() and not self._silent and current.row() != previous.row():
            self.picked.emit(int(self._nuclei.order[current.row()]))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Copy rows rather than Qt's single cell."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _show_menu(self, where: QPoint) -> None:
        menu = QMenu(self)
        action = menu.addAction("Copy selected rows" if self.selected_rows() else "Copy all rows")
        if action is not None:
            action.triggered.connect(self.copy)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.mapToGlobal(where))


def _runs(rows: Places) -> list[tuple[int, int]]:
    """Join rows that follow each other: first and last row of each run."""
    if not rows.size:
        return []
    starts = [0, *(np.flatnonzero(np.diff(rows) > 1) + 1).tolist(), rows.size]
    return [(int(rows[start]), int(rows[end - 1])) for start, end in pairwise(starts)]

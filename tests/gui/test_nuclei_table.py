from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtWidgets import QApplication

from napari_unet_seg.gui.nuclei_table import NucleiModel, NucleiTable

LEFT, CONTROL, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def nuclei(count=5):
    return pd.DataFrame(
        {
            "label": np.arange(1, count + 1),
            "area": np.array([100.0, 9.0, np.nan, 10.0, 20.0] * (count // 5)),
            "touches_border": [True, False] * (count // 2) + [True] * (count % 2),
            "kind": ["b", None, "a", "c", "a"] * (count // 5),
            "index": np.arange(1, count + 1),
        }
    )


@pytest.fixture
def table(qtbot):
    table = NucleiTable()
    qtbot.addWidget(table)
    table.set_table(nuclei())
    table.resize(500, 300)
    with qtbot.waitExposed(table):
        table.show()
    return table


def shown(table, column):
    model = table.nuclei
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def click(qtbot, table, row, column=1, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.mouseClick(table.viewport(), LEFT, modifier, table.visualRect(table.nuclei.index(row, column)).center())


def click_header(qtbot, table, column):
    header = table.horizontalHeader()
    where = header.rect().center()
    where.setX(header.sectionViewportPosition(column) + 20)
    qtbot.mouseClick(header.viewport(), LEFT, pos=where)


def test_a_click_on_a_header_sorts_numbers_as_numbers(table, qtbot):
    click_header(qtbot, table, 1)
    assert shown(table, 1) == ["9", "10", "20", "100", "–"]
    click_header(qtbot, table, 1)
    assert shown(table, 0) == ["1", "5", "4", "2", "3"]  # what was not measured is last either way


@pytest.mark.parametrize(("column", "labels"), [(0, "12345"), (2, "24135"), (3, "35142")])
def test_every_column_can_be_sorted(table, column, labels):
    table.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    assert "".join(shown(table, 0)) == labels


def test_what_is_selected_stays_so_when_sorted_and_the_order_stays_when_the_table_changes(table, qtbot):
    click(qtbot, table, 1)
    click(qtbot, table, 3, modifier=CONTROL)
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [shown(table, 0)[row] for row in table.selected_rows()] == ["4", "2"]
    table.set_table(nuclei().assign(area=[1.0, 2.0, 3.0, 4.0, 5.0]))
    assert shown(table, 0) == ["5", "4", "3", "2", "1"]
    table.set_table(nuclei()[["label"]])
    assert shown(table, 0) == ["1", "2", "3", "4", "5"]


def test_the_place_of_a_row_is_told_whatever_the_order(table, qtbot):
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    told = []
    table.picked.connect(told.append)
    click(qtbot, table, 0)
    click(qtbot, table, 0, column=2)  # another cell of the same row is no other nucleus
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert told == [1, 3]


def test_selecting_by_program_tells_nothing(table):
    told = []
    table.picked.connect(told.append)
    table.select([0, 1, 3])
    assert table.selected_rows() == [0, 1, 3]
    table.select([])
    assert table.selected_rows() == []
    assert told == []


def test_selected_rows_are_copied_as_a_spreadsheet_takes_them(table, qtbot):
    click(qtbot, table, 1)
    click(qtbot, table, 2, modifier=SHIFT)
    qtbot.keyClick(table, Qt.Key.Key_C, CONTROL)
    copied = pd.read_csv(io.StringIO(QApplication.clipboard().text()), sep="\t")
    expected = nuclei().iloc[1:3].drop(columns="index")[list(copied)].reset_index(drop=True)
    pd.testing.assert_frame_equal(copied, expected, check_dtype=False)


def test_without_a_selection_all_is_copied_in_the_order_shown(table):
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    table.clearSelection()
    table.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["label", "2", "4", "5", "1", "3"]


def test_the_menu_copies(table, qtbot):
    QApplication.clipboard().clear()
    table.customContextMenuRequested.emit(table.rect().center())
    (menu,) = [widget for widget in table.children() if type(widget).__name__ == "QMenu"]
    (action,) = menu.actions()
    assert action.text() == "Copy all rows"
    action.trigger()
    assert QApplication.clipboard().text().startswith("label\t")
    menu.close()


def test_headers_have_units_and_explain(table):
    model = table.nuclei
    horizontal = Qt.Orientation.Horizontal
    assert model.headerData(1, horizontal) == "Area (px²)"
    assert "Number of pixels" in model.headerData(1, horizontal, Qt.ItemDataRole.ToolTipRole)
    assert model.headerData(0, Qt.Orientation.Vertical) is None
    assert model.headerData(99, horizontal) is None


def test_numbers_stand_on_the_right(table):
    model = table.nuclei
    right = int(Qt.AlignmentFlag.AlignRight.value)
    aligned = [bool(model.data(model.index(0, column), Qt.ItemDataRole.TextAlignmentRole) & right) for column in range(4)]
    assert aligned == [True, True, True, False]
    assert model.data(model.index(0, 0), Qt.ItemDataRole.DecorationRole) is None


def test_only_what_is_seen_is_written(table, monkeypatch):
    calls = []
    original = NucleiModel.data
    monkeypatch.setattr(NucleiModel, "data", lambda self, index, role=0: calls.append(index.row()) or original(self, index, role))
    table.set_table(nuclei(50_000))
    table.repaint()
    table.scrollToBottom()
    table.repaint()
    assert table.nuclei.rowCount() == 50_000
    assert 49_999 in calls
    assert len(set(calls)) < 300


def test_tens_of_thousands_of_rows_can_be_selected_and_sorted(table):
    table.set_table(nuclei(50_000))
    table.select(range(0, 50_000, 5))
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    rows = table.selected_rows()
    assert len(rows) == 10_000
    assert shown(table, 1)[rows[0]] == "100"


def test_it_is_a_flat_table():
    model = NucleiModel()
    model.set_table(nuclei())
    inside = model.index(0, 0)
    assert (model.rowCount(inside), model.columnCount(inside)) == (0, 0)
    assert (model.rowCount(QModelIndex()), model.columnCount(QModelIndex())) == (5, 4)
    model.sort(-1)
    assert model.order.tolist() == [0, 1, 2, 3, 4]

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.measure import measure
from napari_unet_seg.gui.columns import column_tip, column_title, formatter, numbers, numeric_columns, shown_columns
from tests.tiny import discs


@pytest.fixture
def table():
    image, labels = discs()
    return measure(labels, {"GFP": image}, (0.5, 0.5), ring=3).assign(index=lambda table: table["label"], score=0.5, mine="x")


def test_every_measured_column_has_words_and_a_unit(table):
    for name in set(table) - {"index", "mine"}:
        assert column_title(name) != name
        assert column_tip(name).endswith(".")
    assert column_title("perimeter_um") == "Perimeter (µm)"
    assert column_title("centroid_y_um") == "Centre y (µm)"
    assert column_title("ring_mean_my_GFP") == "Ring mean my_GFP"
    assert column_title("plane_z") == "Slice"
    assert (column_title("mine"), column_tip("mine")) == ("mine", "mine")


def test_what_a_reader_looks_for_comes_first_and_nothing_twice(table):
    shown = shown_columns(table)
    assert shown[:5] == ["label", "area_um2", "mean_GFP", "ratio_GFP", "score"]
    assert sorted(shown) == sorted(set(table) - {"index"})
    assert shown_columns(table.drop(columns="area_um2"))[1] == "area"
    assert shown_columns(measure(np.stack([discs()[1]] * 2)))[:3] == ["label", "plane_0", "area"]


def test_columns_of_numbers_are_those_to_plot(table):
    names = numeric_columns(table)
    assert "touches_border" in names
    assert not {"label", "index", "mine"} & set(names)
    assert numbers(table, "touches_border").dtype == np.float64


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([0.5, 0.25], ["0.500", "0.250"]),
        ([12.345, 99.5], ["12.35", "99.50"]),
        ([1234.5, 2.25], ["1234", "2"]),
        ([3.0, 4.0], ["3", "4"]),
        ([np.nan, 2.5], ["–", "2.500"]),
        ([1e-7, -np.inf], ["1e-07", "–"]),
        ([np.nan], ["–"]),
        ([0.0], ["0"]),
    ],
)
def test_a_column_has_the_same_decimals_throughout(values, written):
    write = formatter(np.array(values))
    assert [write(value) for value in np.array(values)] == written


def test_other_kinds_are_written_as_words():
    assert formatter(np.array([1, 2]))(2) == "2"
    yes = formatter(np.array([True, False]))
    assert (yes(True), yes(False)) == ("yes", "")
    text = formatter(np.array(["a", None], object))
    assert (text("a"), text(None), text(np.nan)) == ("a", "–", "–")


def test_missing_numbers_of_pandas_are_nan():
    assert np.isnan(numbers(pd.DataFrame({"a": pd.array([1, None], "Int64")}), "a")[1])

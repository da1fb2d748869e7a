from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.io.cells import cells_of, write_rows

RANDOM = np.random.default_rng(0)
ODD = [0.1, 1e-05, 1e16, 123456789.123456789, -0.0, np.inf, -np.inf, np.nan, 1 / 3, 5e-324]


def ours(table: pd.DataFrame) -> str:
    file = io.StringIO()
    write_rows(file, cells_of(table))
    return file.getvalue()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"label": np.arange(10), "mean": ODD, "small": np.array(ODD, np.float32), "edge": np.arange(10) % 2 == 0}),
        pd.DataFrame({"label": [1, 2], "class": ["a, b", 'a "quote"\nand a line'], "large": np.array([2**63, 1], np.uint64)}),
        pd.DataFrame({"label": RANDOM.integers(0, 2**40, 500), "a": RANDOM.normal(size=500) * 10.0 ** RANDOM.integers(-30, 30, 500)}),
        pd.DataFrame({"label": [1, 2, 3], "class": ["a", np.nan, None]}),
        measure_plane(np.kron(np.arange(12).reshape(3, 4), np.ones((9, 9), np.int64)), RANDOM.random((27, 36))),
        measure_plane(np.zeros((4, 4), np.int32)),
    ],
)
def test_the_bytes_are_those_of_pandas(table: pd.DataFrame):
    assert ours(table) == table.drop(columns="index", errors="ignore").to_csv(index=False, lineterminator="\n")


def test_label_comes_first_and_napari_s_index_not_at_all():
    assert ours(pd.DataFrame({"area": [4], "index": [7], "label": [7]})) == "label,area\n7,4\n"


def test_columns_that_are_not_there_are_empty():
    file = io.StringIO()
    write_rows(file, cells_of(pd.DataFrame({"label": [1, 2], "area": [3.0, 4.5]})), ["file", "area", "label"], header=False)
    assert file.getvalue() == ",3.0,1\n,4.5,2\n"

"""The table of many blocks is one table, in the order of the labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_unet_seg.core.lattice import Lattice
from napari_unet_seg.io.block_store import BlockStore
from napari_unet_seg.io.block_table import iter_bands, write_bands

BLOCKS = Lattice.regular((40, 60), 20)
COLUMNS = ("area", "centroid_y", "centroid_x", "axis_major_length", "axis_minor_length", "perimeter")


def rows(labels, border=()):
    values = {name: np.asarray(labels, float) * (place + 1) for place, name in enumerate(COLUMNS)}
    return {"label": np.asarray(labels, np.int64), **values, "touches_border": np.isin(labels, border)}


def filled(tmp_path, parts):
    store = BlockStore(tmp_path)
    for number, part in enumerate(parts):
        store.put(f"rows/{number}", part)
    return store


def test_rows_follow_the_labels_band_by_band(tmp_path):
    store = filled(tmp_path, [rows([1, 4]), rows([]), rows([2, 3, 5], border=[3]), rows([]), rows([7]), rows([6], border=[6])])
    bands = list(iter_bands(store, BLOCKS, {}, None))
    assert [band["label"].tolist() for band in bands] == [[1, 2, 3, 4, 5], [6, 7]]
    assert write_bands(tmp_path / "x.csv", iter(bands)) == 2
    table = pd.read_csv(tmp_path / "x.csv")
    assert table["label"].tolist() == list(range(1, 8))
    assert table["area"].tolist() == list(range(1, 8))
    assert table["touches_border"].dtype == bool


def test_planes_and_micrometres_have_columns(tmp_path):
    store = filled(tmp_path, [rows([1])] + [rows([])] * 5)
    first, second = iter_bands(store, BLOCKS, {"plane_t": 2, "plane_z": 5}, (0.5, 0.5))
    assert list(first)[:4] == ["label", "plane_t", "plane_z", "area"]
    assert first.loc[0, ["plane_t", "plane_z", "area_um2"]].tolist() == [2, 5, 0.25]
    assert list(second) == list(first)
    assert len(second) == 0


def test_without_nuclei_the_table_has_its_head(tmp_path):
    store = filled(tmp_path, [rows([])] * 6)
    assert write_bands(tmp_path / "x.csv", iter_bands(store, BLOCKS, {}, None)) == 0
    assert (tmp_path / "x.csv").read_text() == ",".join(rows([])) + "\n"

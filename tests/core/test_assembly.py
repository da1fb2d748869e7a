from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.assembly import Assembly
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.errors import InputError


def plane(count):
    labels = np.zeros((8, 20), np.int32)
    for number in range(count):
        labels[2:5, 4 * number : 4 * number + 3] = number + 1
    return labels


def test_numbers_are_unique_and_rows_say_where():
    found = Assembly("TZYX", (1, 3, 8, 20))
    for index, count in (((0, 0), 2), ((0, 1), 0), ((0, 2), 3)):
        found.add(index, plane(count), measure_plane(plane(count)))
    table = found.table()
    assert found.count == 5
    assert found.labels.dtype == np.int32
    assert sorted(np.unique(found.labels[0, 2])) == [0, 3, 4, 5]
    assert table["index"].tolist() == table["label"].tolist() == [1, 2, 3, 4, 5]
    assert table["plane_z"].tolist() == [0, 0, 2, 2, 2]
    assert table["plane_t"].tolist() == [0] * 5
    assert list(table)[:3] == ["label", "plane_t", "plane_z"]


def test_a_single_plane_has_no_plane_columns_and_may_be_empty():
    found = Assembly("YX", (8, 20))
    found.add((), plane(0), measure_plane(plane(0)))
    assert len(found.table()) == 0
    assert "area" in found.table()
    assert not any(name.startswith("plane_") for name in found.table())


def test_without_a_plane_there_is_no_table():
    with pytest.raises(InputError, match="no planes"):
        Assembly("ZYX", (0, 8, 20)).table()


def test_the_only_plane_is_not_copied():
    for shape, index in (((8, 20), ()), ((1, 1, 8, 20), (0, 0))):
        labels = plane(3)
        found = Assembly("TZYX"[4 - len(shape) :], shape)
        found.add(index, labels, measure_plane(labels))
        assert found.labels.shape == shape
        assert np.shares_memory(found.labels, labels)
        assert (found.count, len(found.table())) == (3, 3)

from __future__ import annotations

import numpy as np

import napari_unet_seg as nus
from napari_unet_seg.core.merge import merge_region, replace_above

LEFT = (((-0.5, -0.5), (-0.5, 29.5), (39.5, 29.5), (39.5, -0.5)),)


def squares(*places, shape=(40, 80)):
    """Labels and their table: squares of 8 x 8 at (label, y, x)."""
    labels = np.zeros(shape, np.int32)
    for label, y, x in places:
        labels[..., y : y + 8, x : x + 8] = label
    table = nus.measure(labels)
    return labels, table.assign(index=table["label"], score=0.5)


def test_nuclei_inside_are_replaced_and_others_keep_their_numbers():
    old = squares((3, 4, 4), (7, 4, 40), (9, 20, 60))
    old = (old[0], old[1].assign(mean_GFP=[1.0, 2.0, 3.0]))
    labels, table = merge_region(old, squares((1, 6, 6), (2, 20, 10)), LEFT)
    assert table["label"].tolist() == table["index"].tolist() == [7, 9, 10, 11]
    assert (labels[6:14, 6:14] == 10).all()
    assert labels[4, 4] == 0
    assert (labels[4:12, 40:48] == 7).all()
    np.testing.assert_array_equal(table["mean_GFP"], [2.0, 3.0, np.nan, np.nan])
    measured = nus.measure(labels)
    for column in ("area", "centroid_y", "centroid_x"):
        np.testing.assert_allclose(table[column], measured[column])


def test_a_nucleus_that_stays_keeps_the_pixels_that_a_new_one_wants():
    old = squares((1, 4, 28))
    labels, table = merge_region(old, squares((1, 4, 23), (2, 4, 28)), LEFT)
    assert (labels == 1).sum() == 64
    assert table["label"].tolist() == [1, 2], "one that is covered whole is gone"
    assert table["area"].tolist() == [64, 40]
    assert table["score"].tolist() == [0.5, 0.5]
    assert table["centroid_x"][1] == 25


def test_an_empty_region_and_an_empty_result():
    old, nothing = squares((1, 4, 4), (2, 4, 60)), squares()
    labels, table = merge_region(old, nothing, LEFT)
    assert table["label"].tolist() == [2]
    assert set(np.unique(labels)) == {0, 2}
    labels, table = merge_region(nothing, squares((1, 4, 4)), LEFT)
    assert table["label"].tolist() == [1]
    labels, table = merge_region(squares((1, 4, 4)), nothing, LEFT)
    assert (labels.max(), len(table)) == (0, 0)
    assert "area" in table


def test_each_plane_of_a_stack():
    labels, table = squares((1, 4, 4), shape=(2, 40, 80))
    labels[1] *= 2
    table.loc[1, ["label", "index"]] = 2
    new = np.zeros_like(labels)
    new[1, 20:28, 10:18] = 1
    merged, found = merge_region((labels, table), (new, nus.measure(new).assign(index=1)), LEFT)
    assert found["label"].tolist() == [3]
    assert (merged[0].max(), merged[1].max()) == (0, 3)


def test_what_was_put_in_is_replaced_as_if_it_had_never_been_there():
    old = squares((3, 4, 4), (7, 4, 28), (9, 20, 60))
    first, others = squares((1, 6, 6)), squares((1, 20, 10), (2, 4, 23))
    wanted = merge_region(old, others, LEFT)
    labels, table = replace_above(merge_region(old, first, LEFT), others, 9)
    np.testing.assert_array_equal(labels, wanted[0])
    assert table.equals(wanted[1])

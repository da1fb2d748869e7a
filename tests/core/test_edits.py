from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core import edits
from napari_unet_seg.core.edits import add, at, box_of, delete, grown, merge, split_along
from napari_unet_seg.errors import InputError


def disc(labels, y, x, radius, number):
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]]
    labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = number
    return labels


@pytest.fixture
def plane():
    """Two discs: 3 in the upper left, 8 at the right edge."""
    labels = np.zeros((60, 80), np.int32)
    disc(labels, 20, 20, 8, 3)
    return disc(labels, 40, 76, 6, 8)


def applied(labels, edit):
    after = labels.copy()
    after[edit.rows, edit.columns] = edit.values
    return after


def test_a_box_is_tight(plane):
    assert box_of(plane, 3, at((20, 20))) == (slice(12, 29), slice(12, 29))
    assert box_of(plane, 8, at((40, 76))) == (slice(34, 47), slice(70, 80))
    assert box_of(plane, 4, at((20, 20))) is None


@pytest.mark.parametrize("reach", [1, 3, 64])
def test_a_box_is_found_from_any_pixel_without_reading_the_plane(plane, reach, monkeypatch):
    monkeypatch.setattr(edits, "WHOLE_PIXELS", 0)
    monkeypatch.setattr(edits, "REACH", reach)
    for point in ((20, 20), (12, 20), (28, 20)):
        assert box_of(plane, 3, at(point)) == (slice(12, 29), slice(12, 29))
    assert box_of(plane, 8, at((40, 79))) == (slice(34, 47), slice(70, 80))
    assert box_of(plane, 3, at((50, 60))) is None or reach == 64


def test_a_box_on_a_large_plane_reads_only_what_is_near():
    class Counting(np.ndarray):
        largest = 0

        def __getitem__(self, key):
            part = np.asarray(super().__getitem__(key))
            Counting.largest = max(Counting.largest, part.size)
            return part

    labels = np.zeros((5000, 5000), np.uint8)
    labels[2000:2010, 3000:3010] = 7
    assert box_of(labels.view(Counting), 7, at((2005, 3005))) == (slice(2000, 2010), slice(3000, 3010))
    assert 0 < Counting.largest < 300**2


def test_grown_boxes_stay_in_the_plane():
    assert grown((slice(2, 4), slice(50, 60)), 5, (10, 60)) == (slice(0, 9), slice(45, 60))


def test_delete(plane):
    after = applied(plane, delete(plane, 3, at((20, 20))))
    assert np.array_equal(after, np.where(plane == 3, 0, plane))


def test_delete_needs_a_nucleus(plane):
    with pytest.raises(InputError, match="no nucleus 5"):
        delete(plane, 5, at((20, 20)))
    with pytest.raises(InputError, match="click inside one"):
        delete(plane, 0, at((0, 0)))


def test_merge_touching_nuclei():
    labels = disc(disc(np.zeros((40, 60), np.int32), 20, 20, 9, 1), 20, 36, 7, 2)
    after = applied(labels, merge(labels, 1, 2, (slice(20, 21), slice(20, 37))))
    assert np.array_equal(after, np.where(labels == 2, 1, labels))


def test_merge_closes_a_narrow_gap():
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:25], labels[10:30, 27:40], labels[32:35, 20:22] = 1, 2, 5
    after = applied(labels, merge(labels, 2, 1, (slice(20, 21), slice(12, 39))))
    assert np.array_equal(np.unique(after), [0, 2, 5])
    assert (after[12:28, 25:27] == 2).all()
    assert (after == 5).sum() == 6


def test_merge_takes_two_that_lie_apart(plane):
    after = applied(plane, merge(plane, 3, 8, (slice(20, 41), slice(20, 77))))
    assert np.array_equal(after > 0, plane > 0)
    assert set(np.unique(after)) == {0, 3}


def test_merge_needs_two(plane):
    with pytest.raises(InputError, match="two different ones"):
        merge(plane, 3, 3, at((20, 20)))
    with pytest.raises(InputError, match="no nucleus 9"):
        merge(plane, 3, 9, at((20, 20)))


LINES = {
    "right through": [(5, 23), (35, 23)],
    "ends inside": [(14, 23), (25, 23)],
    "by hand": [(8, 24), (12, 22), (17, 24), (22, 22), (30, 23)],
    "slanted": [(8, 12), (32, 30)],
}


@pytest.mark.parametrize("path", LINES.values(), ids=LINES)
def test_split(plane, path):
    after = applied(plane, split_along(plane, np.array(path, float), 11))
    assert np.array_equal(after > 0, plane > 0)
    assert set(np.unique(after)) == {0, 3, 8, 11}
    assert (after == 3).sum() >= (after == 11).sum() > 30
    for number in (3, 11):
        rows, columns = np.nonzero(after == number)
        assert rows.size == (after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == number).sum()


def test_split_leaves_neighbours_alone():
    labels = disc(disc(np.zeros((60, 60), np.int32), 20, 30, 10, 1), 41, 30, 10, 2)
    after = applied(labels, split_along(labels, np.array([(12.0, 30), (26, 30)]), 3))
    assert np.array_equal(after == 2, labels == 2)
    assert np.array_equal(np.unique(after), [0, 1, 2, 3])


def test_split_into_several_parts():
    labels = np.zeros((30, 90), np.int32)
    labels[10:20, 5:85] = 4
    path = np.array([(5.0, 20), (25, 20), (25, 60), (5, 60)])
    after = applied(labels, split_along(labels, path, 7))
    assert np.array_equal(np.unique(after), [0, 4, 7, 8])
    sizes = np.bincount(after.ravel())
    assert sizes[4] >= sizes[7] >= sizes[8]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ([(50.0, 5), (55, 30)], "crosses no nucleus"),
        ([(20.0, 20), (20, 20)], "does not divide nucleus 3"),
        ([(12.0, 20), (12, 21)], "does not divide nucleus 3"),
        ([(-50.0, -5), (-5, -3)], "crosses no nucleus"),
    ],
)
def test_a_line_that_divides_nothing_is_told(plane, path, words):
    with pytest.raises(InputError, match=words):
        split_along(plane, np.array(path), 11)


def test_a_split_nucleus_in_two_pieces_needs_a_cut(plane):
    disc(plane, 50, 20, 5, 3)
    with pytest.raises(InputError, match="does not divide"):
        split_along(plane, np.array([(20.0, 28), (21, 28)]), 11)


def test_add(plane):
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    edit = add(mask, (30, 40), 12)
    after = applied(plane, edit)
    assert edit.box == (slice(31, 33), slice(41, 44))
    assert np.array_equal(np.argwhere(after == 12)[[0, -1]], [[31, 41], [32, 43]])
    assert (after == 12).sum() == mask.sum()

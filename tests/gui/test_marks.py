from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Vectors

from napari_unet_seg.gui.marks import NAME, Marks


@pytest.fixture
def labels(viewer):
    return viewer.add_labels(np.zeros((3, 64, 64), np.int32), scale=(4, 0.5, 0.5), translate=(1, 2, 3), units=("um", "um", "um"))


@pytest.fixture
def marks(viewer):
    return Marks(viewer)


def drawn(viewer):
    return next(layer for layer in viewer.layers if isinstance(layer, Vectors))


def test_a_ring_lies_where_the_labels_are(viewer, labels, marks):
    marks.show_ring(labels, (2,), (20, 30), 12)
    layer = drawn(viewer)
    assert layer.name == NAME
    assert viewer.layers.selection.active == labels
    assert layer.units == labels.units
    starts = layer.data[:, 0]
    assert set(starts[:, 0]) == {2}
    assert np.allclose(np.hypot(*(starts[:, 1:] - (20, 30)).T), 6)
    assert np.allclose(layer.data_to_world(starts[0]), labels.data_to_world(starts[0]))
    assert np.allclose(layer.data[-1].sum(axis=0), starts[0])


def test_a_line_follows_its_points(viewer, labels, marks):
    marks.show_line(labels, (0,), np.array([[1.0, 2], [3, 5], [3, 9]]))
    starts, steps = drawn(viewer).data[:, 0], drawn(viewer).data[:, 1]
    assert starts[[0, 4]].tolist() == [[0, 1, 2], [0, 3, 5]]
    assert np.allclose(starts[:-1] + steps[:-1], starts[1:])
    assert (starts[-1] + steps[-1]).tolist() == [0, 3, 9]


def test_a_mark_is_black_and_white_so_that_it_stands_out_from_everything(viewer, labels, marks):
    for show in (lambda: marks.show_ring(labels, (2,), (20, 30), 12), lambda: marks.show_line(labels, (0,), np.array([[1.0, 2], [3, 5]]))):
        show()
        colours = drawn(viewer).edge_color
        assert len(colours) == len(drawn(viewer).data)
        assert {tuple(colour) for colour in colours.tolist()} == {(1, 1, 1, 1), (0, 0, 0, 1)}


def test_marks_follow_labels_that_were_moved_and_go(viewer, labels, marks):
    marks.show_line(labels, (0,), np.array([[1.0, 2], [3, 5]]))
    labels.translate = (9, 9, 9)
    marks.show_line(labels, (0,), np.array([[1.0, 2], [3, 5]]))
    assert np.allclose(drawn(viewer).translate, 9)
    marks.clear()
    assert len(drawn(viewer).data) == 0
    marks.remove()
    marks.remove()
    marks.clear()
    assert list(viewer.layers) == [labels]


def test_marks_that_a_person_deleted_are_made_anew(viewer, labels, marks):
    marks.show_line(labels, (0,), np.array([[1.0, 2], [3, 5]]))
    viewer.layers.remove(drawn(viewer))
    plane = viewer.add_labels(np.zeros((64, 64), np.int32))
    marks.show_line(plane, (), np.array([[1.0, 2], [3, 5]]))
    assert drawn(viewer).ndim == 2

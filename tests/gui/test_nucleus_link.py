from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.nucleus_link import NucleusLink
from tests.tiny import discs


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(discs()[0])
    viewer.add_labels(discs()[1], scale=(0.5, 0.5), translate=(10, 0))
    return viewer


@pytest.fixture
def layer(viewer):
    return viewer.layers[1]


@pytest.fixture
def owner(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    return owner


@pytest.fixture
def link(viewer, layer, owner):
    link = NucleusLink(viewer, owner)
    link.follow(layer)
    return link


def press(viewer, layer, pixels, button=1):
    """Press at the first place, move along the others, release at the last: as napari hands it to its callbacks."""
    event = SimpleNamespace(button=button, type="mouse_press", dims_displayed=[0, 1], view_direction=None)
    callback = viewer.mouse_drag_callbacks[-1]  # after napari's own
    places = [layer.data_to_world(pixel) for pixel in pixels]
    event.position, event.pos = places[0], np.asarray(pixels[0], float)
    generator = callback(viewer, event)
    kinds = [*["mouse_move"] * (len(pixels) - 1), "mouse_release"]
    next(generator, None)
    for kind, place, pixel in zip(kinds, [*places[1:], places[-1]], [*pixels[1:], pixels[-1]], strict=True):
        event.type, event.position, event.pos = kind, place, np.asarray(pixel, float)
        next(generator, None)


def inside(label):
    rows, columns = np.nonzero(discs()[1] == label)
    return rows[len(rows) // 2], columns[len(rows) // 2]


def test_a_click_tells_the_nucleus_and_a_drag_nothing(viewer, layer, link):
    told = []
    link.clicked.connect(told.append)
    press(viewer, layer, [inside(4)])
    assert told[-1] == 4
    assert layer.selected_label == 4
    told.clear()
    y, x = inside(6)
    press(viewer, layer, [(y, x), (y + 1, x + 1)])  # a hand is never quite still
    assert told[-1] == 6
    told.clear()
    press(viewer, layer, [(y, x), (y + 20, x), (y, x)])
    press(viewer, layer, [np.argwhere(discs()[1] == 0)[0]])
    press(viewer, layer, [inside(3)], button=2)
    assert told == []


@pytest.mark.parametrize("mode", ["paint", "erase", "pick"])
def test_a_click_that_means_something_else_is_left_alone(viewer, layer, link, mode):
    told = []
    link.clicked.connect(told.append)
    viewer.layers.selection.active = layer
    layer.mode = mode
    press(viewer, layer, [inside(4)])
    layer.mode = "pan_zoom"
    layer.visible = False
    press(viewer, layer, [inside(4)])
    assert told == []


def test_going_to_a_nucleus_is_no_news_of_one(viewer, layer, link):
    told = []
    link.clicked.connect(told.append)
    link.go_to(5, {"label": 5, "centroid_y": 20.0, "centroid_x": 30.0})
    assert layer.selected_label == 5
    assert camera_of(viewer).center[-2:] == (20.0, 15.0)
    link.go_to(6, {"label": 6})
    link.go_to(6, {"label": 6, "centroid_y": np.nan, "centroid_x": 1.0})
    assert layer.selected_label == 5
    assert told == []
    layer.selected_label = 7
    assert told == [7]


@pytest.mark.parametrize(
    ("row", "step"),
    [
        ({"plane_z": 2}, (2, 0)),
        ({"plane_z": 2, "plane_q": 0}, (2, 0)),
        ({"centroid_z": 1.2}, (1, 0)),
        ({}, (0, 0)),
    ],
)
def test_the_plane_of_a_stack_is_found(owner, row, step):
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((4, 1, 20, 20), np.int32), scale=(3, 1, 1, 1))
    link = NucleusLink(viewer, owner)
    link.follow(layer)
    link.go_to(1, {"label": 1, "centroid_y": 3.0, "centroid_x": 4.0, **row})
    assert viewer.dims.current_step[:2] == step


def test_a_plane_below_a_stack_is_gone_to(viewer, layer, link):
    viewer.add_image(np.zeros((5, 128, 128)))
    viewer.dims.set_current_step(0, 3)
    link.go_to(5, {"label": 5, "centroid_y": 20.0, "centroid_x": 30.0})
    assert viewer.dims.current_step[0] == 3
    assert camera_of(viewer).center[-2:] == (20.0, 15.0)


def test_a_pyramid_is_clicked(owner):
    viewer = ViewerModel()
    labels = discs()[1]
    layer = viewer.add_labels([labels, labels[::2, ::2]])
    link = NucleusLink(viewer, owner)
    link.follow(layer)
    press(viewer, layer, [inside(4)])
    assert layer.selected_label == 4


def test_closing_leaves_nothing_in_the_viewer(viewer, layer, owner):
    before = list(viewer.mouse_drag_callbacks)
    link = NucleusLink(viewer, owner)
    link.follow(layer)
    assert len(viewer.mouse_drag_callbacks) == len(before) + 1
    link.close()
    link.close()
    assert list(viewer.mouse_drag_callbacks) == before


def test_nobody_keeps_it_alive_and_clicks_do_no_harm_after(viewer, layer):
    link = NucleusLink(viewer, None)
    link.follow(layer)
    alive = weakref.ref(link)
    del link
    gc.collect()
    assert alive() is None
    press(viewer, layer, [inside(4)])
    layer.selected_label = 5

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.doubt_list import KINDS
from napari_unet_seg.gui.images_of import NO_IMAGE
from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache
from napari_unet_seg.gui.review import NO_SCORES, NOTHING
from tests.core.test_doubts import grid, with_pair
from tests.core.test_edits import disc
from tests.gui.conftest import WAIT_MS, ready
from tests.gui.mouse import press_key
from tests.tiny import whole_plane


@pytest.fixture
def show(viewer, correct, qtbot):
    """Open the dock on labels, with a table that has scores."""

    def open_dock(labels, maps=None, **options):
        layer = viewer.add_labels(labels.copy(), **options)
        if maps is not None:
            kept = KeptMaps(MapCache())
            kept.put((), whole_plane(maps))
            layer.metadata[MAPS_KEY] = kept
        widget = correct()
        ready(widget, qtbot)
        return layer, widget

    return open_dock


@pytest.fixture
def step(qtbot):
    """Press a button of the review and wait for its list."""

    def press(widget, kind=None, button="next_button"):
        if kind is not None:
            widget.review.kind_box.setCurrentIndex(list(KINDS).index(kind))
        getattr(widget.review, button).click()
        qtbot.waitUntil(lambda: not widget.review.job.running, timeout=WAIT_MS)
        return widget.review.counter.text()

    return press


def ring(viewer):
    """Middle of what is marked, in world coordinates."""
    layers = [layer for layer in viewer.layers if "marks" in layer.name]
    if not layers or not len(layers[0].data):
        return None
    return tuple(layers[0].data_to_world(layers[0].data[:, 0].mean(axis=0)))


def scored(labels):
    numbers = np.unique(labels[labels > 0])
    return measure_plane(labels).assign(score=np.linspace(0.9, 0.5, len(numbers)))


def test_lowest_scores_come_one_after_the_other(viewer, show, step):
    labels = grid((96, 96))
    layer, widget = show(labels, features=scored(labels), scale=(0.5, 0.5), translate=(3, 4))
    assert step(widget, "score") == "1 of 9"
    assert layer.selected_label == 9
    assert tuple(camera_of(viewer).center)[-2:] == pytest.approx(layer.data_to_world((80, 80)))
    assert ring(viewer) == pytest.approx(layer.data_to_world((80, 80)), abs=0.5)
    assert step(widget) == "2 of 9"
    assert layer.selected_label == 8
    assert step(widget, button="previous_button") == "1 of 9"
    assert step(widget, button="previous_button") == "9 of 9"
    assert layer.selected_label == 1
    assert viewer.layers.selection.active == layer
    assert np.array_equal(layer.data, labels)


def test_who_paints_meanwhile_goes_on_with_a_number_that_is_free(show, step):
    labels = grid((96, 96))
    layer, widget = show(labels, features=scored(labels))
    widget.tools.choose("paint")
    free = layer.selected_label
    assert step(widget, "score") == "1 of 9"
    assert layer.selected_label == free


def test_small_nuclei_are_brought_near(viewer, show, step):
    labels = grid((96, 96))
    _, widget = show(labels, features=scored(labels))
    camera_of(viewer).zoom = 0.1
    step(widget, "score")
    assert camera_of(viewer).zoom > 2
    camera_of(viewer).zoom = 5
    step(widget)
    assert camera_of(viewer).zoom == 5


def test_keep_and_delete_go_on(viewer, show, step):
    labels = grid((96, 96))
    layer, widget = show(labels, features=scored(labels))
    step(widget, "score")
    press_key(layer, "K")
    assert (widget.review.counter.text(), layer.selected_label) == ("1 of 8", 8)
    press_key(layer, "R")
    assert (widget.review.counter.text(), layer.selected_label) == ("1 of 7", 7)
    assert 8 not in layer.data
    assert widget.count.text() == "8 nuclei"
    press_key(layer, ".")
    press_key(layer, ",")
    assert layer.selected_label == 7
    widget.undo()
    assert 8 in layer.data


def test_what_was_corrected_meanwhile_is_left_out(show, step, qtbot):
    labels = grid((96, 96))
    layer, widget = show(labels, features=scored(labels))
    step(widget, "score")
    for number in (9, 8):
        layer.data_setitem(np.nonzero(labels == number), 0)
    qtbot.waitUntil(lambda: widget.count.text() == "7 nuclei", timeout=WAIT_MS)
    assert step(widget) == "1 of 7"
    assert layer.selected_label == 7


def test_the_last_one_kept_ends_the_list(viewer, show, step):
    labels = disc(np.zeros((64, 64), np.int32), 0, 30, 8, 3)
    _, widget = show(labels, features=measure_plane(labels))
    assert step(widget, "border") == "1 of 1"
    widget.review.keep_button.click()
    assert widget.review.counter.text() == NOTHING
    assert ring(viewer) is None
    assert not widget.review.keep_button.isEnabled()
    assert not widget.review.next_button.isEnabled()


def test_likely_merges_are_found(viewer, show, step):
    labels = with_pair(15)
    layer, widget = show(labels)
    assert step(widget, "merged") == "1 of 1"
    assert layer.selected_label == 99
    assert step(widget, "border") == NOTHING


def test_cores_in_the_maps_tell_of_merges(viewer, show, step):
    labels = with_pair(12)
    distance = np.where(labels > 0, 0.9, 0)
    distance[38:60, 53:56] *= 0.2
    maps = np.stack([1.0 * (labels == 0), distance, distance, distance]).astype(np.float16)
    layer, widget = show(labels, maps, features=measure_plane(labels).iloc[::-1].reset_index(drop=True))
    assert step(widget, "merged") == "1 of 1"
    assert layer.selected_label == 99


def test_a_removed_nucleus_is_found_in_the_maps_and_added(viewer, show, step):
    labels = grid((96, 96))
    background = np.where(labels > 0, 0.05, 0.98)
    away = np.stack([np.hypot(*(np.mgrid[:96, :96] - 32 * k[:, None, None] - 16)) for k in np.argwhere(np.ones((3, 3)))]).min(axis=0)
    distance = np.clip(1 - away / 10, 0, 1)
    maps = np.stack([background, 1 - background, 0 * background, distance]).astype(np.float16)
    layer, widget = show(np.where(labels == 5, 0, labels), maps)
    assert step(widget, "missed") == "1 of 1"
    assert ring(viewer) == pytest.approx((48, 48), abs=1)
    assert widget.review.remove_button.text().startswith("Add")
    widget.review.remove_button.click()
    assert ((layer.data == 10) & (labels == 5)).sum() > 0.85 * (labels == 5).sum()
    assert widget.review.counter.text() == NOTHING


def test_without_maps_missed_nuclei_are_looked_for_in_the_image(viewer, show, step):
    labels = grid((96, 96))
    viewer.add_image((200 + 1000 * (labels > 0)).astype(np.uint16), name="dapi")
    layer, widget = show(np.where(labels == 5, 0, labels))
    assert step(widget, "missed") == "1 of 1"
    assert ring(viewer) == pytest.approx((48, 48), abs=1)
    press_key(layer, "K")
    assert np.array_equal(layer.data, np.where(labels == 5, 0, labels))


def test_what_cannot_be_listed_is_told(viewer, show, step):
    _, widget = show(grid((96, 96)))
    assert step(widget, "score") == NOTHING
    assert widget.message.text.text() == NO_SCORES
    step(widget, "missed")
    assert widget.message.text.text() == NO_IMAGE


def test_doubts_of_a_stack_lie_in_their_planes(viewer, show, step):
    plain, pair = grid(), with_pair(15)
    stack = np.stack([plain, np.where(pair, pair + 100, 0), np.where(plain, plain + 300, 0)])
    tables = [measure_plane(plane).assign(plane_z=z) for z, plane in enumerate(stack)]
    viewer.add_image(np.zeros((4, *stack.shape)))
    layer, widget = show(stack, features=pd.concat(tables, ignore_index=True), scale=(2, 1, 1))
    viewer.dims.set_point(0, 2)
    assert step(widget, "merged") == "1 of 1"
    assert viewer.dims.point[:2] == (2, 2)
    assert layer.selected_label == 199
    assert ring(viewer)[0] == pytest.approx(2)


def test_another_kind_or_layer_begins_anew(viewer, show, step, qtbot):
    labels = grid((96, 96))
    _, widget = show(labels, features=scored(labels))
    step(widget, "score")
    widget.review.kind_box.setCurrentIndex(1)
    assert widget.review.counter.text() == ""
    assert ring(viewer) is None
    step(widget, "score")
    viewer.add_labels(np.zeros((96, 96), np.int32))
    ready(widget, qtbot)
    assert widget.review.counter.text() == ""
    assert ring(viewer) is None

"""Tables of nuclei in 3D follow corrections; no undo, no change by others and no closing of the dock loses what was known."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QCoreApplication, Qt

from napari_unet_seg.gui import volume_rows as module
from napari_unet_seg.gui.measuring import layer_info
from napari_unet_seg.gui.volume_rows import VolumeRows, row_steps
from napari_unet_seg.progress import drain
from tests.gui.conftest import WAIT_MS, ready

DIRECT = Qt.FindChildOption.FindDirectChildrenOnly
BOXES = ((slice(1, 4), slice(5, 12), slice(5, 12)), (slice(2, 5), slice(20, 30), slice(20, 28)), (slice(0, 3), slice(3, 9), slice(25, 33)))


def linked(viewer, first=1, dtype=np.int32, times=0):
    """Add three nuclei that reach through planes, with a table of what is known of them."""
    shape = (6, 40, 40)
    stack = np.zeros((times, *shape) if times else shape, dtype)
    for number, box in enumerate(BOXES, start=first):
        stack[(times - 1, *box) if times else box] = number
    layer = viewer.add_labels(stack, name="nuclei", axis_labels=("t", "z", "y", "x")[-stack.ndim :])
    numbers = [first, first + 1, first + 2]
    layer.features = pd.DataFrame({"label": numbers, "volume": 0.0, "centroid_z": 0.0, "centroid_y": 0.0, "centroid_x": 0.0})
    table = drain(row_steps(stack, layer_info(layer)))
    layer.features = table.assign(score=[0.9, 0.8, 0.7], mean_gfp=[1.0, 2.0, 3.0], remark=["a", "b", "c"])
    viewer.layers.selection.active = layer
    return layer


@pytest.fixture
def begin(viewer, correct, qtbot):
    """Add the nuclei, and correct them: the layer and the dock."""

    def start(**options):
        layer, dock = linked(viewer, **options), correct()
        ready(dock, qtbot)
        return layer, dock

    return start


@pytest.fixture
def follows(qtbot):
    """Wait until there is a row for each nucleus of a layer, with its volume."""

    def wait(layer, count):
        def is_true():
            numbers, sizes = np.unique(layer.data[layer.data > 0], return_counts=True)
            rows = layer.features.set_index("label")["volume"].sort_index()
            return len(rows) == count and rows.to_dict() == dict(zip(numbers.tolist(), sizes.tolist(), strict=True))

        qtbot.waitUntil(is_true, timeout=WAIT_MS)

    return wait


@pytest.fixture
def held(monkeypatch):
    """Measuring waits until the test lets it go on: set when it has begun, and what lets it go on."""
    began, go = threading.Event(), threading.Event()

    def wait(*arguments):
        began.set()
        assert go.wait(60)
        return (yield from row_steps(*arguments))

    monkeypatch.setattr(module, "row_steps", wait)
    yield began, go
    go.set()


def erase(layer, number):
    layer.data_setitem(np.nonzero(layer.data == number), 0)


def in_order(table):
    return table.sort_values("label").reset_index(drop=True)


def still_at_work():
    return QCoreApplication.instance().findChildren(VolumeRows, options=DIRECT)


@pytest.mark.parametrize("options", [{}, {"first": 2**40, "dtype": np.int64}, {"times": 2}], ids=["usual", "large numbers", "in time"])
def test_an_undo_brings_all_back_that_was_known(begin, follows, options):
    layer, dock = begin(**options)
    before, first = layer.features.copy(), options.get("first", 1)
    erase(layer, first)
    follows(layer, 2)
    layer.data_setitem(tuple(np.argwhere(layer.data == first + 1)[:30].T), 0)
    follows(layer, 2)
    changed = layer.features.set_index("label").loc[first + 1]
    assert changed["remark"] == "b"
    assert np.isnan(changed["mean_gfp"])
    dock.undo()
    dock.undo()
    follows(layer, 3)
    pd.testing.assert_frame_equal(in_order(layer.features), in_order(before), check_dtype=False)


def test_what_somebody_else_adds_to_the_table_meanwhile_stays(begin, follows, held, qtbot):
    layer, dock = begin()
    erase(layer, 1)
    qtbot.waitUntil(held[0].is_set, timeout=WAIT_MS)
    layer.features = layer.features.assign(kind=["x", "y", "z"])
    held[1].set()
    follows(layer, 2)
    assert layer.features["kind"].tolist() == ["y", "z"]
    layer.features["note"] = 5  # in place, as a console does
    dock.undo()
    follows(layer, 3)
    assert set(layer.features["note"].dropna()) == {5}


def test_a_stroke_just_before_the_dock_is_closed_is_in_the_table(viewer, begin, follows, qtbot):
    layer, dock = begin()
    erase(layer, 1)
    viewer.window.remove_dock_widget(dock)
    follows(layer, 2)
    assert layer.features["remark"].tolist() == ["b", "c"]
    qtbot.waitUntil(lambda: not still_at_work(), timeout=WAIT_MS)
    viewer.window.add_dock_widget(dock)  # which deletes it with the window


def test_a_dock_that_is_closed_with_nothing_to_measure_leaves_nothing(viewer, begin, follows):
    layer, dock = begin()
    erase(layer, 1)
    follows(layer, 2)
    viewer.window.remove_dock_widget(dock)
    assert not still_at_work()
    viewer.window.add_dock_widget(dock)


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_a_table_that_cannot_follow_is_told_of(viewer, begin, qtbot, monkeypatch, closed):
    def fail(*_):
        raise MemoryError
        yield

    monkeypatch.setattr(module, "row_steps", fail)
    layer, dock = begin()
    notification_manager.records.clear()
    erase(layer, 1)
    if closed:
        viewer.window.remove_dock_widget(dock)
        qtbot.waitUntil(lambda: bool(notification_manager.records), timeout=WAIT_MS)
        said = notification_manager.records[0].message
        qtbot.waitUntil(lambda: not still_at_work(), timeout=WAIT_MS)
        viewer.window.add_dock_widget(dock)
    else:
        qtbot.waitUntil(dock.message.isVisible, timeout=WAIT_MS)
        said = dock.message.text.text()
    assert said.startswith("What you painted in “nuclei” is kept, but not measured: Memory ran out;")


def test_a_layer_that_is_removed_is_let_go(viewer, begin, qtbot):
    layer, _ = begin()
    erase(layer, 1)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not still_at_work(), timeout=WAIT_MS)

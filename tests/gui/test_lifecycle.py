"""Layers, docks and viewers may go while a run is under way."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.utils.progress import progress

from napari_unet_seg.gui.segment_widget import SegmentWidget
from tests.gui.conftest import IDLE, RUNNING, WAIT_MS, begin, buttons, names


def test_an_image_deleted_meanwhile_still_gets_its_labels(widget, viewer, image, runs, qtbot):
    begin(widget, runs, qtbot)
    viewer.layers.remove("dapi")
    assert buttons(widget) == RUNNING
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        runs.go.set()
    assert names(viewer) == ["dapi nuclei"]
    assert np.array_equal(viewer.layers[0].scale, (0.5, 0.5))
    assert buttons(widget) == IDLE


def test_a_result_deleted_meanwhile_is_made_anew(widget, viewer, image, runs, run, qtbot):
    run(widget)
    runs.began.clear()
    begin(widget, runs, qtbot)
    viewer.layers.remove("dapi nuclei")
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        runs.go.set()
    assert names(viewer) == ["dapi", "dapi nuclei"]


def test_a_result_deleted_meanwhile_is_not_kept_alive(widget, viewer, image, runs, run, qtbot):
    run(widget)
    runs.began.clear()
    begin(widget, runs, qtbot)
    known = weakref.ref(widget._told)
    assert known() is not None
    viewer.layers.remove("dapi nuclei")
    qtbot.waitUntil(lambda: gc.collect() >= 0 and known() is None, timeout=WAIT_MS)
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        runs.go.set()


@pytest.mark.parametrize("when", ["during the run", "between its end and the news of it"])
@pytest.mark.parametrize("what", ["dock", "viewer"])
@pytest.mark.usefixtures("image", "surroundings")
def test_closing_ends_the_run_and_leaves_nothing_behind(viewer, runs, qtbot, what, when):
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    if when == "during the run":
        begin(widget, runs, qtbot)
    else:
        widget.run_button.click()
        assert runs.closed.wait(60)
    alive = weakref.ref(widget)
    if what == "dock":
        viewer.window.remove_dock_widget(widget)
    else:
        viewer.close()
    del widget
    runs.go.set()
    assert runs.closed.wait(60)
    qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=WAIT_MS)
    assert len(progress._all_instances) == 0
    if what == "dock":  # the viewer lives on without it
        viewer.theme = "light"
        viewer.add_image(np.zeros((4, 4)), name="other")
        made = ["dapi nuclei"] if when != "during the run" and len(viewer.layers) == 3 else []
        assert names(viewer) == ["dapi", *made, "other"]


def test_a_hidden_dock_goes_on(viewer, image, runs, surroundings, qtbot):
    widget = SegmentWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Segment nuclei")
    begin(widget, runs, qtbot)
    dock.setVisible(False)
    with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
        runs.go.set()
    assert names(viewer) == ["dapi", "dapi nuclei"]


def test_it_can_be_opened_as_the_manifest_says(viewer, surroundings):
    _, widget = viewer.window.add_plugin_dock_widget("napari-unet-seg", "Segment nuclei")
    assert isinstance(widget, SegmentWidget)

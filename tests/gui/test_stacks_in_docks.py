"""What the docks "Measure nuclei" and "Correct nuclei" make of linked stacks and followed movies, and what a region does to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.measure_widget import MeasureWidget
from napari_unet_seg.gui.measuring import VOLUMES
from napari_unet_seg.gui.request import Content, Request, segment_steps
from napari_unet_seg.gui.tracks import show_tracks
from napari_unet_seg.progress import drain
from tests.gui.conftest import WAIT_MS, ready
from tests.gui.test_tracks import PLANE, choose, movie, stack  # noqa: F401  # fixtures

EVERYWHERE = (((0.0, 0.0), (0.0, 96.0), (96.0, 96.0), (96.0, 0.0)),)


@pytest.fixture
def measured(viewer, qtbot):
    """Show the dock "Measure nuclei", and measure."""

    def measure():
        dock = MeasureWidget(viewer)
        viewer.window.add_dock_widget(dock, name="Measure nuclei")
        with qtbot.waitSignal(dock.job.finished, timeout=WAIT_MS):
            dock.run_button.click()
        return dock

    return measure


def test_nuclei_in_3d_are_measured_as_a_whole(tiny, stack, segmented, measured):  # noqa: F811
    labels = segmented(tiny)
    dock = measured()
    count = len(labels.features)
    assert dock.status.result.text() == f"{count} nuclei in 3D (3 planes)"
    assert "µm³" in dock.status.detail.text()
    assert dock.status.message.text.text() == VOLUMES
    means = [float(stack.data[labels.data == number].mean()) for number in labels.features["label"]]
    assert labels.features["mean_stack"].tolist() == pytest.approx(means)
    assert {"volume_um3", "planes", "score"} <= set(labels.features), "what was known stays"


def test_the_table_of_nuclei_in_3d_follows_strokes_and_their_undo(tiny, viewer, stack, segmented, correct, qtbot):  # noqa: F811
    labels = segmented(tiny)
    labels.features = labels.features.assign(remark="kept")
    viewer.layers.selection.active = labels
    dock = correct()
    ready(dock, qtbot)
    before, erased = labels.features, int(labels.features["label"].iloc[0])

    def follows(count):
        rows = labels.features
        volumes = np.bincount(labels.data.ravel())[1:]
        assert rows["index"].tolist() == rows["label"].tolist()
        return len(rows) == count and rows.set_index("label")["volume"].sort_index().tolist() == volumes[volumes > 0].tolist()

    assert follows(len(before))
    labels.data_setitem(np.nonzero(labels.data == erased), 0)
    qtbot.waitUntil(lambda: follows(len(before) - 1), timeout=WAIT_MS)
    labels.data_setitem(tuple(np.argwhere(labels.data == 0)[:30].T), int(before["label"].iloc[-1]))
    qtbot.waitUntil(lambda: follows(len(before) - 1), timeout=WAIT_MS)
    assert set(labels.features["remark"]) == {"kept"}
    dock.undo()
    dock.undo()
    qtbot.waitUntil(lambda: follows(len(before)), timeout=WAIT_MS)
    assert list(labels.features) == list(before)


def test_a_followed_movie_is_measured_at_each_time(tiny, movie, segmented, measured):  # noqa: F811
    labels = segmented(tiny)
    tracks = labels.features["track"].tolist()
    dock = measured()
    assert dock.status.result.text() == f"{len(set(tracks))} tracks over 3 times"
    assert labels.features["track"].tolist() == tracks
    row = labels.features.iloc[-1]
    assert row["mean_movie"] == pytest.approx(float(movie.data[labels.data == row["label"]].mean()))


def test_a_nucleus_that_is_painted_has_no_track_until_the_next_run(tiny, viewer, movie, segmented, correct, qtbot):  # noqa: F811
    labels = segmented(tiny)
    viewer.layers.selection.active = labels
    dock = correct()
    ready(dock, qtbot)
    count = len(labels.features)
    assert dock.count.text() == f"{count} outlines at 3 times"
    free = np.argwhere(labels.data[0] == 0)[:30]
    labels.data_setitem((np.zeros(len(free), int), *free.T), count + 1)
    qtbot.waitUntil(lambda: dock.count.text() == f"{count + 1} outlines at 3 times", timeout=WAIT_MS)
    assert np.isnan(labels.features.set_index("label").loc[count + 1, "track"])
    tracks = show_tracks(viewer, labels)
    assert len(tracks.data) == count
    assert np.isfinite(tracks.data).all()


@pytest.mark.parametrize("settings", [{"stack": "linked", "spacing": 3.0}, {}])
def test_a_region_of_a_linked_stack_replaces_no_others(tiny, viewer, settings):
    layer = viewer.add_image(np.stack([PLANE] * 3), name="other", axis_labels=("z", "y", "x"))
    source = read_source(layer)
    request = Request(source, "tiny", "cpu", replace(tiny.form.value(), **settings))
    first = drain(segment_steps(request))
    again = replace(request, settings=replace(request.settings, region=EVERYWHERE), previous=first.content, base=first.provenance)
    merged = drain(segment_steps(again))
    assert isinstance(merged.content, Content)
    assert (merged.previous is None) is bool(settings), "a nucleus in 3D cannot be put among others plane by plane: it is a new layer"
    assert merged.count == first.count


def test_the_estimate_looks_at_one_slice_though_they_are_linked(tiny, stack):  # noqa: F811
    assert tiny.stack.value == "linked"
    assert tiny.stack.of_a_plane == "planes"
    choose(tiny.stack.box, "maximum")
    assert tiny.stack.of_a_plane == "maximum"

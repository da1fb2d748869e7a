"""Edited labels are saved by themselves, and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_unet_seg.gui import autosave as module
from napari_unet_seg.gui import preferences
from napari_unet_seg.gui.autosave import NOTHING_YET, Autosave, open_edited, watch_edits
from napari_unet_seg.gui.open_image import window_of
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY
from tests.gui.conftest import WAIT_MS, squares


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "autosave_folder", lambda: tmp_path / "edited")
    return tmp_path / "edited"


@pytest.fixture
def watcher(viewer, folder, monkeypatch):
    monkeypatch.setattr(module, "WAIT_MS", 1)
    watch_edits(viewer)
    return window_of(viewer).findChild(Autosave)


@pytest.fixture
def labels(viewer, watcher):
    return viewer.add_labels(squares(), name="a/b nuclei", scale=(0.5, 0.5), units=("um", "um"))


def told():
    return [notification.message for notification in notification_manager.records]


def test_a_stroke_is_saved_with_its_scale(labels, watcher, folder, qtbot):
    with qtbot.waitSignal(watcher.saved, timeout=WAIT_MS) as saved:
        labels.paint((40, 40), 7)
    [path] = saved.args
    assert path.parent == folder
    assert path.name.startswith("a_b nuclei 2")
    assert np.array_equal(tifffile.imread(path), labels.data)
    assert 7 in labels.data


def test_the_same_layer_keeps_its_file(labels, watcher, folder, qtbot):
    for number in (7, 8):
        with qtbot.waitSignal(watcher.saved, timeout=WAIT_MS) as saved:
            labels.paint((40, 5 * number), number)
    assert [path.name for path in folder.iterdir()] == [saved.args[0].name]
    assert 8 in tifffile.imread(saved.args[0])


def test_corrections_are_saved_and_sliders_are_not(labels, watcher, folder, qtbot):
    labels.data = squares(count=2)
    qtbot.wait(50)
    assert not folder.exists()
    labels.metadata = {PROVENANCE_KEY: {EDITED_KEY: True}}
    with qtbot.waitSignal(watcher.saved, timeout=WAIT_MS):
        labels.data_setitem((np.array([50]), np.array([50])), 9)
    [path] = folder.iterdir()
    assert tifffile.imread(path)[50, 50] == 9


def test_layers_that_are_there_already_are_watched(viewer, folder, monkeypatch, qtbot):
    monkeypatch.setattr(module, "WAIT_MS", 1)
    early = viewer.add_labels(squares(), name="early")
    watch_edits(viewer)
    with qtbot.waitSignal(window_of(viewer).findChild(Autosave).saved, timeout=WAIT_MS):
        early.paint((40, 40), 3)


def test_one_watcher_a_window_and_none_against_the_persons_will(viewer, watcher, monkeypatch, make_napari_viewer_proxy):
    watch_edits(viewer)
    assert len(window_of(viewer).findChildren(Autosave)) == 1
    monkeypatch.setattr(preferences, "autosave", lambda: False)
    other = make_napari_viewer_proxy()
    watch_edits(other)
    assert window_of(other).findChild(Autosave) is None


def test_the_oldest_files_go(labels, watcher, folder, monkeypatch, qtbot):
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.labels.tif").write_bytes(b"")
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with qtbot.waitSignal(watcher.saved, timeout=WAIT_MS) as saved:
        labels.paint((40, 40), 7)
    assert saved.args[0].exists()
    assert len(list(folder.iterdir())) == 2


def test_what_is_too_large_is_left_alone(labels, watcher, folder, monkeypatch, qtbot):
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    labels.paint((40, 40), 7)
    qtbot.waitUntil(lambda: not watcher._edited, timeout=WAIT_MS)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_told_of_once(labels, watcher, folder, qtbot):
    folder.write_text("in the way")
    notification_manager.records.clear()
    labels.paint((40, 40), 7)
    qtbot.waitUntil(lambda: any("not saved by themselves any more" in message for message in told()), timeout=WAIT_MS)
    labels.paint((45, 45), 8)
    qtbot.wait(50)
    assert len([message for message in told() if "any more" in message]) == 1


def test_they_open_again(viewer, labels, watcher, monkeypatch, qtbot):
    with qtbot.waitSignal(watcher.saved, timeout=WAIT_MS) as saved:
        labels.paint((40, 40), 7)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *arguments: ([str(saved.args[0])], ""))
    open_edited(viewer)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=WAIT_MS)
    again = viewer.layers[-1]
    assert np.array_equal(again.data, labels.data)
    assert np.array_equal(again.scale, labels.scale)


@pytest.mark.usefixtures("folder")
def test_without_any_it_says_when_there_will_be(viewer):
    notification_manager.records.clear()
    open_edited(viewer)
    assert told() == [NOTHING_YET]

"""Public sets open in a real viewer: downloaded once, behind a window that can be closed; a failure adds nothing and says one sentence."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from qtpy.QtWidgets import QApplication

from napari_unet_seg.errors import ReadError
from napari_unet_seg.gui import public_sets
from napari_unet_seg.gui.public_sets import CANCELLED, DownloadWindow, open_bbbc038, open_bbbc039, open_public
from napari_unet_seg.io import downloads
from napari_unet_seg.io.downloads import Archive, PublicSet
from napari_unet_seg.progress import Progress
from tests.io.annotated import beside, kaggle
from tests.io.test_downloads import Server

WAIT_MS = 60_000


@pytest.fixture
def viewer(viewer):
    """A viewer; windows that have deleted themselves are gone at its end, as they are where events go on."""
    yield viewer
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as file:
        for inside in sorted(folder.rglob("*.*")):
            file.write(inside, inside.relative_to(folder).as_posix())
    return path.read_bytes()


@pytest.fixture
def served(tmp_path, cache, monkeypatch):
    """Serve small sets in place of the real ones."""
    servers = []

    def serve(name, write, count=8):
        truths = write(tmp_path / name, count=count)
        server = Server(zipped(tmp_path / name, tmp_path / f"{name}.zip"))
        servers.append(server)
        monkeypatch.setattr(public_sets, name, PublicSet(name, "Nuclei", (Archive(server.url),)))
        return server, truths

    yield serve
    for server in servers:
        server.close()


def told():
    return " ".join(notification.message for notification in notification_manager.records)


def test_some_images_of_one_size_open_as_a_stack_with_their_truth(viewer, served, cache):
    server, truths = served("BBBC039", beside)
    image, truth = viewer.open_sample("napari-unet-seg", "bbbc039")
    assert (image.name, truth.name) == ("BBBC039", "BBBC039 truth")
    assert isinstance(truth, Labels)
    assert not truth.visible
    assert np.array_equal(truth.data, truths[:6])
    assert "8 images" in told()
    assert str(cache / "BBBC039") in told()
    viewer.open_sample("napari-unet-seg", "bbbc039")
    assert server.asked == 1


def test_kaggles_layout_opens_too(viewer, served):
    served("BBBC038", kaggle, count=13)
    layers = viewer.open_sample("napari-unet-seg", "bbbc038")
    assert [layer.name for layer in layers] == ["BBBC038", "BBBC038 truth"]
    assert layers[0].metadata["names"] == [f"{n:02d}abc" for n in (1, 3, 5, 7, 9, 11)]  # spread over the set


def test_a_failure_adds_nothing(viewer, served):
    server, _ = served("BBBC039", beside)
    server.status = 404
    with pytest.raises(ReadError, match="error 404") as refused:
        viewer.open_sample("napari-unet-seg", "bbbc039")
    assert refused.value.__cause__.fp.closed
    assert len(viewer.layers) == 0


def test_cancelling_adds_nothing_and_leaves_nothing(viewer, served, cache, monkeypatch):
    def forever(public):
        while True:
            yield Progress("Downloading x.zip", 1500, 81_000)

    monkeypatch.setattr(public_sets, "_iter_open", forever)
    seen = []

    def press():
        [window] = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, DownloadWindow) and widget.isVisible()]
        if not window.detail.text():
            QTimer.singleShot(20, press)
            return
        seen.append((window.detail.text(), window.bar.maximum()))
        window.cancel_button.click()

    QTimer.singleShot(50, press)
    with pytest.raises(ReadError, match=CANCELLED):
        open_bbbc039()
    assert seen == [("Downloading x.zip: 1.5 of 81.0 MB", 81_000)]
    assert not cache.exists()


def test_progress_is_told_in_words(qtbot):
    window = DownloadWindow(downloads.BBBC039)
    qtbot.addWidget(window)
    for step, words in (
        (Progress("Downloading images.zip (1 of 3)", 0, 0), "Downloading images.zip (1 of 3) …"),
        (Progress("Unpacking images.zip", 50, 200), "Unpacking images.zip: 50 of 200 files"),
        (Progress("Reading images and labels", 2, 6), "Reading images and labels: 2 of 6"),
    ):
        window._show_progress(step)
        assert window.detail.text() == words


@pytest.mark.usefixtures("cache")
def test_without_a_window_it_simply_runs(served, monkeypatch):
    served("BBBC038", kaggle, count=2)
    monkeypatch.setattr(public_sets.QApplication, "instance", lambda: None)
    assert [options["name"] for _, options, _ in open_bbbc038()] == ["BBBC038", "BBBC038 truth"]
    assert open_public(public_sets.BBBC038)

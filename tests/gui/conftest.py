"""A viewer with the widget, and runs that a test holds in its hand instead of the network's."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import napari.settings
import numpy as np
import pandas as pd
import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QWidget

from napari_unet_seg.core import checkpoint
from napari_unet_seg.core.axes import stack_axis
from napari_unet_seg.gui import engine_picker, job, segment_widget
from napari_unet_seg.gui.correct_widget import CorrectWidget
from napari_unet_seg.gui.request import Content, Outcome
from napari_unet_seg.gui.segment_widget import SegmentWidget
from napari_unet_seg.gui.surroundings import DeviceNote, Surroundings
from napari_unet_seg.progress import Progress
from napari_unet_seg.settings import SegmentSettings
from tests.tiny import tiny_model

WAIT_MS = 60_000


def squares(shape=(64, 64), count=3, value=1):
    """Labels with `count` squares of 8 x 8 pixels on the first plane."""
    labels = np.zeros(shape, np.int32)
    for number in range(count):
        labels[(0,) * (len(shape) - 2)][4:12, 4 + 12 * number : 12 + 12 * number] = number + value
    return labels


def outcome(labels, previous=None, polarity="bright", seconds=0.5, **provenance):
    """What a run that found `labels` gives."""
    numbers = np.unique(labels[labels > 0])
    features = pd.DataFrame({"label": numbers, "area": np.bincount(labels.ravel())[numbers].astype(float), "index": numbers})
    content = Content(labels, features)
    made_by = {"model": "tiny", "limits": [{"low": 0.0, "high": 1.0, "polarity": polarity}], **provenance}
    return Outcome(content, made_by, content.fingerprint(), previous, seconds)


@dataclass
class Runs:
    """Stands for the engine: each run waits until the test lets it go on, and ends as the test says."""

    requests: list = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    steps: int = 2
    error: BaseException | None = None
    count: int = 3
    notice: str = ""
    closed: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request):
        self.requests.append(request)
        return self._steps(request)

    def _steps(self, request):
        try:
            for step in range(1, self.steps + 1):
                yield Progress("Segmenting", step, self.steps, notice=self.notice)
                self.began.set()
                assert self.go.wait(60)
            if self.error is not None:
                raise self.error
            source = request.source
            gone = "CS" + (stack_axis(source.axes) if request.settings.stack == "maximum" else "")
            sizes = [n for n, axis in zip(np.shape(source.data), source.axes, strict=True) if axis not in gone]
            previous = request.previous.fingerprint() if request.previous else None
            return outcome(source.arrange(squares(tuple(sizes), self.count)), previous, input=source.name)
        finally:
            self.closed.set()


@pytest.fixture
def runs(monkeypatch):
    """Replace the engine; runs go through without waiting unless the test clears `go`."""
    runs = Runs()
    runs.go.set()
    monkeypatch.setattr(segment_widget, "segment_steps", runs)
    yield runs
    runs.go.set()


SURROUNDINGS = Surroundings(
    models=("nuclei", "mine"),
    devices={
        "auto": DeviceNote(True, "No GPU is used: there is none."),
        "cuda": DeviceNote(False, "There is no CUDA."),
        "mps": DeviceNote(False, "This is no Mac."),
        "cpu": DeviceNote(True, "Computes on the CPU."),
    },
    model="nuclei",
    defaults=SegmentSettings(),
    about="nuclei-v1.",
)


@pytest.fixture(scope="session", autouse=True)
def same_plugins():
    """Read the manifests of the installed plugins once: napari does so anew for each viewer, and they do not change."""
    installed = tuple(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(installed))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_settings():
    """napari's settings as they are at first, kept in memory: those of whoever runs the tests are neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(napari.settings, "_SETTINGS", None)
        napari.settings.get_settings(path=None)
        yield


@pytest.fixture(autouse=True)
def only_new_garbage(monkeypatch):
    """Keep what lives by now, modules above all, out of collections: each viewer that closes asks for one, of 0.3 s.

    A job gives back to the collector all that was kept from it, so here it stops the collector instead; test_job.py has the real thing.
    """
    gc.collect()
    gc.freeze()
    monkeypatch.setattr(job, "gc", SimpleNamespace(freeze=gc.disable, unfreeze=gc.enable))
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def preferences(monkeypatch, tmp_path):
    """napari's preferences for this plugin as they are at first; those of whoever runs the tests are neither read nor written."""
    forget = getattr(napari.settings, "_clear_plugin_settings_cache", lambda: None)
    monkeypatch.setattr(napari.settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    forget()
    yield
    forget()


@pytest.fixture
def owner(qtbot):
    """A widget that is not in a viewer, for rows and panels."""
    owner = QWidget()
    qtbot.addWidget(owner)
    return owner


@pytest.fixture
def surroundings(monkeypatch):
    """Replace the look at this machine, which would load torch: a list of what each look finds, the last again and again."""
    found = [SURROUNDINGS]

    def look(model):
        yield Progress("Looking", 0, 0)
        known = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(known, BaseException):
            raise known
        return known

    monkeypatch.setattr(engine_picker, "look_around", look)
    monkeypatch.setattr(engine_picker, "iter_apart", lambda steps, *arguments: steps(*arguments))
    return found


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A viewer as plugins get it: private names and other threads are refused."""
    return make_napari_viewer_proxy()


@pytest.fixture
def widget(viewer, surroundings):
    """The widget, docked."""
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    return widget


@pytest.fixture
def image(viewer):
    return viewer.add_image(np.zeros((64, 64), np.uint16), name="dapi", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def run(runs, qtbot):
    """Press Segment and wait for the end."""

    def press(widget):
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.run_button.click()

    return press


def buttons(widget):
    return widget.run_button.isEnabled(), widget.cancel_button.isEnabled()


READY, RUNNING, IDLE = (True, False), (False, True), (False, False)


def begin(widget, runs, qtbot):
    """Press Segment and wait until the run is under way; it waits for `runs.go`."""
    runs.go.clear()
    widget.run_button.click()
    qtbot.waitUntil(runs.began.is_set, timeout=WAIT_MS)


def names(viewer):
    return [layer.name for layer in viewer.layers]


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """A folder with the small network."""
    folder = tmp_path_factory.mktemp("models")
    tiny_model().save(folder / "tiny")
    return folder


@pytest.fixture
def tiny(widget, surroundings, tiny_models, monkeypatch, qtbot):
    """The widget with the small network, and nothing replaced but the folder of models."""
    monkeypatch.setattr(checkpoint, "user_folder", lambda: tiny_models)
    surroundings[:] = [replace(SURROUNDINGS, models=("tiny",), model="tiny")]
    widget.engine.refresh()
    qtbot.waitUntil(lambda: not widget.engine.looking, timeout=WAIT_MS)
    widget.engine.device_box.setCurrentIndex(widget.engine.device_box.findData("cpu"))
    return widget


@pytest.fixture
def segmented(qtbot):
    """Press Segment and wait until the labels are there, and all that follows from them."""

    def press(widget):
        with qtbot.waitSignal(widget.job.finished, timeout=5 * WAIT_MS):
            widget.run_button.click()
        assert widget.status.message.text.text() == ""
        result = widget.results.of(widget.images.layer)
        return result.labels

    return press


@pytest.fixture
def settled(qtbot):
    """Wait until a result follows the sliders wholly."""

    def wait(widget):
        qtbot.waitUntil(lambda: not widget.live.busy, timeout=WAIT_MS)

    return wait


@pytest.fixture
def correct(viewer, qtbot):
    """Show the dock "Correct nuclei"."""

    def show():
        widget = CorrectWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Correct nuclei")
        viewer.window.show()
        qtbot.waitUntil(widget.isVisible, timeout=WAIT_MS)
        return widget

    return show


def ready(widget, qtbot):
    """Wait until the correcting dock has counted what its layer holds."""
    qtbot.waitUntil(lambda: widget.history is not None and widget.history.counted and not widget.counting.running, timeout=WAIT_MS)

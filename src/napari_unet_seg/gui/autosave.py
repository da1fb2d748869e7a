"""Labels that somebody paints or corrects are saved beside the work, so that a crash or a closed window costs no more than seconds.

Each layer has one file a session, replaced as the work goes on; the newest files are kept. ``napari-unet-seg.open_edited`` finds them.
"""

from __future__ import annotations

import re
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_warning
from napari.viewer import Viewer  # noqa: TC002  # napari looks the annotation up to hand the viewer to a command
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFileDialog

from napari_unet_seg.gui import preferences
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.open_image import dialog_options, open_paths, window_of
from napari_unet_seg.gui.words import explain
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY
from napari_unet_seg.io.napari_writers import info_of_layer
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.io.labels_info import LabelsInfo

WAIT_MS = 20_000
"""Time from an edit to its file; edits in between are saved with it."""
MOST_FILES = 20
MOST_BYTES = 2**29
"""Larger layers are not saved: their writing would disturb the work."""
NOTHING_YET = "No edited labels were saved yet; they are, seconds after you paint or correct some."
_STATE = ("scale", "units", "axis_labels", "name", "features", "metadata")


def autosave_folder() -> Path:
    """Return where edited labels are kept; it may not exist yet."""
    from platformdirs import user_data_path

    return user_data_path("napari-unet-seg", appauthor=False) / "edited labels"


def watch_edits(viewer: Viewer) -> None:
    """Save what is edited in a viewer from now on, unless the preferences say otherwise; once a window is enough.

    Parameters
    ----------
    viewer : napari.Viewer
    """
    window = window_of(viewer)
    if preferences.autosave() and window.findChild(Autosave) is None:
        Autosave(viewer, window)


def open_edited(viewer: Viewer) -> None:
    """Ask which of the labels that were saved by themselves to open: the command "Open edited labels again...".

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added; napari hands over the viewer of the window.
    """
    folder = autosave_folder()
    if not any(folder.glob("*.labels.tif")):
        show_warning(NOTHING_YET)
        return
    title, shown = "Open edited labels again", "Labels (*.labels.tif)"
    chosen, _ = QFileDialog.getOpenFileNames(window_of(viewer), title, str(folder), shown, "", dialog_options())
    open_paths(viewer, chosen)


class Autosave(QObject):
    """Notices edits of labels layers, and saves them a little later.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QObject
        Its owner, with which it ends.
    """

    saved = Signal(object)
    """The Path of a file that was written."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        """Watch the layers that are there, and those that come."""
        super().__init__(parent)
        self._edited: list[weakref.ref[Labels]] = []
        self._paths: weakref.WeakKeyDictionary[Labels, Path] = weakref.WeakKeyDictionary()
        self._job, self._timer = Job(self), QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self.save_next)
        self._job.returned.connect(self.saved)
        self._job.failed.connect(self._tell)
        self._job.finished.connect(self._go_on)
        for layer in viewer.layers:
            self._watch(layer)
        viewer.layers.events.inserted.connect(self._watch_inserted)

    def save_next(self) -> None:
        """Save the layer whose edit is the oldest one that is not in a file yet."""
        if self._job.running or not self._edited:
            return
        layer = self._edited.pop(0)()
        if layer is None or not _can_be_saved(layer):
            self._go_on()
            return
        path = self._paths.setdefault(layer, _new_path(layer.name))
        info = info_of_layer({name: getattr(layer, name) for name in _STATE})
        self._job.start(_save_steps(path, layer.data, info))

    def _watch_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _watch(self, layer: Any) -> None:
        if isinstance(layer, Labels):
            layer.events.paint.connect(self._note_stroke)
            layer.events.labels_update.connect(self._note_correction)

    def _note_stroke(self, event: Any) -> None:
        self._note(event.source)

    def _note_correction(self, event: Any) -> None:
        """Notice what the correcting dock does; sliders update labels too, but of layers that nobody has edited."""
        provenance = event.source.metadata.get(PROVENANCE_KEY)
        if isinstance(provenance, dict) and provenance.get(EDITED_KEY):
            self._note(event.source)

    def _note(self, layer: Labels) -> None:
        if not isalive(self):  # type: ignore[no-untyped-call]  # a layer may outlive the window
            return
        if all(known() is not layer for known in self._edited):
            self._edited.append(weakref.ref(layer))
        if not self._timer.isActive():
            self._timer.start()

    def _go_on(self) -> None:
        if self._edited and not self._timer.isActive():
            self.save_next()

    def _tell(self, error: BaseException) -> None:
        """Say once what is in the way, and try no more: a full disk would be told of every few seconds."""
        show_warning(f"Edited labels are not saved by themselves any more. {explain(error)}")
        self._edited.clear()
        self._timer.timeout.disconnect(self.save_next)


def _can_be_saved(layer: Labels) -> bool:
    return isinstance(layer.data, np.ndarray) and layer.data.nbytes <= MOST_BYTES and layer.ndim <= 5


def _new_path(name: str) -> Path:
    """Return a file that is not there yet, named after a layer and the time."""
    known = re.sub(r"[^\w .()-]", "_", name)[:80].strip() or "labels"
    stem = f"{known} {time.strftime('%Y-%m-%d %H.%M')}"
    folder = autosave_folder()
    names = (stem if count == 1 else f"{stem} ({count})" for count in range(1, MOST_FILES + 2))
    paths = (folder / f"{name}.labels.tif" for name in names)
    return next((path for path in paths if not path.exists()), folder / f"{stem}.labels.tif")


def _save_steps(path: Path, labels: Any, info: LabelsInfo) -> Steps[Path]:
    yield Progress("Saving edited labels", 0, 0)
    from napari_unet_seg.io.tiff_writer import write_tiff

    path.parent.mkdir(parents=True, exist_ok=True)
    write_tiff(path, labels, info)
    files = sorted(path.parent.glob("*.labels.tif"), key=_age)
    for old in files[MOST_FILES:]:
        old.unlink(missing_ok=True)
    return path


def _age(path: Path) -> float:
    return -path.stat().st_mtime

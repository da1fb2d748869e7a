"""File > Open Sample for public image sets: downloaded at the first time, with a bar and a way to stop; then a few images are opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QThread
from qtpy.QtWidgets import QApplication, QDialog, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.errors import ReadError
from napari_unet_seg.gui.job import Job
from napari_unet_seg.io.downloads import BBBC038, BBBC039, PublicSet, iter_fetch
from napari_unet_seg.io.folder_layers import OpenedFolder, iter_folder
from napari_unet_seg.io.folders import find_annotated
from napari_unet_seg.io.samples import TRUTH
from napari_unet_seg.progress import Progress, Steps, drain

if TYPE_CHECKING:
    from napari_unet_seg.io.napari_reader import LayerTuple

Result = TypeVar("Result")

AT_A_TIME = 6
"""Images that are opened: evenly spaced, and so of several kinds."""
CANCELLED = "The download was cancelled; nothing was kept."
_UNITS = {"Downloading": ("{:.1f} of {:.1f} MB", 1000), "Unpacking": ("{:.0f} of {:.0f} files", 1)}
_WIDTH = 420


def open_bbbc038() -> list[LayerTuple]:
    """Return some images of BBBC038 (Data Science Bowl 2018) with their labels; downloads them at the first time.

    Raises
    ------
    ReadError
        If the set cannot be fetched, or the download is cancelled.
    """
    return open_public(BBBC038)


def open_bbbc039() -> list[LayerTuple]:
    """Return some images of BBBC039 (U2OS) with their labels; downloads them at the first time.

    Raises
    ------
    ReadError
        If the set cannot be fetched, or the download is cancelled.
    """
    return open_public(BBBC039)


def open_public(public: PublicSet) -> list[LayerTuple]:
    """Return some images of a public set with their labels, fetched if need be.

    Parameters
    ----------
    public : PublicSet

    Returns
    -------
    list of (data, dict, str)
        Image layers, and hidden Labels layers called "... truth".

    Raises
    ------
    ReadError
        If the set cannot be fetched, or the download is cancelled.
    """
    opened, folder, there = _with_window(lambda: _iter_open(public), public)
    names = {str(options["name"]) for _, options, kind in opened.layers if kind == "image"}
    show_info(
        f"{public.key}: {public.about}. Some of its {there:,} images are opened; all are in {folder}, for "
        "File > IO Utilities > Open folder of images and labels."
    )
    return [_as_truth(layer, names) if layer[2] == "labels" else layer for layer in opened.layers]


def _iter_open(public: PublicSet) -> Steps[tuple[OpenedFolder, Path, int]]:
    folder = yield from iter_fetch(public)
    names = [item.name for item in find_annotated(folder)]
    step = max(1, len(names) // AT_A_TIME)
    opened = yield from iter_folder(folder, names[step // 2 :: step][:AT_A_TIME])
    return opened, folder, len(names)


def _as_truth(layer: LayerTuple, names: set[str]) -> LayerTuple:
    data, options, kind = layer
    name = str(options["name"]).removesuffix(" labels")
    return data, {**options, "name": TRUTH.format(name if name in names else "labels"), "visible": False}, kind


def _with_window(start: Callable[[], Steps[Result]], public: PublicSet) -> Result:
    """Go through the steps behind a small window with a bar; without a program that has windows, simply to the end."""
    application = QApplication.instance()
    if application is None or QThread.currentThread() is not application.thread():
        return drain(start())
    window = DownloadWindow(public, QApplication.activeWindow())
    return window.run(start())


class DownloadWindow(QDialog):
    """A bar, and a button that stops the download; napari waits for it, and goes on being drawn.

    Parameters
    ----------
    public : PublicSet
        What is fetched.
    parent : QWidget, optional
        The window above which it is shown.
    """

    def __init__(self, public: PublicSet, parent: QWidget | None = None) -> None:
        """Build the window."""
        super().__init__(parent)
        self.setWindowTitle(f"Opening {public.key}")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.about, self.detail, self.bar = QLabel(public.about, self), QLabel(self), QProgressBar(self)
        self.cancel_button = QPushButton("Cancel", self)
        self.about.setWordWrap(True)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(8)
        for widget in (self.about, self.bar, self.detail):
            layout.addWidget(widget)
        layout.addWidget(self.cancel_button, 0, Qt.AlignmentFlag.AlignRight)
        self.setMinimumWidth(_WIDTH)
        self._error: BaseException | None = None
        self._result: object = None
        self.job = Job(self)
        self.job.progressed.connect(self._show_progress)
        self.job.returned.connect(self._keep)
        self.job.failed.connect(self._keep_error)
        self.job.cancelled.connect(self._note_cancelled)
        self.job.finished.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)

    def run(self, steps: Steps[Result]) -> Result:
        """Show the window until the steps have ended.

        Parameters
        ----------
        steps : generator

        Returns
        -------
        object
            What the steps return.

        Raises
        ------
        ReadError
            If the window is closed or Cancel is pressed; else what the steps raise.
        """
        self.job.start(steps)
        self.exec()
        self.deleteLater()
        if self._error is not None:
            raise self._error
        return cast("Result", self._result)

    def reject(self) -> None:
        """Stop; the window closes when the job has."""
        self.job.cancel()
        self.detail.setText("Stopping …")
        self.cancel_button.setEnabled(False)

    def _show_progress(self, step: Progress) -> None:
        if not self.cancel_button.isEnabled():
            return
        self.bar.setRange(0, step.total or 1)
        self.bar.setValue(step.done if step.total else 0)
        words, unit = _UNITS.get(step.stage.partition(" ")[0], ("{:.0f} of {:.0f}", 1))
        amount = f": {words.format(step.done / unit, step.total / unit)}" if step.total else " …"
        self.detail.setText(step.stage + amount)

    def _keep(self, result: object) -> None:
        self._result = result

    def _keep_error(self, error: BaseException) -> None:
        self._error = error

    def _note_cancelled(self) -> None:
        self._error = ReadError(CANCELLED)

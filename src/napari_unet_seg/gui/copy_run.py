"""The button that copies the present run as a command or as Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton, QWidget

from napari_unet_seg.errors import WriteError
from napari_unet_seg.gui.layers import layer_axes, read_source
from napari_unet_seg.io.napari_reader import FILE_KEY
from napari_unet_seg.io.region_writer import write_region
from napari_unet_seg.io.run_text import Run, as_command, as_python

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel
    from napari_unet_seg.settings import SegmentSettings

COMMAND, PYTHON = "command", "python"
COPY, COPIED = "Copy run …", "Copied ✓"
_COPIED_MS = 2000
_TIP = "Copy exactly what “Segment” does now, to repeat it in a terminal or in a script: for many images, on another computer, in a paper."
_ASK = "Where to keep the region, which the command reads"


class CopyRun(QObject):
    """A button with a menu of two.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    wanted = Signal(str)
    """The run is to be copied as `COMMAND` or `PYTHON`: call `copy`."""
    failed = Signal(object)
    """The exception for which the region could not be written."""

    def __init__(self, parent: QWidget) -> None:
        """Make the button."""
        super().__init__(parent)
        self.button, self.menu = QPushButton(COPY, parent), QMenu(parent)
        self.button.setProperty("kind", "flat")
        self.button.setToolTip(_TIP)
        self.menu.addAction("Copy as command").triggered.connect(self._want_command)  # type: ignore[union-attr]
        self.menu.addAction("Copy as Python").triggered.connect(self._want_python)  # type: ignore[union-attr]
        self.button.clicked.connect(self._open)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_COPIED_MS)
        self._timer.timeout.connect(self._settle)

    def copy(self, kind: str, run: Run, region: Path | None) -> None:
        """Put a run on the clipboard.

        Parameters
        ----------
        kind : {"command", "python"}
        run : Run
        region : Path or None
            The file that its region is from. A command needs one: it is asked for, and written, when there is none.
        """
        if kind == COMMAND and run.settings.region and region is None:
            region = self._keep_region(run)
            if region is None:
                return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(as_python(run) if kind == PYTHON else as_command(run, region))
            self.button.setText(COPIED)
            self._timer.start()

    def _open(self) -> None:
        self.menu.popup(self.button.mapToGlobal(self.button.rect().bottomLeft()))

    def _want_command(self) -> None:
        self.wanted.emit(COMMAND)

    def _want_python(self) -> None:
        self.wanted.emit(PYTHON)

    def _settle(self) -> None:
        self.button.setText(COPY)

    def _keep_region(self, run: Run) -> Path | None:
        """Write the region to a file that the person chooses; None when there is none."""
        start = Path(run.path).with_suffix(".region.geojson") if run.path else Path("region.geojson")
        name, _ = QFileDialog.getSaveFileName(self.button, _ASK, str(start), "GeoJSON (*.geojson)")
        if not name:
            return None
        path = Path(name)
        try:
            write_region(path, run.settings.region)
        except WriteError as error:
            self.failed.emit(error)
            return None
        return path


def describe_run(
    layer: Image, channel: Channel | None, engine: tuple[str, str], settings: SegmentSettings, defaults: SegmentSettings
) -> Run:
    """Say what a run of a layer is, in terms of the file that the layer comes from.

    Parameters
    ----------
    layer : napari.layers.Image
    channel : Channel or None
        The dimension of the layer that holds channels, and which of them is segmented.
    engine : tuple of str
        Model and device.
    settings : SegmentSettings
        What is asked for.
    defaults : SegmentSettings
        The model's own.

    Returns
    -------
    Run
    """
    source, record = read_source(layer, channel), layer.metadata.get(FILE_KEY, {})
    path, axes, index = record.get("path", ""), record.get("axes", source.axes), record.get("channel")
    if not record and layer.source.path is not None:
        path = str(Path(layer.source.path).absolute())
    if channel is not None:
        letters = layer.metadata.get("axes", layer_axes(layer)) if record else layer_axes(layer)
        axes, index = axes.replace(letters[channel.axis], "C"), channel.index
    named = channel is None or "C" in layer_axes(layer)
    return Run(layer.name, path, axes, index, *engine, settings, defaults, named)

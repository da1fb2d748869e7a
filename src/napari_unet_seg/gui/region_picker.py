"""Where nuclei are looked for: the row "Where", which follows the Shapes layers of the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from napari.utils.history import get_open_history
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QWidget

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.where import areas_of, view_of
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.settings import Polygons

WHOLE, VIEW, FILE, OTHER_FILE = "Whole layer", "Current view", "From a file (GeoJSON) …", "From another file (GeoJSON) …"
INSIDE = "Inside “{}”"
OWN_KEY = "napari_unet_seg_diameter"
"""Metadata of the Shapes layer that shows the diameter: it is no region."""
_FILTER = "Regions of QuPath (*.geojson *.json);;All files (*)"
_TIP = (
    "Where nuclei are looked for. A part is done sooner than the whole, and finds the same nuclei there: those whose centre lies inside. "
    "In a result that is there already, only these are replaced. For areas, add a Shapes layer and draw rectangles, polygons or ellipses."
)
_HINTS = {WHOLE: "", VIEW: "What the window shows when you press the button."}


class RegionPicker(QObject):
    """The row "Where".

    Parameters
    ----------
    viewer : napari.Viewer
        Its Shapes layers are offered.
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()
    failed = Signal(object)
    """The exception for which a file could not be read."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the row; it begins with the whole layer."""
        super().__init__(parent)
        self._viewer = viewer
        self._entries: list[Any] = []
        self._read: tuple[Path, Polygons] | None = None
        self._reading: Path | None = None
        self._before: Any = WHOLE
        self.label, self.box, self.hint = QLabel("Where", parent), Choice(parent), Hint(parent)
        self._job = Job(self)
        self._job.returned.connect(self._take_file)
        self._job.failed.connect(self._lose_file)
        self._dress()
        self.box.currentIndexChanged.connect(self._choose)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            emitter.connect(self.refresh)
        self.refresh()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the row in a form."""
        layout.addRow(self.label, self.box)
        layout.addRow("", self.hint)

    @property
    def file(self) -> Path | None:
        """The file that the region is from; None when it is from elsewhere."""
        return self._read[0] if self._read is not None and self._chosen == self._read else None

    @property
    def reading(self) -> bool:
        """Whether a file is being read."""
        return self._job.running

    def polygons(self, layer: Image) -> Polygons:
        """Return where in an image nuclei are looked for.

        Parameters
        ----------
        layer : napari.layers.Image

        Returns
        -------
        tuple of tuple of (float, float)
            Corners (y, x) in pixels of the full-size image; empty for everywhere.

        Raises
        ------
        InputError
            If the view shows nothing of the image, or the shapes enclose nothing.
        """
        chosen = self._chosen
        if chosen == VIEW:
            return view_of(self._viewer, layer)
        if isinstance(chosen, Shapes):
            return areas_of(chosen, layer)
        if self._reading is not None:
            raise InputError(f"{self._reading.name} is still being read; try again in a moment.")
        return chosen[1] if isinstance(chosen, tuple) else ()

    def refresh(self, event: object = None) -> None:
        """Offer the Shapes layers that there are, and keep the choice if it is among them."""
        if not isalive(self.box):  # type: ignore[no-untyped-call]  # the viewer may outlive the window
            return
        chosen = self._chosen
        shapes = [layer for layer in reversed(list(self._viewer.layers)) if is_region(layer)]
        files = [] if self._read is None else [self._read]
        self._entries = [WHOLE, VIEW, *shapes, *files, OTHER_FILE if files else FILE]
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([_title(entry) for entry in self._entries])
        self.box.setCurrentIndex(self._place(chosen))
        self.box.blockSignals(False)
        if self._chosen != chosen:
            self._choose()

    def choose_file(self, path: Path) -> None:
        """Read a file beside the window, and choose it.

        Parameters
        ----------
        path : Path
            GeoJSON, as QuPath exports annotations.
        """
        if self._job.start(_read(path)):
            self._reading = path
            self.hint.setText(f"Reading {path.name} …")
            self.hint.show()

    def _dress(self) -> None:
        self.label.setBuddy(self.box)
        self.box.setAccessibleName("Where")
        for widget in (self.label, self.box):
            widget.setToolTip(tooltip(_TIP))
        self.hint.hide()

    @property
    def _chosen(self) -> Any:
        """What is chosen: one of the sentences above, a Shapes layer, or a file with its polygons."""
        index = self.box.currentIndex()
        return self._entries[index] if 0 <= index < len(self._entries) else WHOLE

    def _place(self, wanted: Any) -> int:
        return next((place for place, entry in enumerate(self._entries) if entry == wanted), 0)

    def _choose(self, index: int = 0) -> None:
        if self._chosen in (FILE, OTHER_FILE):
            QTimer.singleShot(0, self._ask)  # once the list is closed
        else:
            self._before = self._chosen
            self._tell()

    def _ask(self) -> None:
        self.box.setCurrentIndex(self._place(self._before))  # as long as no file is read
        name, _ = QFileDialog.getOpenFileName(self.box, "Choose a region", get_open_history()[0], _FILTER)
        if name:
            self.choose_file(Path(name))

    def _take_file(self, read: tuple[Path, Polygons]) -> None:
        self._read, self._reading = read, None
        self.refresh()
        self.box.setCurrentIndex(self._place(read))

    def _lose_file(self, error: BaseException) -> None:
        self._reading = None
        self._tell()
        self.failed.emit(error)

    def _tell(self) -> None:
        chosen = self._chosen
        text = _HINTS.get(chosen, "") if isinstance(chosen, str) else ""
        if isinstance(chosen, tuple):
            text = f"{len(chosen[1]):,} {'area' if len(chosen[1]) == 1 else 'areas'}, in pixels of the image."
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        self.changed.emit()


def _title(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    return INSIDE.format(entry.name if isinstance(entry, Shapes) else entry[0].name)


def is_region(layer: object) -> bool:
    """Say whether a layer holds shapes that a person drew; our own circle is none.

    Parameters
    ----------
    layer : object

    Returns
    -------
    bool
    """
    return isinstance(layer, Shapes) and OWN_KEY not in layer.metadata


def _read(path: Path) -> Steps[tuple[Path, Polygons]]:
    yield Progress("Reading", 0, 0)
    from napari_unet_seg.io.region_reader import read_region

    return path, read_region(path)

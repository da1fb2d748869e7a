"""Opening images with their channels and scale: the commands in the menu File > IO Utilities, and `open_image_layers` for Python.

They exist because our reader does not claim images of others (`napari_unet_seg.io.napari_reader` says why): File > Open is napari's own.

Files are read beside the window. Reading three channels of a camera takes 2 to 20 ms, but decompressing a stack of 60 MB nearly a second,
and what lies on a server longer still. The layers are made in the window's thread, as napari does it itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Layer
from napari.utils.history import get_open_history, update_open_history
from napari.utils.misc import in_ipython
from napari.utils.notifications import ErrorNotification, notification_manager, show_error, show_info
from napari.viewer import Viewer  # noqa: TC002  # napari looks the annotation up to hand the viewer to a command
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFileDialog

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.status import Activity
from napari_unet_seg.gui.words import explain
from napari_unet_seg.io.folder_layers import OpenedFolder, iter_folder
from napari_unet_seg.io.folders import is_annotated
from napari_unet_seg.io.image import ImageFile, open_image
from napari_unet_seg.io.napari_reader import READABLE, layers_of, read_layers
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

    from napari_unet_seg.io.napari_reader import LayerTuple

FILTER = f"Images ({' '.join('*' + suffix for suffix in READABLE if suffix != '.zarr')});;All files (*)"
"""What the file dialog shows. What a file holds decides how it is read, so any name may be chosen; an OME-Zarr is a folder."""


def open_image_layers(viewer: ViewerModel, path: str | Path) -> list[Layer]:
    """Open an image, and return when its layers are in the viewer.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where the layers are added.
    path : str or Path
        A TIFF of any kind, PNG or JPEG, the folder of an OME-Zarr, or a folder of images with labels (see `napari_unet_seg.io.folders`).
        What is larger than 256 MiB is read when it is looked at.

    Returns
    -------
    list of napari.layers.Layer
        An image layer a channel (colours are one layer), or a Labels layer; scaled in micrometres as far as the file tells, named and
        coloured as it says.

    Raises
    ------
    ReadError
        If the file cannot be read; nothing is added then.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> from napari_unet_seg.io.samples import sample_path
    >>> layer, = open_image_layers(ViewerModel(), sample_path("nuclei"))
    >>> layer.scale.tolist()
    [0.325, 0.325]
    """
    return _add(viewer, read_layers(path))


def open_files(viewer: Viewer) -> None:
    """Ask for files, and open each: the command "Open image with channels and scale...".

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added; napari hands over the viewer of the window.
    """
    window, start = window_of(viewer), get_open_history()[0]
    chosen, _ = QFileDialog.getOpenFileNames(window, "Open images with channels and scale", start, FILTER, "", dialog_options())
    open_paths(viewer, chosen)


def open_zarr(viewer: Viewer) -> None:
    """Ask for the folder of an OME-Zarr, and open it: the command "Open OME-Zarr with channels and scale...".

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added; napari hands over the viewer of the window.
    """
    window, start = window_of(viewer), get_open_history()[0]
    options = dialog_options() | QFileDialog.Option.ShowDirsOnly
    chosen = QFileDialog.getExistingDirectory(window, "Open OME-Zarr with channels and scale", start, options)
    open_paths(viewer, [chosen] if chosen else [])


def open_folder(viewer: Viewer) -> None:
    """Ask for a folder of images with labels, and open it: the command "Open folder of images and labels...".

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added; napari hands over the viewer of the window.
    """
    window, start = window_of(viewer), get_open_history()[0]
    options = dialog_options() | QFileDialog.Option.ShowDirsOnly
    chosen = QFileDialog.getExistingDirectory(window, "Open a folder with images and masks or labels", start, options)
    open_paths(viewer, [chosen] if chosen else [])


class Opening(QObject):
    """Reads files one after the other beside the window, and adds the layers of each as soon as it is read.

    A file that cannot be read is told of in one sentence, and the next one is opened. Nothing more is read once the window is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added.
    paths : iterable of Path
        Files, folders of OME-Zarrs, and folders of images with labels.
    """

    finished = Signal()
    """All files were read or told of."""

    def __init__(self, viewer: Viewer, paths: Iterable[Path]) -> None:
        """Prepare; nothing is read before `start`."""
        super().__init__(window_of(viewer))
        self._viewer = viewer
        self._paths = list(paths)
        self._begun = 0
        self._job = Job(self)
        self._activity = Activity()
        self._job.progressed.connect(self._show_progress)
        self._job.returned.connect(self._show)
        self._job.failed.connect(_tell)
        self._job.finished.connect(self._next)

    def start(self) -> None:
        """Begin with the first file."""
        count = len(self._paths)
        self._activity.start(f"Opening {self._paths[0].name}" if count == 1 else f"Opening {count} images")
        self._next()

    def _next(self) -> None:
        if self._begun == len(self._paths):
            self._activity.close()
            self.finished.emit()
            self.deleteLater()
            return
        if len(self._paths) > 1:  # of one file the bar cannot tell how far it is
            self._activity.show_progress(Progress("Opening", self._begun, len(self._paths)))
        self._begun += 1
        self._job.start(_read(self._paths[self._begun - 1]))

    def _show_progress(self, step: Progress) -> None:
        if len(self._paths) == 1:  # of several files, the bar counts files
            self._activity.show_progress(step)

    def _show(self, opened: ImageFile | OpenedFolder) -> None:
        if opened.notice:
            show_info(opened.notice)
        try:
            _add(self._viewer, opened.layers if isinstance(opened, OpenedFolder) else layers_of(opened))
        except UnetSegError as error:  # napari looks at the first pixels of a large file, which may be where it is damaged
            _tell(error)


def open_paths(viewer: Viewer, chosen: Sequence[str]) -> None:
    """Open files beside the window, one after the other.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are added.
    chosen : sequence of str
        Paths; none at all is allowed.
    """
    if not chosen:
        return
    paths = [Path(name) for name in chosen]
    update_open_history(str(paths[0]))
    Opening(viewer, paths).start()  # lives until it has finished, since the window owns it


def _read(path: Path) -> Steps[ImageFile | OpenedFolder]:
    yield Progress("Opening", 0, 0)
    if is_annotated(path):
        return (yield from iter_folder(path))
    return open_image(path)


def _add(viewer: ViewerModel, tuples: Iterable[LayerTuple]) -> list[Layer]:
    """Add all layers or, when one of them cannot be made, none."""
    layers = [Layer.create(data, options, kind) for data, options, kind in tuples]
    for layer in layers:
        viewer.add_layer(layer)
    return layers


def _tell(error: BaseException) -> None:
    """Show a sentence; what nobody foresaw is shown with the traceback that a report needs."""
    if isinstance(error, (UnetSegError, MemoryError)):
        show_error(explain(error))
    else:
        notification_manager.dispatch(ErrorNotification(error))


def window_of(viewer: Viewer) -> QWidget:
    """Return the main window, by way of what napari publishes: its own name for it is private."""
    window: QWidget = viewer.window.main_menu.parentWidget()
    return window


def dialog_options() -> QFileDialog.Option:
    """Return the options of a file dialog that napari's own dialogs have."""
    # As napari's own dialogs: the system's would never come up while IPython holds the terminal.
    return QFileDialog.Option.DontUseNativeDialog if in_ipython() else QFileDialog.Option(0)

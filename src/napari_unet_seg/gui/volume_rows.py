"""Lets the table of nuclei in 3D follow corrections: a stroke in one plane changes a nucleus that reaches through several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.measuring import layer_info
from napari_unet_seg.gui.teller import notify, stale
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.gui.edit_history import EditHistory
    from napari_unet_seg.io.labels_info import LabelsInfo

STAGE = "Measuring what was corrected"
REST_MS = 300
"""Without a correction for this long, all planes are read; beside the window, for there may be many."""


class VolumeRows(QObject):
    """Measures the nuclei of one layer again some time after they were corrected, or a correction was undone.

    The rows are always made from those that were there before the first correction, so that a nucleus which comes back by an undo has all
    that was known of it: its score, its intensities and what somebody else had noted.

    Parameters
    ----------
    history : EditHistory
        Its layer may have a table of any kind: one of outlines follows in `EditHistory` itself. It is the owner, too.
    """

    failed = Signal(object)
    """The exception for which the table does not follow."""

    def __init__(self, history: EditHistory) -> None:
        """Wait for the first correction."""
        super().__init__(history)
        self._history = history
        self._told = history.edits
        self._measured = history.edits
        self._before = self._shown = history.layer.features.copy()
        self._closed = False
        self._job, self._rest = Job(self), QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._measure)
        self._job.returned.connect(self._show)
        self._job.failed.connect(self._fail)
        history.changed.connect(self._wait)

    def finish(self) -> None:
        """Do what is still to be done without the owner, which is closed; then it ends."""
        if self._outdated:
            self._closed = True
            self._history.changed.disconnect(self._wait)
            self.setParent(QCoreApplication.instance())
            self._rest.start()

    @property
    def _outdated(self) -> bool:
        return self._history.edits != self._told and bool(self._history.axes) and is_in_3d(self._history.layer.features)

    def _wait(self) -> None:
        if self._outdated:
            self._rest.start()

    def _measure(self) -> None:
        layer, edits = self._history.layer, self._history.edits
        if self._job.running:
            self._rest.start()
            return
        if not layer.features.equals(self._shown):  # somebody else has changed it
            self._before = self._shown = layer.features.copy()
        self._measured = edits
        self._job.start(row_steps(layer.data, replace(layer_info(layer), features=self._before)))

    def _show(self, table: pd.DataFrame) -> None:
        layer = self._history.layer
        if self._history.edits != self._measured or not layer.features.equals(self._shown):  # they were changed meanwhile
            self._rest.start()
            return
        self._told = self._measured
        self._history.tell(table)
        self._shown = layer.features.copy()
        self._end()

    def _fail(self, error: BaseException) -> None:
        told = stale(self._history.layer.name, error)
        if self._closed:
            notify(told)
        else:
            self.failed.emit(told)
        self._end()

    def _end(self) -> None:
        if self._closed:
            self.deleteLater()


def row_steps(labels: Any, info: LabelsInfo) -> Steps[pd.DataFrame]:
    """Make the table true of the labels; rows of nuclei that nobody changed stay as they are.

    Parameters
    ----------
    labels : array-like of int, shape (..., Z, Y, X)
    info : LabelsInfo
        Their axes and features.

    Yields
    ------
    Progress
        At the beginning.

    Returns
    -------
    pandas.DataFrame
        With ``index`` for napari, see `napari_unet_seg.io.table_writer.labels_table`.

    Raises
    ------
    InputError
        If the labels cannot be measured.
    """
    yield Progress(STAGE, 0, 0)
    from napari_unet_seg.io.labels_info import open_labels
    from napari_unet_seg.io.table_writer import labels_table

    table = labels_table(open_labels(labels, info), info)
    table = table.assign(index=table["label"])
    known = [] if info.features is None else [name for name in info.features if name in table]
    return table[[*known, *(name for name in table if name not in known)]]

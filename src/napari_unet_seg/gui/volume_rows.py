"""Lets the table of nuclei in 3D follow corrections: a stroke in one plane changes a nucleus that reaches through several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.measuring import layer_info
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
        self._job, self._rest = Job(self), QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._measure)
        self._job.returned.connect(self._show)
        self._job.failed.connect(self.failed)
        history.changed.connect(self._wait)

    def _wait(self) -> None:
        if self._history.edits != self._told and is_in_3d(self._history.layer.features):
            self._rest.start()

    def _measure(self) -> None:
        layer, edits = self._history.layer, self._history.edits
        if self._job.start(row_steps(layer.data, layer_info(layer))):
            self._measured = edits
        else:
            self._rest.start()

    def _show(self, table: pd.DataFrame) -> None:
        if self._history.edits != self._measured:  # it was corrected meanwhile
            self._rest.start()
            return
        self._told = self._measured
        self._history.tell(table)


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

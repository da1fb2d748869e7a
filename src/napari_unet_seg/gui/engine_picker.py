"""With which model, and on which device: rows that are filled in beside the window, since that needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_unet_seg.core.apart import iter_apart
from napari_unet_seg.errors import ModelError
from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.form import name_row, tooltip
from napari_unet_seg.gui.gpu_panel import GpuPanel
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.preferences import Preferences, read_preferences
from napari_unet_seg.gui.surroundings import Surroundings, look_around
from napari_unet_seg.settings import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QStandardItemModel


LOOKING = "Looking for a GPU …"
ON_THE_CPU = "On the CPU."
NO_MODEL = "No model is installed; install napari-unet-seg again, which brings one."
NOT_THERE = "The preferences ask for the model “{}”, which is not there; “{}” is chosen. The list “Model” has the names that can be used."
_TITLES = {"auto": "Automatic", "cuda": "GPU (CUDA)", "mps": "GPU (Apple Metal)", "cpu": "CPU"}
_MODEL_TIP = "What finds the nuclei. “nuclei” comes with the plugin: fluorescence, stained tissue and dark nuclei on a bright ground."
_MANAGE_TIP = "The models as files: what each one is, and import, rename, delete, export."
_MANAGE_WIDTH = 28
_WHY_TIP = "Click to see what to install."
_DEVICE_TIP = "Where to compute. Automatic takes the graphics processor (GPU) if there is one, which is many times faster than the CPU."


class EnginePicker(QObject):
    """The rows "Model" and "Device", and what computes, in one line; they begin with what napari's preferences say.

    Parameters
    ----------
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()
    learned = Signal(object)
    """The `SegmentSettings` that suit the chosen model."""
    failed = Signal(object)
    """The exception for which nothing could be found out."""

    def __init__(self, parent: QWidget) -> None:
        """Make the editors; `refresh` fills them."""
        super().__init__(parent)
        self._looked_into = self._wanted = ""
        self._waiting: Callable[[], None] | None = None
        self._known: Surroundings | None = None
        self.model_box, self.device_box = Choice(parent), Choice(parent)
        self.model_label, self.device_label, self.reason = QLabel("Model", parent), QLabel("Device", parent), Hint(parent)
        self.manage_button, self.why_button = QPushButton("…", parent), QPushButton("Why no GPU?", parent)
        self._dress()
        self._job = Job(self)
        self._job.returned.connect(self._learn)
        self._job.failed.connect(self._fail)
        self._job.finished.connect(self._look_again)
        self.model_box.currentIndexChanged.connect(self._choose_model)
        self.device_box.currentIndexChanged.connect(self._choose_device)
        self.manage_button.clicked.connect(self._manage)
        self.why_button.clicked.connect(self._explain_gpu)

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        chosen = QHBoxLayout()
        chosen.setSpacing(4)
        chosen.addWidget(self.model_box, 1)
        chosen.addWidget(self.manage_button)
        layout.addRow(self.model_label, chosen)
        layout.addRow(self.device_label, self.device_box)
        below = QHBoxLayout()
        below.setSpacing(4)
        below.addWidget(self.reason, 1)
        below.addWidget(self.why_button)
        layout.addRow("", below)

    @property
    def model(self) -> str:
        """Name of the chosen model; empty when there is none."""
        return self.model_box.currentText()

    @property
    def device(self) -> str:
        """The chosen device, as the engine calls it."""
        return str(self.device_box.currentData())

    @property
    def looking(self) -> bool:
        """Whether it is being found out what there is."""
        return self._job.running

    @property
    def settled(self) -> bool:
        """Whether `learned` has told the settings that suit the chosen model, or will not tell them."""
        return not self.looking or (self._known is not None and self._known.model == self.model)

    def knows(self, call: Callable[[], None]) -> bool:
        """Say whether it is `settled`; if not, something is called once it is.

        Parameters
        ----------
        call : callable
            Called without arguments, and only the newest one.

        Returns
        -------
        bool
        """
        self._waiting = None if self.settled else call
        return self.settled

    def choose(self, name: str) -> None:
        """Choose a model that may have been added just now.

        Parameters
        ----------
        name : str
        """
        self._wanted = name if self.looking else ""  # a look that has begun may not know it, and would choose another
        if self.model_box.findText(name) < 0:
            self.model_box.addItem(name)
        self.model_box.setCurrentText(name)

    def refresh(self) -> None:
        """Find out again which models and devices there are."""
        if self._job.start(iter_apart(look_around, self.model)):
            self._looked_into = self.model

    def _dress(self) -> None:
        preferred = read_preferences()
        self._preferred = preferred.model  # until it was looked whether it is there
        self.model_box.addItem(preferred.model)
        for name in DEVICES:
            self.device_box.addItem(_TITLES[name], name)
        self.device_box.setCurrentIndex(max(0, self.device_box.findData(preferred.device)))
        self.manage_button.setFixedWidth(_MANAGE_WIDTH)
        self.manage_button.setToolTip(tooltip(_MANAGE_TIP))
        self.manage_button.setAccessibleName("Models")
        self.why_button.setProperty("kind", "link")
        self.why_button.hide()
        self.reason.setText(LOOKING)
        rows = ((self.model_label, self.model_box, _MODEL_TIP), (self.device_label, self.device_box, _DEVICE_TIP))
        for label, box, tip in rows:
            name_row(label, box, tip)

    def _learn(self, known: Surroundings) -> None:
        preferred, self._preferred = self._preferred, ""
        self._known = known
        chosen = self.model
        self.model_box.blockSignals(True)
        self.model_box.clear()
        self.model_box.addItems(list(known.models))
        self.model_box.setCurrentIndex(max(self.model_box.findText(chosen), min(0, len(known.models) - 1)))
        self.model_box.blockSignals(False)
        self._looked_into = known.model
        self.model_box.setToolTip(tooltip(f"{_MODEL_TIP} {known.about}" if known.models else NO_MODEL))
        self._show_devices(known)
        if not known.models:
            self.failed.emit(ModelError(NO_MODEL))
        elif preferred not in ("", Preferences().model, *known.models):
            self.failed.emit(ModelError(NOT_THERE.format(preferred, self.model)))
        if known.models and known.model == self.model:
            self.learned.emit(known.defaults)
        self.changed.emit()

    def _show_devices(self, known: Surroundings) -> None:
        items = cast("QStandardItemModel", self.device_box.model())
        for index, name in enumerate(DEVICES):
            note, item = known.devices[name], items.item(index)
            if item is not None:
                item.setEnabled(note.available)
            self.device_box.setItemData(index, tooltip(note.reason), Qt.ItemDataRole.ToolTipRole)
        self._show_reason()

    def _show_reason(self) -> None:
        if self._known is not None:
            why = self._known.devices[self.device].reason
            asks = self.device == "auto" and not self._has_gpu(self._known)
            self.reason.setText(ON_THE_CPU if asks else why)
            for widget in (self.reason, self.why_button):
                widget.setToolTip(tooltip(f"{why} {_WHY_TIP}" if asks else why))
            self.why_button.setVisible(asks)

    @staticmethod
    def _has_gpu(known: Surroundings) -> bool:
        return any(note.available for name, note in known.devices.items() if name not in ("auto", "cpu"))

    def _explain_gpu(self) -> None:
        GpuPanel(cast("QWidget", self.parent())).show()  # its owner keeps it until it is closed

    def _manage(self) -> None:
        from napari_unet_seg.gui.models_widget import ModelsWindow  # which tells pickers of changes, and so knows them

        ModelsWindow(cast("QWidget", self.parent()), self.model).show()  # its owner keeps it until it is closed

    def _fail(self, error: BaseException) -> None:
        self._looked_into = self.model  # trying again by itself would fail again
        self.reason.setText("It is not known what this computer can do.")
        self.failed.emit(error)

    def _look_again(self) -> None:
        if self._wanted:
            self.choose(self._wanted)
        if self.model and self.model != self._looked_into:
            self.refresh()
        self.changed.emit()  # `settled` may be another now
        if self._waiting is not None and self.settled:
            call, self._waiting = self._waiting, None
            call()

    def _choose_model(self, index: int = 0) -> None:
        self.refresh()
        self.changed.emit()

    def _choose_device(self, index: int = 0) -> None:
        self._show_reason()
        self.changed.emit()

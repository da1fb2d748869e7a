"""What the dock "Train on painted labels" consists of, and where each part is; what they do is in `napari_unet_seg.gui.train_widget`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QRegularExpression, Qt
from qtpy.QtGui import QRegularExpressionValidator
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.dock import WorkingDock
from napari_unet_seg.gui.editors import Choice, Hint, Number, Panel
from napari_unet_seg.gui.engine_picker import EnginePicker
from napari_unet_seg.gui.form import SettingsForm, fields_besides, name_row, tooltip
from napari_unet_seg.gui.learning_line import LearningLine
from napari_unet_seg.gui.network_rows import NetworkRows
from napari_unet_seg.gui.status import StatusPanel
from napari_unet_seg.gui.train_curves import TrainCurves
from napari_unet_seg.gui.train_inputs import TrainInputs
from napari_unet_seg.gui.trained_panel import TrainedPanel
from napari_unet_seg.settings import TrainSettings

if TYPE_CHECKING:
    from napari import Viewer

OWN_ROWS = ("steps", "minutes", "device")
"""Fields that have editors of their own here."""
ADVANCED = tuple(fields_besides(TrainSettings, OWN_ROWS))
TEACHING, FROM_NOTHING = 300, 2000
"""Steps that a training takes by itself: of a model that knows nuclei, and from nothing."""
STEPS, MINUTES = "steps", "minutes"
_USUAL_MINUTES = 2.0
_BASE_TIP = "The model that learns more. It stays as it is: what comes of the training is a new model."
_LENGTH_TIP = (
    "How long to train. 300 steps take a minute or two on a laptop, and are enough for a few painted nuclei. Steps can be repeated "
    "exactly; minutes end when you want. Stop ends earlier, and keeps the best."
)
_NAME_TIP = "What the new model is called: letters, digits, - and _. It is yours alone as long as you do not give its file away."
_NOTHING_TIP = (
    "Begin with random weights instead of a model that knows nuclei. For images that look like nothing the model has seen, with hundreds "
    "of painted nuclei; takes ten minutes or more."
)
_EARLIER_TIP = "Labels that you paint are saved in the background. This opens those of an earlier time, also after a crash."


class TrainPanel(WorkingDock):
    """The rows, the buttons and what is below them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build it."""
        super().__init__()
        self._viewer = napari_viewer
        self.inputs = TrainInputs(napari_viewer, self)
        self.engine = EnginePicker(self)
        self.form = SettingsForm(TrainSettings, self)
        self.form.set_visible(OWN_ROWS, False)
        self.network = NetworkRows(self)
        self.learning, self.name_hint, self.resume_hint = LearningLine(self.inputs, self), Hint(self), Hint(self)
        self.status, self.curves, self.trained = StatusPanel(self, unit="steps"), TrainCurves(self), TrainedPanel(self)
        self._make_editors()
        self._make_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._make_form())
        layout.addWidget(self.learning)
        layout.addLayout(self._make_button_rows())
        layout.addWidget(self.resume_hint)
        for widget in (self.status, self.curves, self.trained):
            layout.addWidget(widget)
        layout.addStretch()
        self.curves.hide()
        self._fold(False)
        self._paint()

    @property
    def base(self) -> str:
        """Name of the model to start from; empty for none."""
        return "" if self.nothing_box.isChecked() else self.engine.model

    def settings(self) -> TrainSettings:
        """Return what all rows say.

        Raises
        ------
        SettingsError
            If they contradict each other.
        """
        number, unit = self.length.value(), self.length_unit.currentData()
        steps, minutes = (round(number), 0.0) if unit == STEPS else (0, number)
        classes = self.inputs.classes.classes(self.inputs.highest)
        return replace(self.form.value(), device=self.engine.device, steps=steps, minutes=minutes, classes=classes)

    def suggest_name(self) -> None:
        """Write a name that is free, unless there is one."""
        taken = {self.engine.model_box.itemText(index) for index in range(self.engine.model_box.count())}
        if self.name.text() in ("", *taken):
            names = ("my-nuclei" if count == 1 else f"my-nuclei-{count}" for count in range(1, len(taken) + 2))
            self.name.setText(next(name for name in names if name not in taken))

    def name_is_taken(self) -> bool:
        """Whether there is a model of the written name."""
        return self.engine.model_box.findText(self.name.text(), Qt.MatchFlag.MatchExactly) >= 0

    def _make_editors(self) -> None:
        self.engine.model_label.setText("Start from")
        name_row(self.engine.model_label, self.engine.model_box, _BASE_TIP)
        self.length, self.length_unit = Number(self), Choice(self)
        self.length.setRange(1, 10_000_000)
        self.length.setValue(TEACHING)
        self.length.setSingleStep(100)
        for unit in (STEPS, MINUTES):
            self.length_unit.addItem(unit, unit)
        self.length_unit.currentIndexChanged.connect(self._change_unit)
        self.name = QLineEdit(self)
        self.name.setValidator(QRegularExpressionValidator(QRegularExpression(r"\w[\w-]{0,63}"), self.name))
        self.nothing_box = QCheckBox("Start from nothing", self)
        self.nothing_box.setToolTip(tooltip(_NOTHING_TIP))
        self.nothing_box.toggled.connect(self._change_base)
        self.length_label, self.name_label = QLabel("Train for", self), QLabel("Name", self)
        name_row(self.length_label, self.length, _LENGTH_TIP)
        name_row(self.name_label, self.name, _NAME_TIP)
        self.length_unit.setAccessibleName("Train for, unit")
        self.length_unit.setToolTip(tooltip(_LENGTH_TIP))
        for half in (self.length, self.length_unit):
            half.setMinimumWidth(56)

    def _make_buttons(self) -> None:
        self.advanced_button = _button("", "flat", "Settings that are rarely needed.", self)
        self.advanced_button.setCheckable(True)
        self.advanced_button.toggled.connect(self._fold)
        self.earlier_button = _button("Open labels painted before …", "link", _EARLIER_TIP, self)
        self.start_button = narrow_button("Start", "primary", "", self)
        self.stop_button = narrow_button("Stop", "secondary", "End now, and keep the best model so far. Resume goes on with it.", self)
        self.resume_button = narrow_button("Resume", "secondary", "", self)
        self.cancel_button = narrow_button("Cancel", "secondary", "End without a model. What you painted stays.", self)

    def _make_button_rows(self) -> QGridLayout:
        rows = QGridLayout()
        rows.setSpacing(4)
        rows.addWidget(self.start_button, 0, 0, 1, 3)
        for column, button in enumerate((self.stop_button, self.resume_button, self.cancel_button)):
            rows.addWidget(button, 1, column)
            rows.setColumnStretch(column, 1)
        return rows

    def _make_form(self) -> Panel:
        """Return the rows in a scrolled area, so that the buttons are in view in however low a window."""
        layout = QFormLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(5)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.inputs.add_rows(layout)
        layout.addRow("", self.earlier_button)
        self.engine.add_rows(layout)
        length = QHBoxLayout()
        length.setSpacing(4)
        length.addWidget(self.length, 1)
        length.addWidget(self.length_unit, 1)
        layout.addRow(self.length_label, length)
        layout.addRow(self.name_label, self.name)
        layout.addRow("", self.name_hint)
        layout.addRow(self.advanced_button)
        layout.addRow("", self.nothing_box)
        self.network.add_rows(layout)
        self.form.add_rows(layout, ADVANCED)
        return Panel(layout)

    def _change_unit(self, index: int = 0) -> None:
        minutes = self.length_unit.currentData() == MINUTES
        self.length.setRange(0.1 if minutes else 1, 100_000 if minutes else 10_000_000)
        self.length.setSingleStep(0.5 if minutes else 100)
        self.length.setValue(_USUAL_MINUTES if minutes else self._usual_steps())

    def _change_base(self, nothing: bool) -> None:
        self.engine.model_box.setEnabled(not nothing)
        self._show_network()
        if self.length_unit.currentData() == STEPS and self.length.value() in (TEACHING, FROM_NOTHING):
            self.length.setValue(self._usual_steps())

    def _show_network(self) -> None:
        """Show the shape of the network where it can be chosen: a model has one."""
        self.network.set_visible(self.advanced_button.isChecked() and self.nothing_box.isChecked())

    def _usual_steps(self) -> int:
        return FROM_NOTHING if self.nothing_box.isChecked() else TEACHING

    def _fold(self, unfolded: bool) -> None:
        self.advanced_button.setText("▾ Advanced" if unfolded else "▸ Advanced")
        self.form.set_visible(ADVANCED, unfolded)
        self.nothing_box.setVisible(unfolded)
        self._show_network()

    def _paint_plots(self, theme: str) -> None:
        self.curves.paint(theme)


def _button(text: str, kind: str, tip: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setProperty("kind", kind)
    button.setToolTip(tooltip(tip))
    return button

"""What the widget "Segment a folder" consists of, and where each part is; what the parts do is in `napari_unet_seg.gui.folder_widget`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.gui.area_editor import link_units
from napari_unet_seg.gui.dock import Dock
from napari_unet_seg.gui.editors import Hint, Panel
from napari_unet_seg.gui.engine_picker import EnginePicker
from napari_unet_seg.gui.folder_report import FolderReport
from napari_unet_seg.gui.folder_rows import FolderRows, FormatBoxes
from napari_unet_seg.gui.form import SettingsForm, fields_besides
from napari_unet_seg.gui.stack_picker import StackPicker
from napari_unet_seg.gui.status import StatusPanel
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari import Viewer

TRY, RUN = "Try on 6 random images", "Segment all images"
UNFOLDED, FOLDED = "▾ Settings", "▸ Settings"
SETTINGS = tuple(fields_besides(SegmentSettings, ()))
_TAKE_TIP = "Take over what the dock “Segment nuclei” says now: tune the settings on one image there, and use them for all here."
_TRY_TIP = "Outline a few images, of large ones the middle, and look at them before the long run. Nothing is written."


class FolderPanel(Dock):
    """The rows, the buttons and the words below them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build it."""
        super().__init__()
        self._viewer = napari_viewer
        self.rows, self.engine, self.stack = FolderRows(self), EnginePicker(self), StackPicker(self)
        self.form = SettingsForm(SegmentSettings, self)
        link_units(self.form.rows["min_area"].editor, self.form.rows["max_area"].editor)  # type: ignore[arg-type]  # editors of areas
        self.formats, self.measure_box = FormatBoxes(self), QCheckBox("Measure intensities of all channels", self)
        self.replace_box, self.earlier_hint = QCheckBox("Replace results that are there", self), Hint(self)
        self.status, self.report = StatusPanel(self, unit="images"), FolderReport(self)
        self._make_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._make_form())
        layout.addWidget(self.earlier_hint)
        layout.addWidget(self.try_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addWidget(self.report)
        layout.addStretch()
        for before, after in pairwise(self.editors()):  # the tabulator goes from top to bottom, whatever was made first
            self.setTabOrder(before, after)
        self.settings_button.toggled.connect(self._fold)
        self._fold(False)

    def settings(self) -> SegmentSettings:
        """Return what the rows of the settings say.

        Raises
        ------
        SettingsError
            If two rows contradict each other.
        """
        return replace(self.form.value(), **self.stack.settings)

    def _make_buttons(self) -> None:
        self.settings_button = self._button(FOLDED, "flat", "What is taken for a nucleus, and how stacks and movies are treated.")
        self.settings_button.setCheckable(True)
        self.take_button = self._button("As in “Segment nuclei”", "link", _TAKE_TIP)
        self.try_button = self._button(TRY, "secondary", _TRY_TIP)
        self.run_button = self._button(RUN, "primary", "")
        self.cancel_button = self._button("Cancel", "secondary", "Stop after the present step. Images that are finished stay.")
        self.measure_box.setToolTip("Mean, median and other values of each nucleus in each channel, in the tables.")
        self.replace_box.setToolTip("Without it, images that were done before are kept, and the others are done.")

    def _button(self, text: str, kind: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("kind", kind)
        button.setToolTip(tip)
        return button

    def _make_form(self) -> Panel:
        layout = QFormLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(5)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.rows.add_rows(layout)
        self.engine.add_rows(layout)
        folds = QHBoxLayout()
        folds.addWidget(self.settings_button, 1)
        folds.addWidget(self.take_button)
        layout.addRow(folds)
        self.form.add_rows(layout, SETTINGS)
        self.stack.add_rows(layout)
        self.rows.add_output(layout)
        for whole in (self.formats, self.measure_box, self.replace_box):  # as wide as the panel, so that it can be narrow
            layout.addRow(whole)
        return Panel(layout)

    def _fold(self, unfolded: bool) -> None:
        self.settings_button.setText(UNFOLDED if unfolded else FOLDED)
        self.form.set_visible(SETTINGS, unfolded)
        self.stack.offer(unfolded)

    def editors(self) -> list[QWidget]:
        """Return what takes the focus, from top to bottom."""
        found: list[Any] = [self.rows.folder.line, self.rows.folder.button, self.rows.pattern, self.rows.channel]
        found += [self.engine.model_box, self.engine.device_box, self.engine.why_button, self.settings_button, self.take_button]
        found += [self.form.rows[name].editor for name in SETTINGS] + [self.stack.box, self.stack.times]
        found += [self.rows.output.line, self.rows.output.button, *self.formats.boxes.values(), self.measure_box, self.replace_box]
        return [*found, self.try_button, self.run_button, self.cancel_button, self.report.sheet_button, self.report.folder_button]

"""What the widget "Segment nuclei" consists of, and where each part is; what the parts do is in `napari_unet_seg.gui.segment_widget`."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.area_editor import link_units
from napari_unet_seg.gui.copy_run import CopyRun
from napari_unet_seg.gui.diameter_tool import DiameterTool
from napari_unet_seg.gui.dock import WorkingDock
from napari_unet_seg.gui.editors import Hint, Panel
from napari_unet_seg.gui.engine_picker import EnginePicker
from napari_unet_seg.gui.form import SettingsForm, fields_besides
from napari_unet_seg.gui.image_picker import ImagePicker
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.limits_row import LimitsRow
from napari_unet_seg.gui.orders import estimate_request, run_description
from napari_unet_seg.gui.pixel_size import PixelSize
from napari_unet_seg.gui.region_picker import RegionPicker
from napari_unet_seg.gui.stack_picker import StackPicker
from napari_unet_seg.gui.status import StatusPanel
from napari_unet_seg.gui.tracks import TIP
from napari_unet_seg.settings import DECODING, SegmentSettings

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

DIAMETER = ("diameter",)
NETWORK = ("polarity",)
"""The settings that everybody may need, and that the network has to run again for."""
LIMITS = ("low", "high")
LIVE = ("probability", "splitting", "min_area", "max_area", "exclude_border")
"""Those that act at once."""
BASIC = (*DIAMETER, *NETWORK, *LIMITS, *LIVE)
"""What is always in view; the others are folded away."""
ADVANCED = tuple(fields_besides(SegmentSettings, BASIC))


class SegmentPanel(WorkingDock):
    """The rows, the buttons and the words below them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    troubled = Signal(object)
    """The exception for which a part could not do what it was asked for."""

    def __init__(self, napari_viewer: Viewer) -> None:
        """Build it."""
        super().__init__()
        self._viewer = napari_viewer
        self.images = ImagePicker(napari_viewer, self)
        self.engine = EnginePicker(self)
        self.form = SettingsForm(SegmentSettings, self)
        rows = self.form.rows
        self.pixel_size, self.stack = PixelSize(napari_viewer, self), StackPicker(self)
        self.region = RegionPicker(napari_viewer, self)
        self.diameter = DiameterTool(napari_viewer, rows["diameter"], self)
        self.limits = LimitsRow(rows["low"], rows["high"], self)
        self.areas = (rows["min_area"].editor, rows["max_area"].editor)
        link_units(*self.areas)  # type: ignore[arg-type]  # the form makes editors of areas for what is measured in px²
        self.live_hint, self.pending_hint, self.status = Hint(self), Hint(self), StatusPanel(self)
        self.copy_run = CopyRun(self)
        self._make_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._make_form())
        layout.addLayout(self._make_button_rows())
        layout.addWidget(self.status)
        layout.addStretch()
        self._order_tabs()
        self._connect_tools()
        self._fold(False)

    def settings(self, layer: Image | None) -> SegmentSettings:
        """Return what all rows say.

        Parameters
        ----------
        layer : napari.layers.Image or None
            In whose pixels the region is.

        Raises
        ------
        SettingsError
            If two rows contradict each other.
        InputError
            If there is nothing in the region.
        """
        region = () if layer is None else self.region.polygons(layer)
        return replace(self.form.value(), region=region, **self.stack.settings)

    def show_image(self, layer: Image | None) -> None:
        """Show what the chosen image is like.

        Parameters
        ----------
        layer : napari.layers.Image or None
        """
        self.limits.set_layer(layer)
        self.pixel_size.set_layer(layer)
        self.stack.set_layer(layer, self.images.channel)
        pixel = None if layer is None else read_source(layer).micrometres
        self.diameter.set_layer(layer, None if pixel is None else math.sqrt(pixel[0] * pixel[1]))
        self.show_pixel_area(None if pixel is None else pixel[0] * pixel[1])

    def show_pixel_area(self, area: float | None) -> None:
        """Let areas be typed in square micrometres as well.

        Parameters
        ----------
        area : float or None
            Square micrometres of a pixel; None when that is not known.
        """
        for editor in self.areas:
            editor.set_pixel_area(area)  # type: ignore[attr-defined]

    def enable_live(self, enabled: bool) -> None:
        """Lock or unlock the settings that act at once."""
        for name in DECODING:
            row = self.form.rows[name]
            for widget in (row.label, row.editor):
                if widget is not None:
                    widget.setEnabled(enabled)

    def _connect_tools(self) -> None:
        self.diameter.wanted.connect(self._estimate)
        self.copy_run.wanted.connect(self._copy)
        for failed in (self.region.failed, self.diameter.failed, self.copy_run.failed):
            failed.connect(self.troubled)

    def _estimate(self) -> None:
        layer = self.images.layer
        if layer is not None:
            try:
                self.diameter.estimate(estimate_request(self, self._viewer, layer))
            except UnetSegError as error:
                self.troubled.emit(error)

    def _copy(self, kind: str) -> None:
        layer = self.images.layer
        if layer is not None:
            try:
                self.copy_run.copy(kind, run_description(self, layer), self.region.file)
            except UnetSegError as error:
                self.troubled.emit(error)

    def _make_buttons(self) -> None:
        self.advanced_button = _button("", "flat", "Settings that are rarely needed.", self)
        self.advanced_button.setCheckable(True)
        self.advanced_button.toggled.connect(self._fold)
        self.reset_button = _button("Reset settings", "flat", "Go back to the settings that suit the model.", self)
        place = self.reset_button.sizePolicy()
        place.setRetainSizeWhenHidden(True)  # so that nothing moves when it comes
        self.reset_button.setSizePolicy(place)
        self.run_button = _button("", "primary", "", self)
        self.cancel_button = _button("Cancel", "secondary", "Stop after the part that is being computed. Nothing is changed.", self)
        tip = "Bring back what the layer showed before the last run, with its settings. Press again to return."
        self.restore_button = _button("Restore previous", "secondary", tip, self)
        self.tracks_button = _button("Show tracks", "secondary", TIP, self)

    def _make_button_rows(self) -> QVBoxLayout:
        buttons, more, rows = QHBoxLayout(), QHBoxLayout(), QVBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        rows.addWidget(self.pending_hint)
        rows.addLayout(buttons)
        for button in (self.restore_button, self.tracks_button):  # one row, since a lower window has no room for two
            more.addWidget(button)
        rows.addLayout(more)
        rows.addWidget(self.copy_run.button, 0, Qt.AlignmentFlag.AlignRight)
        return rows

    def _make_form(self) -> Panel:
        """Return the rows in a scrolled area, so that the buttons are in view in however low a window."""
        layout = QFormLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(5)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.images.add_rows(layout)
        self.stack.add_rows(layout)
        self.pixel_size.add_rows(layout)
        self.region.add_rows(layout)
        self.engine.add_rows(layout)
        self.diameter.add_rows(layout)
        self.form.add_rows(layout, NETWORK)
        self.limits.add_rows(layout)
        layout.addRow(self.live_hint)
        self.form.add_rows(layout, LIVE)
        folds = QHBoxLayout()
        folds.addWidget(self.advanced_button, 1)
        folds.addWidget(self.reset_button)
        layout.addRow(folds)
        self.form.add_rows(layout, ADVANCED)
        return Panel(layout)

    def _order_tabs(self) -> None:
        """Let the tabulator go from top to bottom, whatever was made first."""
        for before, after in pairwise(self.editors()):
            self.setTabOrder(before, after)

    def editors(self) -> list[QWidget]:
        """Return what takes the focus, from top to bottom."""
        rows = self.form.rows
        found: list[QWidget] = [self.images.image_box, self.images.channel_box, self.stack.box, self.stack.times]
        found += [self.pixel_size.number, self.region.box]
        found += [self.engine.model_box, self.engine.manage_button, self.engine.device_box, self.engine.why_button, rows["diameter"].editor]
        found += [self.diameter.micrometres, self.diameter.unit, self.diameter.show_button, self.diameter.estimate_button]
        found += [*(rows[name].editor for name in NETWORK), self.limits.mode]
        for name in (*LIMITS, *LIVE):
            found += _parts(rows[name].editor)
        found += [self.advanced_button, self.reset_button]
        found += [rows[name].editor for name in ADVANCED]
        found += [self.run_button, self.cancel_button, self.restore_button, self.tracks_button]
        return [*found, self.copy_run.button, self.status.message.copy]

    def _fold(self, unfolded: bool) -> None:
        self.advanced_button.setText("▾ Advanced" if unfolded else "▸ Advanced")
        self.form.set_visible(ADVANCED, unfolded)


def _parts(editor: QWidget) -> list[QWidget]:
    """Return what takes the focus in an editor, from left to right."""
    parts = [getattr(editor, name) for name in ("slider", "number", "unit") if hasattr(editor, name)]
    return parts or [editor]


def _button(text: str, kind: str, tip: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setProperty("kind", kind)
    button.setToolTip(tip)
    return button

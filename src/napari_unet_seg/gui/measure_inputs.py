"""What is measured: the nuclei, the channels, and the ring; rows that follow the viewer's layers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Qt, QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QSizePolicy, QWidget

from napari_unet_seg.core.rings import GAP
from napari_unet_seg.gui.editors import Choice, Hint, Number
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.layer_choice import LayerList, is_labels
from napari_unet_seg.gui.layers import describe
from napari_unet_seg.gui.measuring import Measurable, layer_info, list_measurable

if TYPE_CHECKING:
    from napari import Viewer

NO_NUCLEI = "There are no nuclei yet: find them with “Segment nuclei”, or open saved labels."
_NUCLEI_TIP = "The labels layer whose nuclei are measured. Only its table changes, never its outlines."
_CHANNELS_TIP = (
    "Tick the channels in which the intensity of each nucleus is measured, as the numbers are in the image, whatever contrast is shown. "
    "Grey ones do not lie on the same pixels as the nuclei; point at one to read why."
)
_RING_TIP = (
    "Measures each channel also in a ring around the nucleus, which stands for the cytoplasm, and adds the mean of the ring and the ratio "
    f"nucleus / ring. The ring begins {GAP:g} px outside the nucleus, and leaves out other nuclei, their surroundings, and what is closer "
    "to another nucleus. The numbers are as in the image: subtract the background first if the camera adds much."
)
_MOST_ROWS, _UNIT_WIDTH = 5, 78
_PX, _UM = "px", "µm"
_USUAL = {_PX: 5.0, _UM: 2.0}
_CHECKABLE = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable


class _Nuclei(LayerList):
    """The list of nuclei, which moves on from a hidden layer to a seen one that comes."""

    def _pick(self, chosen: Any, come: list[Any]) -> Any:
        seen = [layer for layer in come if layer.visible]
        if chosen is not None and seen and not chosen.visible:  # such as the truth of a sample, when a result comes
            return seen[0]
        active = self._viewer.layers.selection.active
        return super()._pick(chosen if chosen in self.layers else active, come)


class MeasureInputs(QObject):
    """The rows "Nuclei", "Measure in" and the ring.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()
    """Other nuclei were chosen, or the channels that can be measured are others."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the editors and follow the layers."""
        super().__init__(parent)
        self._viewer = viewer
        self._offered: list[Measurable] = []
        self._unticked: set[str] = set()
        self._make(parent)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        self.nuclei.changed.connect(self._show_layer)
        self.channels.itemChanged.connect(self._note_tick)
        self.ring_box.toggled.connect(self._show_ring)
        self.unit_box.currentIndexChanged.connect(self._convert)
        self.nuclei.offered.connect(self._refresh_later)
        self.refresh()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self.nuclei_label, self.nuclei_box)
        layout.addRow("", self.about)
        layout.addRow(self.channels_label, self.channels)
        layout.addRow(self.ring_box, self.ring_row)

    @property
    def layer(self) -> Labels | None:
        """The chosen nuclei; None when there are none."""
        layer: Labels | None = self.nuclei.layer
        return layer

    @property
    def chosen(self) -> list[Measurable]:
        """The ticked channels."""
        return [one for one in self._offered if not one.why_not and one.title not in self._unticked]

    @property
    def ring(self) -> float:
        """Width of the rings in pixels; 0 when none are wanted."""
        if not self.ring_box.isChecked():
            return 0.0
        pixel = self._pixel()
        return self.width_box.value() / (pixel if pixel and self.unit_box.currentText() == _UM else 1.0)

    def refresh(self) -> None:
        """Follow the layers that there are, and look which of them can be measured."""
        if self.nuclei.alive:
            for layer in self._viewer.layers:
                self._watch(layer)
            self._show_layer()

    def _make(self, parent: QWidget) -> None:
        self.nuclei, self.about = _Nuclei(self._viewer, parent, ("Nuclei", _NUCLEI_TIP, "no labels layer open"), is_labels), Hint(parent)
        self.nuclei_label, self.nuclei_box = self.nuclei.label, self.nuclei.box
        self.channels_label, self.channels = QLabel("Measure in", parent), QListWidget(parent)
        self.ring_box, self.ring_row = QCheckBox("Ring", parent), QWidget(parent)
        self.width_box, self.unit_box = Number(self.ring_row), Choice(self.ring_row)
        self.ring_box.setMinimumHeight(self.width_box.sizeHint().height())  # so that both stand on one line
        self.unit_box.setMinimumWidth(_UNIT_WIDTH)
        self.width_box.setRange(1, 1000)
        self.width_box.setValue(_USUAL[_PX])
        self.channels.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.channels.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.channels.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.channels.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.channels.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self.ring_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.width_box, 2)
        row.addWidget(self.unit_box, 1)
        self.channels_label.setBuddy(self.channels)
        names = {self.channels: "Measure in", self.width_box: "Width of the ring", self.unit_box: "Unit"}
        for widget, name in names.items():
            widget.setAccessibleName(name)
        tips = {_CHANNELS_TIP: (self.channels_label,)}
        for tip, widgets in (tips | {_RING_TIP: (self.ring_box, self.width_box, self.unit_box)}).items():
            for one in widgets:
                one.setToolTip(tooltip(tip))

    def _watch(self, layer: Any) -> None:
        """Follow what decides whether layers share a grid."""
        if isinstance(layer, (Image, Labels)):
            events = layer.events  # which take no callback twice
            for emitter in (events.data, events.scale, events.translate, events.affine, events.units, events.axis_labels):
                emitter.connect(self._refresh_later)

    def _refresh_later(self, event: object = None) -> None:
        """Look again when all that happens now has happened; data of labels change with every move of a slider."""
        if self.nuclei.alive:
            self._later.start()

    def _show_layer(self) -> None:
        layer = self.layer
        images = [other for other in reversed(list(self._viewer.layers)) if isinstance(other, Image)]
        offered = [] if layer is None else list_measurable(images, layer)
        self._offered = sorted(offered, key=lambda one: bool(one.why_not))  # what cannot be measured comes last
        self.about.setText(NO_NUCLEI if layer is None else describe(layer))
        self._show_channels()
        units = [_PX] if self._pixel() is None else [_PX, _UM]
        if [self.unit_box.itemText(row) for row in range(self.unit_box.count())] != units:
            self.unit_box.blockSignals(True)
            self.unit_box.clear()
            self.unit_box.addItems(units)
            self.unit_box.blockSignals(False)
            self._convert()
        self._show_ring(self.ring_box.isChecked())
        self.changed.emit()

    def _show_channels(self) -> None:
        self.channels.blockSignals(True)
        self.channels.clear()
        for one in self._offered:
            item = QListWidgetItem(one.title, self.channels)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable if one.why_not else _CHECKABLE)
            ticked = not one.why_not and one.title not in self._unticked
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            item.setToolTip(f"<p>{escape(one.title)}: {escape(one.why_not) or 'lies on the same pixels as the nuclei.'}</p>")
        self.channels.blockSignals(False)
        rows = min(max(len(self._offered), 1), _MOST_ROWS)
        height = max(self.channels.sizeHintForRow(0), self.channels.fontMetrics().height() + 4)
        self.channels.setFixedHeight(rows * height + 2 * self.channels.frameWidth() + 8)
        for widget in (self.channels_label, self.channels):
            widget.setVisible(bool(self._offered))

    def _note_tick(self, item: QListWidgetItem) -> None:
        if item.checkState() == Qt.CheckState.Checked:
            self._unticked.discard(item.text())
        else:
            self._unticked.add(item.text())

    def _show_ring(self, wanted: bool) -> None:
        self.ring_row.setEnabled(wanted)
        self.ring_box.setEnabled(bool(self._offered))

    def _convert(self, index: int = 0) -> None:
        """Start from a usual width in another unit."""
        unit = self.unit_box.currentText() or _PX
        pixel = self._pixel() or 1.0
        self.width_box.setRange(pixel if unit == _UM else 1.0, 1000)
        self.width_box.setSingleStep(1.0 if unit == _PX else 0.5)
        self.width_box.setValue(_USUAL[unit])

    def _pixel(self) -> float | None:
        """Return the size of a pixel in micrometres, of one that is not square that of a square as large."""
        layer = self.layer
        if layer is None:
            return None
        info = layer_info(layer)
        y, x = info.step("Y"), info.step("X")
        return (y * x) ** 0.5 if y and x else None

"""The typical diameter of the nuclei: typed in pixels or micrometres, shown as a circle on the image, or estimated from what is in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QWidget

from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.editors import Hint, Number
from napari_unet_seg.gui.estimate import Estimate, estimate_steps
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.region_picker import OWN_KEY
from napari_unet_seg.gui.where import lengths_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.form import Row
    from napari_unet_seg.gui.request import Request

CIRCLE = "diameter of the nuclei"
"""Name of the layer that shows it."""
PIXELS, MICROMETRES = "px", "µm"
ESTIMATING = "Looking at the nuclei in view …"
_UNIT_WIDTH = 40
_YELLOW = "#ffd400"
_SHOW_TIP = "Show a circle of this diameter in the middle of the view, to compare it with the nuclei."
_NO_DIAMETER_TIP = "Type a diameter, or estimate it, to see it as a circle on the image."
_ESTIMATE_TIP = (
    "Find the nuclei that are in view now, and take their typical diameter. Or draw lines across a few nuclei in a Shapes layer, and press "
    "this while that layer is selected: then it is their length."
)


class DiameterTool(QObject):
    """What belongs to the row "Diameter".

    Parameters
    ----------
    viewer : napari.Viewer
        Where the circle is drawn.
    row : Row
        The row of the form that holds the diameter in pixels; 0 is automatic.
    parent : QWidget
        Owner of the editors.
    """

    wanted = Signal()
    """The diameter is to be estimated: call `estimate` with what is asked for."""
    failed = Signal(object)
    """The exception for which it could not be estimated."""

    def __init__(self, viewer: Viewer, row: Row, parent: QWidget) -> None:
        """Make the editors; without an image there is nothing to show or estimate."""
        super().__init__(parent)
        self._viewer, self._row = viewer, row
        self._pixel: float | None = None
        self._layer: Image | None = None
        self._circle: Shapes | None = None
        self._estimated = 0.0
        self.micrometres, self.unit = Number(parent), QPushButton(PIXELS, parent)
        self.show_button, self.estimate_button = QPushButton("Show", parent), QPushButton("Estimate", parent)
        self.hint, self.line, self.tools = Hint(parent), QWidget(parent), QWidget(parent)
        self.job = Job(self)
        self._dress()
        self._connect()
        self.set_layer(None, None)

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        layout.addRow(self._row.label, self.line)
        layout.addRow("", self.tools)
        layout.addRow("", self.hint)

    def set_layer(self, layer: Image | None, pixel: float | None) -> None:
        """Say which image it is.

        Parameters
        ----------
        layer : napari.layers.Image or None
        pixel : float or None
            Micrometres of a pixel; None when that is not known, and only pixels can be meant.
        """
        if layer != self._layer:
            self.hint.hide()
        self._layer, self._pixel = layer, pixel
        self.unit.setVisible(pixel is not None)
        self._change_unit(PIXELS if pixel is None else self.unit.text())
        self._follow()

    def estimate(self, request: Request) -> None:
        """Estimate the diameter beside the window.

        Parameters
        ----------
        request : Request
            What a run would be asked for; its region is where nuclei are looked at.
        """
        if self.job.start(estimate_steps(request)):
            self._say(ESTIMATING)
            self.estimate_button.setEnabled(False)

    def close(self) -> None:
        """Take the circle away, and stop estimating: the dock is closed."""
        self.job.cancel()
        self.show_button.setChecked(False)

    def _dress(self) -> None:
        editor = self._row.editor
        self.micrometres.setRange(0, editor.maximum())  # type: ignore[attr-defined]  # the diameter is a number
        self.micrometres.setSpecialValueText(editor.specialValueText())  # type: ignore[attr-defined]
        self.micrometres.setAccessibleName("Diameter in micrometres")
        self.micrometres.setToolTip(editor.toolTip())
        for number in (editor, self.micrometres):
            number.setProperty("kind", "narrow")  # so that "automatic" can be read beside a scroll bar
        self.unit.setFixedWidth(_UNIT_WIDTH)
        self.unit.setProperty("kind", "unit")
        self.unit.setAccessibleName("Diameter, unit")
        self.show_button.setCheckable(True)
        self.estimate_button.setToolTip(tooltip(_ESTIMATE_TIP))
        for button in (self.show_button, self.estimate_button):
            button.setProperty("kind", "tool")
        for box, parts in ((self.line, (editor, self.micrometres, self.unit)), (self.tools, (self.show_button, self.estimate_button))):
            layout = QHBoxLayout(box)
            layout.setContentsMargins(0, 0, 0, 0)
            for part in parts:
                layout.addWidget(part, 0 if part is self.unit else 1)
        self.hint.hide()

    def _connect(self) -> None:
        self._row.changed.connect(self._follow)
        self.micrometres.valueChanged.connect(self._take)
        self.unit.clicked.connect(self._switch)
        self.show_button.toggled.connect(self._toggle)
        self.estimate_button.clicked.connect(self._want)
        self.job.returned.connect(self._learn)
        self.job.failed.connect(self._fail)
        self.job.finished.connect(self._follow)
        self._viewer.layers.events.removed.connect(self._lose)
        camera_of(self._viewer).events.center.connect(self._centre)
        self.line.destroyed.connect(self._forget)

    def _follow(self) -> None:
        """Show what the row says now."""
        diameter = float(self._row.get())
        self.micrometres.blockSignals(True)
        self.micrometres.setValue(float(f"{diameter * (self._pixel or 1.0):.4g}"))
        self.micrometres.blockSignals(False)
        self.show_button.setEnabled(self._layer is not None and diameter > 0)
        self.show_button.setToolTip(_SHOW_TIP if diameter > 0 else _NO_DIAMETER_TIP)
        self.estimate_button.setEnabled(self._layer is not None and not self.job.running)
        if diameter != self._estimated and not self.job.running:
            self.hint.hide()  # it tells of another diameter
        if diameter == 0 or self._layer is None:
            self.show_button.setChecked(False)
        elif self._circle is not None:
            self._draw()

    def _take(self, micrometres: float) -> None:
        if self._pixel:
            self._row.set(micrometres / self._pixel)

    def _switch(self) -> None:
        self._change_unit(MICROMETRES if self.unit.text() == PIXELS else PIXELS)

    def _change_unit(self, unit: str) -> None:
        self.unit.setText(unit)
        self.unit.setToolTip(f"The diameter is shown and typed in {unit}; click for {PIXELS if unit == MICROMETRES else MICROMETRES}.")
        self._row.editor.setVisible(unit == PIXELS)
        self.micrometres.setVisible(unit == MICROMETRES)
        self._row.editor.setSuffix("" if self._pixel is not None else f" {PIXELS}")  # type: ignore[attr-defined]

    def _toggle(self, shown: bool) -> None:
        if not shown:
            self._remove()
        elif self._layer is not None:
            self._draw()

    def _draw(self) -> None:
        """Draw the circle anew: napari resizes no shape."""
        layer = self._layer
        if layer is None:
            return
        radius = float(self._row.get()) / 2
        box = [[-radius, -radius], [-radius, radius], [radius, radius], [radius, -radius]]
        if self._circle is not None:
            self._circle.data = [(np.array(box), "ellipse")]
            self._centre()
            return
        active = self._viewer.layers.selection.active
        self._circle = Shapes(
            [np.array(box)],
            shape_type="ellipse",
            name=CIRCLE,
            face_color="transparent",
            opacity=1.0,
            edge_color=_YELLOW,
            edge_width=max(radius / 8, 0.5),
            scale=np.asarray(layer.scale)[-2:],
            units=layer.units[-2:],
            metadata={OWN_KEY: True},
        )
        self._centre()
        self._viewer.add_layer(self._circle)
        self._circle.editable = False
        self._viewer.layers.selection.active = active  # the person goes on with what was selected

    def _centre(self, event: object = None) -> None:
        """Keep the circle in the middle of the view."""
        if self._circle is not None:
            self._circle.translate = np.asarray(camera_of(self._viewer).center, float)[-2:]

    def _remove(self) -> None:
        circle, self._circle = self._circle, None
        if circle is not None and circle in self._viewer.layers:
            self._viewer.layers.remove(circle)

    def _lose(self, event: Any) -> None:
        """Follow the layer list, from which the person may delete the circle."""
        if self._circle is not None and event.value == self._circle:
            self._circle = None
            if isalive(self.show_button):  # type: ignore[no-untyped-call]  # the viewer may outlive the window
                self.show_button.setChecked(False)

    def _forget(self) -> None:
        camera_of(self._viewer).events.center.disconnect(self._centre)
        self._remove()

    def _want(self) -> None:
        """Measure the lines that are drawn in the selected layer; without any, look at the nuclei."""
        drawn = self._viewer.layers.selection.active
        lengths = lengths_of(drawn, self._layer) if isinstance(drawn, Shapes) and self._layer is not None else []
        if lengths:
            self._learn(Estimate(float(np.median(lengths)), len(lengths)), f"{'line' if len(lengths) == 1 else 'lines'} in “{drawn.name}”")
        else:
            self.wanted.emit()

    def _learn(self, found: Estimate, of: str = "") -> None:
        self._row.set(round(found.diameter, 1))
        self._estimated = float(self._row.get())
        of = of or f"{'nucleus' if found.count == 1 else 'nuclei'} in view"
        self._say(f"Estimated from {found.count:,} {of}.")

    def _fail(self, error: BaseException) -> None:
        self.hint.hide()
        self.failed.emit(error)

    def _say(self, text: str) -> None:
        self.hint.setText(text)
        self.hint.show()

"""What a training learns from: rows that follow the viewer's layers, and the layers to paint in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QWidget

from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.class_rows import ClassRows
from napari_unet_seg.gui.editors import Choice, Hint
from napari_unet_seg.gui.form import name_row
from napari_unet_seg.gui.image_picker import ImagePicker
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.keys import Keys
from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY, LayerChoice
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.learning import INSIDE, MODES, PAINTED, Material
from napari_unet_seg.gui.painting import BACKGROUND, PAINTED_KEY, copy_steps, is_painted, new_layer, take_brush
from napari_unet_seg.gui.region_picker import is_region
from napari_unet_seg.gui.train_words import BRUSH, MODE, MODE_HINTS
from napari_unet_seg.gui.where import areas_of

if TYPE_CHECKING:
    from napari import Viewer

NEXT_KEY = "N"
NO_LABELS = "Press Annotate and paint a few nuclei, above all some that the model misses."
ONE_CHANNEL = "Choose the one channel that shows nuclei."
_LABELS = ("Painted in", "The labels layer with what you painted. It is never changed by a training.", "nothing painted yet")
_GROUND = (
    "Background",
    "A labels layer in which you painted where there is no nucleus, in any number. Without one, a ring of 2 px around each painted nucleus "
    "is background, except where the model sees another nucleus.",
    "rings",
)
_SHAPES = ("Shapes", "A Shapes layer: inside its rectangles, polygons and ellipses every nucleus is painted.", "no shapes")
_ANNOTATE = "Make a layer to paint nuclei in, and take the brush. Pressed again, it goes on with the next nucleus."
_CORRECT = (
    "Copy a segmentation, the one selected in the layer list or else the topmost, to correct it with napari's brush or “Correct nuclei”. "
    "The segmentation itself stays as it is."
)
_SCRIBBLE = "Make a layer to paint background in, and take the brush."


class TrainInputs(QObject):
    """The rows from "Image" to what teaches.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget
        Owner of the editors.
    """

    changed = Signal()
    """Other layers, or another way of teaching, were chosen."""
    painted = Signal()
    """Something was painted, drawn or undone; comes many times a stroke."""
    failed = Signal(object)
    """The exception for which there is no layer to paint in."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the editors and follow the layers."""
        super().__init__(parent)
        self._viewer = viewer
        self._followed: list[tuple[Any, Any]] = []
        self.highest = 0
        self.images = ImagePicker(viewer, parent)
        self.labels = LayerChoice(viewer, parent, _LABELS, lambda layer: isinstance(layer, Labels), is_painted)
        self.ground = LayerChoice(viewer, parent, _GROUND, lambda layer: isinstance(layer, Labels))
        self.shapes = LayerChoice(viewer, parent, _SHAPES, is_region, is_region)
        self.classes = ClassRows(parent)
        self.mode_label, self.mode = QLabel("Learn from", parent), Choice(parent)
        self.mode_hint, self.brush_hint = Hint(parent), Hint(parent)
        self.annotate_button = narrow_button("Annotate", "tool", _ANNOTATE, parent)
        self.correct_button = narrow_button("Correct", "tool", _CORRECT, parent)
        self.scribble_button = narrow_button("Paint", "tool", _SCRIBBLE, parent)
        self.keys = Keys({NEXT_KEY: self.next_nucleus}, {}, parent)
        self._copying = Job(self)
        self._dress()
        self._connect()
        self._follow()

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the rows in a form."""
        self.images.add_rows(layout)
        self.classes.add_rows(layout)
        layout.addRow(self.labels.label, self.labels.box)
        layout.addRow("", _side_by_side(self.annotate_button, self.correct_button))
        layout.addRow("", self.brush_hint)
        layout.addRow(self.mode_label, self.mode)
        layout.addRow("", self.mode_hint)
        layout.addRow(self.ground.label, _side_by_side(self.ground.box, self.scribble_button))
        layout.addRow(self.shapes.label, self.shapes.box)

    @property
    def teaching(self) -> str:
        """What counts as annotated, one of `napari_unet_seg.gui.learning.MODES`."""
        return str(self.mode.currentData())

    def material(self) -> Material | None:
        """Return what there is to learn from.

        Returns
        -------
        Material or None
            None when no image or no labels are chosen.

        Raises
        ------
        InputError
            If the shapes enclose nothing, or it is not clear which channel is meant.
        """
        image, labels = self.images.layer, self.labels.layer
        if image is None or labels is None:
            return None
        if self.images.every:
            raise InputError(ONE_CHANNEL)
        source, mode = read_source(image, self.images.channel), self.teaching
        if mode == INSIDE:
            if self.shapes.layer is None:
                raise InputError("There are no shapes yet: add a Shapes layer, and draw around what you painted completely.")
            areas = areas_of(self.shapes.layer, image)
            return Material(source, _pixels(labels), mode, polygons=areas, semantic=self.classes.on, names=self.classes.given)
        ground = self.ground.layer if mode == PAINTED and self.ground.layer != labels and not self.classes.on else None
        below = None if ground is None else _pixels(ground)
        return Material(source, _pixels(labels), mode, below, semantic=self.classes.on, names=self.classes.given)

    def annotate(self) -> None:
        """Make a layer to paint in, or go on with the one that is chosen."""
        labels = self.labels.layer
        if labels is not None and PAINTED_KEY in labels.metadata:
            take_brush(self._viewer, labels, labels.selected_label) if self.classes.on else self._paint(labels)
        else:
            self._add(self.labels)

    def next_nucleus(self) -> None:
        """Let the next stroke paint a number that is free; of classes the next one, and the first again after one that is new."""
        labels = self.labels.layer
        if labels is not None and self.classes.on:
            take_brush(self._viewer, labels, labels.selected_label % (self._top(labels) + 1) + 1)
        elif labels is not None:
            self._paint(labels)

    def scribble(self) -> None:
        """Make a layer to paint background in, or go on with the one that is chosen."""
        if self.ground.layer is not None:
            take_brush(self._viewer, self.ground.layer, 1)
        else:
            self._add(self.ground, BACKGROUND)

    def correct(self) -> None:
        """Copy a segmentation, to be edited."""
        layer = self._segmentation()
        if layer is not None:
            self._copying.start(copy_steps(_pixels(layer)))

    def show(self) -> None:
        """Show what can be done now."""
        image, labels, mode = self.images.layer, self.labels.layer, self.teaching
        self.annotate_button.setEnabled(image is not None)
        self.correct_button.setEnabled(image is not None and self._segmentation() is not None)
        for widget in (self.ground.label, self.ground.box, self.scribble_button):
            widget.setVisible(mode == PAINTED and not self.classes.on)  # of classes, the background is one that is painted
        for widget in (self.shapes.label, self.shapes.box):
            widget.setVisible(mode == INSIDE)
        self.mode.setItemText(0, self.classes.mode_title)
        self.mode_hint.setText(self.classes.hint(mode) or MODE_HINTS[mode])
        painting = labels is not None and str(labels.mode) == "paint" and self._viewer.layers.selection.active == labels
        number = labels.selected_label if painting else 0
        words = BRUSH.format(number) if painting else NO_LABELS
        self.brush_hint.setText(self.classes.brush_hint(number, self.highest) or words)
        self.brush_hint.setVisible(image is not None and (painting or labels is None))

    def _dress(self) -> None:
        for name, title in MODES.items():
            self.mode.addItem(title, name)
        name_row(self.mode_label, self.mode, MODE)
        self.ground.box.setMinimumWidth(56)  # it shares its row

    def _connect(self) -> None:
        self.annotate_button.clicked.connect(self.annotate)
        self.correct_button.clicked.connect(self.correct)
        self.scribble_button.clicked.connect(self.scribble)
        for changed in (self.images.changed, self.labels.changed, self.ground.changed, self.shapes.changed):
            changed.connect(self._follow)
        self.mode.currentIndexChanged.connect(self._note)
        self.classes.changed.connect(self._note)
        self._copying.returned.connect(self._take_copy)
        self._copying.failed.connect(self.failed)
        self._viewer.layers.selection.events.active.connect(self._note_brush)

    def _follow(self) -> None:
        """Notice what is painted in the chosen layers."""
        for emitter, slot in self._followed:
            emitter.disconnect(slot)
        layers = [layer for layer in (self.labels.layer, self.ground.layer) if layer is not None]
        followed = [(layer.events.labels_update, self._note_paint) for layer in layers]
        teaching = [layer for layer in (*layers, self.shapes.layer) if layer is not None]
        # Undo is told by nothing but new data for the canvas.
        followed += [(emitter, self._note_paint) for layer in teaching for emitter in (layer.events.data, layer.events.set_data)]
        if self.labels.layer is not None:
            events = self.labels.layer.events
            followed += [(emitter, self._note_brush) for emitter in (events.mode, events.selected_label)]
            self.keys.bind(self.labels.layer)
        else:
            self.keys.release()
        self._followed = followed
        for emitter, slot in followed:
            emitter.connect(slot)
        self._note()

    def release(self) -> None:
        """Let go of the layers: the dock is closed."""
        self.keys.release()
        for emitter, slot in self._followed:
            emitter.disconnect(slot)
        self._followed = []
        self._copying.cancel()

    def _note(self, event: object = None) -> None:
        if self._is_alive():
            self.show()
            self.changed.emit()

    def _note_paint(self, event: object = None) -> None:
        if self._is_alive():
            self.painted.emit()

    def _note_brush(self, event: object = None) -> None:
        if self._is_alive():
            self.show()

    def _is_alive(self) -> bool:
        from qtpy.compat import isalive

        return bool(isalive(self.mode))  # type: ignore[no-untyped-call]  # layers may outlive the window

    def _paint(self, labels: Labels) -> None:
        """Take the brush with a free number."""
        take_brush(self._viewer, labels, self._top(labels) + 1)

    def _top(self, labels: Labels) -> int:
        """Return the highest number in use, which is known some moments after a stroke, and the brush's own at once."""
        used = labels.selected_label if self._has(labels, labels.selected_label) else 0
        return max(self.highest, used)

    def _has(self, labels: Labels, number: int) -> bool:
        """Whether a number is painted on the plane in view."""
        step = self._viewer.dims.current_step[-labels.ndim :]
        data = labels.data
        index = tuple(min(max(int(place), 0), size - 1) for place, size in zip(step[:-2], data.shape[:-2], strict=False))
        return bool((np.asarray(data[index]) == number).any())

    def _add(self, choice: LayerChoice, purpose: str = "nuclei", data: Any = None) -> None:
        image = self.images.layer
        if image is None:
            return
        try:
            layer = new_layer(self._viewer, image, self.images.channel, purpose, data)
        except UnetSegError as error:
            self.failed.emit(error)
            return
        if choice is self.labels:
            self.highest = 0
        choice.choose(layer)
        self.show()

    def _take_copy(self, copied: Any) -> None:
        self._add(self.labels, data=copied)
        labels = self.labels.layer
        if labels is not None and self._viewer.layers.selection.active == labels:
            labels.selected_label = int(copied.max()) + 1

    def _segmentation(self) -> Any:
        """Return the labels layer that would be copied."""
        labels = [layer for layer in reversed(list(self._viewer.layers)) if isinstance(layer, Labels)]
        offered = [layer for layer in labels if not {PAINTED_KEY, TEMPORARY_KEY} & set(layer.metadata)]
        active = self._viewer.layers.selection.active
        return active if active in offered else next(iter(offered), None)


def _pixels(labels: Any) -> Any:
    return labels.data[0] if labels.multiscale else labels.data


def _side_by_side(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget, 2 if isinstance(widget, Choice) else 1)
    return row

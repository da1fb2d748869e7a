"""The tools of the canvas: what a click or a drawn line on a labels layer does while a tool is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal

from napari_unet_seg.core.edits import at, delete, merge, split_along
from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer
    from napari.layers import Labels

    from napari_unet_seg.gui.edit_history import EditHistory
    from napari_unet_seg.gui.kept_maps import Index
    from napari_unet_seg.gui.marks import Marks

Point = tuple[int, int]
LOOKING, PAINTING = "pan_zoom", "paint"
STILL = 4
"""Pixels of the screen that a hand may move in a click; more is a drag, which moves the view."""
_PLANE_ONLY = "The tools work on the planes in which the image was taken: turn off 3D, and the order of the axes, below the layer list."


@dataclass(frozen=True)
class Tool:
    """A tool.

    Parameters
    ----------
    name, title : str
    key : str
        That chooses it.
    hint : str
        What to do with it; shown while it is chosen.
    tip : str
        What it is for.
    """

    name: str
    title: str
    key: str
    hint: str
    tip: str


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("delete", "Delete", "D", "Click a nucleus to delete it.", "Take away what is no nucleus."),
        Tool("merge", "Merge", "J", "Click a nucleus, then the one to join to it.", "Make two nuclei one that were split wrongly."),
        Tool("split", "Split", "S", "Draw a line across a nucleus, from one side to the other.", "Divide nuclei that stick together."),
        Tool("add", "Add", "A", "Click the middle of a nucleus that was missed.", "Outline a missed nucleus as the model sees it."),
        Tool("paint", "Paint", "N", "Paint a nucleus; press N for the next one.", "napari's brush with a number that is free."),
    )
}


class Tools(QObject):
    """The tools on one labels layer at a time.

    Parameters
    ----------
    viewer : napari.Viewer
    marks : Marks
        Where the line is drawn.
    parent : QObject
        Its owner.
    """

    changed = Signal()
    """Another tool was chosen, or none."""
    said = Signal(str)
    """One sentence to be read."""
    missing = Signal(object, object)
    """The index of a plane and a point in it, where a nucleus is to be added."""

    def __init__(self, viewer: Viewer, marks: Marks, parent: QObject) -> None:
        """Start without a layer."""
        super().__init__(parent)
        self._viewer, self._marks = viewer, marks
        self._history: EditHistory | None = None
        self._first: tuple[Index, int, Point] | None = None
        self._zooms: list[Any] = []
        self._switching = False
        self._number = 0
        """What the brush was given."""
        self.active: Tool | None = None
        self.hint = ""
        viewer.layers.selection.events.active.connect(self._leave_layer)

    def follow(self, history: EditHistory | None) -> None:
        """Work on another layer.

        Parameters
        ----------
        history : EditHistory or None
            None to work on none.
        """
        self.stop()
        self._history = history

    def choose(self, name: str) -> None:
        """Choose a tool; the layer becomes the active one.

        Parameters
        ----------
        name : str
            One of `TOOLS`.
        """
        self.stop()
        history, tool = self._history, TOOLS[name]
        if history is None:
            return
        layer = history.layer
        self._switching = True
        try:
            self._viewer.layers.selection.active = layer
            self._prepare(layer, tool)
        except InputError as error:
            self.said.emit(str(error))
            return
        finally:
            self._switching = False
        layer.events.mode.connect(self._leave_mode)
        self.active, self.hint = tool, tool.hint
        self.changed.emit()

    def stop(self) -> None:
        """Put the tool away: clicks move the view again."""
        history, tool = self._history, self.active
        self.active, self._first, self.hint = None, None, ""
        if history is None or tool is None:
            return
        layer = history.layer
        layer.events.mode.disconnect(self._leave_mode)
        if tool.name == "paint":
            layer.mouse_drag_callbacks.remove(self._on_brush)
            if str(layer.mode) == PAINTING:
                layer.mode = LOOKING
        else:
            layer.mouse_drag_callbacks.remove(self._on_mouse)
            layer.mouse_pan, layer.cursor = str(layer.mode) == LOOKING, "standard" if str(layer.mode) == LOOKING else layer.cursor
            self._viewer.mouse_double_click_callbacks.extend(self._zooms)
        self._zooms = []
        self._marks.clear()
        self.changed.emit()

    def _prepare(self, layer: Labels, tool: Tool) -> None:
        if tool.name == "paint":
            layer.selected_label = self._number = self._required.next_number()
            layer.n_edit_dimensions = 2
            layer.mouse_drag_callbacks.append(self._on_brush)  # before napari's own
            layer.mode = PAINTING
            return
        layer.mode = LOOKING
        layer.mouse_drag_callbacks.append(self._on_mouse)
        layer.cursor = "cross" if tool.name == "split" else "pointing"
        layer.mouse_pan = tool.name != "split"  # else the view would go along with the line
        if tool.name == "split":
            self._marks.prepare(layer)
        # Two quick clicks are two nuclei, and not napari's wish to see more of it.
        doubles = self._viewer.mouse_double_click_callbacks
        self._zooms = [callback for callback in doubles if getattr(callback, "__name__", "") == "double_click_to_zoom"]
        for callback in self._zooms:
            doubles.remove(callback)

    @property
    def _required(self) -> EditHistory:
        if self._history is None:
            raise InputError("There is no layer to correct; choose one.")
        return self._history

    def _on_brush(self, layer: Labels, event: object = None) -> None:
        """Before a stroke: a run or a slider may have given the brush's number to a nucleus; one that the user chose stays."""
        if layer.selected_label == self._number and self._required.untouched:
            layer.selected_label = self._number = self._required.next_number()

    def _on_mouse(self, layer: Labels, event: Any) -> Iterator[None]:
        """Take a click, or the line that is drawn until the button is let go."""
        if event.button != 1 or event.modifiers or self.active is None:
            return
        start, path, displayed = np.asarray(event.pos), [event.position], event.dims_displayed
        yield
        while event.type == "mouse_move":
            path.append(event.position)
            if self.active is not None and self.active.name == "split":
                self._attempt(self._draw, path, displayed)
            yield
        still = float(np.abs(np.asarray(event.pos) - start).max()) <= STILL
        if self.active is not None and self.active.name == "split":
            self._marks.clear()
            self._attempt(self._split, path[:1] if still else path, displayed)  # a hand that shakes has drawn no line
        elif still:
            self._attempt(self._click, path[:1], displayed)

    def _attempt(self, action: Any, path: list[Any], displayed: Any) -> None:
        try:
            action(*self._in_plane(path, displayed))
        except UnetSegError as error:
            self.said.emit(explain(error))

    def _in_plane(self, path: list[Any], displayed: Any) -> tuple[Index, npt.NDArray[np.float64]]:
        """Return the plane that is seen, and points in its pixels."""
        layer = self._required.layer
        dimensions = self._viewer.dims.ndim
        if tuple(displayed) != (dimensions - 2, dimensions - 1):
            raise InputError(_PLANE_ONLY)
        points = np.array([layer.world_to_data(position) for position in path])
        leading = np.round(points[0, :-2]).astype(int)
        if ((leading < 0) | (leading >= layer.data.shape[:-2])).any():
            raise InputError("This plane is not in the layer; go to one that is.")
        return tuple(int(place) for place in leading), points[:, -2:]

    def _click(self, index: Index, path: npt.NDArray[np.float64]) -> None:
        y, x = (int(value) for value in np.round(path[0]))
        plane = self._required.plane(index)
        if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
            raise InputError("The click is outside of the layer.")
        number = int(plane[y, x])
        self.said.emit("")
        if self.active is not None and self.active.name == "add":
            self._add(index, (y, x), number)
        elif not number:
            raise InputError("There is no nucleus here; click inside one.")
        elif self.active is not None and self.active.name == "merge":
            self._merge(index, (y, x), number)
        else:
            self._required.apply(index, delete(plane, number, at((y, x))))

    def _add(self, index: Index, point: Point, number: int) -> None:
        if number:
            raise InputError(f"Nucleus {number} is here already; to divide it, take the tool Split.")
        self.missing.emit(index, point)

    def _merge(self, index: Index, point: Point, number: int) -> None:
        first, self._first = self._first, None
        if first is None or first[0] != index or self._required.plane(index)[first[2]] != first[1]:
            self._first = (index, number, point)
            self._required.layer.selected_label = number
            self._say(f"Now click the nucleus to join to number {number}.")
            return
        self._say(TOOLS["merge"].hint)
        rows, columns = zip(first[2], point, strict=True)
        around = (slice(min(rows), max(rows) + 1), slice(min(columns), max(columns) + 1))
        self._required.apply(index, merge(self._required.plane(index), first[1], number, around))

    def _draw(self, index: Index, path: npt.NDArray[np.float64]) -> None:
        self._marks.show_line(self._required.layer, index, path)

    def _split(self, index: Index, path: npt.NDArray[np.float64]) -> None:
        self.said.emit("")
        self._required.apply(index, split_along(self._required.plane(index), path, self._required.next_number()))

    def _say(self, hint: str) -> None:
        self.hint = hint
        self.changed.emit()

    def _leave_layer(self, event: object = None) -> None:
        history = self._history
        if history is not None and not self._switching and self._viewer.layers.selection.active != history.layer:
            self.stop()

    def _leave_mode(self, event: object = None) -> None:
        """Give way when a mode of napari's own is chosen, and end painting when it is left."""
        history, tool = self._history, self.active
        if history is None or tool is None or self._switching:
            return
        if str(history.layer.mode) != (PAINTING if tool.name == "paint" else LOOKING):
            self.stop()

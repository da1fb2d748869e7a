"""One row that offers the layers of a viewer of one kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip

if TYPE_CHECKING:
    from napari import Viewer

TEMPORARY_KEY = "napari_unet_seg_temporary"
"""Metadata of layers that show something for a while, and are not offered anywhere."""

Test = Callable[[Any], bool]


class LayerList(QObject):
    """A list of layers, topmost first as in the layer list; what is chosen stays chosen as long as it is there.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered as they come and go.
    parent : QWidget
        Owner of the editor.
    words : tuple of str
        Title and tooltip; and what is shown when there is no layer.
    accepts : callable
        Whether a layer is offered.
    """

    changed = Signal()
    """Another layer was chosen."""
    offered = Signal()
    """The list was made anew; the choice may be the same."""

    def __init__(self, viewer: Viewer, parent: QWidget, words: tuple[str, str, str], accepts: Test) -> None:
        """Make the editor and follow the layers."""
        super().__init__(parent)
        self._viewer, self._accepts = viewer, accepts
        self._entries: list[Any] = []
        self._told: Any = None
        title, tip, self._nothing = words
        self.label, self.box = QLabel(title, parent), Choice(parent)
        self.label.setBuddy(self.box)
        self.box.setAccessibleName(title)
        self.box.setPlaceholderText(self._nothing)
        for widget in (self.label, self.box):
            widget.setToolTip(tooltip(tip))
        self.box.currentIndexChanged.connect(self._tell)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            emitter.connect(self.refresh)
        self.refresh()

    @property
    def layers(self) -> list[Any]:
        """The layers that are offered."""
        return [layer for layer in self._entries if layer is not None]

    @property
    def layer(self) -> Any:
        """The chosen layer; None when there is none."""
        index = self.box.currentIndex()
        return self._entries[index] if 0 <= index < len(self._entries) else None

    @property
    def alive(self) -> bool:
        """Whether the editor is there; the viewer and its layers may outlive the window, and go on telling."""
        return bool(isalive(self.box))  # type: ignore[no-untyped-call]

    def choose(self, layer: Any) -> None:
        """Choose a layer, if it is offered; None for none, where that can be chosen."""
        if layer in self._entries:
            self.box.setCurrentIndex(self._entries.index(layer))

    def refresh(self, event: object = None) -> None:
        """Offer the layers that there are."""
        if not self.alive:
            return
        before, chosen = self.layers, self.layer
        layers = [layer for layer in reversed(list(self._viewer.layers)) if TEMPORARY_KEY not in layer.metadata]
        self._entries = self._listed([layer for layer in layers if self._accepts(layer)])
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([self._nothing if layer is None else layer.name for layer in self._entries])
        self.choose(self._pick(chosen, [layer for layer in self.layers if layer not in before]))
        self.box.blockSignals(False)
        self.box.setEnabled(bool(self._entries))
        self._tell()
        self.offered.emit()

    def _listed(self, layers: list[Any]) -> list[Any]:
        """Return the entries of the list; None is one for no layer."""
        return layers

    def _pick(self, chosen: Any, come: list[Any]) -> Any:
        """Return what is chosen in a new list, where `come` were not in the old one."""
        return chosen if chosen in self.layers else next(iter(self.layers), None)

    def _tell(self, index: int = 0) -> None:
        if self.layer != self._told:  # not "is": napari hands plugins a new proxy each time
            self._told = self.layer
            self.changed.emit()


class LayerChoice(LayerList):
    """A list in which nothing can be chosen too; nobody's choice changes with what is active in the layer list.

    Parameters
    ----------
    viewer, parent, words, accepts
        As of `LayerList`; what is shown for no layer is its first entry.
    prefers : callable, optional
        Whether a layer is chosen by itself; without it, none is.
    """

    def __init__(self, viewer: Viewer, parent: QWidget, words: tuple[str, str, str], accepts: Test, prefers: Test | None = None) -> None:
        """Make the editor and follow the layers."""
        self._prefers = prefers
        super().__init__(viewer, parent, words, accepts)

    def _listed(self, layers: list[Any]) -> list[Any]:
        return [None, *layers]

    def _pick(self, chosen: Any, come: list[Any]) -> Any:
        fallback = next((layer for layer in self.layers if self._prefers(layer)), None) if self._prefers else None
        return chosen if chosen in self.layers else fallback


def is_labels(layer: object) -> bool:
    """Say whether a layer holds labels."""
    return isinstance(layer, Labels)

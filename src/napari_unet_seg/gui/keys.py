"""Keys that hold while a dock is seen: on its layer, where the canvas has the focus, and in the dock itself.

None of them is one of napari's own for labels layers or for the viewer.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget  # type: ignore[attr-defined]  # where qtpy has it for every binding

if TYPE_CHECKING:
    from napari.layers import Labels

Action = Callable[[], None]


class Keys(QObject):
    """Keys of a dock.

    Parameters
    ----------
    actions : mapping of str to callable
        What each key does.
    docked : mapping of str to callable
        What keys do in the dock that the canvas has already.
    parent : QWidget
        The dock, whose own keys they are, too.
    """

    def __init__(self, actions: Mapping[str, Action], docked: Mapping[str, Action], parent: QWidget) -> None:
        """Bind them in the dock; `bind` does in a layer."""
        super().__init__(parent)
        self._actions = dict(actions)
        self._layer: Labels | None = None
        self._replaced: dict[str, Any] = {}
        for key, action in {**self._actions, **docked}.items():
            shortcut = QShortcut(QKeySequence("Esc" if key == "Escape" else key), parent)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def bind(self, layer: Labels) -> None:
        """Bind the keys in a layer, for the canvas; `release` gives back what they did there."""
        self.release()
        self._layer = layer
        for key in self._actions:
            self._replaced[key] = layer.bind_key(key, _weakly(weakref.ref(self), key), overwrite=True)

    def release(self) -> None:
        """Bind the keys in no layer."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        for key, before in self._replaced.items():
            layer.bind_key(key, before, overwrite=True)
        self._replaced = {}

    def press(self, key: str) -> None:
        """Do what a key does."""
        self._actions[key]()


def _weakly(keys: weakref.ref[Keys], key: str) -> Callable[[Any], None]:
    """Return a function for a layer, which must not keep a dock alive."""

    def _pressed(layer: Any) -> None:
        alive = keys()
        if alive is not None:
            alive.press(key)

    return _pressed

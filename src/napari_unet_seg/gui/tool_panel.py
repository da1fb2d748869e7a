"""The buttons of the tools, what to do with the chosen one, and the steps back and forth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QGridLayout, QWidget

from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.correcting import TOOLS, Tools
from napari_unet_seg.gui.editors import Hint

if TYPE_CHECKING:
    from collections.abc import Callable

CHOOSE = "Choose a tool, then click in the image. Esc puts it away."
_COLUMNS = 6


class ToolPanel(QWidget):
    """The rows of the tools.

    Parameters
    ----------
    tools : Tools
        What the buttons choose.
    parent : QWidget
        Its owner.
    """

    def __init__(self, tools: Tools, parent: QWidget) -> None:
        """Build the rows."""
        super().__init__(parent)
        self._tools = tools
        self.buttons = {
            tool.name: narrow_button(f"{tool.title}  {tool.key}", "tool", f"{tool.tip} {tool.hint} (Key {tool.key})", self)
            for tool in TOOLS.values()
        }
        self.undo_button = narrow_button("Undo", "secondary", "Take the last correction back (Ctrl+Z).", self)
        self.redo_button = narrow_button("Redo", "secondary", "Make it again (Ctrl+Shift+Z).", self)
        self.hint = Hint(self)
        self._lay_out()
        for button in self.buttons.values():
            button.clicked.connect(self._press)
        tools.changed.connect(self.show_tool)
        self.show_tool()

    def key_actions(self) -> dict[str, Callable[[], None]]:
        """Return what the keys of the tools do."""
        return {tool.key: partial(self._tools.choose, tool.name) for tool in TOOLS.values()}

    def show_tool(self) -> None:
        """Show which tool is chosen, and what to do with it."""
        active = self._tools.active
        for name, button in self.buttons.items():
            button.setChecked(active is not None and active.name == name)
        self.hint.setText(self._tools.hint or CHOOSE)

    def _press(self) -> None:
        """Choose the tool whose button was pressed, or put it away; painting goes on with the next number."""
        name = next(name for name, button in self.buttons.items() if button is self.sender())
        active = self._tools.active
        if active is not None and active.name == name != "paint":
            self._tools.stop()
        else:
            self._tools.choose(name)
        self.show_tool()

    def _lay_out(self) -> None:
        """Place three tools in a row, then two, then the two steps."""
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        buttons = list(self.buttons.values())
        for button in buttons:
            button.setCheckable(True)
        for row, members in enumerate((buttons[:3], buttons[3:], [self.undo_button, self.redo_button])):
            width = _COLUMNS // len(members)
            for place, button in enumerate(members):
                grid.addWidget(button, row, place * width, 1, width)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.hint, 3, 0, 1, _COLUMNS)

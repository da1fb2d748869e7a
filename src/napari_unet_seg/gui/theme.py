"""How the widget looks in napari's themes: what their style sheets leave to a plugin, in their own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

# Colours are taken from the theme, sizes from its font, so that a larger font or a theme of somebody else's fits too.
_SHEET = """
QLabel[kind="hint"] {{ padding: 0px 2px; color: {faint}; font-size: {small}pt; }}
QLabel[kind="result"] {{ font-size: {large}pt; font-weight: bold; }}
QPlainTextEdit[kind="command"] {{ background-color: {foreground}; border-radius: 2px; padding: 4px; }}
QLabel[kind="headline"] {{ font-weight: bold; }}
QPushButton[kind="primary"] {{ background-color: {current}; font-weight: bold; padding: 6px; }}
QPushButton[kind="primary"]:hover {{ background-color: {hover}; }}
QPushButton[kind="primary"]:disabled {{ background-color: {foreground}; border: 1px solid {primary}; color: {faint}; padding: 5px; }}
QPushButton[kind="secondary"] {{ padding: 6px; }}
QPushButton[kind="secondary"]:disabled {{ background-color: {foreground}; color: {faint}; padding: 5px; }}
QPushButton[kind="tool"] {{ padding: 6px 2px; }}
QPushButton[kind="tool"]:checked {{ background-color: {current}; }}
QPushButton[kind="tool"]:disabled {{ background-color: {foreground}; color: {faint}; }}
QPushButton[kind="link"] {{ background-color: transparent; text-decoration: underline; padding: 0px 2px; font-size: {small}pt; }}
QPushButton[kind="link"]:hover, QPushButton[kind="link"]:focus {{ background-color: {foreground}; }}
QPushButton[kind="flat"] {{ background-color: transparent; text-align: left; padding: 3px 0px; color: {text}; }}
QPushButton[kind="flat"]:disabled {{ background-color: transparent; border: none; color: {faint}; }}
QPushButton[kind="flat"]:hover {{ color: {text}; background-color: {foreground}; }}
QPushButton[kind="flat"]:focus {{ background-color: {foreground}; }}
QPushButton:focus, QComboBox:focus, QAbstractSpinBox:focus {{ border: 1px solid {current}; }}
QCheckBox:focus {{ color: {text}; background-color: {foreground}; }}
QFrame#message {{ background-color: {foreground}; border-radius: 2px; border-left: 3px solid {secondary}; }}
QFrame#message[kind="error"] {{ border-left-color: {error}; }}
QFrame#message[kind="notice"] {{ border-left-color: {warning}; }}
QFrame#message QLabel {{ background-color: transparent; font-size: {small}pt; }}
QScrollArea, QScrollArea > QWidget, QWidget#rows {{ border: none; padding: 0px; }}
QTableView {{ alternate-background-color: {foreground}; selection-background-color: {current}; selection-color: {text}; }}
QTableView::item:selected {{ background-color: {current}; }}
QListWidget {{ padding: 2px; }}
QAbstractSpinBox[kind="narrow"] {{ min-width: 30px; padding: 1px 2px; }}
QPushButton[kind="unit"] {{ padding: 3px 0px; }}
QProgressBar {{ max-height: 8px; }}
"""


def style_sheet(theme: str) -> str:
    """Return the style sheet for a theme.

    Parameters
    ----------
    theme : str
        Name of a napari theme, such as "dark".

    Returns
    -------
    str
    """
    colors = get_theme(theme)
    names = ("foreground", "primary", "secondary", "text", "warning", "error", "current")
    size = int(colors.font_size.removesuffix("pt"))
    red, green, blue = colors.text.as_rgb_tuple()[:3]
    values = {name: getattr(colors, name).as_hex(format="long") for name in names}
    return _SHEET.format(
        **values,
        faint=f"rgba({red}, {green}, {blue}, 65%)",
        hover=_mixed(values["current"], values["text"]),
        small=size,
        large=size + 4,
    )


def set_kind(widget: QWidget, kind: str) -> None:
    """Say what part a widget plays, which its style depends on.

    Parameters
    ----------
    widget : QWidget
    kind : str
        One of those named in the style sheet.
    """
    widget.setProperty("kind", kind)
    style = widget.style()
    if style is not None:  # Qt reads such a property once; this makes it read it again
        style.unpolish(widget)
        style.polish(widget)


def _mixed(color: str, other: str, share: float = 0.15) -> str:
    pairs = [(int(color[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)

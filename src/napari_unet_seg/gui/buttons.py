"""Buttons that share a row in a narrow dock."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

from napari_unet_seg.gui.form import tooltip

_LEAST_WIDTH = 56


def narrow_button(text: str, kind: str, tip: str, parent: QWidget) -> QPushButton:
    """Make a button that takes the width that there is, so that all of a row can be equally wide.

    Parameters
    ----------
    text : str
    kind : str
        One of those named in the style sheet.
    tip : str
        What it does.
    parent : QWidget
        Its owner.

    Returns
    -------
    QPushButton
    """
    button = QPushButton(text, parent)
    button.setProperty("kind", kind)
    button.setToolTip(tooltip(tip))
    button.setMinimumWidth(_LEAST_WIDTH)
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button

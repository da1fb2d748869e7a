"""Colour nuclei by a column of their table, with a legend, and give the layer its own colours back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap, ensure_colormap
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtGui import QColor, QLinearGradient, QPainter
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_unet_seg.gui.columns import column_tip, column_title, formatter, numbers, numeric_columns
from napari_unet_seg.gui.editors import Choice
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.io.labels_info import PROVENANCE_KEY

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels
    from qtpy.QtGui import QPaintEvent

FORMER_KEY = "napari_unet_seg_colours"
"""Under this name the metadata of a coloured layer hold its former colours and the column, so that they outlive this widget."""
OWN_COLOURS = "none"
_ON_DARK, _ON_BRIGHT = ("viridis", 0.25, 1.0), ("magma", 0.0, 0.75)
"""Colormap, and the part of it that stands out from the ground."""
_GREY = (0.55, 0.55, 0.55, 1.0)
"""Of a nucleus without a number."""
_STEPS = 64
_MOST_CYCLIC = 2**16 - 2
"""Labels up to this number fit into napari's quick kind of colormap."""
_SPARE = 256
"""Labels beyond the largest that are grey too: nuclei that will be painted."""
_ENDS = (1.0, 99.0)
"""Percentiles at the ends of the scale, so that one odd nucleus does not take the colours from all the others."""


@dataclass(frozen=True)
class Scale:
    """Colours for numbers.

    Parameters
    ----------
    low, high : float
        Numbers at the ends; what is beyond has the colour of the end.
    dark_ground : bool
        Whether nuclei are brighter than the ground.
    """

    low: float
    high: float
    dark_ground: bool = True

    @staticmethod
    def of(values: npt.NDArray[np.float64], dark_ground: bool = True) -> Scale:
        """Choose the ends for a column."""
        finite = values[np.isfinite(values)]
        low, high = map(float, np.percentile(finite, _ENDS)) if finite.size else (0.0, 1.0)
        if high <= low and finite.size:
            low, high = float(finite.min()), float(finite.max())
        return Scale(low, high if high > low else low + 1.0, dark_ground)

    def colours(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the colour of each number, (N, 4); grey for NaN."""
        name, start, end = _ON_DARK if self.dark_ground else _ON_BRIGHT
        known = np.isfinite(values)
        share = np.clip((np.where(known, values, self.low) - self.low) / (self.high - self.low), 0, 1)
        steps = np.round(share * (_STEPS - 1)) / (_STEPS - 1)  # few colours are few entries in a colormap
        colours = np.asarray(ensure_colormap(name).map(start + (end - start) * steps), np.float32)
        colours[~known] = _GREY
        return colours


def label_colours(labels: npt.NDArray[Any], values: npt.NDArray[np.float64], scale: Scale) -> CyclicLabelColormap | DirectLabelColormap:
    """Make a colormap that gives each label the colour of its number.

    Parameters
    ----------
    labels : ndarray of int, shape (nuclei,)
    values : ndarray of float64, shape (nuclei,)
    scale : Scale

    Returns
    -------
    CyclicLabelColormap or DirectLabelColormap
        The first, a cycle that is longer than the labels go, is an array and quick, and ends at 65,535; larger labels take the second.
    """
    colours = scale.colours(values)
    largest = int(labels.max(initial=0))
    if largest <= _MOST_CYCLIC:
        table = np.tile(np.array(_GREY, np.float32), (min(largest + _SPARE, _MOST_CYCLIC) + 2, 1))
        table[0] = 0
        table[labels] = colours
        return CyclicLabelColormap(colors=table)
    colormap = DirectLabelColormap(color_dict=defaultdict(_grey, {None: _grey(), 0: np.zeros(4, np.float32)}))
    # Not by its constructor, which reads each of the colours as if it might be a word.
    colormap.color_dict.update(zip(labels.tolist(), colours, strict=True))
    return colormap


def _grey() -> npt.NDArray[np.float32]:
    return np.array(_GREY, np.float32)


def colour(layer: Labels, table: pd.DataFrame, name: str) -> Scale:
    """Colour the nuclei of a layer by a column; its own colours are kept.

    Parameters
    ----------
    layer : napari.layers.Labels
    table : pandas.DataFrame
        With ``label``.
    name : str
        One of its columns of numbers.

    Returns
    -------
    Scale
        The numbers at the ends.
    """
    values = numbers(table, name)
    limits = layer.metadata.get(PROVENANCE_KEY, {}).get("limits", ())
    scale = Scale.of(values, all(plane.get("polarity") != "dark" for plane in limits))
    former, _ = layer.metadata.get(FORMER_KEY, (layer.colormap, name))
    layer.metadata[FORMER_KEY] = former, name
    put_on(layer, label_colours(table["label"].to_numpy(), values, scale))
    return scale


def uncolour(layer: Labels) -> None:
    """Give a layer the colours back that it had before `colour`."""
    former, _ = layer.metadata.pop(FORMER_KEY, (None, ""))
    if former is not None:
        put_on(layer, former)


def put_on(layer: Labels, colours: CyclicLabelColormap | DirectLabelColormap) -> None:
    """Give a layer other colours, and keep it above the layers below it.

    Parameters
    ----------
    layer : napari.layers.Labels
    colours : CyclicLabelColormap or DirectLabelColormap
    """
    layer.colormap = colours
    # For more than 255 colours, or fewer again, napari makes another picture of the layer and draws it below all others; it sorts them
    # anew when one is shown.
    layer.events.visible()


def coloured_by(layer: Labels | None) -> str:
    """Return the column by which a layer is coloured; empty when it has its own colours."""
    return "" if layer is None else str(layer.metadata.get(FORMER_KEY, (None, ""))[1])


class ColourRow(QWidget):
    """The row "Colour by", and the legend below it while nuclei are coloured.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    chosen = Signal(str)
    """The column; empty for the layer's own colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without columns."""
        super().__init__(parent)
        self.box, self.back, self.legend = Choice(self), QPushButton("Back to outline colours", self), Legend(self)
        label = QLabel("Colour by", self)
        label.setBuddy(self.box)
        self.box.setAccessibleName("Colour by")
        self.box.setToolTip(tooltip("Give each nucleus the colour of its number in a column, such as its size or its brightness."))
        self.back.setProperty("kind", "flat")
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.legend)
        layout.addWidget(self.back)
        self.box.currentIndexChanged.connect(self._tell)
        self.back.clicked.connect(self.reset)
        self.offer([])

    @property
    def name(self) -> str:
        """The chosen column; empty for the layer's own colours."""
        return self.box.currentData() or ""

    def offer(self, names: list[str], name: str | None = None) -> None:
        """Offer columns without choosing one anew.

        Parameters
        ----------
        names : list of str
        name : str, optional
            The one to show as chosen; the present one if not given. When it is not among them, none is.
        """
        name = self.name if name is None else name
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItem(OWN_COLOURS, "")
        for one in names:
            self.box.addItem(column_title(one), one)
            self.box.setItemData(self.box.count() - 1, f"<p>{column_tip(one)}</p>", Qt.ItemDataRole.ToolTipRole)
        self.box.setCurrentIndex(max(self.box.findData(name), 0))
        self.box.blockSignals(False)
        self.box.setEnabled(bool(names))
        self._show()

    def reset(self) -> None:
        """Choose the layer's own colours."""
        self.box.setCurrentIndex(0)

    def _tell(self, index: int = 0) -> None:
        self._show()
        self.chosen.emit(self.name)

    def _show(self) -> None:
        for widget in (self.legend, self.back):
            widget.setVisible(bool(self.name))


class Legend(QWidget):
    """The colours of a scale, and the numbers at its ends.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without a scale."""
        super().__init__(parent)
        self.low, self.high, self.bar = QLabel(self), QLabel(self), _Gradient(self)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.bar, 0, 0, 1, 2)
        layout.addWidget(self.low, 1, 0)
        layout.addWidget(self.high, 1, 1, Qt.AlignmentFlag.AlignRight)
        for label in (self.low, self.high):
            label.setProperty("kind", "hint")
        self.setToolTip(
            tooltip("A hundredth of the nuclei at either end is beyond these numbers, and has the colour of the end. Grey: unknown.")
        )

    def show_scale(self, scale: Scale) -> None:
        """Show a scale."""
        write = formatter(np.array([scale.low, scale.high]))
        self.low.setText(write(scale.low))
        self.high.setText(write(scale.high))
        self.bar.show_scale(scale)


class _Gradient(QWidget):
    """A bar of all colours."""

    def __init__(self, parent: QWidget) -> None:
        """Start without colours."""
        super().__init__(parent)
        self._colours: npt.NDArray[np.float32] = np.zeros((0, 4), np.float32)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(10)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size at which it can be read."""
        return QSize(100, 10)

    def show_scale(self, scale: Scale) -> None:
        """Show the colours of a scale."""
        self._colours = scale.colours(np.linspace(scale.low, scale.high, 12))
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw them from left to right."""
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for place, colour in zip(np.linspace(0, 1, len(self._colours)), self._colours, strict=True):
            gradient.setColorAt(float(place), QColor.fromRgbF(*map(float, colour)))
        painter = QPainter(self)
        painter.fillRect(self.rect(), gradient)


def colour_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns by which nuclei can be coloured: those in which there is a number."""
    return [name for name in numeric_columns(table) if bool(table[name].notna().any())]

"""Histograms of columns of the table, in the colours of napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_unet_seg.gui.columns import SIZES, column_tip, column_title, numbers, numeric_columns
from napari_unet_seg.gui.editors import Choice, Hint

if TYPE_CHECKING:
    import pandas as pd

FEWEST_BINS, MOST_BINS = 5, 60
NOTHING = "Nothing to show yet: press Measure."
_LINE, _HEIGHT, _TOP = 2, 110, 6
"""Pixels: of the mark of the selected nucleus, the least height of a plot, and the room around it."""
_HEADROOM = 1.12
"""How much higher than the highest bar the axis goes, so that its uppermost number is seen whole."""

Floats = npt.NDArray[np.float64]


def bin_edges(values: Floats) -> Floats:
    """Choose the bins of a histogram.

    Parameters
    ----------
    values : ndarray of float64
        Finite, at least one.

    Returns
    -------
    ndarray of float64, shape (bins + 1,)
        By the rule of Freedman and Diaconis (1981), 5 to 60 bins; of whole numbers, each bin holds as many of them.
    """
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    if high == low:
        return np.array([low - 0.5, low + 0.5])
    count = len(np.histogram_bin_edges(values, "fd")) - 1 if len(values) > 1 and _spread(values) else FEWEST_BINS
    count = int(np.clip(count, FEWEST_BINS, MOST_BINS))
    if whole:
        width = max(1, round((high - low + 1) / count))
        return np.arange(low - 0.5, high + width, width)
    return np.linspace(low, high, count + 1)


def _spread(values: Floats) -> bool:
    """Whether the rule gives a number of bins that can be counted; a middle half of equal numbers with one far away gives none."""
    low, middle_low, middle_high, high = np.percentile(values, (0, 25, 75, 100))
    return bool(middle_high > middle_low and (high - low) / (middle_high - middle_low) < len(values) * MOST_BINS)


class Histogram(QWidget):
    """One histogram, and the choice of its column.

    Parameters
    ----------
    preferred : tuple of str
        Beginnings of the columns to show at first, the best first.
    parent : QWidget
        Its owner.
    """

    clicked = Signal(object)
    """The places, in the table, of the nuclei in the bar that was clicked: an array."""

    def __init__(self, preferred: tuple[str, ...], parent: QWidget | None = None) -> None:
        """Make an empty plot."""
        super().__init__(parent)
        from pyqtgraph import AxisItem, BarGraphItem, GraphicsLayoutWidget, InfiniteLine, ViewBox

        self._preferred = preferred
        self._table: pd.DataFrame | None = None
        self._picked = False
        self.edges: Floats = np.zeros(0)
        self.counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        # Not pyqtgraph's PlotWidget, which makes menus and a panel of options that nobody owns and that outlive the window.
        self.box, self.plot, self.view = Choice(self), GraphicsLayoutWidget(self), ViewBox(enableMouse=False, enableMenu=False)
        self.axes = {side: AxisItem(side) for side in ("bottom", "left")}
        self.bars, self.mark = BarGraphItem(x0=[], x1=[], height=[]), InfiniteLine(movable=False)
        self._prepare()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.box)
        layout.addWidget(self.plot)
        self.box.activated.connect(self._note_choice)
        self.box.currentIndexChanged.connect(self._draw)
        self.plot.scene().sigMouseClicked.connect(self._click)

    @property
    def name(self) -> str:
        """The column that is shown; empty when there is none."""
        return self.box.currentData() or ""

    def set_table(self, table: pd.DataFrame) -> None:
        """Show another table; the column stays if the user chose it and it is still there.

        Parameters
        ----------
        table : pandas.DataFrame
        """
        self._table = table
        names = numeric_columns(table)
        best = (name for beginning in self._preferred for name in names if name.startswith(beginning))
        name = self.name if self._picked and self.name in names else next(best, names[0] if names else "")
        self.box.blockSignals(True)
        self.box.clear()
        for one in names:
            self.box.addItem(column_title(one), one)
            self.box.setItemData(self.box.count() - 1, f"<p>{column_tip(one)}</p>", Qt.ItemDataRole.ToolTipRole)
        self.box.setCurrentIndex(self.box.findData(name))
        self.box.blockSignals(False)
        self._draw()

    def show_nucleus(self, place: int | None) -> None:
        """Mark the number of a nucleus.

        Parameters
        ----------
        place : int or None
            Its row in the table; None for none.
        """
        value = np.nan
        if place is not None and self._table is not None and self.name and place < len(self._table):
            value = numbers(self._table, self.name)[place]
        self.mark.setVisible(bool(np.isfinite(value)))
        if np.isfinite(value):
            self.mark.setValue(float(value))

    def paint(self, theme: str) -> None:
        """Take the colours of a theme.

        Parameters
        ----------
        theme : str
            Name of a napari theme.
        """
        from pyqtgraph import mkBrush, mkPen

        colours = get_theme(theme)
        text, ground = colours.text.as_hex(format="long"), colours.background.as_hex(format="long")
        self.plot.setBackground(ground)
        self.bars.setOpts(brush=mkBrush(colours.current.as_hex(format="long")), pen=mkPen(ground))
        self.mark.setPen(mkPen(colours.warning.as_hex(format="long"), width=_LINE))
        for axis in self.axes.values():
            axis.setPen(mkPen(colours.secondary.as_hex(format="long")))
            axis.setTextPen(mkPen(text))
        self._label()

    def _prepare(self) -> None:
        self.box.setAccessibleName("Column of the histogram")
        self.box.setPlaceholderText("no numbers yet")
        grid = self.plot.ci
        grid.setContentsMargins(0, _TOP, _TOP, _TOP)
        grid.setSpacing(0)
        for item, row, column in ((self.axes["left"], 0, 0), (self.view, 0, 1), (self.axes["bottom"], 1, 1)):
            self.plot.addItem(item, row, column)
        for axis in self.axes.values():
            axis.linkToView(self.view)
            axis.enableAutoSIPrefix(False)
        self.view.addItem(self.bars)
        self.view.addItem(self.mark)
        self.mark.hide()
        self.plot.setMinimumHeight(_HEIGHT)
        self.plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.plot.setToolTip(
            "<p>How many nuclei have which number. Click a bar to select its nuclei in the table; the line marks the "
            "nucleus that is selected.</p>"
        )

    def _note_choice(self, index: int = 0) -> None:
        self._picked = True

    def _draw(self, index: int = 0) -> None:
        values = np.zeros(0) if self._table is None or not self.name else numbers(self._table, self.name)
        finite = values[np.isfinite(values)]
        self.edges = bin_edges(finite) if finite.size else np.zeros(0)
        self.counts = np.histogram(finite, self.edges)[0] if finite.size else np.zeros(0, np.int64)
        self.bars.setOpts(x0=self.edges[:-1], x1=self.edges[1:], height=self.counts)
        self.mark.hide()
        if finite.size:
            self.view.setXRange(self.edges[0], self.edges[-1], padding=0.02)
            self.view.setYRange(0, _HEADROOM * int(self.counts.max()), padding=0)
        self._label()

    def _label(self) -> None:
        self.axes["bottom"].setLabel(column_title(self.name) if self.name else "")
        self.axes["left"].setLabel("Nuclei")

    def _click(self, event: Any) -> None:
        """Find the bar under the mouse."""
        if event.button() != Qt.MouseButton.LeftButton or self._table is None or not self.edges.size:
            return
        x = self.view.mapSceneToView(event.scenePos()).x()
        bar = int(np.searchsorted(self.edges, x, side="right")) - 1
        if 0 <= bar < len(self.counts):
            values = numbers(self._table, self.name)
            last = bar == len(self.counts) - 1  # its end belongs to it, as NumPy counts
            inside = (values >= self.edges[bar]) & ((values <= self.edges[bar + 1]) if last else (values < self.edges[bar + 1]))
            self.clicked.emit(np.flatnonzero(inside))


class Histograms(QWidget):
    """Two histograms: one of sizes, one of intensities, until somebody chooses other columns.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    clicked = Signal(object)
    """The places, in the table, of the nuclei in the bar that was clicked: an array."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make empty plots."""
        super().__init__(parent)
        self.hint = Hint(self)
        self.hint.setText(NOTHING)
        self.sizes, self.intensities = Histogram(SIZES, self), Histogram(("mean_", "score", "eccentricity"), self)
        self.both = (self.sizes, self.intensities)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.hint)
        for histogram in self.both:
            layout.addWidget(histogram, 1)
            histogram.clicked.connect(self.clicked)

    def set_table(self, table: pd.DataFrame) -> None:
        """Show another table."""
        self.hint.setVisible(not len(table))
        for histogram in self.both:
            histogram.set_table(table)

    def show_nucleus(self, place: int | None) -> None:
        """Mark the numbers of a nucleus by its place in the table."""
        for histogram in self.both:
            histogram.show_nucleus(place)

    def paint(self, theme: str) -> None:
        """Take the colours of a theme."""
        for histogram in self.both:
            histogram.paint(theme)

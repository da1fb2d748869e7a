"""The curves of a training while it goes on, in the colours of napari's theme."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_unet_seg.progress import Progress

_HEIGHT, _TOP, _LINE = 110, 6, 2
_MOST_POINTS = 400
"""Drawn of a curve; longer ones are thinned."""
_SMOOTH = 15
"""Steps over which the loss is averaged: that of a single step depends on its patches."""
_HEADROOM = 1.1
_TIP = (
    "How far the network is from what you painted: lower is better. While it learns, the line falls, and then levels off. With 20 nuclei "
    "or more, some are kept out of training: their line (dots) must fall too, and the model is taken from where it is best."
)

Floats = npt.NDArray[np.float64]


class TrainCurves(QWidget):
    """Loss over steps: of training, and of what is kept out of it.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty plot."""
        super().__init__(parent)
        from pyqtgraph import AxisItem, GraphicsLayoutWidget, PlotCurveItem, ScatterPlotItem, ViewBox

        self.steps: list[float] = []
        self.losses: list[float] = []
        self.looks: list[tuple[float, float, float]] = []
        self._total, self._figure = 1, "AP"
        self._colours = ("#888888", "#888888")
        # Not pyqtgraph's PlotWidget, which makes menus and a panel of options that nobody owns and that outlive the window.
        self.plot, self.view = GraphicsLayoutWidget(self), ViewBox(enableMouse=False, enableMenu=False)
        self.axes = {side: AxisItem(side) for side in ("bottom", "left")}
        self.training, self.validation, self.dots = PlotCurveItem(), PlotCurveItem(), ScatterPlotItem(size=6)
        self.legend = QLabel(self)
        self._prepare()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self.plot)

    def clear(self) -> None:
        """Start with empty curves."""
        self.steps, self.losses, self.looks, self._total = [], [], [], 1
        self._draw()

    def add(self, reports: Iterable[Progress]) -> None:
        """Draw more steps.

        Parameters
        ----------
        reports : iterable of Progress
            Those without a loss are left out.
        """
        for report in reports:
            if "loss" in report.metrics:
                self._forget_from(report.done)
                self._total = max(report.total, report.done)
                self.steps.append(report.done)
                self.losses.append(report.metrics["loss"])
            if "validation_loss" in report.metrics:
                self._figure = "Dice" if "mean_dice" in report.metrics else "AP"
                figure = report.metrics.get("mean_dice", report.metrics.get("ap", float("nan")))
                self.looks.append((report.done, report.metrics["validation_loss"], figure))
        self._draw()

    def _forget_from(self, step: int) -> None:
        """Drop steps that are done once more: a training goes on from where it was saved last."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.losses.pop()
        while self.looks and self.looks[-1][0] >= step:
            self.looks.pop()

    def show_report(self, curves: dict[str, dict[str, list[float]]]) -> None:
        """Draw the curves of a whole training, as its report keeps them; a resumed one began before the window looked."""
        loss = curves.get("loss", {"step": [], "value": []})
        self.steps, self.losses = list(loss["step"]), list(loss["value"])
        looks = curves.get("validation_loss", {"step": [], "value": []})
        self._figure = "Dice" if "mean_dice" in curves else "AP"
        scores = curves.get("mean_dice") or curves.get("ap", {"value": [float("nan")] * len(looks["step"])})
        self.looks = list(zip(looks["step"], looks["value"], scores["value"], strict=True))
        self._total = int(max(self.steps, default=1))
        self._draw()

    def paint(self, theme: str) -> None:
        """Take the colours of a theme.

        Parameters
        ----------
        theme : str
            Name of a napari theme.
        """
        from pyqtgraph import mkBrush, mkPen

        colours = get_theme(theme)
        names = ("text", "background", "secondary", "current", "warning")
        text, ground, line, first, second = (getattr(colours, name).as_hex(format="long") for name in names)
        self._colours = (first, second)
        self.plot.setBackground(ground)
        self.training.setPen(mkPen(first, width=_LINE))
        self.validation.setPen(mkPen(second, width=_LINE))
        self.dots.setBrush(mkBrush(second))
        self.dots.setPen(mkPen(None))
        for axis in self.axes.values():
            axis.setPen(mkPen(line))
            axis.setTextPen(mkPen(text))
        self._draw()

    def _prepare(self) -> None:
        grid = self.plot.ci
        grid.setContentsMargins(0, _TOP, _TOP, _TOP)
        grid.setSpacing(0)
        for item, row, column in ((self.axes["left"], 0, 0), (self.view, 0, 1), (self.axes["bottom"], 1, 1)):
            self.plot.addItem(item, row, column)
        for axis in self.axes.values():
            axis.linkToView(self.view)
            axis.enableAutoSIPrefix(False)
        for curve in (self.training, self.validation, self.dots):
            self.view.addItem(curve)
        self.axes["bottom"].setLabel("Step")
        self.axes["left"].setLabel("Loss")
        self.plot.setFixedHeight(_HEIGHT)  # a graphics view would take all the room there is
        self.plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setProperty("kind", "hint")
        for widget in (self.plot, self.legend):
            widget.setToolTip(f"<p>{_TIP}</p>")

    def _draw(self) -> None:
        smooth = _smoothed(np.asarray(self.losses, float))
        stride = -(-len(smooth) // _MOST_POINTS) or 1
        steps = np.asarray(self.steps, float)
        self.training.setData(steps[::-stride][::-1], smooth[::-stride][::-1])
        looks = np.asarray(self.looks, float).reshape(-1, 3)
        self.validation.setData(looks[:, 0], looks[:, 1])
        self.dots.setData(looks[:, 0], looks[:, 1])
        highest = max([*smooth, *looks[:, 1]], default=1.0)
        self.view.setXRange(0, max(self._total, 1), padding=0.02)
        self.view.setYRange(0, _HEADROOM * (highest if highest > 0 else 1.0), padding=0)
        self._write_legend(smooth, looks)

    def _write_legend(self, smooth: Floats, looks: Floats) -> None:
        first, second = self._colours
        parts = [f'<span style="color:{first}">■</span> training {smooth[-1]:.2f}'] if smooth.size else []
        if looks.size:
            parts.append(f'<span style="color:{second}">●</span> kept out {looks[-1, 1]:.2f}, {self._figure} {looks[-1, 2]:.2f}')
        self.legend.setText(" &nbsp; ".join(parts) or "The curve begins with the first step.")


def _smoothed(values: Floats) -> Floats:
    """Average each value with those before it, as many as there are up to `_SMOOTH`."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - _SMOOTH, 0)
    averaged: Floats = (sums[ends] - sums[starts]) / (ends - starts)
    return averaged

"""Curves as a picture: drawn with Pillow, since two axes and some lines are no reason for every user to install a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    Picture = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 900, 360
"""Of one plot, in pixels."""
COLORS = ((31, 119, 180), (214, 100, 20), (44, 140, 44), (150, 90, 180), (120, 120, 120))
"""Of the curves, in their order; to be told apart in grey and by those who see few colours, too."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_TEXT, _TICKS = 14, 5
_INK, _GRID = (40, 40, 40), (225, 225, 225)

Curve = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Frame:
    """From values to pixels of a plot.

    Parameters
    ----------
    x, y : tuple of float
        Lowest and highest value of each axis.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel (x, y) of a point."""
        right = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + right * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)


def draw_curves(plots: Sequence[tuple[str, Mapping[str, Curve]]]) -> Picture:
    """Draw plots of curves over the steps of a training, one below the other.

    Parameters
    ----------
    plots : sequence of (str, mapping)
        Title, and curves by name: ``step`` and ``value``, of equal lengths. A plot without a point is left out.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
        `WIDTH` pixels wide, and `HEIGHT` high for each plot.
    """
    drawn = [_plot(title, curves) for title, curves in plots if any(len(curve["step"]) for curve in curves.values())]
    return np.concatenate(drawn) if drawn else np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def _plot(title: str, curves: Mapping[str, Curve]) -> Picture:
    from PIL import Image, ImageDraw

    steps = [step for curve in curves.values() for step in curve["step"]]
    values = [value for curve in curves.values() for value in curve["value"] if math.isfinite(value)] or [0.0]
    x_ticks, y_ticks = _ticks(0, max(steps)), _ticks(min(0.0, *values), max(values))
    frame = Frame((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    _axes(draw, frame, x_ticks, y_ticks)
    for color, curve in zip(COLORS, curves.values(), strict=False):
        points = [frame.at(x, y) for x, y in zip(curve["step"], curve["value"], strict=True) if math.isfinite(y)]
        draw.line(points, fill=color, width=2, joint="curve")
        for x, y in points if len(points) < _TICKS**2 else ():
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color)
    _legend(draw, title, list(curves))
    return np.asarray(picture)


def _axes(draw: Any, frame: Frame, x_ticks: list[float], y_ticks: list[float]) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(_TEXT)
    for tick in y_ticks:
        x, y = frame.at(frame.x[0], tick)
        draw.line([(x, y), frame.at(frame.x[1], tick)], fill=_GRID)
        draw.text((x - 8, y), f"{tick:g}", _INK, font, anchor="rm")
    for tick in x_ticks:
        x, y = frame.at(tick, frame.y[0])
        draw.line([(x, y), (x, y + 5)], fill=_INK)
        draw.text((x, y + 8), f"{tick:g}", _INK, font, anchor="mt")
    draw.line([frame.at(frame.x[0], frame.y[1]), frame.at(frame.x[0], frame.y[0]), frame.at(frame.x[1], frame.y[0])], fill=_INK)
    draw.text((WIDTH - _RIGHT, HEIGHT - 6), "step", _INK, font, anchor="rb")


def _legend(draw: Any, title: str, names: list[str]) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(_TEXT)
    draw.text((_LEFT, 12), title, _INK, font)
    right = WIDTH - _RIGHT
    for color, name in reversed(list(zip(COLORS, names, strict=False))):
        right -= draw.textlength(name, font)
        draw.text((right, 12), name, _INK, font)
        draw.line([(right - 26, 21), (right - 6, 21)], fill=color, width=3)
        right -= 42


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from at most `low` to at least `high`."""
    span = high - low if high > low else abs(high) or 1.0
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil((low + span) / step)
    return [round(number * step, 10) for number in range(first, last + 1)]

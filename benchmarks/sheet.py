"""The worst images on one picture, to see why: truth and prediction with what is wrong in colour, and the maps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from napari_unet_seg.io.overlay import write_png

if TYPE_CHECKING:
    from benchmarks.label_errors import Verdict

EDGE = 360
"""Pixels of the longer edge of a panel."""
GREEN, RED, ORANGE, BLUE, YELLOW, MAGENTA = (60, 220, 90), (255, 70, 70), (255, 160, 0), (80, 170, 255), (255, 235, 60), (255, 90, 230)
KEY = (
    ("found", GREEN),
    ("missed", RED),
    ("merged", ORANGE),
    ("split", BLUE),
    ("poor outline, or no match", YELLOW),
    ("extra", MAGENTA),
)
PANELS = ("truth", "prediction", "probability of nucleus", "distance to the border")
_GROUND, _INK, _GAP, _LINE, _TEXT = 24, (230, 230, 230), 8, 20, 13

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One image on the sheet.

    Parameters
    ----------
    title : str
        Name and figures.
    image : ndarray, shape (Y, X) or (Y, X, S)
    truth, prediction : ndarray of int, shape (Y, X)
    verdict : Verdict
        Of these two.
    maps : ndarray of float, shape (C, Y, X)
        Background first, distance last.
    """

    title: str
    image: Any
    truth: npt.NDArray[Any]
    prediction: npt.NDArray[Any]
    verdict: Verdict
    maps: npt.NDArray[Any]


def write_sheet(path: Path, cases: Sequence[Case]) -> None:
    """Write a sheet as PNG: one row an image, the panels of `PANELS` in it, and the key to the colours on top."""
    rows = [_head(), *(_row(case) for case in cases)]
    width = max(row.shape[1] for row in rows)
    write_png(path, np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=_GROUND) for row in rows]))


def _head() -> Picture:
    head = Image.new("RGB", (4 * (EDGE + _GAP) + _GAP, 2 * _LINE), (_GROUND,) * 3)
    draw = ImageDraw.Draw(head)
    x = _GAP
    for word, colour in KEY:
        draw.rectangle((x, 6, x + 10, 16), fill=colour)
        draw.text((x + 16, 3), word, colour, _font())
        x += int(draw.textlength(word, _font())) + 40
    for place, word in enumerate(PANELS):
        draw.text((_GAP + place * (EDGE + _GAP), _LINE + 2), word, _INK, _font())
    return np.asarray(head)


def _row(case: Case) -> Picture:
    true_colours = [
        _colour(verdict, (("merged", ORANGE), ("split", BLUE), ("missed", RED), ("poor", YELLOW), ("found", GREEN)))
        for verdict in _each(case.verdict, ("merged", "split", "missed", "poor", "found"))
    ]
    colours = [
        _colour(verdict, (("extra", MAGENTA), ("right", GREEN), ("", YELLOW))) for verdict in _each(case.verdict, ("extra", "right"))
    ]
    screen = _to_screen(case.image)
    panels = [
        _outlined(screen, case.truth, true_colours),
        _outlined(screen, case.prediction, colours),
        _map(1 - case.maps[0].astype(np.float32)),
        _map(case.maps[-1].astype(np.float32)),
    ]
    height = max(panel.shape[0] for panel in panels)
    row = np.full((height + _LINE + _GAP, 4 * (EDGE + _GAP) + _GAP, 3), _GROUND, np.uint8)
    title = Image.new("RGB", (row.shape[1], _LINE), (_GROUND,) * 3)
    ImageDraw.Draw(title).text((_GAP, 3), case.title, _INK, _font())
    row[:_LINE] = np.asarray(title)
    for place, panel in enumerate(panels):
        left = _GAP + place * (EDGE + _GAP)
        row[_LINE : _LINE + panel.shape[0], left : left + panel.shape[1]] = panel
    return row


def _each(verdict: Verdict, names: Sequence[str]) -> list[dict[str, bool]]:
    """Return, for each nucleus, what is said of it."""
    return [dict(zip(names, map(bool, values), strict=True)) for values in zip(*(getattr(verdict, name) for name in names), strict=True)]


def _colour(said: dict[str, bool], order: Sequence[tuple[str, tuple[int, int, int]]]) -> tuple[int, int, int]:
    return next((colour for name, colour in order if not name or said[name]), YELLOW)


def _outlined(screen: Picture, labels: npt.NDArray[Any], colours: Sequence[tuple[int, int, int]]) -> Picture:
    """Enlarge or shrink an image to the panel, and draw each nucleus in its colour."""
    from skimage.segmentation import find_boundaries

    shape = _fitted(labels.shape)
    picture = np.array(Image.fromarray(screen).resize(shape[::-1], Image.Resampling.BILINEAR))
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, labels.shape, strict=True))
    sampled = labels[np.ix_(rows, columns)]
    numbers, places = np.unique(labels), np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    places[numbers[numbers > 0]] = np.arange((numbers > 0).sum())
    edge = find_boundaries(sampled, mode="inner")
    if len(colours):
        picture[edge] = np.array(colours, np.uint8)[places[sampled[edge]]]
    return picture


def _map(values: npt.NDArray[np.float32]) -> Picture:
    grey = Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8)).resize(_fitted(values.shape)[::-1], Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(grey)[..., None], 3, axis=2)


def _to_screen(image: Any) -> Picture:
    """Stretch intensities from the 1st to the 99.8th percentile, with a gamma that shows dim nuclei in dark images: (Y, X, 3)."""
    pixels = image[..., :3].astype(np.float32) if image.ndim == 3 else np.repeat(image.astype(np.float32)[..., None], 3, axis=2)
    low, high = np.percentile(pixels, (1, 99.8))
    shown = ((pixels - low) / max(high - low, 1e-6)).clip(0, 1)
    return (255 * (shown if image.ndim == 3 else shown**0.6)).astype(np.uint8)


def _fitted(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = EDGE / max(shape)
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _font() -> Any:
    return ImageFont.load_default(_TEXT)

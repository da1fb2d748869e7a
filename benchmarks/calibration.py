"""How far can scores be believed? The share of right nuclei beside the score, before and after calibration, and the plot of it.

    python -m benchmarks.calibration DATASET [--fold 0] [--model nuclei] [--json FILE] [--plot FILE.png]

A nucleus is right when it matches one of the truth at an IoU of 0.5. "Calibrated" is cross-validated: the curve that judges a field of view
is made from the other half of the fields, so that no nucleus has a say in its own score. The images must be new to the model (its
validation fold). The curve that ships is made from all of them, by `napari_unet_seg.core.calibration.calibrate`; where the model has one
already it is the third line, and flatters itself when it was made from these images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import napari_unet_seg as nus
from benchmarks.dataset import find_items
from benchmarks.dsb2018 import markdown
from napari_unet_seg.core.calibration import BINS, Examples, Reliability, collect_examples, cross_calibrated, reliability
from napari_unet_seg.core.score import calibrated, knots_of

EDGE, MARGIN, BARS = 420, 64, 70
"""Pixels of the diagram, of the room around it, and of the bars below."""
COLOURS = ((120, 120, 120), (0, 110, 200), (220, 120, 0))
_INK, _GRID, _TEXT = (30, 30, 30), (225, 225, 225), 13


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--fold")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE.png")
    options = parser.parse_args(arguments)
    model = nus.load_model(options.model)
    items = [item for item in find_items(options.dataset) if options.fold is None or item.fold in ("", *options.fold)]
    planes = [(*pair, (item.modality, item.field)) for item in items for pair in item.planes()]
    examples = collect_examples(model, *zip(*planes, strict=True))
    found = compare(examples, model)
    print(markdown([_row(name, one) for name, one in found.items()]) + "\n")
    print(markdown([_row(name, one) for name, one in by_modality(examples, [group for *_, group in planes]).items()]))
    if options.json:
        described = {name: {**asdict(one), "expected_calibration_error": one.error} for name, one in found.items()}
        Path(options.json).write_text(json.dumps({"model": model.name, "reliability": described}, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        draw(found).save(options.plot)


def compare(examples: Examples, model: nus.Model) -> dict[str, Reliability]:
    """Measure the scores as they come, cross-calibrated, and by the curve of the model if it has one."""
    scores = {"mean probability": examples.score, "calibrated on other fields": cross_calibrated(examples)}
    if knots := knots_of(model.card):
        scores[f"as {model.name} has it"] = calibrated(examples.score, knots)
    return {name: reliability(score, examples.right) for name, score in scores.items()}


def by_modality(examples: Examples, groups: Sequence[tuple[str, str]]) -> dict[str, Reliability]:
    """Measure the cross-calibrated scores of each modality, which share one curve; groups are (modality, field) as given to `examples`."""
    modality = np.array([kind for kind, _ in dict.fromkeys(groups)])[examples.group]  # groups are numbered as they come
    score = cross_calibrated(examples)
    return {f"calibrated, {kind}": reliability(score[modality == kind], examples.right[modality == kind]) for kind in np.unique(modality)}


def _row(name: str, found: Reliability) -> dict[str, Any]:
    nuclei = np.array(found.nuclei)
    mean = float(np.average(found.score, weights=nuclei))
    share = float(np.average(found.right, weights=nuclei))
    return {
        "score": name,
        "nuclei": int(nuclei.sum()),
        "mean score": f"{mean:.3f}",
        "right": f"{share:.3f}",
        "expected calibration error": f"{found.error:.4f}",
    }


def draw(found: dict[str, Reliability]) -> Image.Image:
    """Draw the reliability diagram, with the number of nuclei of each bin below."""
    picture = Image.new("RGB", (EDGE + 2 * MARGIN, EDGE + 2 * MARGIN + BARS), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(_TEXT)
    for step in range(0, 11, 2):
        (x, y), text = _place(step / 10, step / 10), f"{step / 10:.1f}"
        pen.line((x, MARGIN, x, MARGIN + EDGE), _GRID)
        pen.line((MARGIN, y, MARGIN + EDGE, y), _GRID)
        pen.text((x, MARGIN + EDGE + 5), text, _INK, font, anchor="ma")
        pen.text((MARGIN - 8, y), text, _INK, font, anchor="rm")
    pen.line((*_place(0, 0), *_place(1, 1)), (160, 160, 160), 1)
    pen.rectangle((MARGIN, MARGIN, MARGIN + EDGE, MARGIN + EDGE), outline=_INK)
    pen.text((MARGIN, 12), "Share of nuclei that are right (IoU of at least 0.5), beside their score", _INK, font)
    for number, (name, one) in enumerate(found.items()):
        colour = COLOURS[number]
        points = [_place(*point) for point in zip(one.score, one.right, strict=True)]
        pen.line([coordinate for point in points for coordinate in point], colour, 2)
        for x, y in points:
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), colour)
        pen.text((MARGIN + 12, MARGIN + 10 + 18 * number), f"{name}: error {one.error:.3f}", colour, font)
        _bars(pen, one, number, len(found))
    pen.text((MARGIN, picture.height - 22), f"nuclei in each tenth, of {sum(one.nuclei)}", _INK, font)
    return picture


def _bars(pen: ImageDraw.ImageDraw, one: Reliability, number: int, of: int) -> None:
    """Draw how many nuclei each bin holds, the bars of several scores side by side."""
    bottom, wide = MARGIN + EDGE + 30 + BARS, EDGE / BINS
    for score, nuclei in zip(one.score, one.nuclei, strict=True):
        left = MARGIN + min(int(score * BINS), BINS - 1) * wide + 4 + number * (wide - 8) / of
        pen.rectangle((left, bottom - BARS * nuclei / sum(one.nuclei), left + (wide - 8) / of - 1, bottom), COLOURS[number])


def _place(score: float, right: float) -> tuple[float, float]:
    return MARGIN + EDGE * score, MARGIN + EDGE * (1 - right)


if __name__ == "__main__":
    main()

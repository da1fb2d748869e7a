"""A chart of time and memory against the size of an image, from what `benchmarks.scale_blocks` measured.

    python -m benchmarks.scale_chart [RESULT.json ...] [--output docs/images/scale.svg]

Without files, it takes ``scale_blocks.json`` and ``scale_blocks_small.json`` of `benchmarks/results`, as far as they are there. Time is
that of the processor for each megapixel, so that what else the machine did does not show; both curves are flat where nothing grows with
the image. Drawn as plain SVG: nothing has to be installed for it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.large_image import RESULTS

TARGET = Path(__file__).parents[1] / "docs" / "images" / "scale.svg"
PANELS = (("processor s a megapixel", "Processor time, s a megapixel"), ("peak, MB", "Most memory of the process, MB"))
_COLOURS = {"real": "#1f6feb", "small": "#d97706"}
_NAMES = {"real": "bundled network", "small": "small network, all else alike"}
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 380, 300, 56, 46, 48
"""Of a panel, in pixels, and its margins."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="*")
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    known = [RESULTS / f"{name}.json" for name in ("scale_blocks", "scale_blocks_small")]
    found = [json.loads(path.read_text()) for path in options.results or [path for path in known if path.exists()]]
    series = {str(result.get("network", "real")): result["rows"] for result in found}
    chart = draw(series)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    chart.write(options.output, encoding="UTF-8", xml_declaration=True)
    print(options.output)


def draw(series: dict[str, list[dict[str, Any]]]) -> ElementTree.ElementTree[ElementTree.Element]:
    """Draw rows of results against the megapixels of the image.

    Parameters
    ----------
    series : dict of str to list of dict
        By the network: rows as `benchmarks.scale_blocks` writes them.

    Returns
    -------
    ElementTree
        Of an SVG: a panel each for time and memory.
    """
    size = {"width": str(len(PANELS) * _WIDTH), "height": str(_HEIGHT + 30)}
    root = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {size['width']} {size['height']}", **size)
    root.set("font-family", "sans-serif")
    root.set("font-size", "12")
    ElementTree.SubElement(root, "rect", width="100%", height="100%", fill="white")
    for place, (column, title) in enumerate(PANELS):
        _draw_panel(root, place * _WIDTH, series, (column, title))
    for place, network in enumerate(series):
        x = _LEFT + place * 170
        ElementTree.SubElement(root, "circle", cx=f"{x}", cy=f"{_HEIGHT + 10}", r="4", fill=_COLOURS[network])
        _text(root, x + 10, _HEIGHT + 14, _NAMES[network])
    ElementTree.indent(root)
    return ElementTree.ElementTree(root)


def _draw_panel(root: ElementTree.Element, left: int, series: dict[str, list[dict[str, Any]]], what: tuple[str, str]) -> None:
    column, title = what
    rows = [row for found in series.values() for row in found]
    sizes = sorted({row["megapixels"] for row in rows})
    low, high = math.log10(sizes[0]) - 0.15, math.log10(sizes[-1]) + 0.15
    top = _nice(max(row[column] for row in rows))
    right, bottom = left + _WIDTH - 20, _HEIGHT - _BOTTOM

    def place(row: dict[str, Any]) -> tuple[float, float]:
        x = left + _LEFT + (math.log10(row["megapixels"]) - low) / (high - low) * (right - left - _LEFT)
        return x, bottom - row[column] / top * (bottom - _TOP)

    _text(root, left + _LEFT, 24, title, weight="bold")
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - _TOP)
        ends = {"x1": f"{left + _LEFT}", "x2": f"{right}", "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
        ElementTree.SubElement(root, "line", ends, stroke="#dddddd")
        _text(root, left + _LEFT - 6, y + 4, f"{share * top:g}", anchor="end")
    for megapixels in sizes:
        x, _ = place({"megapixels": megapixels, column: 0})
        _text(root, x, bottom + 16, f"{megapixels:,.0f}", anchor="middle")
    _text(root, (left + _LEFT + right) / 2, bottom + 34, "megapixels of the image", anchor="middle")
    for network, found in series.items():
        points = [place(row) for row in found]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        ElementTree.SubElement(root, "polyline", points=line, fill="none", stroke=_COLOURS[network], attrib={"stroke-width": "2"})
        for x, y in points:
            ElementTree.SubElement(root, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4", fill=_COLOURS[network])


def _nice(most: float) -> float:
    """Return a round number above the largest value, by quarters of which an axis can be marked."""
    power = 10 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 1.2, 1.6, 2, 4, 6, 8, 10) if step * power >= most)


def _text(root: ElementTree.Element, x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> None:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "fill": "#333333", "text-anchor": anchor, "font-weight": weight}
    ElementTree.SubElement(root, "text", attributes).text = words


if __name__ == "__main__":
    main()

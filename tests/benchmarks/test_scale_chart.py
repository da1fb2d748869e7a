"""The chart shows what was measured."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from benchmarks import scale_chart
from benchmarks.scale_blocks import growth

ROWS = [
    {"edge": edge, "megapixels": edge**2 / 1e6, "s a megapixel": 1.0, "processor s a megapixel": seconds, "peak, MB": peak}
    for edge, seconds, peak in ((2048, 0.95, 681), (8192, 0.9, 904), (16384, 0.99, 939))
]


def test_a_curve_for_each_network_in_each_panel(tmp_path):
    for network in ("real", "small"):
        (tmp_path / f"{network}.json").write_text(json.dumps({"network": network, "rows": ROWS}))
    scale_chart.main([str(tmp_path / "real.json"), str(tmp_path / "small.json"), "--output", str(tmp_path / "out" / "scale.svg")])
    root = ElementTree.parse(tmp_path / "out" / "scale.svg").getroot()
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    heights = [[float(point.partition(",")[2]) for point in line.get("points").split()] for line in lines]
    assert heights[0][2] < heights[0][0] < heights[0][1], "more is higher up"
    assert all(0 < height < 300 for line in heights for height in line)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"4", "67", "268", "bundled network"} <= set(words)


def test_growth_is_that_from_64_megapixels_on():
    found = growth(ROWS)
    assert found["edges"] == [8192, 16384]
    assert found["processor time per megapixel, last over first"] == 1.1
    assert found["memory, last over first"] == 1.039
    assert found["within the limit of memory"]

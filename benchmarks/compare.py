"""Is one model better than another, or was it luck? Two JSON files of `benchmarks.accuracy` on the same images.

    python -m benchmarks.compare BEFORE.json AFTER.json

For each modality: pooled AP at IoU 0.5 and its mean from 0.5 to 0.9 of both, the difference, and its 95 % interval from a paired bootstrap:
fields of view are drawn with replacement, the same for both. A change whose interval contains zero may be luck.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dsb2018 import markdown
from benchmarks.figures import Record, bootstrap, by_modality
from napari_unet_seg.errors import InputError

NAMES = ("AP 0.5", "mean AP .5-.9")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    before, after = (read_records(path) for path in (options.before, options.after))
    print(markdown(compare(before, after)))


def read_records(path: Path) -> list[Record]:
    """Return what the first method of a file, which is our own, did on each image, sorted by name."""
    methods = json.loads(path.read_text(encoding="utf-8"))["methods"]
    images = next(iter(methods.values()))["images"]
    return sorted((Record.from_dict(image) for image in images), key=lambda record: record.name)


def compare(before: Sequence[Record], after: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the rows of the table.

    Parameters
    ----------
    before, after : sequence of Record
        Of the same images, in the same order.

    Raises
    ------
    InputError
        If the images differ.
    """
    if [record.name for record in before] != [record.name for record in after]:
        raise InputError("The two files hold figures of different images; run both with the same datasets and folds.")
    groups = by_modality(before), by_modality(after)
    return [row for kind in groups[0] for row in _rows(kind, groups[0][kind], groups[1][kind])]


def _rows(kind: str, before: list[Record], after: list[Record]) -> list[dict[str, Any]]:
    drawn = bootstrap(after) - bootstrap(before)  # equal seeds draw equal fields
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    rows = []
    for place, name in enumerate(NAMES):
        first, second = (pooled.ap(0.5) if place == 0 else pooled.mean_ap() for pooled in map(_pooled, (before, after)))
        rows.append(
            {
                "modality": kind,
                "figure": name,
                "before": f"{first:.3f}",
                "after": f"{second:.3f}",
                "difference": f"{second - first:+.3f}",
                "95 % interval": f"{low[place]:+.3f} to {high[place]:+.3f}",
                "verdict": "better" if low[place] > 0 else "worse" if high[place] < 0 else "may be luck",
            }
        )
    return rows


def _pooled(records: list[Record]) -> Any:
    first, *rest = [record.scores for record in records]
    return sum(rest, first)


if __name__ == "__main__":
    main()

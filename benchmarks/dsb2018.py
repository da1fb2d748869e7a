"""Read Data Science Bowl 2018 for the benchmarks of this folder: images, labels and modality of one fold."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagecodecs import imread


@dataclass(frozen=True)
class Annotated:
    """One annotated image: pixels (Y, X) or (Y, X, 3), labels (Y, X) and how it was made."""

    name: str
    modality: str
    image: Any
    labels: Any


def read_fold(data: Path, folds: str = "0") -> Iterator[Annotated]:
    """Go through the images whose fold is one of the digits in `folds`."""
    with (data / "index.csv").open(newline="", encoding="utf-8") as index:
        rows = list(csv.DictReader(index))
    for row in rows:
        if row["fold"] in folds:
            image, labels = (imread(data / folder / f"{row['id']}.png") for folder in ("images", "masks"))
            yield Annotated(row["id"], row["modality"], image, labels.astype("int32"))


def markdown(rows: list[dict[str, Any]]) -> str:
    """Draw a table in Markdown."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[column]) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

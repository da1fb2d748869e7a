"""Labels that writers must get right: touching, with holes, in parts, meeting at a corner, at the edge, and many."""

from __future__ import annotations

from typing import Any

import numpy as np

Labels = np.ndarray[Any, np.dtype[np.int32]]


def awkward_labels() -> Labels:
    """Seven nuclei, (40, 60) int32; the numbers have gaps."""
    labels = np.zeros((40, 60), np.int32)
    labels[0:6, 0:5] = 1  # in the image's corner
    labels[0:6, 5:9] = 2  # touches 1
    labels[10:20, 2:12] = 5  # with two holes that meet at a corner ...
    labels[13, 5] = labels[14, 6] = 0
    labels[16:18, 8:10] = 9  # ... and another nucleus inside
    labels[10:14, 20:24] = 70_001  # two pixels meet at a corner
    labels[14:18, 24:28] = 70_001
    labels[25:30, 2:6] = 70_002  # in two parts, one of them around a hole
    labels[25:32, 10:20] = 70_002
    labels[27:29, 13:16] = 0
    labels[39, 59] = 70_003  # a single pixel, in the other corner
    return labels


def areas(labels: Labels) -> dict[int, int]:
    """Number of pixels of each nucleus."""
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def many_labels(rows: int = 265) -> Labels:
    """`rows` squared nuclei of 2 by 2 pixels: more than 65,535, where 16 bits end."""
    grid = np.arange(1, rows * rows + 1, dtype=np.int32).reshape(rows, rows)
    return np.kron(grid, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], np.int32))

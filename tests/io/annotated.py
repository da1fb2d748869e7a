"""Folders of images with labels, in the layouts that people have."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from tests.tiny import discs


def png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))


def rgba(gray: np.ndarray) -> np.ndarray:
    return np.dstack([gray] * 3 + [np.full_like(gray, 255)])


def kaggle(folder: Path, count: int = 3, shape: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Write images as Kaggle does, grey ones as RGBA; return their labels, in the order of the names."""
    truths = []
    for number in range(count):
        image, labels = discs(shape, count=4, seed=number)
        name = f"{number:02d}abc"
        png(folder / name / "images" / f"{name}.png", rgba((image // 16).astype(np.uint8)))
        for nucleus in range(1, labels.max() + 1):
            png(folder / name / "masks" / f"{nucleus:02d}.png", 255 * (labels == nucleus).astype(np.uint8))
        truths.append(labels)
    return truths


def beside(folder: Path, labels_folder: str = "masks", count: int = 3, colored: bool = False) -> list[np.ndarray]:
    """Write images/ and masks/ or labels/; return the labels."""
    truths = []
    for number in range(count):
        image, labels = discs((48, 64), count=4, seed=number)
        (folder / "images").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / "images" / f"x{number}.tif", image, photometric="minisblack")
        if colored:  # each nucleus in a colour, of which there are two
            colors = np.array([(0, 0, 0, 255), (1, 0, 0, 255), (2, 0, 0, 255)], np.uint8)
            png(folder / labels_folder / f"x{number}.png", colors[np.where(labels, 1 + labels % 2, 0)])
        else:
            png(folder / labels_folder / f"x{number}.png", labels.astype(np.uint8))
        truths.append(labels)
    return truths

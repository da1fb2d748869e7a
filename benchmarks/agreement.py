"""Do different ways to compute the same network draw the same labels? Every number format, library and device here.

    python -m benchmarks.agreement DATA/dsb2018 [--model nuclei] [--fold 0] [--every 4]

The reference is the CPU in float32. A pixel differs when the nucleus it belongs to is not the partner (by largest overlap) of the nucleus
it belongs to in the reference. Torch's own convolutions stand for another device: they sum in another order than OpenVINO's.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import napari_unet_seg as nus
from benchmarks.dsb2018 import Annotated, markdown, read_fold
from napari_unet_seg.core import predict

WAYS = [
    ("cpu", "float32", True),
    ("cpu", "float32", False),
    ("cpu", "int8", True),
    ("cpu", "bfloat16", True),
    ("cpu", "bfloat16", False),
    *([("cuda", precision, True) for precision in ("auto", "bfloat16", "float16", "float32")] if torch.cuda.is_available() else []),
]
"""Device, number format, and on the CPU whether OpenVINO may be used."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--fold", default="0")
    parser.add_argument("--every", type=int, default=4)
    options = parser.parse_args()
    model = nus.load_model(options.model)
    items = list(read_fold(options.data, options.fold))[:: options.every]
    reference = [segment(item, model, *WAYS[0]) for item in items]
    print(markdown([row(way, [segment(item, model, *way) for item in items], reference) for way in WAYS]))


def segment(item: Annotated, model: nus.Model, device: str, precision: str, openvino: bool) -> Any:
    """Find the nuclei of one image in one way."""
    with convolutions(openvino):
        return nus.segment(item.image, model, device, settings=replace(model.defaults, precision=precision))


@contextmanager
def convolutions(openvino: bool) -> Iterator[None]:
    """Compute by OpenVINO, or by convolutions of torch's own."""
    with ExitStack() as stack:
        if not openvino:
            stack.enter_context(patch.object(predict, "on_processor", lambda *_: None))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # torch speaks of Intel's GPUs here
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        yield


def row(way: tuple[str, str, bool], found: list[Any], reference: list[Any]) -> dict[str, Any]:
    """Compare the labels of one way with the reference."""
    pixels = sum(labels.size for labels in reference)
    differ = sum(different_pixels(old, new) for old, new in zip(reference, found, strict=True))
    device, precision, openvino = way
    return {
        "device": device,
        "format": precision,
        "convolutions": "cuDNN" if device == "cuda" else "OpenVINO" if openvino else "torch",
        "nuclei": sum(int(labels.max()) for labels in found),
        "pixels that differ, %": f"{100 * differ / pixels:.5f}",
    }


def different_pixels(reference: Any, labels: Any) -> int:
    """Count the pixels that belong to another nucleus, whatever its number."""
    overlap = np.zeros((reference.max() + 1, labels.max() + 1), np.int64)
    np.add.at(overlap, (reference.ravel(), labels.ravel()), 1)
    partner = overlap.argmax(axis=1)
    partner[0] = 0
    return int((partner[reference] != labels).sum())


if __name__ == "__main__":
    main()

"""Do different ways to compute the same network draw the same labels? Every number format, library and device here.

    python -m benchmarks.agreement DATA/dsb2018 [--model nuclei] [--fold 0] [--every 4]

The reference is the CPU in float32; the last column compares with the first row of the same format. A pixel differs when the nucleus it
belongs to is not the partner (by largest overlap) of the nucleus it belongs to in the reference. Torch's own convolutions stand for
another device: they sum in another order than OpenVINO's.
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
    ("cpu", "int8", False),
    ("cpu", "bfloat16", True),
    ("cpu", "bfloat16", False),
    *([("cuda", precision, True) for precision in ("auto", "int8", "bfloat16", "float16", "float32")] if torch.cuda.is_available() else []),
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
    found = {way: [segment(item, model, *way) for item in items] for way in WAYS}
    print(markdown([row(way, found) for way in WAYS]))


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


def row(way: tuple[str, str, bool], found: dict[tuple[str, str, bool], list[Any]]) -> dict[str, Any]:
    """Compare the labels of one way with the reference, and with the first way of the same format."""
    device, precision, openvino = way
    alike = next(other for other in found if other[1] == precision)
    return {
        "device": device,
        "format": precision,
        "convolutions": "cuDNN" if device == "cuda" else "OpenVINO" if openvino else "torch",
        "nuclei": sum(int(labels.max()) for labels in found[way]),
        "pixels that differ, %": different_share(found[WAYS[0]], found[way]),
        "from the same format": different_share(found[alike], found[way]),
    }


def different_share(reference: list[Any], found: list[Any]) -> str:
    """Say how many pixels differ, %."""
    differ = sum(different_pixels(old, new) for old, new in zip(reference, found, strict=True))
    return f"{100 * differ / sum(labels.size for labels in reference):.5f}"


def different_pixels(reference: Any, labels: Any) -> int:
    """Count the pixels that belong to another nucleus, whatever its number."""
    overlap = np.zeros((reference.max() + 1, labels.max() + 1), np.int64)
    np.add.at(overlap, (reference.ravel(), labels.ravel()), 1)
    partner = overlap.argmax(axis=1)
    partner[0] = 0
    return int((partner[reference] != labels).sum())


if __name__ == "__main__":
    main()

"""One large image segmented block by block in this process, with its time and memory written down as it goes; see `scale_blocks`."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import napari_unet_seg as nus
from benchmarks.large_image import peak_megabytes

NAME = ".spent.json"
"""Ending, beside the image, of the file that says what was spent on it: a killed run leaves it to the next."""
_EVERY = 20.0
"""Seconds after which it is written again."""


class Spent:
    """What was spent on an image, over all runs.

    Parameters
    ----------
    path : Path
        Where it is written.
    """

    def __init__(self, path: Path) -> None:
        """Go on with what is there."""
        self._path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self.values: dict[str, Any] = {"seconds": 0.0, "processor": 0.0, "peak": 0.0, "before": peak_megabytes(), "runs": 0} | known
        self.values["runs"] += 1
        self._parts = Counter(self.values.get("parts", {}))
        self._clock, self._worked, self._written = time.perf_counter(), time.process_time(), time.perf_counter()

    def add(self, stage: str) -> None:
        """Count the time since the last call as one of a stage."""
        now, worked = time.perf_counter(), time.process_time()
        self._parts[stage] += now - self._clock
        self.values["seconds"] += now - self._clock
        self.values["processor"] += worked - self._worked
        self.values["peak"] = max(self.values["peak"], peak_megabytes())
        self._clock, self._worked = now, worked
        if now - self._written > _EVERY:
            self.write()
            self._written = now

    def write(self) -> None:
        """Write it down."""
        temporary = self._path.with_suffix(".part")
        temporary.write_text(json.dumps(self.values | {"parts": dict(self._parts)}))
        temporary.replace(self._path)


def run_one(image: Path, target: Path, model: str, device: str) -> dict[str, Any]:
    """Segment an image in this process, and say how long each step took and how much memory it needed.

    Parameters
    ----------
    image : Path
        A zarr array.
    target : Path
        Where the labels go; what a killed run left there is gone on with.
    model : str
    device : str

    Returns
    -------
    dict
        ``seconds``, ``processor`` (both over all runs), ``peak`` and ``before`` (MB), ``nuclei``, and seconds of the ``parts``.
    """
    loaded = nus.load_model(model)
    nus.segment(np.zeros((64, 64), np.uint8), loaded, device)
    spent = Spent(image.with_suffix(NAME))
    steps = nus.iter_segment_to(zarr.open_array(image, mode="r"), target, loaded, device, options=nus.OutOfCore(resume=True))
    while True:
        try:
            stage = next(steps).stage
        except StopIteration as stop:
            spent.add("Finishing")
            spent.values["nuclei"] = stop.value.count
            break
        spent.add(stage)
    spent.write()
    return dict(json.loads(image.with_suffix(NAME).read_text()))

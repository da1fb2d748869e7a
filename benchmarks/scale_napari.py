"""Moving about in napari over the labels of a slide: how long each slice takes to fetch, and how much memory that takes.

    xvfb-run -a -s "-screen 0 1920x1200x24" python -m benchmarks.scale_napari [--edge 65536] [--format zarr] [--labels PATH] [--json FILE]

Labels of discs, each with a number of its own, are written by our own writer as OME-Zarr, or with `--format tiff` as tiled BigTIFF, with a
pyramid (`--labels` takes those of a real run instead), opened by our own reader in a real viewer of 1280 x 800 pixels, and moved about
in: at each of several zooms some steps of half a screen, and then jumps to anywhere. A fetch is all that napari reads, from
chunks on the disk to an array, until it can show a view; its processor time does not depend on what else the machine does. Memory is
that of the whole process, after the first view has been shown. Aims: 95 of 100 fetches within 50 ms, and 300 MB more at most.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.large_image import megabytes, report

if TYPE_CHECKING:
    import napari

AIM_MS, AIM_MB = 50.0, 300.0
ZOOMS = (2.0, 1.0, 0.5, 0.1, 0.02)
"""Pixels of the screen for each of the labels."""
PANS = 20
"""Moves at each zoom: half of them by half a screen, half to anywhere."""
SIZE = (1280, 800)
TILE = 1024
_DISTANCE = 56
"""Pixels between two nuclei: some 320 a megapixel."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=65536)
    parser.add_argument("--format", choices=("zarr", "tiff"), default="zarr")
    parser.add_argument("--labels", type=Path, help="an OME-Zarr or a TIFF of labels that is there")
    parser.add_argument("--json", metavar="FILE", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="napari-unet-seg-") as folder:
        path = options.labels or write_labels(Path(folder) / f"big.labels.{options.format.removesuffix('f')}", options.edge)
        rows, more = look_around(path)
    is_tiff = path.suffix != ".zarr"
    command = f"python -m benchmarks.scale_napari{f' --format tiff --edge {options.edge}' if is_tiff else ''}"
    report(f"scale_napari{'_tiff' if is_tiff else ''}", rows, {**more, "command": command}, options.json)
    print(f"\n{more}")


def write_labels(path: Path, edge: int) -> Path:
    """Write labels of so many pixels on each side with the writer that a person uses, chunk by chunk."""
    import dask.array as da

    from napari_unet_seg.io import writers
    from napari_unet_seg.io.labels_info import LabelsInfo

    across = -(-edge // TILE)
    labels = da.map_blocks(draw, across, chunks=((TILE,) * across,) * 2, dtype=np.uint32)  # type: ignore[no-untyped-call]
    writers.write_labels(path, labels[:edge, :edge], info=LabelsInfo("YX", {"Y": 0.25, "X": 0.25}, "slide"))
    return path


def draw(across: int, block_info: Any = None) -> Any:
    """Return one tile of labels: uint32, (`TILE`, `TILE`)."""
    row, column = block_info[None]["chunk-location"]
    tile = _tile()
    return np.where(tile, tile + np.uint32((row * across + column) * (TILE // _DISTANCE) ** 2), 0)


@cache
def _tile() -> Any:
    y, x = np.mgrid[:TILE, :TILE]
    per = TILE // _DISTANCE
    number = (y // _DISTANCE) * per + x // _DISTANCE + 1
    inside = np.hypot(y % _DISTANCE - 20 - 6 * np.sin(number), x % _DISTANCE - 24 - 8 * np.cos(number)) < 9 + 3 * np.sin(3 * number)
    whole = (y // _DISTANCE < per) & (x // _DISTANCE < per)
    return (number * (inside & whole)).astype(np.uint32)


def look_around(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Open labels in napari and move about; a row for each zoom, and what came of all."""
    import napari

    from napari_unet_seg.io.napari_reader import read_layers

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    (layer,) = (viewer.add_layer(napari.layers.Layer.create(*found)) for found in read_layers(path))
    fetches, random = Fetches(), np.random.default_rng(0)
    _shown()
    start = most = megabytes()
    rows, moves = [], []
    size = np.array(layer.level_shapes[0][-2:]) * layer.scale[-2:]
    for zoom in ZOOMS:
        taken: list[Any] = []
        for step in range(PANS):
            _move(viewer, zoom / float(layer.scale[-1]), size, random, anywhere=step < 1 or step >= PANS // 2)
            _shown()
            taken.append(fetches.taken())
            most = max(most, megabytes())
        moves += taken
        rows.append({"zoom": zoom, "level": int(layer.data_level), **_percentiles(taken), "memory, MB": round(megabytes())})
    fetches.stop()
    viewer.close()
    more = {"edge": int(layer.level_shapes[0][-1]), "moves": len(moves), **_percentiles(moves), "aim, ms": AIM_MS}
    growth = most - start
    met = more["95 %, ms"] <= AIM_MS and growth <= AIM_MB
    return rows, more | {"memory growth, MB": round(growth), "aim, MB": AIM_MB, "met": bool(met)}


class Fetches:
    """Times what napari reads."""

    def __init__(self) -> None:
        """Begin."""
        from napari.layers._scalar_field._slice import _ScalarFieldSliceRequest

        self._request, self._call = _ScalarFieldSliceRequest, _ScalarFieldSliceRequest.__call__
        self._spent = np.zeros(2)

        def timed(request: Any) -> Any:
            started = _clocks()
            found = self._call(request)
            self._spent += _clocks() - started
            return found

        self._request.__call__ = timed  # type: ignore[method-assign]

    def taken(self) -> Any:
        """Return the milliseconds since the last call, and those of work on all cores."""
        found, self._spent = 1000 * self._spent, np.zeros(2)
        return found

    def stop(self) -> None:
        """Leave napari as it was."""
        self._request.__call__ = self._call  # type: ignore[method-assign]


def _move(viewer: napari.Viewer, zoom: float, size: Any, random: np.random.Generator, anywhere: bool) -> None:
    """Go to anywhere in the labels, or half a screen in any direction."""
    from napari_unet_seg.gui.camera import camera_of

    camera, view = camera_of(viewer), np.array(SIZE[::-1]) / zoom
    centre = np.array(camera.center[-2:]) + random.choice([-0.5, 0, 0.5], 2) * view
    if anywhere:
        centre = random.uniform(0, size)
    camera.zoom = zoom
    camera.center = tuple(np.clip(centre, np.minimum(view / 2, size / 2), np.maximum(size - view / 2, size / 2)))


def _shown() -> None:
    """Wait until the canvas has been drawn."""
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.processEvents()
        time.sleep(0.005)


def _clocks() -> Any:
    return np.array([time.perf_counter(), time.process_time()])


def _percentiles(taken: Sequence[Any]) -> dict[str, float]:
    """Return middle, 95 % and most of the moves that needed a fetch at all; what is in view already is not read again."""
    needed = np.array([spent for spent in taken if spent[0]] or [(0.0, 0.0)])
    found = dict(zip(("median, ms", "95 %, ms", "most, ms"), np.percentile(needed[:, 0], (50, 95, 100)).round(1).tolist(), strict=True))
    return {
        "fetches": sum(bool(spent[0]) for spent in taken),
        **found,
        "95 %, processor ms": round(float(np.percentile(needed[:, 1], 95)), 1),
    }


if __name__ == "__main__":
    main()

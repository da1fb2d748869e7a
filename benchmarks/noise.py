"""What does a model find where there is no nucleus? Images without any must give at most one label a megapixel.

    python -m benchmarks.noise [--model nuclei] [--edge 512,1024,2048] [--seeds 2] [--json FILE]

Prints, for each kind of image, the most labels a megapixel and in how many images there are more than one (a smaller image may hold one
all the same). The images are made here: empty wells with the offset and read noise of cameras at several bit depths, photon noise, haze
(smooth random fields), uneven light, dust and scratches, JPEG blocks, blurred nuclei, empty slides, and constant ones.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

import napari_unet_seg as nus
from benchmarks.dsb2018 import markdown

Random = np.random.Generator
Scene = Callable[[Random, int], npt.NDArray[Any]]
"""Makes a square image of so many pixels an edge."""
DEPTHS = {"8 bit": (np.uint8, 255), "12 bit": (np.uint16, 4095), "16 bit": (np.uint16, 65535)}
HOT = 1e-3
"""Share of the pixels of an old camera that are always bright."""
BLURS = (2, 5, 10, 20, 40, 80)
HARD = ("scratches", "JPEG 10, uneven light", "JPEG 30", "JPEG 30, uneven light", "blurred nuclei")
"""How scenes begin that no choice of limits can tell from nuclei: only training can teach a network to leave them alone."""


def scenes() -> dict[str, Scene]:
    """Return every kind of image by name."""
    return {**_wells(), **_photons(), **_hazes(), **_lights(), **_dirt(), **_jpegs(), **_defocus(), **_slides(), **_constants()}


def labels_per_megapixel(labels: npt.NDArray[Any]) -> float:
    """Count the labels for each megapixel; below one megapixel, simply count them."""
    return float(labels.max(initial=0)) / max(labels.size / 1e6, 1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--edge", default="512,1024,2048")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    model, edges = nus.load_model(options.model), [int(edge) for edge in options.edge.split(",")]
    found = {name: list(_found(model, scene, edges, options.seeds)) for name, scene in scenes().items()}
    print(markdown([_row(name, counts) for name, counts in found.items()]))
    failed = [name for name, counts in found.items() if max(counts) > 1]
    print(f"\n{len(found) - len(failed)} of {len(found)} kinds give at most one label a megapixel; more: {', '.join(failed) or 'none'}.")
    if options.json:
        Path(options.json).write_text(json.dumps({"model": model.name, "labels_per_megapixel": found}, indent=1) + "\n", encoding="utf-8")


def _found(model: nus.Model, scene: Scene, edges: Sequence[int], seeds: int) -> Iterator[float]:
    for edge in edges:
        for seed in range(seeds):
            yield labels_per_megapixel(nus.segment(scene(np.random.default_rng(seed), edge), model))


def _row(name: str, counts: list[float]) -> dict[str, Any]:
    return {
        "image": name,
        "most labels a megapixel": f"{max(counts):.1f}",
        "over one": f"{sum(count > 1 for count in counts)} of {len(counts)}",
    }


def _digitise(values: npt.NDArray[Any], depth: str = "16 bit") -> npt.NDArray[Any]:
    dtype, most = DEPTHS[depth]
    return values.round().clip(0, most).astype(dtype)


def _smooth(random: Random, edge: int, blur: float) -> npt.NDArray[np.float64]:
    """Return a smooth random field of mean 0 and standard deviation 1."""
    field = ndimage.gaussian_filter(random.normal(size=(edge, edge)), blur, mode="wrap")
    normed: npt.NDArray[np.float64] = (field - field.mean()) / field.std()
    return normed


def _wells() -> dict[str, Scene]:
    def well(offset: float, noise: float, depth: str) -> Scene:
        return lambda random, edge: _digitise(random.normal(offset, noise, (edge, edge)), depth)

    levels = {
        "8 bit": ((0, 0.5), (0, 2), (12, 1), (100, 3)),
        "12 bit": ((0, 8), (100, 2), (200, 10)),
        "16 bit": ((100, 0.3), (100, 8), (400, 30)),
    }
    return {
        f"empty well, {depth}, offset {offset}, noise {noise}": well(offset, noise, depth)
        for depth, pairs in levels.items()
        for offset, noise in pairs
    }


def _photons() -> dict[str, Scene]:
    def photons(mean: float) -> Scene:
        return lambda random, edge: random.poisson(mean, (edge, edge)).astype(np.uint16)

    return {f"photon noise, {mean} a pixel": photons(mean) for mean in (0.05, 1, 5, 50, 1000)} | {
        "uniform noise, float": lambda random, edge: random.random((edge, edge), np.float32),
        "rows of noise": lambda random, edge: _digitise(100 + random.normal(0, 5, (edge, 1)) + random.normal(0, 5, (edge, edge))),
    }


def _hazes() -> dict[str, Scene]:
    def haze(blur: float, noise: float) -> Scene:
        return lambda random, edge: _digitise(1000 + 100 * _smooth(random, edge, blur) + random.normal(0, noise, (edge, edge)))

    return {f"haze, blurred by {blur} px, noise {noise} %": haze(blur, noise) for blur in BLURS for noise in (1, 10, 100)}


def _lights() -> dict[str, Scene]:
    def light(shape: Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]], noise: float) -> Scene:
        def scene(random: Random, edge: int) -> npt.NDArray[Any]:
            y, x = np.mgrid[:edge, :edge] / edge
            return _digitise(100 + 800 * shape(y, x) + random.normal(0, noise, (edge, edge)), "12 bit")

        return scene

    shapes: dict[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]] = {
        "light from one side": lambda y, x: y,
        "light from a corner": lambda y, x: (y + x) / 2,
        "dark corners": lambda y, x: 1 - 1.4 * ((y - 0.5) ** 2 + (x - 0.5) ** 2),
    }
    return {f"{name}, noise {noise}": light(shape, noise) for name, shape in shapes.items() for noise in (0, 10, 60)}


def _dirt() -> dict[str, Scene]:
    def specks(random: Random, edge: int) -> npt.NDArray[Any]:
        image = random.normal(100, 5, (edge, edge))
        for y, x in random.integers(0, edge - 3, (edge * edge // 30_000, 2)):
            image[y : y + random.integers(1, 4), x : x + random.integers(1, 4)] += 2000
        return _digitise(image)

    def hot_pixels(random: Random, edge: int) -> npt.NDArray[Any]:
        return _digitise(np.where(random.random((edge, edge)) < HOT, 4000, random.normal(100, 3, (edge, edge))), "12 bit")

    def scratches(random: Random, edge: int) -> npt.NDArray[Any]:
        lines = np.zeros((edge, edge))
        for y, x in random.integers(0, edge, (10, 2)):
            angle, along = random.uniform(0, 2 * np.pi), np.arange(random.integers(50, 300))
            rows, columns = ((start + along * step).astype(int) for start, step in ((y, np.sin(angle)), (x, np.cos(angle))))
            inside = (rows >= 0) & (rows < edge) & (columns >= 0) & (columns < edge)
            lines[rows[inside], columns[inside]] = 1
        return _digitise(100 + 500 * ndimage.gaussian_filter(lines, 0.8) + random.normal(0, 5, (edge, edge)))

    return {"specks of dust": specks, "hot pixels": hot_pixels, "scratches": scratches}


def _jpegs() -> dict[str, Scene]:
    def jpeg(quality: int, slope: float) -> Scene:
        def scene(random: Random, edge: int) -> npt.NDArray[Any]:
            file = io.BytesIO()
            light = np.linspace(0, slope, edge)[:, None]
            Image.fromarray(_digitise(20 + light + random.normal(0, 4, (edge, edge)), "8 bit")).save(file, "JPEG", quality=quality)
            return np.asarray(Image.open(file))

        return scene

    return {f"JPEG {quality}{', uneven light' if slope else ''}": jpeg(quality, slope) for quality in (10, 30, 60, 90) for slope in (0, 50)}


def _defocus() -> dict[str, Scene]:
    def defocus(blur: float) -> Scene:
        def scene(random: Random, edge: int) -> npt.NDArray[Any]:
            discs = np.zeros((edge, edge))
            y, x = np.mgrid[-14:15, -14:15]
            for top, left in random.integers(0, edge - 29, (edge * edge // 4000, 2)):
                discs[top : top + 29, left : left + 29] += (y**2 + x**2 < random.uniform(7, 13) ** 2) * random.uniform(0.5, 1)
            return _digitise(100 + random.poisson(1000 * ndimage.gaussian_filter(discs, blur)) + random.normal(0, 5, (edge, edge)))

        return scene

    return {f"blurred nuclei, by {blur} px": defocus(blur) for blur in (15, 25, 40)}


def _slides() -> dict[str, Scene]:
    def slide(colour: tuple[int, int, int], noise: float, clouds: float) -> Scene:
        def scene(random: Random, edge: int) -> npt.NDArray[Any]:
            cloud = clouds * _smooth(random, edge, 8)[..., None]
            return _digitise(np.array(colour) + cloud + random.normal(0, noise, (edge, edge, 3)), "8 bit")

        return scene

    return {
        "empty slide": slide((232, 230, 234), 3, 0),
        "empty slide, clouded": slide((232, 230, 234), 1, 3),
        "pink slide": slide((230, 180, 210), 6, 0),
    }


def _constants() -> dict[str, Scene]:
    def constant(value: float, dtype: Any) -> Scene:
        return lambda random, edge: np.full((edge, edge), value, dtype)

    return {"zeros": constant(0, np.uint16), "one grey": constant(77, np.uint8), "not a number": constant(np.nan, np.float32)}


if __name__ == "__main__":
    main()

"""Draws the two sample images and their exact truth: ``python recipes/sample_data.py [FOLDER]``.

Everything is synthetic and made by this file, so that the samples can be given away without conditions (CC0) and the truth is known to the
pixel. The same seed gives the same pictures on every system: noise is drawn whole before it meets the image, so that a difference in the
last bit of a filter stays one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

SIZE = 512
SMALLEST = 40  # px²: what less of a nucleus is left at the image's edge or under another one is no nucleus
SHELL = 0.35  # nucleoli lie deeper than this share of the way from the border to the middle
PIXEL = {"nuclei": 0.325, "tissue": 0.5}  # µm: a 20x objective on a common camera, and a slide scanned at 20x
FOLDER = Path(__file__).parents[1] / "src" / "napari_unet_seg" / "sample_data"

Plane = NDArray[np.float64]
Labels = NDArray[np.uint16]
Spot = tuple[float, float, float]  # y, x, mean radius


@dataclass(frozen=True)
class Kind:
    """How nuclei of one kind are strewn.

    Parameters
    ----------
    count : int
        Nuclei to place, at most.
    radius : tuple of float
        Smallest and largest mean radius in pixels.
    elongation : float
        Largest ratio of the long to the short axis.
    crowding : float
        Share of the nuclei that are set right beside another one.
    """

    count: int
    radius: tuple[float, float]
    elongation: float
    crowding: float


def fluorescence(seed: int = 20) -> tuple[NDArray[np.uint16], Labels]:
    """Return a DAPI-like image and its labels, both (Y, X)."""
    rng = np.random.default_rng(seed)
    labels = strew(rng, Kind(count=150, radius=(9.0, 16.5), elongation=1.7, crowding=0.45), np.ones((SIZE, SIZE), bool))
    signal = _chromatin(rng, labels) * _per_nucleus(rng, labels, low=0.22, spread=0.5)
    focused = ndimage.gaussian_filter(signal, 1.1)
    haze = 0.16 * ndimage.gaussian_filter(signal, 28) + 0.10 * ndimage.gaussian_filter(signal, 7)
    cytoplasm = 0.012 * (1 + 0.5 * smooth_noise(rng, 10))
    light = _uneven_light() * (focused + haze + _out_of_focus(rng) + cytoplasm)
    return _camera(rng, light, full=2600.0), labels


def histology(seed: int = 7) -> tuple[NDArray[np.uint8], Labels]:
    """Return an H&E-like image (Y, X, 3) and its labels (Y, X)."""
    rng = np.random.default_rng(seed)
    openness = smooth_noise(rng, 26)
    tissue = ndimage.gaussian_filter((openness < 1.25).astype(float), 1.5)
    labels = strew(rng, Kind(count=230, radius=(6.5, 11.5), elongation=2.3, crowding=0.3), tissue > 0.9)
    density = _per_nucleus(rng, labels, low=0.55, spread=0.28)
    rim = np.exp(-ndimage.distance_transform_edt(labels > 0) / 1.5) * (labels > 0)
    hematoxylin = density * (_chromatin(rng, labels) + 0.35 * rim) + tissue * (0.10 + 0.03 * smooth_noise(rng, 5))
    eosin = tissue * np.clip(0.38 + 0.11 * _fibres(rng) + 0.05 * smooth_noise(rng, 3), 0.05, None) * np.where(labels > 0, 0.55, 1.0)
    stains = np.stack([ndimage.gaussian_filter(stain, 0.9) for stain in (hematoxylin, eosin)], axis=-1)  # (Y, X, 2)
    absorption = stains @ np.array([[0.78, 0.80, 0.36], [0.07, 0.62, 0.20]])  # optical density of red, green and blue for each stain
    colour = 244.0 * np.exp(-absorption) + 2.0 * rng.standard_normal((SIZE, SIZE, 3))
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), labels


def strew(rng: np.random.Generator, kind: Kind, where: NDArray[np.bool_]) -> Labels:
    """Return labels (Y, X) of random nuclei that touch but hardly overlap, centred where `where` is true."""
    labels = np.zeros(where.shape, np.uint16)
    placed: list[Spot] = []
    for _ in range(60 * kind.count):
        if len(placed) == kind.count:
            break
        spot = _spot(rng, kind, placed)
        window, mask = _blob(rng, kind, spot)
        taken = labels[window]
        if not where[int(spot[0]), int(spot[1])] or np.count_nonzero(taken[mask]) > 0.06 * np.count_nonzero(mask):
            continue
        placed.append(spot)
        taken[mask & (taken == 0)] = len(placed)
    return _whole(labels)


def _spot(rng: np.random.Generator, kind: Kind, placed: list[Spot]) -> Spot:
    """Return a random centre and radius, either anywhere or about one diameter from a nucleus that is there already."""
    radius = rng.uniform(*kind.radius)
    y, x = rng.uniform(0, SIZE - 1, 2)
    if placed and rng.random() < kind.crowding:
        y0, x0, radius0 = placed[rng.integers(len(placed))]
        angle, distance = rng.uniform(0, 2 * np.pi), (radius + radius0) * rng.uniform(0.9, 1.1)
        y, x = np.clip((y0 + distance * np.sin(angle), x0 + distance * np.cos(angle)), 0, SIZE - 1)
    return float(y), float(x), float(radius)


def _blob(rng: np.random.Generator, kind: Kind, spot: Spot) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return a window of the image and, in it, the mask (y, x) of an ellipse with a gently uneven border."""
    y0, x0, radius = spot
    reach = int(2 * radius * np.sqrt(kind.elongation))
    rows, columns = (slice(max(0, int(center) - reach), min(SIZE, int(center) + reach + 1)) for center in (y0, x0))
    y, x = np.ogrid[rows, columns]
    angle = np.arctan2(y - y0, x - x0) - rng.uniform(0, np.pi)
    ratio = np.sqrt(1 + (kind.elongation - 1) * rng.beta(1.5, 2.5))
    border = radius / np.sqrt((np.cos(angle) / ratio) ** 2 + (np.sin(angle) * ratio) ** 2)
    for waves in (2, 3, 4, 5):
        border = border * (1 + rng.normal(0, 0.09 / waves) * np.cos(waves * angle + rng.uniform(0, 2 * np.pi)))
    return (rows, columns), np.asarray(np.hypot(y - y0, x - x0) <= border)


def _whole(labels: Labels) -> Labels:
    """Keep the largest piece of each nucleus, drop slivers, and number the rest from 1."""
    kept = np.zeros_like(labels)
    count = 0
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        pieces = ndimage.label(labels[window] == number)[0]
        sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
        if sizes.max() >= SMALLEST:
            count += 1
            kept[window][pieces == 1 + sizes.argmax()] = count
    return kept


def smooth_noise(rng: np.random.Generator, sigma: float) -> Plane:
    """Return Gaussian noise (Y, X) smoothed by `sigma` pixels, with mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), sigma)
    return np.asarray((noise - noise.mean()) / noise.std())


def _chromatin(rng: np.random.Generator, labels: Labels) -> Plane:
    """Return the stain inside nuclei (Y, X), about 1: thinner at the border, grainy, with paler nucleoli."""
    inside = labels > 0
    distance = np.zeros(labels.shape)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        own = np.pad(labels[window] == number, 1)
        depth = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
        distance[window] = np.maximum(distance[window], depth / depth.max())
    grain = 0.13 * smooth_noise(rng, 1.2) + 0.10 * smooth_noise(rng, 2.8)
    nucleoli = ndimage.gaussian_filter((smooth_noise(rng, 2.2) > 1.9).astype(float), 0.9)
    return np.asarray(inside * (0.62 + 0.38 * np.sqrt(distance)) * np.clip(1 + grain - 0.45 * nucleoli * (distance > SHELL), 0.2, None))


def _per_nucleus(rng: np.random.Generator, labels: Labels, low: float, spread: float) -> Plane:
    """Return a plane (Y, X) with one brightness a nucleus, log-normal about 0.6 and at least `low`."""
    brightness = np.clip(0.6 * np.exp(spread * rng.standard_normal(int(labels.max()) + 1)), low, 1.6)
    return np.asarray(brightness[labels])


def _out_of_focus(rng: np.random.Generator) -> Plane:
    """Return the glow (Y, X) of a few nuclei that float above the focal plane; they are no part of the truth."""
    kind = Kind(count=7, radius=(9.0, 14.0), elongation=1.4, crowding=0.0)
    return np.asarray(0.09 * ndimage.gaussian_filter((strew(rng, kind, np.ones((SIZE, SIZE), bool)) > 0).astype(float), 9))


def _uneven_light() -> Plane:
    """Return the illumination (Y, X): 1 at its brightest, left and above of the centre, and 0.6 in the far corner."""
    y, x = np.ogrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    return np.asarray(1 - 0.4 * ((y + 0.15) ** 2 + (x + 0.25) ** 2) / (1.15**2 + 1.25**2))


def _fibres(rng: np.random.Generator) -> Plane:
    """Return the texture (Y, X) of connective tissue: thin wavy bundles that run from the lower left to the upper right."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    along, across = 0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y + 30 * smooth_noise(rng, 42) + 5 * smooth_noise(rng, 14)
    straight = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (1.6, 16.0), mode="wrap")
    bundles = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (5.0, 40.0), mode="wrap")
    texture = straight / straight.std() + 0.8 * bundles / bundles.std()
    return np.asarray(ndimage.map_coordinates(texture, [across, along], order=1, mode="grid-wrap"))


def _camera(rng: np.random.Generator, light: Plane, full: float) -> NDArray[np.uint16]:
    """Return counts (Y, X) of a camera with `full` electrons at light 1, shot noise, read noise and an offset of 100 counts."""
    read_noise, gain = 5.0, 0.6  # electrons; electrons a count
    electrons = full * light
    noise = np.sqrt(electrons) * rng.standard_normal(light.shape) + read_noise * rng.standard_normal(light.shape)
    return np.clip(np.rint(100 + (electrons + noise) / gain), 0, 65535).astype(np.uint16)


def write(folder: Path) -> None:
    """Write both images as OME-TIFF into `folder`, and their labels into its subfolder ``truth``."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for name, (image, labels), axes, channel in (("nuclei", fluorescence(), "YX", "DAPI"), ("tissue", histology(), "YXS", "H&E")):
        size = PIXEL[name]
        metadata: dict[str, Any] = {"axes": axes, "Channel": {"Name": channel}, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
        metadata |= {"PhysicalSizeX": size, "PhysicalSizeY": size, "Creator": "napari-unet-seg", "UUID": str(uuid5(NAMESPACE_URL, name))}
        shared: dict[str, Any] = {"compression": "zlib", "compressionargs": {"level": 9}, "predictor": True}
        shared |= {"resolution": (1e4 / size, 1e4 / size), "resolutionunit": "CENTIMETER"}
        photometric = "rgb" if axes == "YXS" else "minisblack"
        tifffile.imwrite(folder / f"{name}.ome.tif", image, ome=True, photometric=photometric, metadata=metadata, **shared)
        tifffile.imwrite(folder / "truth" / f"{name}.tif", labels, photometric="minisblack", metadata=None, **shared)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

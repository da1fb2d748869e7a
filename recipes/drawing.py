"""What the sample images are drawn with: nuclei that are strewn, stained, lit and caught by a camera.

Noise is drawn whole before it meets the image, so that a difference in the last bit of a filter, from one processor to another, stays one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIZE = 512
SMALLEST = 40  # px²: what less of a nucleus is left at the image's edge or under another one is no nucleus
SHELL = 0.35  # nucleoli lie deeper than this share of the way from the border to the middle

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


def strew(rng: np.random.Generator, kind: Kind, where: NDArray[np.bool_]) -> Labels:
    """Return labels (Y, X) of random nuclei that touch but hardly overlap, centred where `where` is true."""
    labels = np.zeros(where.shape, np.uint16)
    placed: list[Spot] = []
    for _ in range(60 * kind.count):
        if len(placed) == kind.count:
            break
        spot = _spot(rng, kind, placed, len(where))
        window, mask = _blob(rng, kind, spot, len(where))
        taken = labels[window]
        if not where[int(spot[0]), int(spot[1])] or np.count_nonzero(taken[mask]) > 0.06 * np.count_nonzero(mask):
            continue
        placed.append(spot)
        taken[mask & (taken == 0)] = len(placed)
    return _whole(labels)


def _spot(rng: np.random.Generator, kind: Kind, placed: list[Spot], size: int) -> Spot:
    """Return a random centre and radius, either anywhere or about one diameter from a nucleus that is there already."""
    radius = rng.uniform(*kind.radius)
    y, x = rng.uniform(0, size - 1, 2)
    if placed and rng.random() < kind.crowding:
        y0, x0, radius0 = placed[rng.integers(len(placed))]
        angle, distance = rng.uniform(0, 2 * np.pi), (radius + radius0) * rng.uniform(0.9, 1.1)
        y, x = np.clip((y0 + distance * np.sin(angle), x0 + distance * np.cos(angle)), 0, size - 1)
    return float(y), float(x), float(radius)


def _blob(rng: np.random.Generator, kind: Kind, spot: Spot, size: int) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return a window of the image and, in it, the mask (y, x) of an ellipse with a gently uneven border."""
    y0, x0, radius = spot
    reach = int(2 * radius * np.sqrt(kind.elongation))
    rows, columns = (slice(max(0, int(center) - reach), min(size, int(center) + reach + 1)) for center in (y0, x0))
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


def smooth_noise(rng: np.random.Generator, sigma: float, size: int = SIZE) -> Plane:
    """Return Gaussian noise (Y, X) smoothed by `sigma` pixels, with mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size)), sigma)
    return np.asarray((noise - noise.mean()) / noise.std())


def chromatin(rng: np.random.Generator, labels: Labels) -> Plane:
    """Return the stain inside nuclei (Y, X), about 1: thinner at the border, grainy, with paler nucleoli."""
    inside = labels > 0
    distance = np.zeros(labels.shape)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        own = np.pad(labels[window] == number, 1)
        depth = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
        distance[window] = np.maximum(distance[window], depth / depth.max())
    size = len(labels)
    grain = 0.13 * smooth_noise(rng, 1.2, size) + 0.10 * smooth_noise(rng, 2.8, size)
    nucleoli = ndimage.gaussian_filter((smooth_noise(rng, 2.2, size) > 1.9).astype(float), 0.9)
    return np.asarray(inside * (0.62 + 0.38 * np.sqrt(distance)) * np.clip(1 + grain - 0.45 * nucleoli * (distance > SHELL), 0.2, None))


def per_nucleus(rng: np.random.Generator, labels: Labels, low: float, spread: float) -> Plane:
    """Return a plane (Y, X) with one brightness a nucleus, log-normal about 0.6 and at least `low`."""
    brightness = np.clip(0.6 * np.exp(spread * rng.standard_normal(int(labels.max()) + 1)), low, 1.6)
    return np.asarray(brightness[labels])


def out_of_focus(rng: np.random.Generator, count: int = 7, size: int = SIZE) -> Plane:
    """Return the glow (Y, X) of a few nuclei that float above the focal plane; they are no part of the truth."""
    kind = Kind(count=count, radius=(9.0, 14.0), elongation=1.4, crowding=0.0)
    return np.asarray(0.09 * ndimage.gaussian_filter((strew(rng, kind, np.ones((size, size), bool)) > 0).astype(float), 9))


def uneven_light(loss: float = 0.4, size: int = SIZE) -> Plane:
    """Return the illumination (Y, X): 1 at its brightest, left and above of the centre, and less by `loss` in the far corner."""
    y, x = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return np.asarray(1 - loss * ((y + 0.15) ** 2 + (x + 0.25) ** 2) / (1.15**2 + 1.25**2))


def camera(rng: np.random.Generator, light: Plane, full: float) -> NDArray[np.uint16]:
    """Return counts (Y, X) of a camera with `full` electrons at light 1, shot noise, read noise and an offset of 100 counts."""
    read_noise, gain = 5.0, 0.6  # electrons; electrons a count
    electrons = full * light
    noise = np.sqrt(electrons) * rng.standard_normal(light.shape) + read_noise * rng.standard_normal(light.shape)
    return np.clip(np.rint(100 + (electrons + noise) / gain), 0, 65535).astype(np.uint16)

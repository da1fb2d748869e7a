"""The sample images with a third axis: a confocal stack through a layer of nuclei, and cells that move and divide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from recipes.drawing import SMALLEST, Labels, camera, smooth_noise, uneven_light

SLICES, EDGE = 14, 208  # planes of the stack, and px along its sides
FRAMES, FIELD = 6, 224  # times of the movie, and px along its sides
PATCH = 48  # px: edge of the texture that a nucleus carries along
DIVISION = 3  # the time at which two daughters have taken the mother's place

Volume = NDArray[np.float64]


def stack(seed: int = 8) -> tuple[NDArray[np.uint8], Labels]:
    """Return a confocal stack (Z, Y, X) and its labels: one number a nucleus through all planes."""
    rng = np.random.default_rng(seed)
    labels = _volume(rng)
    noise = rng.standard_normal((SLICES, EDGE, EDGE))
    grain = ndimage.gaussian_filter(noise, (0.7, 1.4, 1.4))
    brightness = np.clip(0.62 * np.exp(0.3 * rng.standard_normal(int(labels.max()) + 1)), 0.3, 1.3)
    signal = (labels > 0) * brightness[labels] * np.clip(1 + 0.16 * grain / grain.std(), 0.3, None)
    seen = ndimage.gaussian_filter(signal, (0.75, 1.3, 1.3)) + 0.10 * ndimage.gaussian_filter(signal, (2.5, 9, 9)) + 0.008
    deeper = np.exp(-np.arange(SLICES) / 22)[:, None, None]  # light is lost on its way through the layer
    photons = 95 * seen * deeper
    counts = 3 + 1.6 * (photons + np.sqrt(photons) * rng.standard_normal(seen.shape) + 0.8 * rng.standard_normal(seen.shape))
    return np.clip(np.rint(counts), 0, 255).astype(np.uint8), labels


def _volume(rng: np.random.Generator) -> Labels:
    """Strew ellipsoids with uneven surfaces (Z, Y, X), a pixel being a third as long as a plane is thick."""
    labels = np.zeros((SLICES, EDGE, EDGE), np.uint16)
    wobble = ndimage.gaussian_filter(rng.standard_normal(labels.shape), (2, 6, 6))
    wobble = 0.16 * wobble / wobble.std()
    count = 0
    for _ in range(900):
        center = rng.uniform((1.5, 0, 0), (SLICES - 1.5, EDGE, EDGE))
        inside = _ellipsoid(rng, center, labels.shape) + wobble < 1
        taken = np.count_nonzero(labels[inside])
        if np.count_nonzero(inside) and taken < 0.02 * np.count_nonzero(inside):
            count += 1
            labels[inside & (labels == 0)] = count
    return _whole_in_planes(labels)


def _ellipsoid(rng: np.random.Generator, center: NDArray[np.float64], shape: tuple[int, ...]) -> Volume:
    """Return the squared distance (Z, Y, X) from a centre, 1 on the surface of an ellipsoid that lies flat."""
    z, y, x = np.ogrid[tuple(slice(size) for size in shape)]
    angle, radius = rng.uniform(0, np.pi), rng.uniform(9.0, 13.0)
    ratio = rng.uniform(1.0, 1.5)
    dy, dx = y - center[1], x - center[2]
    along, across = np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx
    thick = rng.uniform(2.6, 3.6)
    return np.asarray((along / (radius * ratio)) ** 2 + (across * ratio**0.3 / radius) ** 2 + ((z - center[0]) / thick) ** 2)


def _whole_in_planes(labels: Labels) -> Labels:
    """Keep the largest piece of each nucleus in each plane, drop slivers, and number the rest from 1."""
    kept = np.zeros_like(labels)
    for plane, out in zip(labels, kept, strict=True):
        for number, window in enumerate(ndimage.find_objects(plane), start=1):
            if window is None:
                continue
            pieces = ndimage.label(plane[window] == number)[0]
            sizes = np.bincount(pieces.ravel())[1:]
            if sizes.max() >= SMALLEST:
                out[window][pieces == 1 + sizes.argmax()] = number
    return np.searchsorted(np.unique(kept), kept).astype(np.uint16)


@dataclass(frozen=True)
class Cell:
    """A nucleus that moves.

    Parameters
    ----------
    number : int
        In the labels.
    place, speed : tuple of float
        (y, x) in px, and px a frame.
    radii : tuple of float
        Half axes in px.
    angle, turn : float
        Direction of the long axis, and its change a frame.
    brightness : float
        Of the stain.
    """

    number: int
    place: tuple[float, float]
    speed: tuple[float, float]
    radii: tuple[float, float]
    angle: float
    turn: float
    brightness: float


def movie(seed: int = 14) -> tuple[NDArray[np.uint16], Labels]:
    """Return a time series (T, Y, X) and its labels: one number a nucleus through all times, new numbers for daughters."""
    rng = np.random.default_rng(seed)
    living = _begin(rng)
    mother = min(living, key=lambda cell: np.hypot(cell.place[0] - FIELD / 2, cell.place[1] - FIELD / 2))
    frames, truths = [], []
    for time in range(FRAMES):
        living = [_move(rng, cell) for cell in living]
        if time == DIVISION - 1:
            living = [_condensed(cell) if cell.number == mother.number else cell for cell in living]
        if time == DIVISION:
            daughters = _daughters(next(cell for cell in living if cell.number == mother.number), len(living))
            living = [cell for cell in living if cell.number != mother.number] + daughters
        light, labels = _draw(rng, living)
        frames.append(camera(rng, uneven_light(0.3, FIELD) * light, full=1100.0 * 0.96**time))  # the stain bleaches
        truths.append(labels)
    truth = _whole_in_planes(np.stack(truths))
    return np.stack(frames), truth


def _begin(rng: np.random.Generator) -> list[Cell]:
    cells: list[Cell] = []
    for _ in range(600):
        place = tuple(rng.uniform(-10, FIELD + 10, 2))
        near = (np.hypot(place[0] - other.place[0], place[1] - other.place[1]) for other in cells)
        if min(near, default=FIELD) < 24:
            continue
        radius, ratio = rng.uniform(8.5, 12.0), rng.uniform(1.0, 1.6)
        speed = tuple(rng.normal(0, 1.3, 2))
        shape = (radius * ratio**0.5, radius / ratio**0.5)
        angle, turn, brightness = rng.uniform(0, np.pi), rng.normal(0, 0.08), float(np.clip(rng.lognormal(-0.5, 0.35), 0.3, 1.2))
        cells.append(Cell(len(cells) + 1, (place[0], place[1]), (speed[0], speed[1]), shape, angle, turn, brightness))
        if len(cells) == 48:
            break
    return cells


def _move(rng: np.random.Generator, cell: Cell) -> Cell:
    dy, dx = 0.6 * np.array(cell.speed) + rng.normal(0, 0.8, 2) + (0.5, 0.9)  # all drift with the stage
    return replace(cell, place=(cell.place[0] + dy, cell.place[1] + dx), speed=(dy, dx), angle=cell.angle + cell.turn)


def _condensed(cell: Cell) -> Cell:
    """Return a nucleus in metaphase: a bright, narrow plate."""
    return replace(cell, radii=(11.5, 4.6), brightness=1.5)


def _daughters(mother: Cell, count: int) -> list[Cell]:
    """Return two small, bright nuclei on both sides of the plate."""
    off = np.array([np.cos(mother.angle), -np.sin(mother.angle)])
    made = []
    for side in (-1, 1):
        place, speed = np.array(mother.place) + 8.5 * side * off, 2.0 * side * off
        small = replace(mother, number=count + 2 + side, place=(place[0], place[1]), speed=(speed[0], speed[1]))
        made.append(replace(small, radii=(8.0, 5.6), brightness=1.05))
    return made


def _draw(rng: np.random.Generator, cells: list[Cell]) -> tuple[Volume, Labels]:
    """Return the light (Y, X) and the labels of one time; each nucleus has its own unevenness, the same at each time."""
    labels, signal = np.zeros((FIELD, FIELD), np.uint16), np.zeros((FIELD, FIELD))
    y, x = np.ogrid[:FIELD, :FIELD]
    for cell in cells:
        own = np.random.default_rng(cell.number)
        dy, dx = y - cell.place[0], x - cell.place[1]
        along = np.cos(cell.angle) * dx + np.sin(cell.angle) * dy
        across = np.cos(cell.angle) * dy - np.sin(cell.angle) * dx
        turn = np.arctan2(across, along)
        border = 1 + sum(own.normal(0, 0.10 / waves) * np.cos(waves * turn + own.uniform(0, 2 * np.pi)) for waves in (2, 3, 4))
        depth = 1 - np.hypot(along / cell.radii[0], across / cell.radii[1]) / border
        inside = (depth > 0) & (labels == 0)
        labels[inside] = cell.number
        grain = ndimage.gaussian_filter(own.standard_normal((PATCH, PATCH)), 1.7)
        places = [across[inside] + PATCH / 2, along[inside] + PATCH / 2]
        texture = ndimage.map_coordinates(grain / grain.std(), places, order=1, mode="wrap")
        stain = (0.66 + 0.34 * np.sqrt(depth[inside])) * np.clip(1 + 0.17 * texture, 0.3, None)
        signal[inside] = cell.brightness * stain
    fine = np.clip(1 + 0.06 * smooth_noise(rng, 1.0, FIELD), 0.5, None)
    blurred = ndimage.gaussian_filter(signal * fine, 1.2)
    return blurred + 0.15 * ndimage.gaussian_filter(signal, 18) + 0.08 * ndimage.gaussian_filter(signal, 6) + 0.015, labels

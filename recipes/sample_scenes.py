"""The flat sample images: nuclei in fluorescence, sharp, blurred, crowded and with a second channel, and a stained section."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from recipes.drawing import SIZE, Kind, Labels, Plane, camera, chromatin, out_of_focus, per_nucleus, smooth_noise, strew, uneven_light

SMALL = 320  # px: the edge of the images that show one thing each


def fluorescence(seed: int = 20) -> tuple[NDArray[np.uint16], Labels]:
    """Return a DAPI-like image and its labels, both (Y, X)."""
    rng = np.random.default_rng(seed)
    labels = strew(rng, Kind(count=150, radius=(9.0, 16.5), elongation=1.7, crowding=0.45), np.ones((SIZE, SIZE), bool))
    signal = chromatin(rng, labels) * per_nucleus(rng, labels, low=0.22, spread=0.5)
    focused = ndimage.gaussian_filter(signal, 1.1)
    haze = 0.16 * ndimage.gaussian_filter(signal, 28) + 0.10 * ndimage.gaussian_filter(signal, 7)
    cytoplasm = 0.012 * (1 + 0.5 * smooth_noise(rng, 10))
    light = uneven_light() * (focused + haze + out_of_focus(rng) + cytoplasm)
    return camera(rng, light, full=2600.0), labels


def histology(seed: int = 7) -> tuple[NDArray[np.uint8], Labels]:
    """Return an H&E-like image (Y, X, 3) and its labels (Y, X)."""
    rng = np.random.default_rng(seed)
    openness = smooth_noise(rng, 26)
    tissue = ndimage.gaussian_filter((openness < 1.25).astype(float), 1.5)
    labels = strew(rng, Kind(count=230, radius=(6.5, 11.5), elongation=2.3, crowding=0.3), tissue > 0.9)
    density = per_nucleus(rng, labels, low=0.55, spread=0.28)
    rim = np.exp(-ndimage.distance_transform_edt(labels > 0) / 1.5) * (labels > 0)
    hematoxylin = density * (chromatin(rng, labels) + 0.35 * rim) + tissue * (0.10 + 0.03 * smooth_noise(rng, 5))
    eosin = tissue * np.clip(0.38 + 0.11 * _fibres(rng) + 0.05 * smooth_noise(rng, 3), 0.05, None) * np.where(labels > 0, 0.55, 1.0)
    stains = np.stack([ndimage.gaussian_filter(stain, 0.9) for stain in (hematoxylin, eosin)], axis=-1)  # (Y, X, 2)
    absorption = stains @ np.array([[0.78, 0.80, 0.36], [0.07, 0.62, 0.20]])  # optical density of red, green and blue for each stain
    colour = 244.0 * np.exp(-absorption) + 2.0 * rng.standard_normal((SIZE, SIZE, 3))
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8), labels


def blurred(seed: int = 3) -> tuple[NDArray[np.uint16], Labels]:
    """Return an image (Y, X) that is out of focus, dark and unevenly lit, as through the bottom of a plate, and its labels."""
    rng = np.random.default_rng(seed)
    kind = Kind(count=62, radius=(8.5, 14.0), elongation=1.6, crowding=0.3)
    labels = strew(rng, kind, np.ones((SMALL, SMALL), bool))
    signal = chromatin(rng, labels) * per_nucleus(rng, labels, low=0.3, spread=0.4)
    focused = ndimage.gaussian_filter(signal, 3.2)
    haze = 0.22 * ndimage.gaussian_filter(signal, 24) + out_of_focus(rng, 9, SMALL)
    light = uneven_light(0.75, SMALL) * (focused + haze + 0.03)
    return camera(rng, light, full=170.0), labels


def crowded(seed: int = 11) -> tuple[NDArray[np.uint16], Labels]:
    """Return an image (Y, X) of packed mouse nuclei with their bright spots of heterochromatin, and its labels."""
    rng = np.random.default_rng(seed)
    kind = Kind(count=190, radius=(8.0, 11.5), elongation=1.45, crowding=0.9)
    labels = strew(rng, kind, smooth_noise(rng, 34, SMALL) > -0.75)
    spots = ndimage.gaussian_filter((smooth_noise(rng, 1.1, SMALL) > 1.95).astype(float), 1.0)
    signal = (chromatin(rng, labels) + 2.0 * spots * (labels > 0)) * per_nucleus(rng, labels, low=0.3, spread=0.3)
    focused = ndimage.gaussian_filter(signal, 0.9)
    haze = 0.14 * ndimage.gaussian_filter(signal, 20) + 0.10 * ndimage.gaussian_filter(signal, 6)
    return camera(rng, uneven_light(0.2, SMALL) * (focused + haze + 0.012), full=1800.0), labels


def cells(seed: int = 5) -> tuple[NDArray[np.uint16], Labels]:
    """Return two channels (C, Y, X), nuclei and a protein that some cells make and some of them keep in the nucleus, and its labels."""
    rng = np.random.default_rng(seed)
    labels = strew(rng, Kind(count=42, radius=(10.0, 14.5), elongation=1.5, crowding=0.1), np.ones((SMALL, SMALL), bool))
    signal = chromatin(rng, labels) * per_nucleus(rng, labels, low=0.3, spread=0.35)
    nuclei = ndimage.gaussian_filter(signal, 1.1) + 0.16 * ndimage.gaussian_filter(signal, 24) + 0.012
    protein = _protein(rng, labels)
    glow = ndimage.gaussian_filter(protein, 1.2) + 0.12 * ndimage.gaussian_filter(protein, 18) + 0.02
    shade = uneven_light(0.3, SMALL)
    return np.stack([camera(rng, shade * nuclei, full=2200.0), camera(rng, shade * glow, full=900.0)]), labels


def _protein(rng: np.random.Generator, labels: Labels) -> Plane:
    """Return the protein (Y, X): nothing in half of the cells, in the others in the nucleus, around it, or both."""
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    cell = labels[tuple(nearest)] * (distance < 17 + 7 * smooth_noise(rng, 9, SMALL))
    edge = ndimage.gaussian_filter(np.abs(cell - ndimage.grey_erosion(cell, 3)) > 0, 1.5, output=float)
    makes = rng.random(int(labels.max()) + 1) < 0.55
    level = makes * np.exp(0.45 * rng.standard_normal(len(makes)))
    inside = np.clip(rng.beta(0.7, 0.7, len(makes)), 0.08, 1)
    texture = np.clip(1 + 0.28 * smooth_noise(rng, 1.3, SMALL) + 0.2 * smooth_noise(rng, 4, SMALL), 0.1, None)
    cytoplasm = (cell > 0) & (labels == 0)
    amount = level[cell] * np.where(labels > 0, inside[cell], 0.65 * (1 - 0.75 * inside[cell]) * np.exp(-distance / 16))
    return np.asarray(amount * texture * (1 - 0.5 * edge * cytoplasm))


def _fibres(rng: np.random.Generator) -> Plane:
    """Return the texture (Y, X) of connective tissue: thin wavy bundles that run from the lower left to the upper right."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    along, across = 0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y + 30 * smooth_noise(rng, 42) + 5 * smooth_noise(rng, 14)
    straight = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (1.6, 16.0), mode="wrap")
    bundles = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), (5.0, 40.0), mode="wrap")
    texture = straight / straight.std() + 0.8 * bundles / bundles.std()
    return np.asarray(ndimage.map_coordinates(texture, [across, along], order=1, mode="grid-wrap"))

"""A person with a brush, by numbers: which nuclei are painted first, and how far from the truth the outlines are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from napari_unet_seg.core.metrics import matched_nuclei

JITTER = (1.0, 2.0)
"""A painted outline leaves the true one by at most this many pixels, drawn anew for each nucleus."""
WAVE = 4.0
"""Pixels along the outline in which the hand goes from too wide to too narrow."""
MARGIN = 4
"""Pixels around a nucleus in which its painted outline lies."""


def choose(truth: Any, found: Any, random: np.random.Generator) -> list[int]:
    """Return the nuclei of a plane in the order in which somebody paints them.

    Parameters
    ----------
    truth : ndarray of int, shape (Y, X)
        Exact labels.
    found : ndarray of int, shape (Y, X)
        What the model finds before it is taught.
    random : numpy.random.Generator

    Returns
    -------
    list of int
        First those that the model fails on (IoU below 0.5), then the others, each in random order; nuclei that the image's edge cuts
        come last of all, for nobody begins with them.
    """
    numbers = np.unique(truth[truth > 0])
    matched, _ = matched_nuclei(truth, found)
    cut = np.isin(numbers, np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])))
    order = np.lexsort((random.random(numbers.size), matched, cut))
    return numbers[order].tolist()


def paint(truth: Any, numbers: Sequence[int], random: np.random.Generator) -> Any:
    """Paint some nuclei by an unsteady hand.

    Parameters
    ----------
    truth : ndarray of int, shape (Y, X)
    numbers : sequence of int
        Which of its nuclei, in the order of painting.
    random : numpy.random.Generator

    Returns
    -------
    ndarray of int32, shape (Y, X)
        1, 2, ...; a nucleus is not painted over one that was painted before it.
    """
    painted = np.zeros(truth.shape, np.int32)
    boxes = ndimage.find_objects(truth)
    for place, number in enumerate(numbers, start=1):
        sides = zip(boxes[number - 1], truth.shape, strict=True)
        box = tuple(slice(max(side.start - MARGIN, 0), min(side.stop + MARGIN, size)) for side, size in sides)
        blob = jittered(truth[box] == number, random.uniform(*JITTER), random)
        painted[box][blob & (painted[box] == 0)] = place
    return painted


def jittered(mask: Any, reach: float, random: np.random.Generator) -> Any:
    """Move the outline of a shape in and out, smoothly along it.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
    reach : float
        Largest distance in pixels.
    random : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (Y, X)
        Never empty: a shape that would vanish stays as it is.
    """
    inside, outside = (ndimage.distance_transform_edt(part) for part in (mask, ~mask))
    noise = ndimage.gaussian_filter(random.standard_normal(mask.shape), WAVE, mode="nearest")
    shift = reach * noise / max(float(np.abs(noise).max()), 1e-9)
    signed = np.where(mask, inside - 0.5, 0.5 - outside)  # (Y, X), 0 on the outline
    parts, count = ndimage.label(signed + shift > 0)
    if not count:
        return mask
    return parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))

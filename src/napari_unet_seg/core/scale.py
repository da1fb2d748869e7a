"""How large the nuclei are, so that a plane can be shown to the network at the size that it knows.

A network that never saw nuclei of 100 pixels still paints most of their area, but tears them apart, and of 8 pixels it joins what touches;
the size of what it paints tells how far the plane must be reduced or enlarged. Measured on images of DSB 2018, reduced and enlarged:
``benchmarks/scale.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FAR = 1.5
"""Planes whose nuclei are more than this many times as wide as the model knows are reduced, and those whose nuclei are as many times
narrower enlarged. Chosen on images of all folds of DSB 2018 (``recipes/README.md``): at half, twice and three times their size AP at IoU
0.5 is 0.76, 0.83 and 0.79 instead of 0.72, 0.80 and 0.72; at their own it stays as it is."""
SPECKS = 0.25
"""What is smaller than this many times the known diameter is dirt rather than nuclei: the plane is not enlarged for it."""
MOST_UNASKED = 64_000_000
"""Pixels to which a plane is enlarged unasked: time and memory go by them."""
UNASKED = "Its nuclei are small for the model, and the image is too large to be enlarged unasked: give their diameter to have it enlarged."
"""What is told of larger ones."""
LEAST_REDUCED, LEAST_ENLARGED = 1.0, 0.7
"""A rescaled plane must show at least this share of the area found before, or the nuclei were not of that size. One that shows less when
reduced has lost faint nuclei; enlarged, blurred outlines grow thinner."""


def estimate_diameter(labels: npt.NDArray[Any]) -> float:
    """Estimate the typical diameter of nuclei.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        0 is background.

    Returns
    -------
    float
        Diameter in pixels of the disc of equal area, averaged over the nuclei with their area as weight, so that specks and fragments count
        little; 0 without nuclei.
    """
    _, area = np.unique(labels[labels > 0], return_counts=True)  # painted numbers may be huge
    return typical_diameter(area)


def typical_diameter(areas: npt.ArrayLike) -> float:
    """Return the typical diameter of nuclei of these areas.

    Parameters
    ----------
    areas : array-like of float, shape (nuclei,)
        In px2.

    Returns
    -------
    float
        Averaged with the area as weight, in pixels; 0 without nuclei.
    """
    area = np.asarray(areas, np.float64)
    return float(np.average(2 * np.sqrt(area / np.pi), weights=area)) if area.size else 0.0


def is_unfamiliar(diameter: float, smallest: float, largest: float) -> bool:
    """Say whether nuclei are of another size than those that a model was trained on.

    Parameters
    ----------
    diameter : float
        Of the nuclei, in pixels; 0 if there are none.
    smallest, largest : float
        Typical diameters in the images that the model was trained on, in pixels; 0 if they are not known.

    Returns
    -------
    bool
    """
    return largest > 0 and (diameter > FAR * largest or SPECKS * smallest <= diameter < smallest / FAR)


def is_too_much(diameter: float, known: float, pixels: int) -> bool:
    """Say whether a plane would become so large, enlarged, that a user should ask for it.

    Parameters
    ----------
    diameter, known : float
        Of the nuclei, and to which they would be brought, in pixels.
    pixels : int
        Of the plane.

    Returns
    -------
    bool
    """
    return diameter < known and pixels * (known / diameter) ** 2 > MOST_UNASKED


def size_notice(diameter: float) -> str:
    """Say that planes are rescaled for nuclei of a diameter in pixels."""
    return f"Nuclei of about {diameter:.0f} px across: such planes are rescaled to the size the model knows."


def agrees(again: int, before: int, enlarged: bool) -> bool:
    """Say whether the rescaled plane shows what it showed before.

    Parameters
    ----------
    again, before : int
        Area of all nuclei found in the rescaled plane and in the plane as it is, in pixels of the plane.
    enlarged : bool
        Whether it was enlarged, not reduced.

    Returns
    -------
    bool
    """
    return again >= (LEAST_ENLARGED if enlarged else LEAST_REDUCED) * before

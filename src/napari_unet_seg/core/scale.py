"""How large the nuclei are, so that a plane can be shown to the network at the size that it knows.

A network that never saw nuclei of 100 pixels still paints most of their area, but tears them apart; the size of what it paints tells how
far the plane must be reduced. Measured on enlarged images of the validation fold: ``benchmarks/scale.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FROM = 3.0
"""Planes whose nuclei are larger than this many times the diameter that the model knows are reduced; below, it brings nothing."""
AGREEMENT = 0.7
"""A reduced plane must show at least this share of the area found before, or the nuclei were not that large."""


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


def is_too_large(diameter: float, known: float) -> bool:
    """Say whether nuclei are larger than a model can see whole.

    Parameters
    ----------
    diameter : float
        Of the nuclei, in pixels.
    known : float
        Of those that the model was trained on, in pixels; 0 if that is not known.

    Returns
    -------
    bool
    """
    return known > 0 and diameter > FROM * known


def agrees(reduced: npt.NDArray[Any], whole: npt.NDArray[Any]) -> bool:
    """Say whether the reduced plane shows what the whole one showed.

    Parameters
    ----------
    reduced, whole : ndarray of int, equal shapes
        Labels found in the reduced and in the whole plane.

    Returns
    -------
    bool
    """
    return bool(np.count_nonzero(reduced) >= AGREEMENT * np.count_nonzero(whole))

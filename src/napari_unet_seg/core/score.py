"""What the score of a nucleus says: with a calibrated model, how likely it is to be right, else how probable its pixels are.

A model's card holds the curve from the one to the other, measured on annotated images that the model did not learn from; see
`napari_unet_seg.core.calibration`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

CARD_KEY = "calibration"
"""Under this name a card holds the calibration, and the provenance of a result the curve."""

Knots = tuple[tuple[float, float], ...]
"""A curve: mean probability of a nucleus, and the share of such nuclei that are right; both rising. Empty: not calibrated."""


def knots_of(card: Mapping[str, Any]) -> Knots:
    """Read the curve from the card of a model.

    Parameters
    ----------
    card : mapping
        See `napari_unet_seg.core.checkpoint.Model`.

    Returns
    -------
    tuple of (float, float)
        Empty when the model is not calibrated, as those are that users train themselves.
    """
    found = card.get(CARD_KEY)
    return as_knots(found.get("knots", ())) if isinstance(found, Mapping) else ()


def as_knots(pairs: Iterable[Iterable[float]]) -> Knots:
    """Return a curve as it was, after JSON made lists of its pairs."""
    return tuple((float(probability), float(share)) for probability, share in pairs)


class Foreground:
    """How probable pixels are of a nucleus, worked out where it is asked for: numbers of 16 bits are slow, and most pixels are background.

    Parameters
    ----------
    background : ndarray of float16, shape (Y, X)
        Probability to be of none.
    """

    def __init__(self, background: npt.NDArray[Any]) -> None:
        """Work out nothing yet."""
        self._background = background

    def __getitem__(self, places: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the probability at some rows and columns, shape of these."""
        likely: npt.NDArray[Any] = 1 - self._background[places]
        return likely


def calibrated(score: npt.NDArray[Any], knots: Knots) -> npt.NDArray[np.float64]:
    """Turn mean probabilities into how likely the nuclei are right: that one of the truth shares at least half of the joint area.

    Parameters
    ----------
    score : ndarray of float, shape (nuclei,)
        Mean probability of each nucleus; NaN stays.
    knots : tuple of (float, float)
        The curve, straight between its knots and level beyond its ends; without it, the scores are returned as they are.

    Returns
    -------
    ndarray of float64, shape (nuclei,)
    """
    score = np.asarray(score, np.float64)
    if not knots:
        return score
    probability, share = zip(*knots, strict=True)
    likely: npt.NDArray[np.float64] = np.interp(score, probability, share)
    return likely

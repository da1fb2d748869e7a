"""Which maps are those of classes of pixels, from which no nuclei can be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import InputError

NEAR = 0.02
"""Probabilities add up to 1 within this, also in float16."""
PAIR = 2
"""A background and its opposite may be somebody's own: where nuclei are, and hills that tell them apart."""
DOUBT = 0.1
"""What a network finds is somewhere further than this from 0 and from 1; a mask is nowhere."""


def refuse_class_maps(maps: npt.NDArray[Any]) -> None:
    """Raise `InputError` if the last map is a class and no distance.

    Parameters
    ----------
    maps : ndarray of float, shape (C, Y, X)
        From `napari_unet_seg.predict`.

    Notes
    -----
    Probabilities of classes add up to 1 everywhere. In maps of nuclei the classes do so already, and the distance comes on top of them.
    Maps of nothing but 0 and 1 are taken as somebody's own, such as a mask.
    """
    if maps.ndim != 3 or maps.shape[0] <= PAIR or 0 in maps.shape or maps.dtype.kind != "f":
        return
    row, column = divmod(int(np.argmax(maps[-1])), maps.shape[2])
    if abs(float(maps[:, row, column].astype(np.float32).sum()) - 1) > NEAR:  # nearly always: one pixel tells
        return
    if _add_up_to_one(maps):
        raise InputError(
            f"The {maps.shape[0]} maps add up to 1 everywhere: they are probabilities of classes, and hold no distance by which nuclei "
            "are told apart. Of such a model, segment() gives the classes, as does maps.argmax(axis=0)."
        )


def _add_up_to_one(maps: npt.NDArray[Any]) -> bool:
    sums = maps.sum(axis=0, dtype=np.float32)
    between = (maps[-1] > DOUBT) & (maps[-1] < 1 - DOUBT)
    return bool((np.abs(sums - 1) <= NEAR).all() and between.any())

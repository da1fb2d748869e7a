"""Where labels lie that do not have the pixels of their image, because it is too large: those of a part, or of a level of a pyramid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.utils.transforms import Affine


def on_grid(placed: Mapping[str, Any], grid: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return where labels lie that do not have the pixels of their image.

    Parameters
    ----------
    placed : mapping
        From `placement`.
    grid : mapping or None
        ``origin`` and ``step``, as the provenance has them; None when the labels have the pixels of the image.

    Returns
    -------
    dict
    """
    if grid is None:
        return dict(placed)
    scale = np.array(placed["scale"], float)
    shift = np.zeros(scale.size)
    shift[-2:] = np.asarray(grid["origin"], float) + (grid["step"] - 1) / 2  # the middle of the first pixel
    moved = Affine(rotate=placed["rotate"], scale=scale, shear=placed["shear"], ndim=scale.size).linear_matrix @ shift
    scale[-2:] *= grid["step"]
    return {**placed, "scale": scale, "translate": np.asarray(placed["translate"], float) + moved}

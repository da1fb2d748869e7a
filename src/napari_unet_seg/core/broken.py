"""Maps that hold what is no number: NaN or infinity, of a network whose sums left the range of its format."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.bands import bands, each

Maps = npt.NDArray[np.float16]

_INFINITE = np.float16(np.inf).view(np.uint16)


def count_broken(*maps: Maps) -> int:
    """Count the pixels at which a map holds NaN or infinity.

    Parameters
    ----------
    *maps : ndarray of float16, shape (Y, X)
        Of the same plane.

    Returns
    -------
    int
    """

    def _count(rows: slice) -> int:
        broken = _is_broken(maps[0][rows])
        for other in maps[1:]:
            broken |= _is_broken(other[rows])
        return int(np.count_nonzero(broken))

    return sum(each(_count, bands(maps[0].shape)))


def _is_broken(values: Maps) -> npt.NDArray[np.bool_]:
    """Look at the bits, since NumPy goes through numbers of 16 bits one by one."""
    broken: npt.NDArray[np.bool_] = (values.view(np.uint16) & _INFINITE) == _INFINITE
    return broken

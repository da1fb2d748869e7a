"""Planes of labels to one stack: numbers that are unique over all planes, and one table that says where each nucleus is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Assembly:
    """Labels and measurements that grow plane by plane.

    Parameters
    ----------
    axes : str
        One letter a dimension of the labels, ``YX`` last.
    shape : tuple of int
        Of the labels, (..., Y, X).
    """

    def __init__(self, axes: str, shape: tuple[int, ...]) -> None:
        """Start without a nucleus."""
        self.labels: npt.NDArray[np.int32] = np.zeros(shape, np.int32)
        self._is_plane = math.prod(shape[:-2]) == 1
        self.count = 0
        self._axes = axes
        self._tables: list[pd.DataFrame] = []

    def add(self, index: tuple[int, ...], labels: npt.NDArray[np.int32], table: pd.DataFrame) -> None:
        """Put a plane into its place; planes come in the order of their indices, which decides the numbers.

        Parameters
        ----------
        index : tuple of int
            Along the leading axes.
        labels : ndarray of int32, shape (Y, X)
            Numbered 1, 2, 3 ...; the only plane is not copied.
        table : pandas.DataFrame
            One row a nucleus, from `napari_unet_seg.core.measure.measure_plane`, or none; it is changed.
        """
        if self._is_plane:
            self.labels = labels.reshape(self.labels.shape)
        else:
            self.labels[index] = np.where(labels, labels + self.count, 0) if self.count else labels
        if self.count:
            table["label"] += self.count
            table["index"] = table["label"]
        for position, (axis, place) in enumerate(zip(self._axes, index, strict=False)):
            table.insert(1 + position, f"plane_{axis.lower()}", place)
        self._tables.append(table)
        self.count += int(labels.max(initial=0))

    def table(self) -> pd.DataFrame:
        """Return the rows of all planes.

        Raises
        ------
        InputError
            If there is no plane.
        """
        import pandas as pd

        filled = [table for table in self._tables if len(table)] or self._tables[:1]
        if not filled:
            raise InputError("The image has no planes; an empty dimension holds no pixels.")
        return filled[0].reset_index(drop=True) if len(filled) == 1 else pd.concat(filled, ignore_index=True)

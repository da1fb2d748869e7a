"""A plane in bands of rows, worked on side by side.

NumPy and SciPy let other threads run while they compute, and a band stays in the cache of its core. What is done in bands here gives the
same bits whatever their height and however many cores there are.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

PIXELS = 2**19
"""Of a band: its arrays of a few bytes a pixel fit into the cache of a core, and a step of NumPy is long beside its call."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def cores() -> int:
    """Say how many threads may compute side by side.

    Returns
    -------
    int
        One for each core that this process may use; no more than ``OMP_NUM_THREADS``, by which others limit torch too.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(count, int(limit))) if limit.isdecimal() else count


def bands(shape: tuple[int, ...]) -> list[slice]:
    """Cut a plane into bands of rows.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).

    Returns
    -------
    list of slice
        Rows, in order; of nearly equal height. One, if the plane is small.
    """
    height, width = shape
    count = max(1, min(height, round(height * width / PIXELS)))
    if count == 1:
        return [slice(0, height)]
    edges = np.linspace(0, height, count + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


def each(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Call a function for each of some things, on all cores.

    Parameters
    ----------
    function : callable
        Called once for each item, in any thread; what it calls must not call `each` again for ever more threads.
    items : iterable

    Returns
    -------
    list
        What it returned, in the order of the items. No thread outlives the call; of several errors, that of the first item is raised.
    """
    items = list(items)
    others = min(cores(), len(items)) - 1 if len(items) > 1 else 0
    if not others:
        return [function(item) for item in items]
    shared = _Shared(function, items)
    threads = [threading.Thread(target=shared.work, name="napari-unet-seg-band") for _ in range(others)]
    for thread in threads:
        thread.start()
    shared.work()  # the calling thread need not wait
    for thread in threads:
        thread.join()
    return shared.answers()


class _Shared(Generic[Item, Made]):
    """Things to do, of which each thread takes the next."""

    def __init__(self, function: Callable[[Item], Made], items: list[Item]) -> None:
        self._function = function
        self._left = deque(enumerate(items))
        self._made: list[Made | None] = [None] * len(items)
        self._errors: dict[int, BaseException] = {}

    def work(self) -> None:
        """Do what is left, until there is none or an error."""
        while not self._errors:
            try:
                number, item = self._left.popleft()
            except IndexError:
                return
            try:
                self._made[number] = self._function(item)
            except BaseException as error:  # noqa: BLE001  # an interrupt too ends the other threads, and is raised again
                self._errors[number] = error

    def answers(self) -> list[Made]:
        """Return what was made; raises the first error."""
        if self._errors:
            raise self._errors[min(self._errors)]
        return cast("list[Made]", self._made)


def filled(shape: tuple[int, int], dtype: npt.DTypeLike, make: Callable[[slice], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Make an array band by band.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    dtype : dtype
    make : callable
        Returns the rows of a band; as of `each`.

    Returns
    -------
    ndarray, shape (Y, X)
    """
    made = np.empty(shape, dtype)

    def _fill(rows: slice) -> None:
        made[rows] = make(rows)

    each(_fill, bands(shape))
    return made


def put(target: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
    """Copy planes to where they belong, in bands.

    Parameters
    ----------
    target, values : ndarray, shape (C, Y, X)
    """

    def _put(rows: slice) -> None:
        target[:, rows] = values[:, rows]

    each(_put, bands(values.shape[1:]))


def looked_up(table: npt.NDArray[Any], places: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``table[places]``, made in bands.

    Parameters
    ----------
    table : ndarray, shape (n,)
    places : ndarray of int, shape (Y, X)
        From 0 to n - 1.

    Returns
    -------
    ndarray, shape (Y, X)
        Of the table's dtype.
    """
    return filled(places.shape, table.dtype, lambda rows: table[places[rows]])

"""How many threads torch computes with: sums are split among them, and so the weights of a training depend on their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def usual_threads() -> int:
    """Say how many threads torch takes where nobody has changed that.

    Returns
    -------
    int
        What ``OMP_NUM_THREADS`` or `torch.set_num_threads` say, else one for each core.

    Notes
    -----
    OpenMP keeps the number for each thread by itself. Numba, with which napari draws labels, sets that of the thread that has the window to
    the number of cores, in the library that torch uses too, whatever the environment says. A new thread tells the truth.
    """
    told: list[int] = []
    asking = threading.Thread(target=lambda: told.append(torch.get_num_threads()))
    asking.start()
    asking.join()
    return told[0]


@contextmanager
def threads_restored() -> Iterator[None]:
    """Leave torch with the number of threads that it would take, whatever is set inside."""
    usual = usual_threads()
    try:
        yield
    finally:
        compute_with(usual)


def compute_with(threads: int) -> None:
    """Let torch compute with this number of threads from now on, on the thread that calls.

    Parameters
    ----------
    threads : int
        At least 1.
    """
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)

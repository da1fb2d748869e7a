"""Errors as sentences: what ends one image, or one picture of it, must not end a run over thousands of others."""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_unet_seg.errors import UnetSegError

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError, pickle.PickleError)
FAILURES = (UnetSegError, *_UNEXPECTED)
"""Errors of this package, and what an odd file or a full disk may raise somewhere in the libraries below."""


def explain(error: BaseException) -> str:
    """Return a sentence for an error.

    Parameters
    ----------
    error : BaseException
        One of `FAILURES`.

    Returns
    -------
    str
        The error's own sentence when this package raised it.

    Examples
    --------
    >>> explain(KeyError("no such tag"))
    "It failed unexpectedly (KeyError: 'no such tag')."
    """
    if isinstance(error, UnetSegError):
        return str(error)
    reason = (str(error).strip() or "no reason given").splitlines()[0]
    return f"It failed unexpectedly ({type(error).__name__}: {reason})."


@contextmanager
def noted(what: str, sentences: list[str]) -> Iterator[None]:
    """Go on after a failure, and add a sentence on it to a list.

    Parameters
    ----------
    what : str
        What is missing because of it, such as "The contact sheet lacks this image".
    sentences : list of str
        Where the sentence goes.
    """
    try:
        yield
    except FAILURES as error:
        sentences.append(f"{what}: {explain(error)}")

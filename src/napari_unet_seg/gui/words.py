"""What the widget says: counts, times and errors as sentences that a biologist reads."""

from __future__ import annotations

from collections.abc import Mapping

from napari_unet_seg.core.counting import counted_words
from napari_unet_seg.errors import UnetSegError

_BROKEN_TORCH = (
    "PyTorch, which runs the network, could not be loaded ({reason}); install it again, on Windows together with the "
    "Microsoft Visual C++ Redistributable, and restart napari."
)


def count_words(count: int, sizes: Mapping[str, int] | None = None, in_3d: bool = False, tracks: int | None = None) -> str:
    """Say how many nuclei there are.

    Parameters
    ----------
    count : int
        Rows of the table.
    sizes : mapping of str to int, optional
        Lengths of the axes before Y and X; a nucleus may then have an outline in several planes, and at several times.
    in_3d : bool
        Whether planes are linked.
    tracks : int, optional
        Number of tracks, when nuclei were followed through time.

    Returns
    -------
    str
        See `napari_unet_seg.core.counting.counted_words`; of a single plane also that there is none.

    Examples
    --------
    >>> count_words(312), count_words(0), count_words(4312, {"Z": 60})
    ('312 nuclei', 'No nuclei found', '4,312 outlines in 60 planes')
    """
    sizes = {axis: length for axis, length in (sizes or {}).items() if length > 1}
    return counted_words(count, sizes, in_3d, tracks) if count or sizes else "No nuclei found"


def time_words(seconds: float) -> str:
    """Say how long something took.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> time_words(0.31), time_words(47.2), time_words(200)
    ('0.3 s', '47 s', '3 min 20 s')
    """
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def explain(error: BaseException) -> str:
    """Say in one sentence what went wrong and what to do.

    Parameters
    ----------
    error : BaseException
        Ours are sentences already; others are put into one.

    Returns
    -------
    str
    """
    if isinstance(error, UnetSegError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Memory ran out; close other programs, or crop the image."
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    # On Windows, torch imported after Qt may fail to load a library of its own.
    if isinstance(error, (ImportError, OSError)) and "torch" in str(error):
        return _BROKEN_TORCH.format(reason=reason)
    return f"Something unexpected went wrong ({type(error).__name__}: {reason}); copy the details to report it."

"""What the widget says: counts, times and errors as sentences that a biologist reads."""

from __future__ import annotations

from napari_unet_seg.errors import UnetSegError

_BROKEN_TORCH = (
    "PyTorch, which runs the network, could not be loaded ({reason}); install it again, on Windows together with the "
    "Microsoft Visual C++ Redistributable, and restart napari."
)


def count_words(count: int, planes: int = 1) -> str:
    """Say how many nuclei there are.

    Parameters
    ----------
    count : int
        Number of outlines.
    planes : int
        Number of planes that were gone through one by one; a nucleus may then have an outline in several of them.

    Returns
    -------
    str

    Examples
    --------
    >>> count_words(312), count_words(1), count_words(4312, planes=60)
    ('312 nuclei', '1 nucleus', '4,312 outlines in 60 planes')
    """
    if planes > 1:
        return f"{count:,} {'outline' if count == 1 else 'outlines'} in {planes:,} planes"
    if count == 0:
        return "No nuclei found"
    return f"{count:,} {'nucleus' if count == 1 else 'nuclei'}"


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

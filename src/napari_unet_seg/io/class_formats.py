"""What can be written of a class map: not all that can be of nuclei."""

from __future__ import annotations

from collections.abc import Iterable

from napari_unet_seg.errors import InputError

INSTEAD = {"tiff": "classes", "classes": "classes", "zarr": "zarr", "csv": "csv", "overlay": "overlay"}
"""What is written of a class map where a format is asked for."""


def class_formats(formats: Iterable[str], model: str) -> tuple[str, ...]:
    """Return what to write of class maps.

    Parameters
    ----------
    formats : iterable of str
        What was asked for.
    model : str
        Name of the model.

    Returns
    -------
    tuple of str
        The same, with ``classes`` for ``tiff``.

    Raises
    ------
    InputError
        If a format is of nuclei alone.
    """
    formats = tuple(formats)
    of_nuclei = [name for name in formats if name not in INSTEAD]
    if of_nuclei:
        raise InputError(
            f"The model {model!r} tells classes of pixels apart and no nuclei, so that there are no {', '.join(of_nuclei)}; "
            f"use one or more of {', '.join(dict.fromkeys(INSTEAD.values()))}."
        )
    return tuple(dict.fromkeys(INSTEAD[name] for name in formats))

"""What can be written of a class map: not all that can be of nuclei."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

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


def with_intensities(features: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Add intensities to the table of nuclei, or to that of classes, whose planes share their numbers.

    Parameters
    ----------
    features : pandas.DataFrame
        One row a nucleus, or a class and plane, with ``label``: plane by plane, and within a plane in the order of the numbers.
    measured : pandas.DataFrame
        The same rows with intensities, from `napari_unet_seg.core.measure.measure_intensities`.

    Returns
    -------
    pandas.DataFrame
    """
    if features["label"].is_unique:
        return features.merge(measured, on="label", validate="1:1")
    return features.assign(**{str(name): measured[name].to_numpy() for name in measured if name != "label"})

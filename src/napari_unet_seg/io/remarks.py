"""What is told of one segmented image: counts, limits, and sentences on what looks wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.io.summary import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_unet_seg.core.segment import Segmentation
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.inputs import Source

_STRIP = 16_000_000
"""Pixels of a large plane that are looked at at once."""


def describe(source: Source, image: ImageFile, result: Segmentation) -> Outcome:
    """Count what was found, and say what looks wrong.

    Parameters
    ----------
    source : Source
        Where the image comes from.
    image : ImageFile
        The image.
    result : Segmentation
        Its labels.

    Returns
    -------
    Outcome
        Without outputs and seconds; polarity and limits are those of the first plane.
    """
    labels = result.labels
    square_micrometres = labels.size * image.scale["Y"] * image.scale["X"] if {"Y", "X"} <= set(image.scale) else 0.0
    first = result.provenance["limits"][0]
    return Outcome(
        source,
        nuclei=result.count,
        touching_border=int(result.features["touches_border"].sum()),
        planes=labels.size // (labels.shape[-1] * labels.shape[-2]),
        per_mm2=result.count / square_micrometres * 1e6 if square_micrometres else None,
        megapixels=labels.size / 1e6,
        polarity=first["polarity"],
        low=first["low"],
        high=first["high"],
        device=str(result.provenance["device"]),
        warnings=tuple(_remarks(image, result)),
    )


def _remarks(image: ImageFile, result: Segmentation) -> Iterator[str]:
    limits = result.provenance["limits"]
    dull = [number for number, plane in enumerate(limits) if not plane["high"] > plane["low"]]
    if dull:
        planes = _planes(image, result.provenance["channel"])
        flat = [_is_flat(planes(number)) for number in dull]
        if any(flat):
            yield "A plane has the same intensity everywhere, or nothing finite."
        if not all(flat):
            yield "Nearly all pixels of a plane have the same intensity, so that nothing is seen in it; give its limits (--limits)."
    if result.count == 0:
        yield "No nuclei were found."


def _planes(image: ImageFile, channel: int | None) -> Any:
    """Return a function that takes a plane by its number, counted as the labels' planes are."""
    array = image.levels[0]
    if image.channel_axis is not None:
        array = array[(slice(None),) * image.channel_axis + (channel or 0,)]
    shape = array.shape[: array.ndim - 2 - ("S" in image.axes)]
    return lambda number: array[tuple(map(int, np.unravel_index(number, shape)))] if shape else array


def _is_flat(plane: Any) -> bool:
    """Whether all finite values of a plane, which may be read lazily, are equal; of colour, those of each sample."""
    lows, highs = [], []
    rows = max(1, _STRIP // plane.shape[1])
    for start in range(0, plane.shape[0], rows):
        strip = np.asarray(plane[start : start + rows]).reshape(-1, *plane.shape[2:])
        values = strip.reshape(len(strip), -1)[:, :3]  # opacity is no intensity
        values = values[np.isfinite(values).all(axis=1)]
        if len(values):
            lows.append(values.min(axis=0))
            highs.append(values.max(axis=0))
    return not lows or bool((np.min(lows, axis=0) == np.max(highs, axis=0)).all())

"""What is told of one segmented image: counts, limits, and sentences on what looks wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_unet_seg.io.summary import Outcome

if TYPE_CHECKING:
    from napari_unet_seg.core.segment import Segmentation
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.inputs import Source


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
        warnings=() if result.count else ("No nuclei were found.",),
    )

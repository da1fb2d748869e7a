"""What is told of one segmented image: counts, limits, and sentences on what looks wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_unet_seg.core.counting import count_planes, count_tracks, sizes_of
from napari_unet_seg.core.segmentation import class_shares
from napari_unet_seg.core.volumes import is_in_3d
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
    labels, in_3d = result.labels, is_in_3d(result.features)
    sizes = sizes_of("".join(axis for axis in image.axes if axis not in "CS"), labels.shape)
    planes, times = count_planes(sizes), sizes.get("T", 1)
    seen = labels.size // planes if in_3d else labels.size
    square_micrometres = seen * image.scale["Y"] * image.scale["X"] if {"Y", "X"} <= set(image.scale) else 0.0
    first = result.provenance["limits"][0]
    return Outcome(
        source,
        nuclei=None if result.class_names else result.count,
        touching_border=None if result.class_names else int(result.features["touches_border"].sum()),
        planes=planes,
        times=times,
        tracks=count_tracks(result.features),
        in_3d=in_3d,
        per_mm2=result.count / square_micrometres * 1e6 if square_micrometres and not result.class_names else None,
        megapixels=labels.size / 1e6,
        polarity=first["polarity"],
        low=first["low"],
        high=first["high"],
        device=str(result.provenance["device"]),
        warnings=() if result.count or result.class_names else ("No nuclei were found.",),
        classes=class_shares(result.features) if result.class_names else None,
    )

"""A stack as its maximum projection: what labels of it are measured in, and drawn on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_unet_seg.io.image import ImageFile


def maximum_projection(image: ImageFile) -> ImageFile:
    """Return the maximum along the slices of a stack.

    Parameters
    ----------
    image : ImageFile
        With or without slices.

    Returns
    -------
    ImageFile
        Without that axis, computed when it is read if the image is; the same when there are no slices.
    """
    from napari_unet_seg.core.axes import stack_axis

    axis = stack_axis(image.axes)
    if not axis:
        return image
    place = image.axes.index(axis)
    levels = [level.max(axis=place) for level in image.levels]
    scale = {name: step for name, step in image.scale.items() if name != axis}
    data = levels if isinstance(image.data, list) else levels[0]
    return dataclasses.replace(image, data=data, axes=image.axes.replace(axis, ""), scale=scale)

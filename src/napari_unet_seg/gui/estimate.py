"""How large the nuclei in view are, as a generator. No Qt and no thread, so that tests can drain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.core.segment import Segmentation
    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.gui.request import Request


@dataclass(frozen=True)
class Estimate:
    """What was seen.

    Parameters
    ----------
    diameter : float
        Typical diameter, in pixels of the full-size image.
    count : int
        Of how many nuclei.
    """

    diameter: float
    count: int


def estimate_steps(request: Request) -> Steps[Estimate]:
    """Segment a part of one plane, and say how large its nuclei are.

    Parameters
    ----------
    request : Request
        A source of one plane, and settings with the region.

    Yields
    ------
    Progress
        At once, since loading torch takes a second or two; then after each tile.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        If there are no nuclei. Other errors as `napari_unet_seg.segment`.
    """
    yield Progress("Estimating", 0, 0)
    from napari_unet_seg.core.apart import iter_apart
    from napari_unet_seg.core.scale import typical_diameter
    from napari_unet_seg.gui.request import engine_steps

    source, settings = request.source, replace(request.settings, diameter=0.0, max_area=0)
    order = (source.data, request.model, request.device, (source.axes, source.channel), settings)
    result: Segmentation = yield from iter_apart(engine_steps, *order)
    if not result.count:
        raise InputError("No nuclei were found in view; move to where some are, or type the diameter.")
    step = 1 if result.grid is None else result.grid.step
    return Estimate(step * typical_diameter(result.features["area"]), result.count)


def one_plane(source: Source, steps: Sequence[int], stack: str = "planes") -> Source:
    """Return a source of the plane that the viewer shows.

    Parameters
    ----------
    source : Source
        Of any number of planes.
    steps : sequence of int
        Where the viewer's sliders stand, one a dimension of the layer.
    stack : {"planes", "maximum"}
        Slices stay together when their maximum is taken.

    Returns
    -------
    Source
        Not read yet, if the image is not.
    """
    from napari_unet_seg.core.axes import stack_axis

    kept = "CYXS" + (stack_axis(source.axes) if stack == "maximum" else "")
    several = isinstance(source.data, list)
    levels = source.data if several else [source.data]
    place = {axis: (slice(None) if axis in kept else step) for axis, step in zip(source.axes, (*steps, 0), strict=False)}
    taken: list[Any] = [level[tuple(place.get(axis, slice(None)) for axis in source.axes)] for level in levels]
    axes = "".join(axis for axis in source.axes if axis in kept)
    return replace(source, data=taken if several else taken[0], axes=axes, planes=1, sizes={})

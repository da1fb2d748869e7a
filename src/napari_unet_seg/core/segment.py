"""An image to labels: limits, tiles, network, instances, measurements, for every plane of any image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg import __version__
from napari_unet_seg.core.assembly import Assembly
from napari_unet_seg.core.axes import Layout, as_array, resolve_axes
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.class_work import iter_class_work
from napari_unet_seg.core.grid import Grid, choose_grid
from napari_unet_seg.core.plane import EVERYTHING, Wanted, iter_plane
from napari_unet_seg.core.predict import STAGE, Predictor, predict
from napari_unet_seg.core.pyramid import levels_of, take_plane
from napari_unet_seg.core.score import CARD_KEY, knots_of
from napari_unet_seg.core.segmentation import Segmentation
from napari_unet_seg.core.stack import assemble, check_stack, is_followed, is_linked, plane_settings
from napari_unet_seg.progress import Progress, Steps, drain, over_planes, relay

if TYPE_CHECKING:
    from napari_unet_seg.core.map_parts import PlaneMaps
    from napari_unet_seg.core.normalize import Limits
    from napari_unet_seg.settings import SegmentSettings

__all__ = ["Segmentation", "iter_segment", "iter_work", "predict", "prepare", "segment"]

Keep = Callable[[tuple[int, ...], "PlaneMaps"], None]


def segment(
    image: Any,
    model: str | Model = "nuclei",
    device: str = "auto",
    axes: str | None = None,
    channel: int | None = None,
    settings: SegmentSettings | None = None,
) -> npt.NDArray[np.int32]:
    """Find the nuclei of an image.

    Parameters
    ----------
    image : array-like or list of array-like
        NumPy, dask or zarr array of any real dtype, or the levels of a pyramid, largest first.
    model : str, path or Model
        A registered name, a model file, or a model.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.
    axes : str, optional
        One letter a dimension, such as ``"ZCYX"`` or ``"YXS"``; see `napari_unet_seg.core.axes.resolve_axes`.
    channel : int, optional
        Which channel shows nuclei; needed when there are several.
    settings : SegmentSettings, optional
        The model's own if not given.

    Returns
    -------
    ndarray of int32, shape (..., Y, X)
        The image's axes less the channel; 0 is background, each nucleus has its own number. Of a model that tells classes apart, the
        numbers are those of the classes.

    Raises
    ------
    InputError
        If shape, axes or dtype cannot be used.
    ModelError, DeviceError
        If the model or device is not there.
    OutOfMemoryError, ComputeError
        If the network fails.

    Examples
    --------
    >>> import numpy as np
    >>> segment(np.zeros((64, 64), np.uint8)).max()  # doctest: +SKIP
    0
    """
    work = prepare(image, model, device, axes, channel, settings)
    return drain(iter_work(work, wanted=Wanted(table=False, classes=False))).full(work.layout.labels_shape).labels


def iter_segment(
    image: Any,
    model: str | Model | Predictor = "nuclei",
    device: str = "auto",
    axes: str | None = None,
    channel: int | None = None,
    settings: SegmentSettings | None = None,
) -> Steps[Segmentation]:
    """Find the nuclei of an image step by step; parameters and errors as in `segment`.

    For many images, `model` may be a `Predictor`, whose network is on its device already; `device` is then ignored.

    Yields
    ------
    Progress
        After each tile; `total` counts the tiles of all planes. Closing the generator cancels.

    Returns
    -------
    Segmentation
    """
    return (yield from iter_work(prepare(image, model, device, axes, channel, settings)))


@dataclass(frozen=True)
class Work:
    """What is segmented, and with what.

    Parameters
    ----------
    levels : tuple of array-like
        The image, sliced lazily; more than one when it is a pyramid.
    layout : Layout
        What its dimensions mean.
    predictor : Predictor
        The model on its device, with the settings.
    grid : Grid
        The pixels of the labels.
    settings : SegmentSettings
        Those of the whole; the predictor has those of a plane.
    """

    levels: tuple[Any, ...]
    layout: Layout
    predictor: Predictor
    grid: Grid
    settings: SegmentSettings


def prepare(
    image: Any,
    model: str | Model | Predictor = "nuclei",
    device: str = "auto",
    axes: str | None = None,
    channel: int | None = None,
    settings: SegmentSettings | None = None,
) -> Work:
    """Look at what is to be segmented without reading its pixels; parameters and errors as in `iter_segment`.

    Returns
    -------
    Work
    """
    layout = resolve_axes(as_array(image), axes, channel)
    predictor = model.with_settings(settings) if isinstance(model, Predictor) else Predictor(load_model(model), device, settings)
    levels = levels_of(image, layout)
    if predictor.settings.stack == "maximum":
        layout = layout.projected()
    first = take_plane(levels, layout, next(layout.indices()))
    settings, predictor.settings = predictor.settings, plane_settings(predictor.settings)
    return Work(levels, layout, predictor, choose_grid(first.nearest(predictor.factor), first.shape, settings), settings)


def iter_work(work: Work, keep: Keep | None = None, wanted: Wanted = EVERYTHING) -> Steps[Segmentation]:
    """Find the nuclei of prepared work; steps and errors as in `iter_segment`.

    Parameters
    ----------
    work : Work
        From `prepare`.
    keep : callable, optional
        Called with the index of each plane (along the leading axes of the labels) and the maps it was decoded from, of which nothing else
        is kept: a stack would need eight bytes a pixel.
    wanted : Wanted
        What else is wanted than labels; the rest is empty, where the labels can be had without.

    Returns
    -------
    Segmentation
    """
    layout, predictor, grid = work.layout, work.predictor, work.grid
    if not predictor.model.settings.distance:
        return (yield from iter_class_work(work))
    axes = layout.labels_axes
    needed = not grid.is_full or is_linked(axes, work.settings) or is_followed(axes, work.settings)
    wanted = Wanted(wanted.table or needed, wanted.classes or not grid.is_full)
    found = Assembly(axes, (*layout.labels_shape[:-2], *grid.shape))
    class_map = np.zeros(found.labels.shape if wanted.classes else (0,) * len(axes), np.uint8)
    if grid.notice:
        yield Progress(STAGE, 0, 0, notice=grid.notice)
    yield from check_stack(axes, work.settings)
    limits: list[Limits] = []
    diameters: list[float] = []
    told: set[str] = set()
    for number, index in enumerate(layout.indices()):
        steps = iter_plane(predictor, take_plane(work.levels, layout, index), grid, any(diameters), wanted)
        plane = yield from relay(steps, partial(over_planes, number=number, planes=layout.plane_count, told=told))
        found.add(index, plane.labels, plane.table)
        if wanted.classes:
            class_map[index] = plane.classes
        if keep is not None:
            keep(index, plane.maps)
        limits.append(plane.limits)
        diameters.append(plane.diameter)
        del plane  # and with it the maps, while the network makes the next ones
    if notice := blank_notice(limits):
        yield Progress(STAGE, 0, 0, notice=notice)
    provenance = provenance_of(work, limits, diameters)
    settings = replace(work.settings, spacing=work.settings.spacing / grid.step)
    labels, table = assemble(found.labels, found.table(), axes, settings)
    return Segmentation(labels, table, provenance, class_map, None if grid.is_full else grid)


def blank_notice(limits: list[Limits]) -> str:
    """Say how many planes were taken for blank, since it is hard to tell from outside why nothing is found."""
    blank = sum(not plane.high > plane.low for plane in limits)
    where = "this image" if len(limits) == 1 else f"{blank} of {len(limits)} planes"
    return f"Nothing stands out in {where} but even ground, noise or haze; to search all the same, set the limits by hand." if blank else ""


def provenance_of(work: Work, limits: list[Limits], diameters: list[float]) -> dict[str, Any]:
    """Say what made labels: version, model, settings, and the limits and diameter of each plane; without a time stamp."""
    layout, predictor = work.layout, work.predictor
    knots = knots_of(predictor.model.card)
    return {
        "version": __version__,
        "model": predictor.model.name,
        "model_sha256": predictor.model.sha256,
        "device": predictor.device.name,
        "precision": str(predictor.dtype).removeprefix("torch."),
        "axes": layout.axes,
        "channel": layout.channel if "C" in layout.axes else None,
        "settings": work.settings.to_dict(),
        "limits": [plane.to_dict() for plane in limits],
        "diameters": [round(diameter, 2) for diameter in diameters],
        "score": "calibrated" if knots else "uncalibrated",
        CARD_KEY: [list(knot) for knot in knots],
    } | ({} if work.grid.is_full else {"grid": work.grid.to_dict()})

"""An image to labels: limits, tiles, network, instances, measurements, for every plane of any image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg import __version__
from napari_unet_seg.core.axes import Layout, as_array, resolve_axes
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.device import compute_errors
from napari_unet_seg.core.instances import classes, instances
from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.predict import STAGE, Predictor, predict
from napari_unet_seg.core.scale import agrees, estimate_diameter, is_too_large
from napari_unet_seg.errors import InputError, ModelError
from napari_unet_seg.progress import Progress, Steps, drain, relay

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.settings import SegmentSettings

__all__ = ["Segmentation", "iter_segment", "predict", "segment"]


@dataclass(frozen=True)
class Segmentation:
    """The result of a segmentation.

    Parameters
    ----------
    labels : ndarray of int32, shape (..., Y, X)
        0 is background; numbers are unique over all planes.
    features : pandas.DataFrame
        One row a nucleus, as `napari_unet_seg.measure` gives it, in pixels.
    provenance : dict
        Version, model, its hash, settings, limits of each plane, device; equal runs give equal provenance.
    classes : ndarray of uint8, shape (..., Y, X)
        The most likely class of each pixel: for the bundled model 0 background, 1 foreground, 2 outline.
    """

    labels: npt.NDArray[np.int32]
    features: pd.DataFrame
    provenance: Mapping[str, Any]
    classes: npt.NDArray[np.uint8]

    @property
    def count(self) -> int:
        """Number of nuclei (outlines, in a stack whose planes are not linked)."""
        return len(self.features)


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
        The image's axes less the channel; 0 is background, each nucleus has its own number.

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
    return drain(iter_segment(image, model, device, axes, channel, settings)).labels


def iter_segment(
    image: Any,
    model: str | Model = "nuclei",
    device: str = "auto",
    axes: str | None = None,
    channel: int | None = None,
    settings: SegmentSettings | None = None,
) -> Steps[Segmentation]:
    """Find the nuclei of an image step by step; parameters and errors as in `segment`.

    Yields
    ------
    Progress
        After each tile; `total` counts the tiles of all planes. Closing the generator cancels.

    Returns
    -------
    Segmentation
    """
    array = as_array(image)
    layout = resolve_axes(array, axes, channel)
    predictor = Predictor(load_model(model), device, settings)
    if not predictor.model.settings.distance:
        raise ModelError(f"The model {predictor.model.name!r} predicts classes without a distance map; use `predict` with it.")
    labels = np.zeros(layout.labels_shape, np.int32)
    class_map = np.zeros(layout.labels_shape, np.uint8)
    tables: list[pd.DataFrame] = []
    limits: list[Limits] = []
    diameters: list[float] = []
    count = 0
    for number, index in enumerate(layout.indices()):
        steps = _iter_plane(predictor, layout.plane(array, index), told=any(diameters))
        plane = yield from relay(steps, partial(_over_planes, number=number, planes=layout.plane_count))
        labels[index] = np.where(plane.labels, plane.labels + count, 0)
        class_map[index] = plane.classes
        tables.append(_placed(plane.table, layout, index, count))
        count += len(plane.table)
        limits.append(plane.limits)
        diameters.append(plane.diameter)
    return Segmentation(labels, _joined(tables), _provenance(predictor, layout, limits, diameters), class_map)


@dataclass(frozen=True)
class _Plane:
    """What was found in one plane."""

    labels: npt.NDArray[np.int32]
    classes: npt.NDArray[np.uint8]
    table: pd.DataFrame
    limits: Limits
    diameter: float


def _iter_plane(predictor: Predictor, plane: Any, told: bool) -> Steps[_Plane]:
    """Segment one plane, at a smaller scale if its nuclei are far larger than the model knows."""
    with compute_errors("Reading the image"):
        limits = estimate_limits(plane, predictor.settings)
    diameter = predictor.settings.diameter
    maps = yield from predictor.iter_maps(plane, limits)
    labels = _decode(maps, predictor)
    estimate = estimate_diameter(labels)
    if diameter == 0 and is_too_large(estimate, predictor.known_diameter):
        reduced = yield from predictor.iter_maps(plane, limits, estimate)
        again = _decode(reduced, predictor)
        if agrees(again, labels):
            maps, labels, diameter = reduced, again, estimate
            if not told:
                notice = f"Nuclei of about {diameter:.0f} px across: such planes are reduced to the size the model knows."
                yield Progress(STAGE, 0, 0, notice=notice)
    with compute_errors("Measuring the nuclei"):
        table = measure_plane(labels, 1 - maps[0])
    return _Plane(labels, classes(maps, len(predictor.model.settings.classes)), table, limits, diameter)


def _decode(maps: Any, predictor: Predictor) -> npt.NDArray[np.int32]:
    with compute_errors("Separating the nuclei"):
        return instances(maps, predictor.settings)


def _over_planes(progress: Progress, number: int, planes: int) -> Progress:
    """Count the tiles of one plane over all planes."""
    return replace(progress, done=number * progress.total + progress.done, total=planes * progress.total)


def _placed(table: pd.DataFrame, layout: Layout, index: tuple[int, ...], offset: int) -> pd.DataFrame:
    """Give the rows of one plane their numbers in the stack, and say where the plane is."""
    table["label"] += offset
    table["index"] = table["label"]
    for position, (axis, place) in enumerate(zip(layout.labels_axes, index, strict=False)):
        table.insert(1 + position, f"plane_{axis.lower()}", place)
    return table


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [table for table in tables if len(table)] or tables[:1]
    if not filled:
        raise InputError("The image has no planes; an empty dimension holds no pixels.")
    return pd.concat(filled, ignore_index=True)


def _provenance(predictor: Predictor, layout: Layout, limits: list[Limits], diameters: list[float]) -> dict[str, Any]:
    return {
        "version": __version__,
        "model": predictor.model.name,
        "model_sha256": predictor.model.sha256,
        "device": predictor.device.name,
        "precision": str(predictor.dtype).removeprefix("torch."),
        "axes": layout.axes,
        "channel": layout.channel if "C" in layout.axes else None,
        "settings": predictor.settings.to_dict(),
        "limits": [plane.to_dict() for plane in limits],
        "diameters": [round(diameter, 2) for diameter in diameters],
    }

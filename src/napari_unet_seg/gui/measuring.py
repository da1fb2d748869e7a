"""One measurement as a generator: which channels share the grid of the nuclei, and the table that comes of them. No Qt and no thread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.gui.layers import layer_channels, placement
from napari_unet_seg.io.napari_writers import info_of_layer
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Image, Labels

    from napari_unet_seg.gui.layers import Channel
    from napari_unet_seg.io.labels_info import LabelsInfo

PREPARING = "Preparing"
VOLUMES = "These nuclei reach through several planes, so that each is measured as a whole; rings and shapes are of single planes only."
_COLOURS = ("red", "green", "blue")
_SAME = 1e-3
"""Places and sizes that differ by less than this share of a pixel are equal: files store them rounded."""


@dataclass(frozen=True)
class Measurable:
    """One channel that could be measured.

    Parameters
    ----------
    layer : napari.layers.Image
    title : str
        What the choice and the columns are called.
    channel : Channel or None
        Which index of which dimension of the layer.
    sample : int or None
        Red, green or blue of a colour image.
    why_not : str
        Why the nuclei cannot be measured in it; else empty.
    """

    layer: Image
    title: str
    channel: Channel | None = None
    sample: int | None = None
    why_not: str = ""

    def pixels(self) -> Any:
        """Return the channel with the dimensions of `grid`."""
        data = _whole(self.layer)
        if self.sample is not None:
            data = data[..., self.sample]
        if self.channel is not None:
            at = self.channel.index
            data = data[(slice(None),) * self.channel.axis + (slice(at, at + 1),)]
        return _flat(data)


@dataclass(frozen=True)
class MeasureRequest:
    """What is measured.

    Parameters
    ----------
    labels : array-like of int, shape (..., Y, X)
        Without dimensions of length 1 before Y; they may change meanwhile, and are then measured as they were when they were read.
    info : LabelsInfo
        Axes of the layer's own data, scale, and its features.
    data : array-like of int
        The layer's own data.
    channels : mapping of str to array-like
        By title, each of the labels' shape.
    ring : float
        Width of the rings in pixels; 0 for none.
    """

    labels: Any
    info: LabelsInfo
    data: Any
    channels: Mapping[str, Any]
    ring: float = 0.0


@dataclass(frozen=True)
class Measured:
    """What comes out.

    Parameters
    ----------
    features : pandas.DataFrame
        One row a nucleus, with ``index`` for napari; what the layer knew already stays as it was.
    notice : str
        What the user should know; else empty.
    """

    features: pd.DataFrame
    notice: str = ""


def list_measurable(images: list[Image], labels: Labels) -> list[Measurable]:
    """List the channels of image layers, each with the reason why it cannot be measured.

    Parameters
    ----------
    images : list of napari.layers.Image
    labels : napari.layers.Labels
        The nuclei.

    Returns
    -------
    list of Measurable
        Their titles all differ.
    """
    found: list[Measurable] = []
    for layer in images:
        channels = layer_channels(layer)
        if layer.rgb:
            options = [Measurable(layer, f"{layer.name} {name}", sample=sample) for sample, name in enumerate(_COLOURS)]
        elif channels and _shape(_flat(_whole(layer))) != _shape(_flat(_whole(labels))):
            options = [Measurable(layer, f"{layer.name} {channel.index + 1}", channel=channel) for channel in channels]
        else:
            options = [Measurable(layer, layer.name)]
        found += [_checked(option, labels, {other.title for other in found}) for option in options]
    return found


def request_of(labels: Labels, chosen: list[Measurable], ring: float) -> MeasureRequest:
    """Take from the layers what a measurement needs.

    Parameters
    ----------
    labels : napari.layers.Labels
    chosen : list of Measurable
        From `list_measurable`.
    ring : float
        In pixels.

    Returns
    -------
    MeasureRequest

    Raises
    ------
    InputError
        If the layer has more dimensions than a table has planes for.
    """
    data = _whole(labels)
    channels = {one.title: one.pixels() for one in chosen}
    return MeasureRequest(_flat(data), layer_info(labels), data, channels, ring)


def layer_info(labels: Labels) -> LabelsInfo:
    """Return what a layer says about itself, as the writers of files take it."""
    names = ("scale", "units", "axis_labels", "name", "features", "metadata")
    return info_of_layer({name: getattr(labels, name) for name in names})


def measure_steps(request: MeasureRequest) -> Steps[Measured]:
    """Measure.

    Parameters
    ----------
    request : MeasureRequest

    Yields
    ------
    Progress
        Shapes, rings and channels, plane by plane.

    Returns
    -------
    Measured

    Raises
    ------
    InputError
        If the labels cannot be measured.
    """
    yield Progress(PREPARING, 0, 0)
    from napari_unet_seg.core.intensities import without_measured
    from napari_unet_seg.core.measure import iter_measure
    from napari_unet_seg.core.volumes import add_micrometres, measure_intensities_in_3d
    from napari_unet_seg.io.labels_info import open_labels
    from napari_unet_seg.io.table_writer import labels_table

    known = without_measured(labels_table(open_labels(request.data, request.info), request.info))
    y, x = request.info.step("Y"), request.info.step("X")
    scale = (y, x) if y and x else None
    table = yield from iter_measure(request.labels, request.channels, scale, request.ring)
    notice = ""
    if not table["label"].is_unique:
        notice = VOLUMES
        yield Progress(PREPARING, 0, 0)
        table = measure_intensities_in_3d(request.labels, request.channels)
        steps = {axis: step for axis in "ZYX" if (step := request.info.step(axis))}
        known = add_micrometres(known.rename(columns={"area": "volume"}), steps)
    return Measured(_joined(known, table, request.info.features), notice)


def _joined(known: pd.DataFrame, table: pd.DataFrame, features: pd.DataFrame | None) -> pd.DataFrame:
    """Add what was measured to what is known, in the order of the columns that the layer has."""
    from napari_unet_seg.core.intensities import is_physical

    table = table.set_index("label").loc[known["label"]]
    joined = known.assign(index=known["label"])
    for name in table:
        if name not in joined or is_physical(str(name)):  # the size of a pixel may have changed
            joined[name] = table[name].to_numpy()
    before = [] if features is None else [name for name in features if name in joined]
    return joined[[*before, *(name for name in joined if name not in before)]]


def _checked(one: Measurable, labels: Labels, taken: set[str]) -> Measurable:
    title = next(title for title in _numbered(one.title) if title not in taken)
    return Measurable(one.layer, title, one.channel, one.sample, _why_not(one, labels))


def _numbered(title: str) -> Iterator[str]:
    yield title
    number = 2
    while True:
        yield f"{title} ({number})"
        number += 1


def _why_not(one: Measurable, labels: Labels) -> str:
    """Say why pixels of a channel and of the nuclei are not the same places."""
    pixels, nuclei = one.pixels(), _flat(_whole(labels))
    if _shape(pixels) != _shape(nuclei):
        return f"It has {_size(pixels)}, and the nuclei have {_size(nuclei)}."
    ours, theirs = placement(labels), placement(one.layer, [] if one.channel is None else [one.channel.axis])
    step = np.abs(ours["scale"][-2:])
    if not np.allclose(ours["scale"][-2:], theirs["scale"][-2:], rtol=_SAME, atol=0):
        return "Its pixels are of another size than those of the nuclei."
    if not np.allclose(ours["translate"][-2:] / step, theirs["translate"][-2:] / step, rtol=0, atol=_SAME):
        return "It lies elsewhere: it is shifted against the nuclei."
    turned = any(not np.allclose(ours[name][-2:, -2:], theirs[name][-2:, -2:], atol=_SAME) for name in ("rotate", "shear"))
    affine = not np.allclose(ours["affine"][-3:, -3:], theirs["affine"][-3:, -3:], atol=_SAME)
    return "It is turned or stretched against the nuclei." if turned or affine else ""


def _whole(layer: Image | Labels) -> Any:
    data = layer.data[0] if layer.multiscale else layer.data
    if type(data).__module__.startswith("zarr"):  # which would be read whole by the first index
        from dask.array import from_zarr

        data = from_zarr(data)  # type: ignore[no-untyped-call]
    return data if hasattr(data, "dtype") and hasattr(data, "shape") else np.asarray(data)


def _flat(data: Any) -> Any:
    """Leave out dimensions of length 1 before Y and X."""
    return data[tuple(0 if length == 1 else slice(None) for length in data.shape[:-2])]


def _shape(data: Any) -> tuple[int, ...]:
    return tuple(map(int, data.shape))


def _size(data: Any) -> str:
    *leading, height, width = _shape(data)
    return f"{math.prod(leading):,} planes of {width:,} × {height:,} px" if leading else f"{width:,} × {height:,} px"

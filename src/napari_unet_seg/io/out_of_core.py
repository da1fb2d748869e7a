"""Images of any size to labels on the disk: read, segmented, numbered, written and measured in blocks, in bounded memory.

Limits come first, then one pass of the network, whose maps go to the disk tile by tile. Blocks of the maps are decoded, exactly as the
whole plane would be (see `napari_unet_seg.core.hills`); labels are numbered in raster order, written, and measured. All results lie beside
the target, in a hidden folder that ends with ``.unfinished``: from there a killed run goes on.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError, SettingsError, WriteError
from napari_unet_seg.io.block_classes import check_classes
from napari_unet_seg.io.block_image import ImageRun, is_unfinished
from napari_unet_seg.io.block_options import OutOfCore, Stored
from napari_unet_seg.io.block_run import STAGE
from napari_unet_seg.io.kept import is_newer, is_same, is_whole, measured_as, version_notice
from napari_unet_seg.io.quantities import spaced
from napari_unet_seg.io.workers import open_workers
from napari_unet_seg.io.zarr_writer import refuse_other_folder
from napari_unet_seg.progress import Progress, Steps, drain

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.segment import Work
    from napari_unet_seg.settings import SegmentSettings

__all__ = ["OutOfCore", "Stored", "iter_segment_to", "segment_to"]

ENDINGS = (".zarr", ".tif", ".tiff")
SMALLEST_BLOCK = 32
"""Pixels: smaller blocks are hardly larger than a nucleus, and there would be millions of them."""


def segment_to(
    image: Any,
    path: str | os.PathLike[str],
    model: str | Model = "nuclei",
    device: str = "auto",
    settings: SegmentSettings | None = None,
    options: OutOfCore | None = None,
) -> Stored:
    """Find the nuclei of an image of any size, and write them to a file; or the classes of its pixels, by a model of classes.

    The labels are those that `segment` gives for the whole image, number by number, whatever the size of the blocks; the table is the
    same, too, but for the rounding of scores where a diameter rescales the image. Memory stays below 1.5 GB besides the image's own.

    Parameters
    ----------
    image : path-like or array-like or list of array-like
        A file that can be opened, or a NumPy, dask or zarr array, or the levels of a pyramid, largest first.
    path : path-like
        Target: ``.zarr`` (OME-Zarr 0.5, uint32, a pyramid in chunks) or ``.tif`` (OME-TIFF; tiled, with a pyramid, when it is large).
        The table is written beside it, with ``.csv`` for its ending, unless the options say where.
    model : str, path or Model
        A registered name, a model file, or a model.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.
    settings : SegmentSettings, optional
        The model's own if not given. Where slices are linked or nuclei followed, `spacing` is taken from the scale if it is 0.
    options : OutOfCore, optional
        Axes, channel, measurements, blocks, workers, resuming.

    Returns
    -------
    Stored

    Raises
    ------
    InputError, ModelError, DeviceError, OutOfMemoryError, ComputeError
        As `segment`.
    SettingsError
        If planes should be linked, no scheduler answers, or what a killed run left was made in another way.
    ReadError
        If the image, or something that a step left, cannot be read.
    WriteError
        If the ending is none of the two, something is there already, or the system refuses to write.

    Examples
    --------
    >>> segment_to("slide.svs", "slide.labels.zarr", options=OutOfCore(resume=True))  # doctest: +SKIP
    """
    return drain(iter_segment_to(image, path, model, device, settings, options))


def iter_segment_to(
    image: Any,
    path: str | os.PathLike[str],
    model: str | Model = "nuclei",
    device: str = "auto",
    settings: SegmentSettings | None = None,
    options: OutOfCore | None = None,
) -> Steps[Stored]:
    """Find the nuclei of an image of any size step by step; parameters and errors as of `segment_to`.

    Yields
    ------
    Progress
        After each tile and block. Closing the generator cancels; what is finished stays for a run with `resume`.

    Returns
    -------
    Stored
    """
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.segment import prepare

    target, options = Path(path), options or OutOfCore()
    _check_target(target, options)
    loaded = load_model(model)
    levels, options = _opened(image, options, settings or loaded.defaults)
    if not loaded.settings.distance:
        if isinstance(options.measure, Mapping):
            check_classes(options.measure, options.ring)
        options = dataclasses.replace(options, classes=None)  # it is what the labels are
    settings = spaced(settings or loaded.defaults, options.scale)
    if isinstance(options.channel, str):
        raise InputError(f"The channel is {options.channel!r}, and an array has no names for its channels; give the number, from 0 on.")
    channel = None if options.channel is None else int(options.channel)
    work = prepare(levels, loaded, device, options.axes, channel, settings)
    _check_options(options, work.layout.labels_shape)
    if (kept := _kept(target, work, options)) is not None:
        if notice := version_notice(kept.provenance):
            yield Progress(STAGE, 0, 0, notice=notice)
        return kept
    with open_workers(options.scheduler) as workers:
        return (yield from ImageRun(work, target, options, workers).iter())


def _check_target(target: Path, options: OutOfCore) -> None:
    if target.suffix.lower() not in ENDINGS:
        raise WriteError(f"{target} was not written, because its ending names no format for blocks; use one of {', '.join(ENDINGS)}.")
    if target.exists() and not (options.overwrite or options.resume):
        raise WriteError(f"{target} exists already; choose another name, or allow overwriting.")
    if target.suffix.lower() == ".zarr":
        refuse_other_folder(target)
    if options.classes and Path(options.classes).suffix.lower() not in ENDINGS[1:]:
        raise WriteError(f"{options.classes} was not written, because class maps beside labels are TIFF; use .tif.")
    table = Path(options.table or target)
    if options.table and table == target:
        raise WriteError(f"The table and the labels would both be {target}; give the table another name, such as {target.stem}.csv.")
    if table.parent != target.parent and not table.parent.is_dir():  # else known only when all the work is done
        raise WriteError(f"The folder of the table {table} does not exist; make it first, or choose another.")


def _check_options(options: OutOfCore, shape: tuple[int, ...]) -> None:
    """Refuse what would fail only when most of the work is done."""
    if options.block and options.block < SMALLEST_BLOCK:
        raise SettingsError(f"block is {options.block}; it must be at least {SMALLEST_BLOCK} pixels, or 0, which is automatic.")
    for axis, step in options.scale.items():
        if not 0 < step < math.inf:
            raise InputError(f"The scale along {axis} is {step}; it must be positive micrometres (seconds along T), or left out.")
    if options.ring and not 1 <= options.ring < math.inf:
        raise SettingsError(f"The ring is {options.ring:g} px wide; it must have at least 1 px, or be 0 for none.")
    for name, array in options.measure.items() if isinstance(options.measure, Mapping) else ():
        if tuple(array.shape) != shape:
            raise InputError(f"The channel {name!r} has shape {tuple(array.shape)}, and the labels {shape}; they must be equal.")


def _kept(target: Path, work: Work, options: OutOfCore) -> Stored | None:
    """Return what an earlier run had finished, when it is to be kept."""
    from napari_unet_seg.io.image import open_image

    table, axes = Path(options.table or target.with_suffix(".csv")), work.layout.labels_axes
    if not options.resume or is_unfinished(target) or not (target.exists() and table.exists()) or not is_whole(target, axes):
        return None
    made = open_image(target).provenance
    asked = {"channel": work.layout.channel if "C" in work.layout.axes else None, **measured_as(options.measure, options.ring)}
    same = is_same(made, work.settings, work.predictor.model, asked)
    if not same or (options.source is not None and is_newer(Path(options.source), target)):
        if options.overwrite:
            return None
        how = "of an earlier state of the image" if same else "with other settings, channels or another model"
        raise SettingsError(f"{target} was made {how}; choose another name, or allow overwriting.")
    import pandas as pd

    border = pd.read_csv(table, usecols=["touches_border"])["touches_border"]
    return Stored(target, table, len(border), int(border.sum()), work.layout.labels_shape, made)


def _opened(image: Any, options: OutOfCore, settings: SegmentSettings) -> tuple[Any, OutOfCore]:
    """Open a file, and take from it what the options leave open."""
    if not isinstance(image, str | os.PathLike):
        if not isinstance(options.measure, Mapping) and options.measure:
            raise InputError("Of an array, the channels to measure must be given as arrays by name, since it has no names for them.")
        return image, options
    from napari_unet_seg.io.channels import measured_channels, nuclear_channel
    from napari_unet_seg.io.image import open_image
    from napari_unet_seg.io.projection import maximum_projection

    opened = open_image(Path(image))
    if opened.is_labels:
        raise InputError(f"{opened.path.name} holds labels, not intensities; give the image they were made from.")
    channel = nuclear_channel(opened, "" if options.channel is None else str(options.channel))
    flat = maximum_projection(opened) if settings.stack == "maximum" else opened
    measure = options.measure if isinstance(options.measure, Mapping) else measured_channels(flat, tuple(options.measure))
    about = {"input": opened.path.name, **options.about}
    if channel is not None:
        about["channel_name"] = opened.channel_names[channel]
    changes: dict[str, Any] = {"axes": opened.axes, "channel": channel, "measure": measure, "about": about, "source": image}
    return opened.data, dataclasses.replace(options, scale=options.scale or opened.scale, **changes)

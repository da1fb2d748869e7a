"""Images of a run that go a way of their own: those larger than memory in blocks, and those that an earlier run had finished."""

from __future__ import annotations

import math
import shutil
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.atomic import make_folder
from napari_unet_seg.core.axes import stack_axis
from napari_unet_seg.core.stack import check_stack
from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.block_image import is_unfinished
from napari_unet_seg.io.block_options import NO_RINGS_IN_3D
from napari_unet_seg.io.block_run import STAGE
from napari_unet_seg.io.kept import changed, is_newer, is_same, is_whole, measured_as, read_labels, version_notice
from napari_unet_seg.io.quantities import ring_in_pixels
from napari_unet_seg.io.workers import LOCAL
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.segmentation import Segmentation
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.inputs import Source
    from napari_unet_seg.settings import SegmentSettings

LARGE_PLANE, LARGE_STACK = 2**26, 2**28
"""Pixels of a plane, and of all planes, from which on an image is segmented in blocks: in memory, a plane takes some sixty bytes a pixel
while it is segmented, and a stack five for each pixel of its labels and classes."""
_STORES, _STORES_OF_CLASSES = ("zarr", "tiff"), ("zarr", "classes")
"""Formats of which a file is the main result, the first that is asked for."""
_COUNTED = ("label", "touches_border", "volume", "track", "class", "area")
"""Columns from which counts are told, as far as they are there."""


@dataclass(frozen=True)
class Found:
    """What is known of an image before it is segmented.

    Parameters
    ----------
    image : ImageFile
        The image.
    channel : int or None
        Which channel shows nuclei.
    settings : SegmentSettings
        For this image.
    measured : mapping of str to array
        Channels whose intensities are measured.
    """

    image: ImageFile
    channel: int | None
    settings: SegmentSettings
    measured: Mapping[str, Any]

    @property
    def axes(self) -> str:
        """Of the labels."""
        gone = stack_axis(self.image.axes) if self.settings.stack == "maximum" else ""
        return "".join(axis for axis in self.image.axes if axis not in "CS" + gone)


@dataclass(frozen=True)
class Ready:
    """A result of which files are written already.

    Parameters
    ----------
    result : Segmentation
        Its labels are read lazily when they are large; without a class map.
    formats : tuple of str
        The keys of `napari_unet_seg.io.batch.FORMATS` that are there.
    """

    result: Segmentation
    formats: tuple[str, ...]


def iter_ready(plan: Plan, source: Source, found: Found, predictor: Predictor) -> Steps[Ready | None]:
    """Take what an earlier run had finished, or segment an image in blocks when it is too large for memory.

    Parameters
    ----------
    plan : Plan
        What to write.
    source : Source
        The image's place in the run.
    found : Found
        The image.
    predictor : Predictor
        The model on its device.

    Yields
    ------
    Progress
        After each tile and block.

    Returns
    -------
    Ready or None
        None for an image that is to be segmented in memory.

    Raises
    ------
    WriteError
        If an earlier run went with other settings, or by another model.
    """
    ready = _finished_before(plan, source, found, predictor.model) if plan.resume else None
    if ready is None and _is_large(plan, found):
        return (yield from _iter_in_blocks(plan, source, found, predictor))
    if ready is not None:
        if predictor.model.settings.distance:
            yield from check_stack(found.axes, found.settings)
        for notice in _notices(ready.result, predictor.known_sizes):
            yield Progress(STAGE, 0, 0, notice=notice)
    return ready


def _is_large(plan: Plan, found: Found) -> bool:
    """Say whether an image is segmented in blocks: a cluster works on blocks of images of any size."""
    axes, shape = found.image.axes, found.image.levels[0].shape
    plane = math.prod(size for axis, size in zip(axes, shape, strict=True) if axis in "YX")
    whole = math.prod(size for axis, size in zip(axes, shape, strict=True) if axis not in "CS")
    return plan.scheduler != LOCAL or plane > LARGE_PLANE or whole > LARGE_STACK


def _iter_in_blocks(plan: Plan, source: Source, found: Found, predictor: Predictor) -> Steps[Ready]:
    from napari_unet_seg.io.out_of_core import OutOfCore, iter_segment_to

    image, channel = found.image, found.channel
    outputs = plan.outputs(source)
    main = _main(outputs, predictor.model)
    hidden = plan.output / source.stem.with_name(f".{source.stem.name}.labels.zarr")
    target, table = outputs[main] if main else hidden, outputs.get("csv", hidden.with_suffix(".csv"))
    make_folder(target.parent)
    options = OutOfCore(
        axes=image.axes,
        channel=channel,
        scale=image.scale,
        measure=found.measured,
        ring=_ring(plan, found),
        scheduler=plan.scheduler,
        resume=plan.resume,
        overwrite=plan.overwrite or not main,  # what is hidden is nobody's
        about=_about(source, image, channel),
        table=table,
        classes=outputs.get("classes") if predictor.model.settings.distance else None,
        source=source.path,
    )
    stored = yield from iter_segment_to(image.data, target, predictor.model, predictor.asked, found.settings, options)
    counted_alone = not plan.summary and not {"rois", "geojson", "trackmate"} & set(plan.formats)
    features, labels = _read_table(table, _COUNTED if counted_alone else None), read_labels(stored.path, found.axes)
    if "csv" not in outputs:
        table.unlink()
    if not main:  # made only for others to be made of it
        weakref.finalize(labels, shutil.rmtree, hidden, ignore_errors=True)
    beside = "classes" if options.classes else ""
    written = tuple(name for name in (main, "csv", beside) if name in outputs)
    return Ready(_result(labels, features, stored.provenance), written)


def _main(outputs: Mapping[str, Path], model: Model) -> str:
    """Return the format of the main result; nothing if none that is asked for can be it."""
    return next((name for name in (_STORES if model.settings.distance else _STORES_OF_CLASSES) if name in outputs), "")


def _result(labels: Any, features: pd.DataFrame, provenance: Mapping[str, Any]) -> Segmentation:
    """Return a result that is read from its files; of a class map of nuclei nothing is left to be written."""
    from napari_unet_seg.core.segmentation import CLASSES_KEY, Segmentation

    class_map = labels if CLASSES_KEY in provenance else np.zeros((1,) * labels.ndim, np.uint8)
    return Segmentation(labels, features, provenance, class_map)


def _finished_before(plan: Plan, source: Source, found: Found, model: Model) -> Ready | None:
    """Return what an earlier run wrote for an image, when it wrote all of it, and so much that its counts and table are known."""
    from napari_unet_seg.io.image import open_image

    outputs = plan.outputs(source)
    main = _main(outputs, model)
    whole = main and "csv" in outputs and all(path.exists() for path in outputs.values())
    if not whole or is_unfinished(outputs[main]) or not is_whole(outputs[main], found.axes):
        return None
    if any(changed(path) < changed(outputs[main]) for name, path in outputs.items() if name not in (main, "csv")):
        return None  # killed when the labels had been replaced, and not yet what is made of them
    made = open_image(outputs[main]).provenance
    same = is_same(made, found.settings, model, {"channel": found.channel, **measured_as(found.measured, _ring(plan, found))})
    if not same or is_newer(source.path, outputs[main]):
        if plan.overwrite:
            return None
        way = "of an earlier state of the image" if same else "with other settings, channels or another model"
        raise WriteError(f"{outputs[main]} was made {way}; choose another folder, or allow overwriting (--overwrite).")
    labels = read_labels(outputs[main], found.axes)
    return Ready(_result(labels, _read_table(outputs["csv"]), made), plan.formats)


def _ring(plan: Plan, found: Found) -> float:
    return ring_in_pixels(plan.ring, found.image.scale) if found.measured else 0.0


def _about(source: Source, image: ImageFile, channel: int | None) -> dict[str, Any]:
    about: dict[str, Any] = {"input": PurePosixPath(source.shown).name}
    return about if channel is None else about | {"channel_name": image.channel_names[channel]}


def _read_table(path: Path, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    import pandas as pd

    wanted = (lambda name: name in columns) if columns else None
    # A class may be called 1, NA or None.
    table = pd.read_csv(path, usecols=wanted, dtype={"class": str}, keep_default_na=False, na_values=[""])
    table["index"] = table["label"]
    return table


def _notices(result: Segmentation, known: tuple[float, float]) -> tuple[str, ...]:
    """Return what had been told of an image, as far as the provenance knows it, and by which version it was made if not by this one."""
    from napari_unet_seg.core.normalize import Limits
    from napari_unet_seg.core.scale import UNASKED, size_notice
    from napari_unet_seg.core.segment import blank_notice

    made = result.provenance
    rescaled = next((diameter for diameter in made["diameters"] if diameter), 0.0) if not made["settings"]["diameter"] else 0.0
    notices = (size_notice(rescaled) if rescaled else "", blank_notice([Limits(**limits) for limits in made["limits"]]))
    rings = NO_RINGS_IN_3D if made.get("ring") and is_in_3d(result.features) else ""
    left = UNASKED if _is_left(result, known) else ""
    return tuple(filter(None, (*notices, left, rings, version_notice(made))))


def _is_left(result: Segmentation, known: tuple[float, float]) -> bool:
    """Say whether some plane was too large to be enlarged unasked for its small nuclei; not known of nuclei that are linked."""
    from napari_unet_seg.core.scale import is_too_much, is_unfamiliar, typical_diameter

    made, table = result.provenance, result.features
    if made["settings"]["diameter"] or made["settings"]["region"] or result.class_names or "area" not in table or is_in_3d(table):
        return False
    places = [name for name in table if str(name).startswith("plane_")]
    planes = [rows for _, rows in table.groupby(places)] if places else [table]
    sizes = [typical_diameter(rows["area"]) for rows in planes]
    pixels = math.prod(result.labels.shape[-2:])
    return any(is_unfamiliar(size, *known) and is_too_much(size, known[0], pixels) for size in sizes)

"""The way of one image through a run over many: opened, segmented, measured and written; whatever goes wrong becomes a sentence."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.io.batch_outputs import Made, write_outputs
from napari_unet_seg.io.class_formats import with_intensities
from napari_unet_seg.io.failures import FAILURES, explain, noted
from napari_unet_seg.io.kept import measured_as
from napari_unet_seg.io.quantities import ring_in_pixels
from napari_unet_seg.io.remarks import describe
from napari_unet_seg.io.summary import Outcome, Summary
from napari_unet_seg.io.workers import LOCAL
from napari_unet_seg.progress import Progress, Steps, relay

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from napari_unet_seg.core.predict import Predictor
    from napari_unet_seg.core.segmentation import Segmentation
    from napari_unet_seg.io.batch import Plan
    from napari_unet_seg.io.image import ImageFile
    from napari_unet_seg.io.inputs import Source
    from napari_unet_seg.io.room import Place

_KEPT = 8
"""Of what an image takes while it is segmented, this part is left while it is written: labels and classes."""
_READ_ALONE = 2**24
"""Files of more bytes are read only when those before have room: one at a time waits in memory, and not as many as there are threads."""


class BatchImage:
    """One image of a run.

    Parameters
    ----------
    plan : Plan
        What to write.
    source : Source
        The image.
    summary : Summary
        The tables over all images.
    """

    def __init__(self, plan: Plan, source: Source, summary: Summary) -> None:
        """Begin at the image."""
        self.plan = plan
        self.source = source
        self.summary = summary
        self.warnings: list[str] = []
        self.written: tuple[str, ...] = ()
        self.exact = True
        self.is_large = False

    def work(self, predictor: Predictor, place: Place) -> Steps[Callable[[], Outcome]]:
        """Segment the image and write its files. Whatever goes wrong becomes the outcome's error.

        Parameters
        ----------
        predictor : Predictor
            The model on its device.
        place : Place
            In the memory that images share.

        Yields
        ------
        Progress
            After each tile and block.

        Returns
        -------
        callable
            Adds the image to the tables over all images, when its turn comes, and returns what became of it.
        """
        started = time.monotonic()
        try:
            image, result = yield from self._segment(predictor, place)
        except FAILURES as error:
            return partial(self._add, started, Outcome(self.source, error=explain(error)))
        place.shrink(max(result.labels.size // _KEPT, 1))
        return self._finish(started, image, result)

    def _finish(self, started: float, image: ImageFile, result: Segmentation) -> Callable[[], Outcome]:
        """Write and describe what was found; what goes wrong once the files are written is a warning."""
        try:
            outcome = describe(self.source, image, result)
            made = Made(self.plan.outputs(self.source), self.written, self.exact)
            outcome = dataclasses.replace(outcome, outputs=write_outputs(made, image, result))
        except FAILURES as error:
            return partial(self._add, started, Outcome(self.source, error=explain(error)))
        thumbnail = None
        if self.plan.summary:
            with noted("The contact sheet lacks its picture", self.warnings):
                thumbnail = self._thumbnail(image, result)
        return partial(self._add, started, outcome, result.features, thumbnail)

    def _add(self, started: float, outcome: Outcome, table: pd.DataFrame | None = None, thumbnail: Any = None) -> Outcome:
        """Put the image into the tables over all images, if there are any."""
        warnings = (*self.warnings, *outcome.warnings)
        outcome = dataclasses.replace(outcome, seconds=time.monotonic() - started, warnings=warnings)
        return self.summary.add(outcome, table, thumbnail) if self.plan.summary else outcome

    def _segment(self, predictor: Predictor, place: Place) -> Steps[tuple[ImageFile, Segmentation]]:
        from napari_unet_seg.core.plane import Wanted
        from napari_unet_seg.core.segment import iter_work, prepare
        from napari_unet_seg.io.batch_large import Found, iter_ready
        from napari_unet_seg.io.channels import choice_notice, measured_channels, nuclear_channel
        from napari_unet_seg.io.image import open_image
        from napari_unet_seg.io.projection import maximum_projection

        self._refuse_existing()
        if self.source.path.exists() and self.source.path.stat().st_size > _READ_ALONE:
            place.wait()
        image = open_image(self.source.path)
        if image.is_labels:
            raise InputError(f"{self.source.path.name} holds labels, not intensities; give the image they were made from.")
        if image.notice:
            self.warnings.append(image.notice)
        settings = self.plan.wishes.settings(predictor.model.defaults, image.scale)
        channel = nuclear_channel(image, self.plan.channel)
        if notice := choice_notice(image, self.plan.channel, channel):
            self.warnings.append(notice)
        flat = maximum_projection(image) if settings.stack == "maximum" else image
        measured = measured_channels(flat, self.plan.measure, self.warnings)  # a wrong name is told before the network runs
        ring_in_pixels(self.plan.ring, image.scale)
        self._enter(place, flat)
        found = Found(image, channel, settings, measured)
        ready = yield from relay(iter_ready(self.plan, self.source, found, predictor), self._noted)
        if ready is not None:
            self.written = ready.formats
            return flat, ready.result
        work = prepare(image.data, predictor, axes=image.axes, channel=channel, settings=settings)
        result = yield from relay(iter_work(work, wanted=Wanted(classes="classes" in self.plan.formats)), self._noted)
        self.exact = result.grid is None
        full = result.full(flat.levels[0].shape[flat.axes.index("Y") :][:2])
        return flat, self._completed(flat, full, measured)

    def _enter(self, place: Place, image: ImageFile) -> None:
        """Wait until there is room; a cluster has enough to do with one image."""
        pixels = math.prod(size for axis, size in zip(image.axes, image.levels[0].shape, strict=True) if axis not in "CS")
        alone = self.plan.scheduler != LOCAL
        self.is_large = alone or pixels > 2 * place.most
        place.enter(max(pixels, _KEPT * place.most) if alone else pixels)

    def _noted(self, progress: Progress) -> Progress:
        """Keep the notices of the engine for the table of images."""
        if progress.notice and progress.notice not in self.warnings:
            self.warnings.append(progress.notice)
        return progress

    def _refuse_existing(self) -> None:
        existing = [path for path in self.plan.outputs(self.source).values() if path.exists()]
        if existing and not (self.plan.overwrite or self.plan.resume):
            raise WriteError(f"{existing[0]} exists already; choose another folder, or allow overwriting (--overwrite).")

    def _completed(self, image: ImageFile, result: Segmentation, measured: Mapping[str, Any]) -> Segmentation:
        """Add intensities and micrometres to the table, and the name of the input to the provenance."""
        from napari_unet_seg.core.measure import measure_intensities
        from napari_unet_seg.core.volumes import add_micrometres, is_in_3d, measure_intensities_in_3d
        from napari_unet_seg.io.block_options import NO_RINGS_IN_3D

        features, ring = result.features, ring_in_pixels(self.plan.ring, image.scale)
        if measured and is_in_3d(features):
            self.warnings += [NO_RINGS_IN_3D] if ring else []
            features = features.merge(measure_intensities_in_3d(result.labels, measured), on="label", validate="1:1")
        elif measured:
            features = with_intensities(features, measure_intensities(result.labels, measured, ring))
        features = add_micrometres(features, image.scale)
        provenance = {**result.provenance, **measured_as(measured, ring), "input": PurePosixPath(self.source.shown).name}
        if image.channel_axis is not None:
            provenance["channel_name"] = image.channel_names[provenance["channel"]]
        return dataclasses.replace(result, features=features, provenance=provenance)

    def _thumbnail(self, image: ImageFile, result: Segmentation) -> npt.NDArray[np.uint8]:
        from napari_unet_seg.io.contact_sheet import THUMBNAIL
        from napari_unet_seg.io.overlay import draw_overlay

        return draw_overlay(image, result.labels, result.provenance["channel"], THUMBNAIL)

"""One run as a generator: what is asked for, and what comes out of it. No Qt and no thread, so that tests can drain it."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.segmentation import CLASSES_KEY
from napari_unet_seg.gui.kept_maps import KeptMaps, MapCache
from napari_unet_seg.progress import Progress, Steps
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.core.segment import Keep, Segmentation
    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.settings import Polygons

PREPARING = "Preparing"


Fingerprint = tuple[bytes, ...]


def plane_digest(plane: npt.NDArray[Any]) -> bytes:
    """Return a hash of a plane of labels that tells an edit: 64 bits, in a third of the time that a hash against forgery takes."""
    pixels = np.ascontiguousarray(plane).data
    return zlib.crc32(pixels).to_bytes(4, "big") + zlib.adler32(pixels).to_bytes(4, "big")


@dataclass(frozen=True)
class Content:
    """What a labels layer holds.

    Parameters
    ----------
    labels : ndarray of int32, shape (..., Y, X)
    features : pandas.DataFrame
        One row a nucleus.
    """

    labels: npt.NDArray[Any]
    features: pd.DataFrame

    def fingerprint(self) -> Fingerprint:
        """Return hashes that another content does not have; a second per gigabyte, so not for the window's thread.

        The first is that of the table, the others are those of the planes. Measured intensities are left out: who measures nuclei has not
        edited them.
        """
        import pandas as pd

        from napari_unet_seg.core.intensities import without_measured

        features = without_measured(self.features)
        digest = hashlib.blake2b(repr((self.labels.shape, self.labels.dtype.str, list(features))).encode(), digest_size=16)
        digest.update(pd.util.hash_pandas_object(features).to_numpy().tobytes())
        return digest.digest(), *(plane_digest(self.labels[index]) for index in np.ndindex(self.labels.shape[:-2]))


@dataclass(frozen=True)
class Request:
    """What is asked of one run.

    Parameters
    ----------
    source : Source
        The image.
    model : str
        Name of a model.
    device : {"auto", "cuda", "mps", "cpu"}
    settings : SegmentSettings
    previous : Content or None
        What the layer holds that may be replaced.
    cache : MapCache or None
        Where the maps are kept for the sliders; None keeps none.
    base : mapping or None
        Provenance of `previous`, if of a region only the nuclei inside are to be replaced in it; else None.
    """

    source: Source
    model: str
    device: str
    settings: SegmentSettings
    previous: Content | None = None
    cache: MapCache | None = None
    base: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run gives.

    Parameters
    ----------
    content : Content
        Labels, and features with ``index``; in micrometres too when the size of a pixel is known.
    provenance : mapping
        What made them.
    fingerprint : tuple of bytes
        Of `content`.
    previous : tuple of bytes or None
        Fingerprint of the layer that may be replaced, taken at the end of the run.
    seconds : float
        How long it took.
    maps : KeptMaps or None
        From which the labels were decoded; of a region, those of its nuclei.
    engine : tuple of str
        The model and the device that were asked for; empty when that is not known.
    outside : int
        Nuclei up to this number lie outside of the region and were there before; 0 when there are none.
    """

    content: Content
    provenance: Mapping[str, Any]
    fingerprint: Fingerprint
    previous: Fingerprint | None
    seconds: float
    maps: KeptMaps | None = None
    engine: tuple[str, ...] = ()
    outside: int = 0

    @property
    def count(self) -> int:
        """Number of nuclei, or of outlines in a stack."""
        return len(self.content.features)

    @property
    def settings(self) -> SegmentSettings:
        """The settings that made it."""
        return SegmentSettings.from_dict(self.provenance.get("settings", {}))


def segment_steps(request: Request) -> Steps[Outcome]:
    """Segment what is asked for.

    Parameters
    ----------
    request : Request

    Yields
    ------
    Progress
        At once, since loading torch takes a second or two; then after each tile.

    Returns
    -------
    Outcome

    Raises
    ------
    UnetSegError
        As `napari_unet_seg.segment`.
    """
    started = time.perf_counter()
    yield Progress(PREPARING, 0, 0)
    from napari_unet_seg.core.apart import iter_apart
    from napari_unet_seg.core.volumes import add_micrometres

    source, maps = request.source, _new_maps(request)
    keep = {} if maps is None else {"keep": maps.put}
    order = (source.data, request.model, request.device, (source.axes, source.channel), request.settings)
    result: Segmentation = yield from iter_apart(engine_steps, *order, **keep)
    if maps is not None:
        maps.describe(_labels_axes(request), result.labels.shape)
    features = add_micrometres(result.features, _pixel_size(source, result))
    content, provenance = Content(source.arrange(result.labels), features), result.provenance
    previous, outside = _fitting(request, content, provenance), 0
    if previous is not None and request.settings.region:
        region = request.settings.region if result.grid is None else result.grid.place(request.settings.region)
        outside = int(previous.labels.max(initial=0))
        content, provenance = _merged(request, content, provenance, region)
    return Outcome(
        content=content,
        provenance={**provenance, "input": source.name},
        fingerprint=content.fingerprint(),
        previous=previous.fingerprint() if previous else None,
        seconds=time.perf_counter() - started,
        maps=maps,
        engine=(request.model, request.device),
        outside=outside,
    )


def _pixel_size(source: Source, result: Segmentation) -> dict[str, float]:
    """Return the size of the pixels of the labels, by axis, in micrometres."""
    step = 1 if result.grid is None else result.grid.step
    return {axis: size if axis == "Z" else step * size for axis, size in source.scale.items()}


def engine_steps(
    image: Any, model: str, device: str, layout: tuple[str, int | None], settings: SegmentSettings, keep: Keep | None = None
) -> Steps[Segmentation]:
    """Run the engine and hand out the maps of each plane; at the top of a module, so that another process can be asked to do it.

    Parameters
    ----------
    image, model, device, settings
        As for `napari_unet_seg.segment`.
    layout : tuple
        Axes and channel, likewise.
    keep : callable, optional
        As for `napari_unet_seg.core.segment.iter_work`.

    Yields
    ------
    Progress
        After each tile.

    Returns
    -------
    Segmentation
    """
    from napari_unet_seg.core.segment import iter_work, prepare

    return (yield from iter_work(prepare(image, model, device, *layout, settings), keep))


def _new_maps(request: Request) -> KeptMaps | None:
    """Return where the maps are kept."""
    return None if request.cache is None else KeptMaps(request.cache, request.source.singles)


def _labels_axes(request: Request) -> str:
    """Return the axes of the image less those that are projected."""
    from napari_unet_seg.core.axes import stack_axis

    axes = request.source.axes
    return axes.replace(stack_axis(axes), "") if request.settings.stack == "maximum" and stack_axis(axes) else axes


def _fitting(request: Request, found: Content, provenance: Mapping[str, Any]) -> Content | None:
    """Return what may be replaced: of a region only labels of the same pixels, among which those of the region can be put."""
    previous, base = request.previous, request.base
    if previous is None or not request.settings.region:
        return previous
    if CLASSES_KEY in provenance:  # classes have no outlines that could be put among others
        return None
    same = base is not None and base.get("grid") == provenance.get("grid") and previous.labels.shape == found.labels.shape
    linked = any(column in found.features or column in previous.features for column in ("volume", "track"))  # through more than a plane
    return previous if same and not linked else None


def _merged(request: Request, found: Content, provenance: Mapping[str, Any], region: Polygons) -> tuple[Content, Mapping[str, Any]]:
    """Put the nuclei of a region among those that are there, and say what made the others."""
    from napari_unet_seg.core.merge import merge_region

    base, old = request.base or {}, request.previous or found
    labels, table = merge_region((old.labels, old.features), (found.labels, found.features), region)
    others = {name: value for name, value in base.items() if name != "outside_region"}
    return Content(labels, table), {**provenance, "outside_region": [*base.get("outside_region", ()), others]}

"""A result with other settings as a generator, from the maps it was decoded from. No Qt and no thread, so that tests can drain it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.segmentation import CUT_KEY
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.request import Content, Outcome, plane_digest
from napari_unet_seg.progress import Progress, Steps
from napari_unet_seg.settings import DECODING, SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.map_parts import PlaneDecoding, PlaneMaps
    from napari_unet_seg.gui.kept_maps import Index
    from napari_unet_seg.gui.layers import Source

STAGE = "Following the sliders"
GONE = "The maps behind this result were let go to save memory; press Segment to use other settings."


def decoding_of(made: SegmentSettings, wanted: SegmentSettings) -> SegmentSettings:
    """Return the settings that made a result, but for those that need no network, which are as wanted."""
    return replace(made, **{name: getattr(wanted, name) for name in DECODING})


@dataclass(frozen=True)
class ShownPlane:
    """The visible plane with new settings.

    Parameters
    ----------
    index : tuple of int
        Along the leading axes of the layer.
    labels : ndarray of int32, shape (Y, X)
        As the layer shows them; in a stack the final numbers come with the other planes.
    digest : bytes
        Of `labels`.
    before : bytes
        Of what the layer held there.
    decoded : ndarray of int32, shape (Y, X)
        Numbered from 1.
    settings : SegmentSettings
        What they were decoded with.
    """

    index: Index
    labels: npt.NDArray[np.int32]
    digest: bytes
    before: bytes
    decoded: npt.NDArray[np.int32]
    settings: SegmentSettings


class Decoder:
    """Decodes one plane again and again; used by one thread at a time."""

    def __init__(self) -> None:
        """Start without a plane."""
        self._maps: weakref.ref[PlaneMaps] | None = None
        self._decoding: PlaneDecoding | None = None

    def decode(self, maps: PlaneMaps, settings: SegmentSettings) -> npt.NDArray[np.int32]:
        """Return the labels of a plane; quicker when it is the plane of the last time."""
        from napari_unet_seg.core.map_parts import PlaneDecoding
        from napari_unet_seg.core.stack import plane_settings

        if self._decoding is None or self._maps is None or self._maps() is not maps:
            self._maps, self._decoding = weakref.ref(maps), PlaneDecoding(maps)
        return self._decoding.labels(plane_settings(settings))

    def forget(self) -> None:
        """Let the plane go."""
        self._maps = self._decoding = None


def show_steps(present: npt.NDArray[Any], where: tuple[Outcome, Index], settings: SegmentSettings, decoder: Decoder) -> Steps[ShownPlane]:
    """Decode one plane.

    Parameters
    ----------
    present : ndarray of int32, shape (Y, X)
        What the layer holds there.
    where : tuple
        The result, and the index of the plane in the layer.
    settings : SegmentSettings
    decoder : Decoder

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    ShownPlane

    Raises
    ------
    InputError
        If the maps were let go.
    """
    yield Progress(STAGE, 0, 0)
    from napari_unet_seg.core.merge import put_over

    made, index = where
    maps = maps_at(made, index)
    if maps is None:
        raise InputError(GONE)
    decoded = decoder.decode(maps, settings)
    first = _first_number(made, present, index)
    shifted = np.where(decoded, decoded + np.int32(first - made.outside), 0) if first > made.outside else decoded
    labels = put_over(present, shifted, made.outside) if made.outside else shifted.copy()
    return ShownPlane(index, labels, plane_digest(labels), plane_digest(present), decoded, settings)


def _first_number(made: Outcome, present: npt.NDArray[Any], index: Index) -> int:
    """Return the number above which a plane's nuclei are numbered until all planes follow; as far as it is known yet."""
    from napari_unet_seg.core.volumes import is_in_3d

    if is_in_3d(made.content.features):  # which nucleus of the other planes each is follows: until then, none
        return int(made.content.features["index"].max()) if made.count else made.outside
    numbers = present[present > made.outside] if index else present[:0]
    return int(numbers.min()) - 1 if numbers.size else made.outside


def prepare_steps(where: tuple[Outcome, Index], decoder: Decoder) -> Steps[None]:
    """Do beforehand what the first move of a slider would wait for.

    Parameters
    ----------
    where : tuple
        The result, and the index of the plane in the layer.
    decoder : Decoder

    Yields
    ------
    Progress
        Once.
    """
    yield Progress(STAGE, 0, 0)
    made, index = where
    maps = maps_at(made, index)
    if maps is not None:
        decoder.decode(maps, made.settings)


def maps_at(made: Outcome, index: Index) -> PlaneMaps | None:
    """Return the maps of a plane of the layer that a result is in; None when they were let go.

    Parameters
    ----------
    made : Outcome
    index : tuple of int
        Along the leading axes of the layer.

    Returns
    -------
    PlaneMaps or None
    """
    return None if made.maps is None else made.maps.get(made.maps.in_engine(index))


def restore_steps(before: Outcome, present: Content | None) -> Steps[Outcome]:
    """Prepare to bring back what a layer held before.

    Parameters
    ----------
    before : Outcome
    present : Content or None
        What the layer holds that may be replaced.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Outcome
        `before`, with the fingerprint of what would be replaced.
    """
    yield Progress("Restoring", 0, 0)
    return replace(before, previous=present.fingerprint() if present else None)


@dataclass(frozen=True)
class Settlement:
    """A result, and what it shall become.

    Parameters
    ----------
    made : Outcome
        The result as it was made.
    source : Source
        Of which image.
    present : Content
        What the layer holds now.
    settings : SegmentSettings
        What it shall be made with.
    scale : mapping of str to float
        Micrometres of a step along Z, Y and X, as far as known.
    """

    made: Outcome
    source: Source
    present: Content
    settings: SegmentSettings
    scale: Mapping[str, float]


def settle_steps(task: Settlement, known: ShownPlane | None = None) -> Steps[Outcome]:
    """Decode and measure a whole result.

    Parameters
    ----------
    task : Settlement
    known : ShownPlane or None
        A plane that is decoded with these settings already.

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    Outcome
        Its `previous` is the fingerprint of what the layer holds.

    Raises
    ------
    InputError
        If maps were let go.
    """
    yield Progress(STAGE, 0, 0)
    from napari_unet_seg.core.redecode import MapStack, iter_redecode
    from napari_unet_seg.core.score import CARD_KEY, as_knots
    from napari_unet_seg.core.volumes import add_micrometres

    kept = task.made.maps
    if kept is None:
        raise InputError(GONE)
    decoded = {} if known is None else {kept.in_engine(known.index): known.decoded}
    knots = as_knots(task.made.provenance.get(CARD_KEY) or ())
    step = (task.made.provenance.get("grid") or {}).get("step", 1)
    settings = replace(task.settings, spacing=task.settings.spacing / step)  # in pixels of the labels
    labels, features = yield from iter_redecode(MapStack(kept.axes, kept.shape, kept.get, decoded, knots), settings)
    features = add_micrometres(features, {axis: size if axis == "Z" else step * size for axis, size in task.scale.items()})
    content = _among_others(task, Content(task.source.arrange(labels), features))
    provenance = {**task.made.provenance, "settings": task.settings.to_dict()}
    provenance.pop(CUT_KEY, None)
    if any(plane.is_cut(task.settings.probability) for plane in list(kept.planes.values())):
        provenance[CUT_KEY] = True
    return replace(
        task.made, content=content, provenance=provenance, fingerprint=content.fingerprint(), previous=task.present.fingerprint()
    )


def _among_others(task: Settlement, found: Content) -> Content:
    """Put the nuclei of a region among those that were there before it was segmented."""
    from napari_unet_seg.core.merge import replace_above

    if not task.made.outside:
        return found
    present = task.present
    return Content(*replace_above((present.labels, present.features), (found.labels, found.features), task.made.outside))

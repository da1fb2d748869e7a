"""A nucleus that was missed, at a click: from the maps behind the layer, or from the model run on what is around the click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.edits import Box, Edit, add, at, grown
from napari_unet_seg.errors import ModelError, SettingsError
from napari_unet_seg.gui.kept_maps import maps_of
from napari_unet_seg.progress import Progress, Steps
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.gui.edit_history import EditHistory
    from napari_unet_seg.gui.images_of import ImagePlane
    from napari_unet_seg.gui.kept_maps import Index

LOOKING_CLOSER = "Looking closer at this spot"
NOTHING_HERE = "Nothing is seen here that could be a nucleus; paint it (N)."
_LEAST_REACH, _MOST_REACH, _DIAMETERS = 48, 256, 3
"""Pixels around the click in which a nucleus is looked for, and how many typical diameters."""
_CONTEXT = 64
"""Pixels that the model sees besides."""

Point = tuple[int, int]


@dataclass(frozen=True)
class Spot:
    """Where a nucleus is to be added.

    Parameters
    ----------
    index : tuple of int
        Of the plane.
    point : tuple of int
        (y, x).
    box : tuple of slice
        Around it.
    taken : ndarray of bool, shape of the box
        Pixels of other nuclei.
    typical : float
        Typical area in px2, 0 if not known.
    settings : SegmentSettings
        What the labels were made with, or the usual ones.
    """

    index: Index
    point: Point
    box: Box
    taken: npt.NDArray[np.bool_]
    typical: float
    settings: SegmentSettings

    def outline(self, maps: npt.NDArray[Any]) -> Edit | None:
        """Return the nucleus that maps show here.

        Parameters
        ----------
        maps : ndarray of float, shape (C, Y, X)
            Of the box.

        Returns
        -------
        Edit or None
            A nucleus with number 1; None when there is none.
        """
        from napari_unet_seg.core.outline import outline_from_maps

        corner = (self.box[0].start, self.box[1].start)
        inside = (self.point[0] - corner[0], self.point[1] - corner[1])
        mask = outline_from_maps(maps, self.taken, inside, self.settings, self.typical)
        return None if mask is None else add(mask, corner, 1)


def find_spot(history: EditHistory, index: Index, point: Point) -> Spot:
    """Describe where a nucleus is to be added.

    Parameters
    ----------
    history : EditHistory
    index : tuple of int
    point : tuple of int

    Returns
    -------
    Spot
    """
    plane, typical = history.plane(index), history.typical_area
    reach = int(np.clip(_DIAMETERS * 2 * np.sqrt(typical / np.pi), _LEAST_REACH, _MOST_REACH))
    box = grown(at(point), reach, plane.shape)
    return Spot(index, point, box, plane[box] > 0, typical, settings_of(history.provenance))


def settings_of(provenance: Mapping[str, Any]) -> SegmentSettings:
    """Return the settings that labels were made with; the usual ones when it is not known, or was another version."""
    try:
        return SegmentSettings.from_dict(provenance.get("settings") or {})
    except SettingsError:
        return SegmentSettings()


def add_from_kept(history: EditHistory, spot: Spot) -> tuple[bool, Edit | None]:
    """Look for a nucleus in the maps behind the layer.

    Parameters
    ----------
    history : EditHistory
    spot : Spot

    Returns
    -------
    kept : bool
        Whether the maps of this plane are there.
    edit : Edit or None
        The nucleus, if they show one.
    """
    kept = maps_of(history.layer)
    maps = None if kept is None else kept.plane(spot.index)
    if maps is None or maps.shape[1:] != history.plane(spot.index).shape:
        return False, None
    return True, spot.outline(maps[:, *spot.box])


def add_steps(spot: Spot, image: ImagePlane, provenance: Mapping[str, Any]) -> Steps[Edit | None]:
    """Run the model on what is around a click, and look for a nucleus there.

    Parameters
    ----------
    spot : Spot
    image : ImagePlane
        The image of the plane.
    provenance : mapping
        Of the labels: their model and the limits of their planes are used where it names them.

    Yields
    ------
    Progress

    Returns
    -------
    Edit or None
        As `Spot.outline`.

    Raises
    ------
    UnetSegError
        If the model cannot be run.
    """
    yield Progress(LOOKING_CLOSER, 0, 0)
    from napari_unet_seg.core.apart import iter_apart
    from napari_unet_seg.core.normalize import within_limits

    plane = image.read()  # lazily
    limits = _limits(provenance, image.number)
    settings = replace(spot.settings, **limits) if limits else spot.settings
    if not limits and settings.low == settings.high:
        # Those of the window alone would make a nucleus of its brightest noise.
        settings = within_limits(image.whole(), settings)
    wide = grown(spot.box, _CONTEXT, plane.shape[:2])
    maps = yield from iter_apart(maps_steps, np.asarray(plane[wide]), str(provenance.get("model") or "nuclei"), settings)
    inner = tuple(slice(side.start - all_.start, side.stop - all_.start) for side, all_ in zip(spot.box, wide, strict=True))
    return spot.outline(maps[:, *inner])


def maps_steps(window: Any, model: str, settings: SegmentSettings) -> Steps[Any]:
    """Predict the maps of a window; at the top of a module, so that another process can be asked to do it.

    Parameters
    ----------
    window : ndarray, shape (Y, X) or (Y, X, S)
    model : str
        Its name; the bundled one stands in where there is none of that name.
    settings : SegmentSettings

    Yields
    ------
    Progress

    Returns
    -------
    ndarray of float32, shape (C, Y, X)
    """
    yield Progress(LOOKING_CLOSER, 0, 0)
    from napari_unet_seg.core.predict import predict

    return predict(window, _model(model), "auto", settings)


def _limits(provenance: Mapping[str, Any], number: int) -> dict[str, Any]:
    limits = provenance.get("limits") or []
    found = limits[number] if number < len(limits) else {}
    return {name: found[name] for name in ("low", "high", "polarity") if name in found} if found.get("high") != found.get("low") else {}


def _model(name: str) -> Any:
    from napari_unet_seg.core.checkpoint import load_model

    try:
        return load_model(name)
    except ModelError:  # that of another computer
        return load_model("nuclei")

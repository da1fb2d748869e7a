"""The layers that a widget made: replaced by the next run as long as nobody touched them, and never after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet_seg.core.segmentation import CLASSES_KEY
from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.gui.kept_maps import MAPS_KEY
from napari_unet_seg.gui.palette import palette
from napari_unet_seg.gui.result import Result
from napari_unet_seg.gui.tracks import track_colours
from napari_unet_seg.io.labels_info import PROVENANCE_KEY

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.gui.request import Content, Outcome

OUTLINED_PIXELS = 2048 * 2048
"""Planes up to this size are shown as outlines, which leave the nucleus visible; larger ones as a tint: seen whole on a screen, a
two-pixel line would vanish, and napari takes half a second to draw the lines again at each step of a slider."""


def outline_width(features: Any, shape: tuple[int, ...]) -> int:
    """Choose how thick outlines are drawn: seen when the whole plane is in view, and not so thick as to cover a nucleus.

    Parameters
    ----------
    features : pandas.DataFrame
        With ``area`` in px2, or ``largest_area``.
    shape : tuple of int
        Of the labels, (..., Y, X).

    Returns
    -------
    int
        1 to 4 px; napari draws one pixel more, outside the nucleus.
    """
    area = features["largest_area"] if is_in_3d(features) else features["area"]
    diameter = 2 * float(np.sqrt(area.median() / np.pi)) if len(features) else 0.0
    thickest = np.clip(round(diameter / 6), 1, 4)
    return int(np.clip(round(max(shape[-2:]) / 400), 1, thickest))


class Results:
    """The result layers of a widget.

    Parameters
    ----------
    viewer : napari.Viewer
    changed : callable
        Called without arguments when a result was edited by hand, outdated or deleted.
    """

    def __init__(self, viewer: Viewer, changed: Callable[[], None] = lambda: None) -> None:
        """Start without a result, and forget those whose layer is deleted."""
        self._viewer = viewer
        self._changed = changed
        self._results: list[Result] = []
        viewer.layers.events.removed.connect(self._forget)

    def of(self, image: Image | None, part: str = "") -> Result | None:
        """Return the newest result of an image, edited or not, as long as both layers are there.

        Parameters
        ----------
        image : napari.layers.Image or None
        part : str
            Of several channels that were segmented one after the other, the one that is meant; if that has no result of its own, the
            result of the image is returned.

        Returns
        -------
        Result or None
        """
        of_image = [result for result in self._results if result.image == image]
        return next((result for result in of_image if result.source.part == part), next((r for r in of_image if not r.source.part), None))

    @property
    def present(self) -> list[Result]:
        """All of them, of all images."""
        return list(self._results)

    def replaceable(self, image: Image, part: str = "") -> Content | None:
        """Return what the result layer of an image holds, if the next run may replace it.

        Parameters
        ----------
        image : napari.layers.Image
        part : str
            Of several channels, the one that is meant.

        Returns
        -------
        Content or None
            None when there is no such layer, or somebody edited or locked it.
        """
        result = self._untouched(image, part)
        return None if result is None else result.content()

    def deliver(self, image: Image, source: Source, outcome: Outcome) -> Labels:
        """Show what a run found: in the untouched result layer of the image, else in a new layer.

        Parameters
        ----------
        image : napari.layers.Image
            It may be deleted meanwhile.
        source : Source
            What was taken from it.
        outcome : Outcome

        Returns
        -------
        napari.layers.Labels
        """
        result = self._untouched(image, source.part)
        unchanged = result is not None and outcome.previous == result.fingerprint
        if result is not None and unchanged and result.labels.data.shape == outcome.content.labels.shape:
            result.replace(source, outcome)
            return result.labels
        labels = _make_layer(source, outcome)
        old = self.of(image, source.part)
        if old is not None and old.source.part == source.part:
            old.labels.visible = False  # it stays as it is, and the new outlines can be told from it
        self._viewer.add_layer(labels)
        result = Result(image, labels, source, outcome, self._changed)
        others = [other for other in self._results if (other.image, other.source.part) != (image, source.part)]
        self._results = [*others, result]
        self._forget()
        return labels

    def _untouched(self, image: Image, part: str) -> Result | None:
        result = self.of(image, part)
        return None if result is None or result.locked or result.source.part != part else result

    def _forget(self, event: object = None) -> None:
        layers = self._viewer.layers
        self._results = [result for result in self._results if result.labels in layers and result.image in layers]
        self._changed()


def _make_layer(source: Source, outcome: Outcome) -> Labels:
    labels, features = outcome.content.labels, outcome.content.features
    dark_ground = all(plane["polarity"] == "bright" for plane in outcome.provenance["limits"])
    of_classes = CLASSES_KEY in outcome.provenance  # a tint says what a class is, and an outline only where it ends
    outlined = labels.shape[-2] * labels.shape[-1] <= OUTLINED_PIXELS and not of_classes
    kind = "classes" if of_classes else "nuclei"
    layer = Labels(
        labels,
        name=f"{source.name} {source.part} {kind}" if source.part else f"{source.name} {kind}",
        features=features,
        metadata={PROVENANCE_KEY: dict(outcome.provenance), MAPS_KEY: outcome.maps},
        opacity=1.0 if outlined else 0.4,
        **source.placement,
    )
    layer.contour = outline_width(features, labels.shape) if outlined else 0
    colours = palette(dark_ground)
    layer.colormap = track_colours(features, colours) or CyclicLabelColormap(colors=colours)
    return layer

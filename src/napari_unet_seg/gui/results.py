"""The layers that a widget made: replaced by the next run as long as nobody touched them, and never after."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

from napari_unet_seg.gui.layers import placement
from napari_unet_seg.gui.request import Content, Outcome
from napari_unet_seg.io.labels_info import PROVENANCE_KEY

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.layers import Source

OUTLINED_PIXELS = 2048 * 2048
"""Planes up to this size are shown as outlines, which leave the nucleus visible; larger ones as a tint: seen whole on a screen, a
two-pixel line would vanish, and napari takes half a second to draw the lines again at each step of a slider."""
_COLORS = 34
_GOLDEN = 0.618034
_LUMINANCE = (0.2126, 0.7152, 0.0722)


def outline_width(features: Any, shape: tuple[int, ...]) -> int:
    """Choose how thick outlines are drawn: seen when the whole plane is in view, and not so thick as to cover a nucleus.

    Parameters
    ----------
    features : pandas.DataFrame
        With ``area`` in px2.
    shape : tuple of int
        Of the labels, (..., Y, X).

    Returns
    -------
    int
        1 to 4 px; napari draws one pixel more, outside the nucleus.
    """
    diameter = 2 * float(np.sqrt(features["area"].median() / np.pi)) if len(features) else 0.0
    thickest = np.clip(round(diameter / 6), 1, 4)
    return int(np.clip(round(max(shape[-2:]) / 400), 1, thickest))


def palette(dark_ground: bool) -> npt.NDArray[np.float32]:
    """Return colours that stand out from the ground of the image; among napari's own, some are nearly black.

    Parameters
    ----------
    dark_ground : bool
        Whether nuclei are brighter than the ground.

    Returns
    -------
    ndarray of float32, shape (colours and the transparent background, 4)
        Neighbours in the list, which often are neighbours in the image, have very different hues.
    """
    turns = (0.1 + _GOLDEN * np.arange(_COLORS)) % 1
    hues = turns if dark_ground else 0.62 * turns  # without violet and pink, the colours of stained tissue
    colors = np.array([colorsys.hsv_to_rgb(hue, 1.0 - 0.35 * (dark_ground and i % 2), 1.0) for i, hue in enumerate(hues)])
    luminance = colors @ _LUMINANCE
    if dark_ground:
        share = np.clip((0.55 - luminance) / (1 - luminance), 0, 1)[:, None]
        colors = colors + share * (1 - colors)
    else:
        colors = colors * np.minimum(1, 0.45 / luminance)[:, None]
    opaque = np.hstack([colors, np.ones((_COLORS, 1))])
    return np.vstack([np.zeros((1, 4)), opaque]).astype(np.float32)


@dataclass
class _Result:
    """A layer that was made, of which image, and whether it is still as it was made."""

    image: Image
    labels: Labels
    fingerprint: bytes
    edited: bool = False
    _ours: bool = field(default=False, init=False)

    def watch(self) -> None:
        """Notice each edit that napari tells of: strokes, new data, a new table."""
        events = self.labels.events
        for emitter in (events.paint, events.labels_update, events.data, events.features):
            emitter.connect(self._mark)

    def replace(self, source: Source, outcome: Outcome) -> None:
        """Give the layer what another run found; how it looks stays as the user set it."""
        self._ours = True
        try:
            self.labels.data = outcome.content.labels
            self.labels.features = outcome.content.features
            self.labels.metadata = {**self.labels.metadata, PROVENANCE_KEY: dict(outcome.provenance)}
            _place(self.labels, source)
        finally:
            self._ours = False
        self.fingerprint = outcome.fingerprint

    def _mark(self, event: object = None) -> None:
        self.edited = self.edited or not self._ours


class Results:
    """The result layers of a widget.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        """Start without a result, and forget those whose layer is deleted."""
        self._viewer = viewer
        self._results: list[_Result] = []
        viewer.layers.events.removed.connect(self._forget)

    def replaceable(self, image: Image) -> Content | None:
        """Return what the result layer of an image holds, if the next run may replace it.

        Parameters
        ----------
        image : napari.layers.Image

        Returns
        -------
        Content or None
            None when there is no such layer, or somebody edited or locked it.
        """
        result = self._find(image)
        return None if result is None else Content(result.labels.data, result.labels.features)

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
        result = self._find(image)
        unchanged = result is not None and outcome.previous == result.fingerprint
        if result is not None and unchanged and result.labels.data.shape == outcome.content.labels.shape:
            result.replace(source, outcome)
            return result.labels
        labels = _make_layer(source, outcome)
        self._viewer.add_layer(labels)
        result = _Result(image, labels, outcome.fingerprint)
        result.watch()
        self._results = [*(other for other in self._results if other.image != image), result]
        self._forget()
        return labels

    def _find(self, image: Image) -> _Result | None:
        return next((r for r in self._results if r.image == image and not r.edited and not _locked(r.labels)), None)

    def _forget(self, event: object = None) -> None:
        layers = self._viewer.layers
        self._results = [r for r in self._results if r.labels in layers and r.image in layers and not r.edited]


def _locked(labels: Labels) -> bool:
    return bool(getattr(labels, "locked", False))  # napari before 0.9 locks no layers


def _make_layer(source: Source, outcome: Outcome) -> Labels:
    labels, features = outcome.content.labels, outcome.content.features
    dark_ground = all(plane["polarity"] == "bright" for plane in outcome.provenance["limits"])
    outlined = labels.shape[-2] * labels.shape[-1] <= OUTLINED_PIXELS
    layer = Labels(
        labels,
        name=f"{source.name} nuclei",
        features=features,
        metadata={PROVENANCE_KEY: dict(outcome.provenance)},
        opacity=1.0 if outlined else 0.4,
        **source.placement,
    )
    layer.contour = outline_width(features, labels.shape) if outlined else 0
    layer.colormap = CyclicLabelColormap(colors=palette(dark_ground))
    return layer


def _place(labels: Labels, source: Source) -> None:
    """Move a layer to where its image is now; each attribute only if it differs, since napari draws the layer again for each."""
    present = placement(labels)
    for name, value in source.placement.items():
        if not np.array_equal(present[name], value):
            setattr(labels, name, value)

"""How large a pixel is: shown where the image tells it, typed where it does not, so that measurements come in micrometres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.editors import Number
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.io.napari_writers import info_of_layer

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Layer

TYPED_KEY = "napari_unet_seg_pixel_size_typed"
"""Metadata of layers whose pixel size was typed here, and can be typed again."""
_UNIT = "micrometer"
_MOST = 10_000.0
_KNOWN = "The size of a pixel, as the image tells it. Diameters and areas can be typed in micrometres, and tables have them too."
_UNKNOWN = (
    "This image does not tell how large its pixels are, so everything is measured in pixels. Type the size here if you know it, from the "
    "microscope's settings: areas and lengths are then measured in micrometres too. It holds for all layers with the same pixels."
)


class PixelSize(QObject):
    """The row "Pixel size".

    Parameters
    ----------
    viewer : napari.Viewer
        Layers with the same pixels get the same size, so that they stay one above the other.
    parent : QWidget
        Owner of the editor.
    """

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Make the row; hidden until there is an image."""
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self.label, self.number = QLabel("Pixel size", parent), Number(parent)
        self.number.setRange(0, _MOST)
        self.number.setSingleStep(0.01)
        self.number.setSuffix(" µm")
        self.number.setSpecialValueText("unknown")
        self.number.setKeyboardTracking(False)  # half a number is no size
        self.number.setAccessibleName("Pixel size")
        self.label.setBuddy(self.number)
        self.number.valueChanged.connect(self._take)
        self.set_layer(None)

    def add_rows(self, layout: QFormLayout) -> None:
        """Place the row in a form."""
        layout.addRow(self.label, self.number)

    def set_layer(self, layer: Image | None) -> None:
        """Show the pixel size of an image.

        Parameters
        ----------
        layer : napari.layers.Image or None
        """
        self._layer = layer
        for widget in (self.label, self.number):
            widget.setVisible(layer is not None)
        if layer is None:
            return
        size = read_source(layer).micrometres
        typed = size is None or TYPED_KEY in layer.metadata
        self.number.blockSignals(True)
        self.number.setSuffix(_suffix(size))
        self.number.setValue(0.0 if size is None else float(f"{size[1]:.6g}"))
        self.number.blockSignals(False)
        self.number.setReadOnly(not typed)
        buttons = self.number.ButtonSymbols
        self.number.setButtonSymbols(buttons.PlusMinus if typed else buttons.NoButtons)
        for widget in (self.label, self.number):
            widget.setToolTip(tooltip(_UNKNOWN if typed else _KNOWN))

    def _take(self, size: float) -> None:
        """Give the image, and all layers that share its pixels, the size that was typed."""
        if self._layer is None:
            return
        alike = [layer for layer in self._viewer.layers if _shares_pixels(layer, self._layer)]
        chosen = self._layer
        before = np.asarray(chosen.scale, float)[-2:]
        for layer in alike:
            _scale(layer, size)
            if isinstance(layer, Labels):
                measure_again(layer)
        self._keep_view(np.asarray(chosen.scale, float)[-2:] / before)
        self.set_layer(chosen)

    def _keep_view(self, growth: npt.NDArray[np.float64]) -> None:
        """Let the camera follow an image whose world became so many times as large, or it would shrink into a corner."""
        if self._viewer.dims.ndisplay == 2:
            camera = camera_of(self._viewer)
            y, x = np.asarray(camera.center, float)[-2:] * growth
            camera.center = (camera.center[0], y, x)
            camera.zoom /= float(growth[1])


def measure_again(layer: Labels) -> None:
    """Let a table of nuclei have its sizes in micrometres, those of the size of a pixel as it is now.

    Parameters
    ----------
    layer : napari.layers.Labels
        One whose table lacks what is measured in pixels keeps it as it is.
    """
    from napari_unet_seg.core.intensities import physical_columns
    from napari_unet_seg.core.volumes import add_micrometres

    table = layer.features.drop(columns=physical_columns(layer.features))
    info = info_of_layer({"scale": layer.scale, "units": layer.units, "axis_labels": layer.axis_labels})
    steps = {axis: step for axis in "ZYX" if (step := info.step(axis)) is not None}
    try:
        layer.features = add_micrometres(table, steps)
    except KeyError:  # not one of ours
        return


def _suffix(size: tuple[float, float] | None) -> str:
    """Say how high a pixel is, where it is not as high as it is wide."""
    return " µm" if size is None or np.isclose(size[0], size[1], rtol=1e-5) else f" µm wide, {size[0]:.4g} µm high"


def _shares_pixels(layer: Layer, image: Image) -> bool:
    """Whether a layer has the unit and the scale of an image in the plane."""
    return (
        (layer == image)
        or (
            layer.ndim >= 2  # a plane
            and tuple(layer.units[-2:]) == tuple(image.units[-2:])
            and np.array_equal(np.asarray(layer.scale)[-2:], np.asarray(image.scale)[-2:])
        )
    )


def _scale(layer: Any, size: float) -> None:
    """Set the pixel size of a layer; 0 takes it away again."""
    old, new = np.asarray(layer.scale, float), np.array(layer.scale, float)
    new[-2:] = size or 1.0
    translate = np.array(layer.translate, float)
    translate[-2:] *= new[-2:] / old[-2:]
    layer.metadata = {**layer.metadata, TYPED_KEY: True}
    layer.units = (*layer.units[:-2], *((_UNIT if size else "pixel",) * 2))
    layer.scale = new
    layer.translate = translate

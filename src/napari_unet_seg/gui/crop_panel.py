"""The rows "Correct here" and "Write back", for labels that napari itself cannot edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_unet_seg.core.remeasure import can_follow, change_rows, place_of
from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.gui.camera import corners_in_view
from napari_unet_seg.gui.crop import Crop, Written, crop_steps, view_box, write_steps
from napari_unet_seg.gui.form import tooltip
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.labels_picker import needs_crop
from napari_unet_seg.gui.layers import micrometres, placement
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari import Viewer

CROP_KEY = "napari_unet_seg_crop"
"""Under this name the metadata of a crop hold where it is from."""
_HERE_TIP = (
    "Open the nuclei in view as a layer of its own, in which every tool works. Nuclei that go on beyond it are left out. “Write back” puts "
    "the result where it came from."
)
_BACK_TIP = "Put the corrected nuclei where they came from, at every level of the pyramid, and close this layer."


@dataclass(frozen=True)
class Origin:
    """Where a crop is from.

    Parameters
    ----------
    crop : Crop
        What was opened.
    layer : napari.layers.Labels
        Of which layer.
    """

    crop: Crop
    layer: Labels

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        """Let a copy of the crop be of the same layer."""
        return self

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Leave it behind when a layer goes to a file or to another process."""
        return dict, ()


def origin_of(layer: Labels) -> Origin | None:
    """Return where a layer is from that is a part of another, None if it is none."""
    origin = layer.metadata.get(CROP_KEY)
    return origin if isinstance(origin, Origin) else None


def levels_of(layer: Labels) -> list[Any]:
    """Return the pixels of a layer at every level, largest first."""
    return list(layer.data) if layer.multiscale else [layer.data]


class CropPanel(QWidget):
    """The two buttons, of which at most one is seen.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget
        Its owner.
    """

    failed = Signal(object)
    """The exception for which a part was not opened, or not written back."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self.here_button, self.back_button = _button("Correct here", _HERE_TIP, self), _button("Write back", _BACK_TIP, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.here_button)
        layout.addWidget(self.back_button)
        self.job = Job(self)
        self.here_button.clicked.connect(self.open_crop)
        self.back_button.clicked.connect(self.write_back)
        self.job.returned.connect(self._finish)
        self.job.failed.connect(self.failed)
        self.job.finished.connect(self._update)
        self.offer(None)

    def offer(self, layer: Labels | None) -> None:
        """Show what can be done with a layer."""
        self._layer = layer
        self.here_button.setVisible(layer is not None and needs_crop(layer))
        self.back_button.setVisible(layer is not None and origin_of(layer) is not None)
        self.setVisible(not self.here_button.isHidden() or not self.back_button.isHidden())

    def open_crop(self) -> None:
        """Open the nuclei in view as a layer of its own, beside the window."""
        layer = self._layer
        if layer is None or self.job.running:
            return
        level = levels_of(layer)[0]
        try:
            index, corners = _view(self._viewer, layer)
            view = view_box(corners, level.shape[-2:])
        except UnetSegError as error:
            self.failed.emit(error)
            return
        self._source = layer
        self.job.start(crop_steps(level, index, view))
        self._update()

    def write_back(self) -> None:
        """Write a crop into the labels that it is from, beside the window."""
        layer = self._layer
        origin = None if layer is None else origin_of(layer)
        if layer is None or origin is None or self.job.running:
            return
        if origin.layer not in self._viewer.layers:
            self.failed.emit(InputError("The labels that this part is from were closed; save it as a file of its own."))
            return
        self._source = layer
        self.job.start(write_steps(levels_of(origin.layer), origin.crop, _plane(layer).copy()))
        self._update()

    def _finish(self, result: Crop | Written) -> None:
        if isinstance(result, Written):
            self._show_written(self._source, result)
        elif self._source in self._viewer.layers:
            self._viewer.add_layer(_crop_layer(self._source, result))

    def _show_written(self, part: Labels, written: Written) -> None:
        """Let the large layer show, and its table say, what was written into it; close the part."""
        origin: Origin = part.metadata[CROP_KEY]
        layer = origin.layer
        leading = tuple(levels_of(layer)[0].shape[:-2])
        if can_follow(layer.features, leading):
            place = place_of(layer.features, origin.crop.index, leading)
            change = change_rows(layer.features, written.table, written.numbers, place, micrometres(layer))
            layer.features = change.apply(layer.features)
        provenance = layer.metadata.get(PROVENANCE_KEY, {})
        layer.metadata = {**layer.metadata, PROVENANCE_KEY: {**provenance, EDITED_KEY: True}}
        layer.refresh()
        if not np.array_equal(_plane(part), written.labels):
            self.failed.emit(InputError("The part was corrected further while it was written back; press “Write back” once more."))
            return
        if part in self._viewer.layers:  # else the person has closed it meanwhile
            self._viewer.layers.remove(part)
        if layer in self._viewer.layers:
            self._viewer.layers.selection.active = layer

    def _update(self) -> None:
        for button in (self.here_button, self.back_button):
            button.setEnabled(not self.job.running)


def _plane(part: Labels) -> npt.NDArray[Any]:
    """Return the pixels of a part, whose leading axes have the length 1."""
    plane: npt.NDArray[Any] = np.asarray(part.data[(0,) * (part.ndim - 2)])
    return plane


def _view(viewer: Viewer, layer: Labels) -> tuple[tuple[int, ...], npt.NDArray[np.float64]]:
    """Return the plane that is seen, and the corners of what is in view, in pixels of the largest level."""
    dimensions = viewer.dims.ndim
    if tuple(viewer.dims.displayed) != (dimensions - 2, dimensions - 1):
        raise InputError("Turn off 3D, and the order of the axes, to correct the plane in view.")
    middle = np.round(layer.world_to_data(viewer.dims.point)).astype(int)
    return tuple(int(place) for place in middle[:-2]), corners_in_view(viewer, layer)


def _crop_layer(layer: Labels, crop: Crop) -> Labels:
    leading = len(crop.index)
    corner = np.array([*crop.index, crop.box[0].start, crop.box[1].start], float)
    moved = placement(layer)
    # Where the corner lies before the affine, which comes last.
    world = np.asarray(layer.data_to_world(corner)) - np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    moved["translate"] = moved["translate"] + np.linalg.solve(moved["affine"][:-1, :-1], world)
    provenance = dict(layer.metadata.get(PROVENANCE_KEY, {}))
    data = crop.labels[(None,) * leading]
    metadata = {CROP_KEY: Origin(crop, layer), **({PROVENANCE_KEY: provenance} if provenance else {})}
    part = Labels(data.copy(), name=f"{layer.name} (part)", metadata=metadata, opacity=layer.opacity, **moved)
    part.contour, part.colormap = layer.contour, layer.colormap
    return part


def _button(text: str, tip: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setProperty("kind", "primary")
    button.setToolTip(tooltip(tip))
    return button

"""From the training dock to "Segment nuclei": a new model is used at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_unet_seg.gui.open_image import window_of
from napari_unet_seg.gui.segment_widget import SegmentWidget

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image


def segment_with(viewer: Viewer, model: str, image: Image | None, channel: int = -1) -> SegmentWidget:
    """Choose a model in the dock "Segment nuclei", and outline an image with it.

    Parameters
    ----------
    viewer : napari.Viewer
        If it has no such dock, one is opened.
    model : str
        Its name.
    image : napari.layers.Image or None
        Without one, nothing is outlined.
    channel : int
        Which entry of the row "Channel"; -1 leaves it as it is.

    Returns
    -------
    SegmentWidget
        It outlines the image once it has learned which settings suit the model.
    """
    docks = window_of(viewer).findChildren(SegmentWidget)
    dock = next(iter(docks), None)
    if dock is None:
        dock = SegmentWidget(viewer)
        viewer.window.add_dock_widget(dock, name="Segment nuclei", tabify=True)
    dock.come_to_front()
    dock.engine.choose(model)
    dock.engine.refresh()
    if image is not None and image in viewer.layers:
        dock.images.choose(image)
        if 0 <= channel < dock.images.channel_box.count():
            dock.images.channel_box.setCurrentIndex(channel)
        _Later(dock, model)
    return dock


class _Later(QObject):
    """Starts a run when the dock knows the model."""

    def __init__(self, dock: SegmentWidget, model: str) -> None:
        """Wait for it; the dock owns this, too."""
        super().__init__(dock)
        self._dock, self._model = dock, model
        dock.engine.learned.connect(self._start)

    def _start(self, settings: object) -> None:
        if self._dock.engine.model == self._model:
            self._dock.engine.learned.disconnect(self._start)
            self._dock.segment()
            self.deleteLater()

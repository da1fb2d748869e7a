from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.labels_picker import LabelsPicker, needs_crop, why_not


@pytest.fixture
def picker(viewer):
    parent = QWidget()
    picker = LabelsPicker(viewer, parent)
    picker.told = []
    picker.changed.connect(lambda: picker.told.append(picker.layer.name if picker.layer else None))
    yield picker
    parent.deleteLater()  # before the viewer's own check for widgets that are left over
    QCoreApplication.sendPostedEvents(parent, QEvent.Type.DeferredDelete)


def blank():
    return np.zeros((8, 8), np.int32)


def test_it_follows_the_list_and_the_active_layer(viewer, picker):
    assert picker.layer is None
    first = viewer.add_labels(blank(), name="first")
    viewer.add_image(np.zeros((8, 8)))
    assert picker.layer == first
    second = viewer.add_labels(blank(), name="second")
    assert picker.layer == second
    viewer.layers.selection.active = first
    assert picker.layer == first
    first.name = "renamed"
    assert picker.box.currentText() == "renamed"
    viewer.layers.selection.active = viewer.layers[1]
    assert picker.layer == first
    viewer.layers.remove(first)
    assert picker.layer == second
    assert picker.told == ["first", "second", "first", "second"]


def test_which_layers_can_be_corrected(viewer):
    plain = viewer.add_labels(blank())
    assert (needs_crop(plain), why_not(plain)) == (False, "")
    for data, options in (([blank(), blank()[::2, ::2]], {"multiscale": True}), (da.zeros((8, 8), dtype=np.int32), {})):
        layer = viewer.add_labels(data, **options)
        assert needs_crop(layer)
        assert "Correct here" in why_not(layer)
    fixed = blank()
    fixed.flags.writeable = False
    assert "locked" in why_not(viewer.add_labels(fixed))
    plain.editable = False
    assert "locked" in why_not(plain)

"""Where the picture of a training lies, and what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QObject

from napari_unet_seg.gui import train_preview
from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY
from napari_unet_seg.gui.layers import layer_channels
from napari_unet_seg.gui.train_preview import TrainPreview
from napari_unet_seg.settings import SegmentSettings
from tests.gui.conftest import WAIT_MS, names


@pytest.fixture
def owner(qapp):
    return QObject()


@pytest.fixture
def preview(viewer, owner):
    preview = TrainPreview(viewer, owner)
    yield preview
    preview.stop()


def ask(preview, qtbot):
    """Ask for a picture; the Look."""
    with qtbot.waitSignal(preview.wanted, timeout=WAIT_MS) as wanted:
        preview.ask()
    return wanted.args[0]


def test_it_asks_for_what_is_in_view(preview, viewer, qtbot):
    image = viewer.add_image(np.arange(60 * 80.0).reshape(60, 80), name="flat", scale=(0.5, 0.5))
    viewer.window.show()
    viewer.reset_view()
    preview.set_settings(SegmentSettings(probability=0.7))
    preview.start(image, None)
    look = ask(preview, qtbot)
    assert look.box == (slice(0, 60), slice(0, 80))
    assert look.settings.probability == 0.7
    assert np.array_equal(np.asarray(look.plane), image.data)


def test_of_a_large_view_the_middle_is_shown_where_it_is(preview, viewer, monkeypatch, qtbot):
    monkeypatch.setattr(train_preview, "MOST", 20)
    image = viewer.add_image(np.zeros((60, 80)), name="flat", scale=(0.5, 2), translate=(3, 4))
    viewer.window.show()
    viewer.reset_view()
    preview.start(image, None)
    look = ask(preview, qtbot)
    assert [(side.start, side.stop) for side in look.box] == [(20, 40), (30, 50)]
    preview.show(np.ones((20, 20), np.int32))
    assert np.allclose(preview.layer.translate, (3 + 20 * 0.5, 4 + 30 * 2))
    assert np.allclose(preview.layer.scale, (0.5, 2))
    assert preview.layer.metadata[TEMPORARY_KEY]


def test_of_a_stack_the_plane_in_view_is_shown_at_its_depth(preview, viewer, qtbot):
    data = np.zeros((4, 2, 32, 32), np.uint16)
    data[2, 1] = 7
    image = viewer.add_image(data, axis_labels=("z", "c", "y", "x"), scale=(3, 1, 0.5, 0.5), name="stack")
    viewer.window.show()
    viewer.dims.set_current_step(0, 2)
    preview.start(image, layer_channels(image)[1])
    look = ask(preview, qtbot)
    assert np.asarray(look.plane).min() == 7
    preview.show(np.ones((32, 32), np.int32))
    assert preview.layer.data.shape == (1, 1, 32, 32)
    assert np.allclose(preview.layer.translate[[0, 2, 3]], (6, 0, 0))
    viewer.dims.set_current_step(0, 3)
    preview.ask()
    preview.show(np.ones((32, 32), np.int32))
    assert np.isclose(preview.layer.translate[0], 9)


def test_one_wish_at_a_time_and_a_rest_after_each(preview, viewer, qtbot):
    image = viewer.add_image(np.zeros((32, 32)), name="flat")
    viewer.window.show()
    preview.start(image, None)
    asked = []
    preview.wanted.connect(asked.append)
    preview.ask()
    preview.ask()
    assert len(asked) == 1
    preview.show(None)  # there is none after all
    assert preview.layer is None
    assert preview.timer.isActive()
    assert preview.timer.interval() >= train_preview.EVERY_MS
    preview.ask()
    assert len(asked) == 2


def test_what_comes_late_or_unasked_is_not_shown(preview, viewer, qtbot):
    image = viewer.add_image(np.zeros((32, 32)), name="flat")
    viewer.window.show()
    preview.show(np.ones((32, 32), np.int32))
    preview.start(image, None)
    preview.ask()
    preview.stop()
    preview.show(np.ones((32, 32), np.int32))
    assert names(viewer) == ["flat"]
    preview.start(None, None)
    preview.ask()
    assert names(viewer) == ["flat"]

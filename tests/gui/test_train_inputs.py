"""Layers to paint in, which of them teach, and the numbers of the brush."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui import painting
from napari_unet_seg.gui.layer_choice import TEMPORARY_KEY
from napari_unet_seg.gui.learning import INSIDE, PAINTED
from napari_unet_seg.gui.painting import PAINTED_KEY
from napari_unet_seg.gui.train_inputs import ONE_CHANNEL, TrainInputs
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY
from tests.gui.conftest import WAIT_MS, names, squares
from tests.gui.mouse import drag, press_key


@pytest.fixture
def inputs(viewer):
    parent = QWidget()
    viewer.window.add_dock_widget(parent, name="rows")
    return TrainInputs(viewer, parent)


def choose_mode(inputs, mode):
    inputs.mode.setCurrentIndex(inputs.mode.findData(mode))


def test_annotate_makes_a_layer_on_the_image_and_takes_the_brush(inputs, viewer, image):
    inputs.annotate_button.click()
    layer = viewer.layers["dapi painted"]
    assert layer.data.shape == (64, 64)
    assert layer.data.dtype == np.int32
    assert (tuple(layer.scale), [str(unit) for unit in layer.units]) == ((0.5, 0.5), ["micrometer"] * 2)
    assert (str(layer.mode), layer.selected_label) == ("paint", 1)
    assert viewer.layers.selection.active == layer
    assert inputs.labels.layer == layer
    assert inputs.brush_hint.text() == "Painting nucleus 1. Press N for the next one."


def test_the_next_nucleus_has_the_next_free_number(inputs, viewer, image):
    inputs.annotate_button.click()
    layer = inputs.labels.layer
    press_key(layer, "N")
    assert layer.selected_label == 1  # nothing was painted with it
    drag(viewer, layer, [(10, 10)])
    press_key(layer, "N")
    assert layer.selected_label == 2
    inputs.highest = 7
    layer.mode = "erase"
    inputs.annotate_button.click()
    assert (str(layer.mode), layer.selected_label) == ("paint", 8)
    assert names(viewer) == ["dapi", "dapi painted"]


def test_a_result_is_not_taken_for_painted_unless_it_was_edited(inputs, viewer, image):
    viewer.add_labels(squares(), name="result", metadata={PROVENANCE_KEY: {"model": "nuclei"}})
    assert inputs.labels.layer is None
    assert inputs.material() is None
    viewer.add_labels(squares(), name="edited", metadata={PROVENANCE_KEY: {"model": "nuclei", EDITED_KEY: True}})
    assert inputs.labels.layer.name == "edited"


def test_correct_copies_the_result_and_leaves_it_alone(inputs, viewer, image, qtbot):
    assert not inputs.correct_button.isEnabled()
    result = viewer.add_labels(squares(), name="result", metadata={PROVENANCE_KEY: {}})
    inputs.correct_button.click()
    qtbot.waitUntil(lambda: "dapi corrected" in names(viewer), timeout=WAIT_MS)
    copied = viewer.layers["dapi corrected"]
    assert np.array_equal(copied.data, result.data)
    assert copied.selected_label == 4
    drag(viewer, copied, [(50, 50)])
    assert result.data[50, 50] == 0
    assert inputs.labels.layer == copied


def test_background_is_painted_in_a_layer_of_its_own(inputs, viewer, image):
    inputs.annotate_button.click()
    inputs.scribble_button.click()
    drag(viewer, viewer.layers["dapi background"], [(50, 50)])
    assert inputs.labels.layer.name == "dapi painted"
    material = inputs.material()
    assert material.mode == PAINTED
    assert material.ground[50, 50] == 1
    assert material.labels.max() == 0


def test_shapes_teach_inside(inputs, viewer, image):
    inputs.annotate_button.click()
    choose_mode(inputs, INSIDE)
    with pytest.raises(InputError, match="There are no shapes yet"):
        inputs.material()
    viewer.add_shapes([np.array([[0, 0], [0, 10], [10, 10], [10, 0]])], shape_type="rectangle", scale=(0.5, 0.5), units=("um", "um"))
    [polygon] = inputs.material().polygons
    assert np.allclose(polygon[2], (10, 10))


def test_several_channels_at_once_cannot_teach(inputs, viewer):
    viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
    inputs.annotate_button.click()
    assert inputs.material().source.channel == 0
    inputs.images.channel_box.setCurrentIndex(2)
    with pytest.raises(InputError, match=ONE_CHANNEL):
        inputs.material()


def test_what_is_too_large_to_paint_on_is_told(inputs, viewer, image, monkeypatch, qtbot):
    monkeypatch.setattr(painting, "MOST_PIXELS", 100)
    with qtbot.waitSignal(inputs.failed, timeout=WAIT_MS) as failed:
        inputs.annotate_button.click()
    assert "too many to paint on as a whole" in str(failed.args[0])
    assert names(viewer) == ["dapi"]


def test_a_choice_stays_whatever_is_active_and_ends_with_its_layer(inputs, viewer, image):
    inputs.annotate_button.click()
    layer = inputs.labels.layer
    viewer.add_labels(squares(), name="other")
    viewer.add_labels(squares(), name="for a while", metadata={TEMPORARY_KEY: True})
    assert inputs.labels.layer == layer
    assert inputs.labels.box.findText("for a while") == -1
    layer.name = "mine"
    assert inputs.labels.box.currentText() == "mine"
    assert layer.metadata[PAINTED_KEY] == "nuclei"
    viewer.layers.remove(layer)
    assert inputs.labels.layer.name == "other"

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_unet_seg.gui.measure_inputs import NO_NUCLEI, MeasureInputs
from tests.tiny import discs

UM = {"scale": (0.5, 0.5), "units": ("um", "um")}


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def inputs(viewer, qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    inputs = MeasureInputs(viewer, owner)
    inputs.add_rows(QFormLayout(owner))
    yield inputs  # noqa: PT022  # and hold the owner meanwhile


@pytest.fixture
def nuclei(viewer):
    return viewer.add_labels(discs()[1], name="nuclei", **UM)


def offered(inputs):
    items = [inputs.channels.item(row) for row in range(inputs.channels.count())]
    return [(item.text(), item.checkState() == Qt.CheckState.Checked, bool(item.flags() & Qt.ItemFlag.ItemIsEnabled)) for item in items]


def test_without_nuclei_it_says_what_to_do(inputs):
    assert inputs.layer is None
    assert inputs.about.text() == NO_NUCLEI
    assert inputs.chosen == []
    assert not inputs.channels.isVisibleTo(inputs.channels.parentWidget())


def test_what_fits_is_ticked_and_what_does_not_is_grey_last_and_says_why(viewer, nuclei, inputs):
    viewer.add_image(discs()[0], name="DAPI", **UM)
    viewer.add_image(np.zeros((8, 8)), name="<overview>", **UM)
    viewer.add_image(discs()[0], name="GFP", **UM)
    inputs.refresh()
    assert offered(inputs) == [("GFP", True, True), ("DAPI", True, True), ("<overview>", False, False)]
    assert inputs.channels.item(2).toolTip() == "<p>&lt;overview&gt;: It has 8 × 8 px, and the nuclei have 128 × 128 px.</p>"
    assert [one.title for one in inputs.chosen] == ["GFP", "DAPI"]


def test_ticks_stay_while_layers_come_and_go(viewer, nuclei, inputs, qtbot):
    viewer.add_image(discs()[0], name="DAPI", **UM)
    inputs.refresh()
    inputs.channels.item(0).setCheckState(Qt.CheckState.Unchecked)
    viewer.add_image(discs()[0], name="GFP", **UM)
    qtbot.waitUntil(lambda: offered(inputs) == [("GFP", True, True), ("DAPI", False, True)])
    viewer.layers.remove("GFP")
    qtbot.waitUntil(lambda: offered(inputs) == [("DAPI", False, True)])
    inputs.channels.item(0).setCheckState(Qt.CheckState.Checked)
    assert [one.title for one in inputs.chosen] == ["DAPI"]


def test_a_layer_that_is_moved_or_changed_is_looked_at_again(viewer, nuclei, inputs, qtbot):
    image = viewer.add_image(discs()[0], name="DAPI", **UM)
    inputs.refresh()
    image.translate = (0, 5)
    qtbot.waitUntil(lambda: offered(inputs) == [("DAPI", False, False)])
    image.translate = (0, 0)
    qtbot.waitUntil(lambda: offered(inputs) == [("DAPI", True, True)])
    image.data = np.zeros((4, 4))
    qtbot.waitUntil(lambda: offered(inputs) == [("DAPI", False, False)])


def test_looking_again_connects_nothing_twice(viewer, nuclei, inputs):
    image = viewer.add_image(discs()[0], name="DAPI", **UM)
    inputs.refresh()
    before = len(image.events.scale.callbacks)
    for _ in range(5):
        inputs.refresh()
    assert len(image.events.scale.callbacks) == before


def test_the_active_labels_are_taken_first_and_kept(viewer, inputs):
    first = viewer.add_labels(discs()[1], name="first")
    second = viewer.add_labels(discs()[1], name="second")
    viewer.layers.selection.active = first
    inputs.refresh()
    assert inputs.layer is first
    viewer.layers.selection.active = second
    inputs.refresh()
    assert inputs.layer is first


def test_a_result_takes_the_place_of_hidden_labels_and_of_no_others(viewer, inputs):
    truth = viewer.add_labels(discs()[1], name="truth", visible=False)
    inputs.refresh()
    assert inputs.layer is truth
    viewer.add_image(discs()[0])
    inputs.refresh()
    assert inputs.layer is truth
    result = viewer.add_labels(discs()[1], name="result")
    inputs.refresh()
    assert inputs.layer is result
    viewer.add_labels(discs()[1], name="another")
    inputs.refresh()
    assert inputs.layer is result


def test_the_ring_is_in_pixels_or_micrometres(viewer, nuclei, inputs):
    viewer.add_image(discs()[0], name="DAPI", **UM)
    inputs.refresh()
    assert inputs.ring == 0
    assert not inputs.ring_row.isEnabled()
    inputs.ring_box.setChecked(True)
    assert inputs.ring == 5
    inputs.unit_box.setCurrentText("µm")
    assert (inputs.width_box.value(), inputs.ring) == (2, 4)
    inputs.width_box.setValue(0)
    assert inputs.ring == 1  # no narrower than a pixel


def test_without_a_pixel_size_there_are_no_micrometres(viewer, inputs, qtbot):
    layer = viewer.add_labels(discs()[1])
    inputs.refresh()
    assert [inputs.unit_box.itemText(row) for row in range(inputs.unit_box.count())] == ["px"]
    layer.scale, layer.units = (0.25, 1.0), ("um", "um")
    qtbot.waitUntil(lambda: inputs.unit_box.count() == 2)
    inputs.ring_box.setChecked(True)
    inputs.unit_box.setCurrentText("µm")
    assert inputs.ring == 4  # pixels that are not square count by their area


def test_many_channels_scroll_and_do_not_push_the_rest_out(viewer, nuclei, inputs):
    for number in range(12):
        viewer.add_image(discs()[0], name=f"channel {number}", **UM)
    inputs.refresh()
    assert inputs.channels.count() == 12
    assert inputs.channels.height() < 12 * inputs.channels.sizeHintForRow(0)


def test_the_viewer_may_outlive_it(viewer, nuclei, qtbot):
    owner = QWidget()
    inputs = MeasureInputs(viewer, owner)
    owner.deleteLater()
    qtbot.waitUntil(lambda: not alive(owner))
    inputs.refresh()
    viewer.add_image(discs()[0])
    nuclei.scale = (2, 2)


def alive(widget):
    from qtpy.compat import isalive

    return isalive(widget)

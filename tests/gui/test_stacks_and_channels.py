"""Slices as planes or as their maximum, and several channels one after the other, in a viewer."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.image_picker import EVERY, THIS_LAYER, ImagePicker
from napari_unet_seg.gui.open_image import open_image_layers
from tests.gui.conftest import WAIT_MS, begin, names


def project(widget):
    widget.stack.box.setCurrentIndex(widget.stack.box.findData("maximum"))


class TestSlices:
    def test_the_row_is_there_for_stacks_alone(self, widget, viewer, image):
        assert widget.stack.box.isHidden()
        project(widget)
        assert widget.stack.value == "planes"
        for shape, labels, there in (((5, 64, 64), "zyx", True), ((5, 64, 64), "tyx", False), ((3, 64, 64), "cyx", False)):
            layer = viewer.add_image(np.zeros(shape), axis_labels=tuple(labels), name=labels)
            widget.images.image_box.setCurrentText(layer.name)
            assert widget.stack.box.isHidden() is not there

    @pytest.mark.parametrize(
        ("axes", "labels_shape", "words"),
        [
            ("zyx", (64, 64), "3 nuclei"),
            ("tzyx", (2, 1, 64, 64), "3 outlines at 2 times"),
            ("tzcyx", (2, 1, 1, 64, 64), "3 outlines at 2 times"),
            ("czyx", (64, 64), "3 nuclei"),
        ],
    )
    def test_a_projection_has_the_right_words_and_lies_over_all_slices(self, widget, viewer, run, axes, labels_shape, words):
        shape = tuple({"t": 2, "z": 5, "c": 3}.get(axis, 64) for axis in axes)
        layer = viewer.add_image(np.zeros(shape), axis_labels=tuple(axes), name="stack", scale=(*(2.0,) * (len(shape) - 2), 0.5, 0.5))
        project(widget)
        run(widget)
        assert viewer.layers["stack nuclei"].metadata["napari_unet_seg"]["input"] == "stack"
        labels = viewer.layers["stack nuclei"]
        assert labels.data.shape == labels_shape
        assert widget.status.result.text() == words
        assert "Found in the maximum projection of 5 slices of stack" in widget.status.detail.text()
        for index in np.ndindex(*layer.data.shape[:-2]):
            seen_at = layer.data_to_world((*index, 5, 5))[-labels.ndim :]
            place = tuple(np.round(labels.world_to_data(seen_at)).astype(int))
            assert labels.data[place] == (axes[0] != "t" or index[0] == 0)

    def test_slices_by_themselves_are_counted_in_outlines(self, widget, viewer, runs, run):
        viewer.add_image(np.zeros((5, 64, 64)), axis_labels=("z", "y", "x"), name="stack")
        run(widget)
        assert runs.requests[0].settings.stack == "planes"
        assert widget.status.result.text() == "3 outlines in 5 planes"


class TestAllChannels:
    def test_each_channel_of_a_dimension_gets_a_layer(self, widget, viewer, runs, qtbot):
        viewer.add_image(np.zeros((3, 64, 64)), axis_labels=("c", "y", "x"), name="three")
        widget.images.channel_box.setCurrentText(EVERY.format(3))
        widget.run_button.click()
        qtbot.waitUntil(lambda: len(runs.requests) == 3 and not widget.job.running, timeout=WAIT_MS)
        assert [request.source.channel for request in runs.requests] == [0, 1, 2]
        assert names(viewer) == ["three", *(f"three channel {number} nuclei" for number in (1, 2, 3))]
        assert widget.status.result.text() == "9 nuclei in 3 channels"
        assert widget.status.detail.text().startswith("channel 1: 3; channel 2: 3; channel 3: 3. ")

    def test_again_each_replaces_its_own(self, widget, viewer, runs, run, qtbot):
        viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
        for count in (2, 1):
            runs.count = count
            before = len(runs.requests)
            widget.images.channel_box.setCurrentText(EVERY.format(2))
            widget.run_button.click()
            qtbot.waitUntil(lambda before=before: len(runs.requests) == before + 2 and not widget.job.running, timeout=WAIT_MS)
        assert names(viewer) == ["two", "two channel 1 nuclei", "two channel 2 nuclei"]
        runs.count = 3
        widget.images.channel_box.setCurrentIndex(1)
        run(widget)
        assert [viewer.layers[f"two channel {number} nuclei"].data.max() for number in (1, 2)] == [1, 3]

    def test_cancelling_ends_all_of_them(self, widget, viewer, runs, qtbot):
        viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
        widget.images.channel_box.setCurrentText(EVERY.format(2))
        begin(widget, runs, qtbot)
        widget.cancel_button.click()
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            runs.go.set()
        assert len(runs.requests) == 1
        assert names(viewer) == ["two"]
        assert widget.status.result.text() == "Cancelled"

    def test_an_error_ends_all_of_them(self, widget, viewer, runs, run):
        viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
        widget.images.channel_box.setCurrentText(EVERY.format(2))
        runs.error = ValueError("odd")
        run(widget)
        assert len(runs.requests) == 1
        assert widget.run_button.isEnabled()

    def test_channels_that_are_layers_of_one_file(self, widget, viewer, runs, qtbot, tmp_path):
        pixels = np.zeros((2, 64, 64), np.uint16)
        tifffile.imwrite(tmp_path / "x.ome.tif", pixels, metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
        open_image_layers(viewer, tmp_path / "x.ome.tif")
        owner = QWidget()
        qtbot.addWidget(owner)
        viewer.layers.selection.active = viewer.layers["GFP (x)"]
        assert ImagePicker(viewer, owner).layer == viewer.layers["DAPI (x)"], "a dock that is opened later takes the nuclei, too"
        viewer.add_image(np.zeros((8, 8)), name="other")
        widget.images.image_box.setCurrentText("DAPI (x)")
        box = widget.images.channel_box
        assert [box.itemText(index) for index in range(box.count())] == [THIS_LAYER, EVERY.format(2)]
        assert box.currentText() == THIS_LAYER
        box.setCurrentIndex(1)
        widget.run_button.click()
        qtbot.waitUntil(lambda: len(runs.requests) == 2 and not widget.job.running, timeout=WAIT_MS)
        assert names(viewer) == ["GFP (x)", "DAPI (x)", "other", "GFP (x) nuclei", "DAPI (x) nuclei"]
        assert widget.status.detail.text().startswith("GFP (x): 3; DAPI (x): 3. ")
        widget.images.image_box.setCurrentText("other")
        assert box.isHidden()

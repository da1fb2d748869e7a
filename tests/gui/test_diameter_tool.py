"""The diameter in px and µm, as a circle, and estimated, in a viewer."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_unet_seg.core import checkpoint
from napari_unet_seg.gui.diameter_tool import CIRCLE, ESTIMATING, MICROMETRES, PIXELS
from napari_unet_seg.gui.estimate import one_plane
from napari_unet_seg.gui.layers import layer_channels, read_source
from napari_unet_seg.gui.segment_widget import SegmentWidget
from tests.gui.conftest import WAIT_MS, names
from tests.tiny import discs, tiny_model


def diameter(widget):
    return widget.form.value().diameter


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True)


class TestUnits:
    def test_micrometres_where_the_pixel_size_is_known(self, widget, image, qtbot):
        tool = widget.diameter
        widget.form.rows["diameter"].set(20)
        assert (tool.unit.text(), widget.form.rows["diameter"].editor.isHidden()) == (PIXELS, False)
        qtbot.mouseClick(tool.unit, Qt.MouseButton.LeftButton)
        assert (tool.unit.text(), widget.form.rows["diameter"].editor.isHidden()) == (MICROMETRES, True)
        assert tool.micrometres.value() == 10
        tool.micrometres.setFocus()
        tool.micrometres.selectAll()
        qtbot.keyClicks(tool.micrometres, "8")
        assert diameter(widget) == 16
        tool.micrometres.setValue(0)
        assert tool.micrometres.text() == "automatic"
        assert diameter(widget) == 0

    def test_pixels_alone_where_it_is_not(self, widget, viewer, image, qtbot):
        qtbot.mouseClick(widget.diameter.unit, Qt.MouseButton.LeftButton)
        viewer.add_image(np.zeros((8, 8)), name="plain")
        widget.images.image_box.setCurrentText("plain")
        assert widget.diameter.unit.isHidden()
        assert not widget.form.rows["diameter"].editor.isHidden()
        widget.form.rows["diameter"].set(20)
        assert widget.form.rows["diameter"].editor.text() == "20 px"


class TestTheCircle:
    def show(self, widget, size=20.0):
        widget.form.rows["diameter"].set(size)
        widget.diameter.show_button.click()

    def test_it_has_the_diameter_and_lies_in_the_middle_of_the_view(self, widget, viewer, image):
        self.show(widget)
        circle = viewer.layers[CIRCLE]
        assert np.ptp(circle.data[0], axis=0).tolist() == [20, 20]
        np.testing.assert_allclose(circle.scale, image.scale)
        middle = np.asarray(viewer.scene.camera.center)[-2:]
        np.testing.assert_allclose(circle.data_to_world(circle.data[0].mean(axis=0)), middle)
        assert viewer.layers.selection.active == image, "the image stays selected"
        viewer.scene.camera.center = (0, 3.0, 5.0)
        np.testing.assert_allclose(circle.data_to_world(circle.data[0].mean(axis=0)), (3, 5))
        widget.form.rows["diameter"].set(30)
        assert np.ptp(circle.data[0], axis=0).tolist() == [30, 30]
        assert names(viewer).count(CIRCLE) == 1

    def test_it_goes_with_the_dock(self, viewer, surroundings):
        widget = SegmentWidget(viewer)
        viewer.window.add_dock_widget(widget)
        viewer.add_image(np.zeros((64, 64)))
        self.show(widget)
        viewer.window.remove_dock_widget(widget)
        assert CIRCLE not in names(viewer)
        viewer.scene.camera.center = (0, 3.0, 5.0)

    def test_it_goes_with_the_button_the_diameter_and_the_image(self, widget, viewer, image):
        tool = widget.diameter
        assert not tool.show_button.isEnabled(), "there is no diameter yet"
        self.show(widget)
        tool.show_button.click()
        assert CIRCLE not in names(viewer)
        self.show(widget)
        widget.form.rows["diameter"].set(0)
        assert CIRCLE not in names(viewer)
        assert not tool.show_button.isChecked()
        self.show(widget)
        viewer.layers.remove(image)
        assert CIRCLE not in names(viewer)

    def test_deleted_by_hand_it_can_be_shown_again(self, widget, viewer, image):
        self.show(widget)
        viewer.layers.remove(CIRCLE)
        assert not widget.diameter.show_button.isChecked()
        widget.diameter.show_button.click()
        assert CIRCLE in names(viewer)

    def test_it_is_no_image_no_region_and_no_result(self, widget, viewer, image):
        before = widget.region.box.count()
        self.show(widget)
        assert widget.region.box.count() == before
        assert widget.images.layer == image


class TestTheEstimate:
    @pytest.fixture
    def tiny(self, widget, tmp_path, monkeypatch):
        tiny_model().save(tmp_path / "tiny")
        monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path)
        widget.engine.model_box.addItem("tiny")
        widget.engine.model_box.setCurrentText("tiny")

    def estimate(self, widget, viewer, qtbot, layer):
        qtbot.waitUntil(lambda: layer.corner_pixels.any() and not widget.engine.looking, timeout=WAIT_MS)
        with qtbot.waitSignal(widget.diameter.job.finished, timeout=5 * WAIT_MS):
            qtbot.mouseClick(widget.diameter.estimate_button, Qt.MouseButton.LeftButton)
            assert widget.diameter.hint.text() == ESTIMATING
            assert not widget.diameter.estimate_button.isEnabled()
        assert widget.diameter.estimate_button.isEnabled()

    def test_lines_across_nuclei_are_measured(self, widget, viewer, image, qtbot):
        lines = [np.array([(4, 4), (4, 24)]), np.array([(8, 8), (8, 30)]), np.array([(9, 9), (9, 40)])]
        shapes = viewer.add_shapes(lines, shape_type="line", scale=image.scale, units=image.units, name="widths")
        shapes.add_rectangles(np.array([(0, 0), (0, 60), (60, 60), (60, 0)]))
        widget.images.choose(image)
        qtbot.mouseClick(widget.diameter.estimate_button, Qt.MouseButton.LeftButton)
        assert diameter(widget) == 22
        assert widget.diameter.hint.text() == "Estimated from 3 lines in “widths”."
        assert not widget.diameter.job.running

    def test_it_is_that_of_the_nuclei_in_view(self, widget, viewer, qtbot, tiny):
        small, _ = discs(radius=(5, 6), count=20)
        large, _ = discs(seed=1, radius=(10, 11))
        layer = viewer.add_image(np.hstack([small, large]), name="both")
        viewer.scene.camera.center = (0, 64, 32)
        viewer.scene.camera.zoom = 9
        qtbot.waitUntil(lambda: 0 < layer.corner_pixels[1, 1] < 120, timeout=WAIT_MS)
        self.estimate(widget, viewer, qtbot, layer)
        assert 9 < diameter(widget) < 12.5
        assert widget.diameter.hint.text().endswith(" in view.")
        assert not widget.diameter.hint.isHidden()
        viewer.scene.camera.center = (0, 64, 210)
        qtbot.waitUntil(lambda: layer.corner_pixels[0, 1] > 140, timeout=WAIT_MS)
        self.estimate(widget, viewer, qtbot, layer)
        assert 19 < diameter(widget) < 23
        widget.form.reset()
        assert widget.diameter.hint.isHidden()

    def test_nothing_in_view_is_told_and_the_diameter_stays(self, widget, viewer, qtbot, tiny):
        layer = viewer.add_image(np.full((64, 64), 300, np.uint16), name="empty")
        widget.form.rows["diameter"].set(12)
        self.estimate(widget, viewer, qtbot, layer)
        assert "No nuclei were found in view" in widget.status.message.text.text()
        assert diameter(widget) == 12


@pytest.mark.parametrize(
    ("labels", "channel", "stack", "axes", "shape"),
    [
        (("t", "z", "c", "y", "x"), 1, "planes", "CYX", (4, 6, 7)),
        (("t", "z", "c", "y", "x"), 1, "maximum", "ZCYX", (3, 4, 6, 7)),
        (("t", "z", "plane", "y", "x"), None, "planes", "YX", (6, 7)),
    ],
)
def test_the_plane_that_is_seen_is_taken(viewer, labels, channel, stack, axes, shape):
    pixels = np.arange(2 * 3 * 4 * 6 * 7).reshape(2, 3, 4, 6, 7)
    layer = viewer.add_image(pixels, axis_labels=labels)
    source = read_source(layer, None if channel is None else layer_channels(layer)[channel])
    taken = one_plane(source, (1, 2, 3, 0, 0), stack)
    assert (taken.axes, taken.data.shape) == (axes, shape)
    assert taken.data.flat[0] == pixels[1, 0 if stack == "maximum" else 2, 0 if channel is not None else 3, 0, 0]

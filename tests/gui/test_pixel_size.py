"""The row "Pixel size", in a viewer."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.measure import measure
from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.layers import read_source
from tests.gui.conftest import squares


@pytest.fixture
def plain(viewer):
    return viewer.add_image(np.zeros((64, 64), np.uint16), name="plain", translate=(4, 6))


def test_what_the_image_tells_is_shown_and_cannot_be_changed(widget, image):
    row = widget.pixel_size.number
    assert row.text() == "0.50 µm"
    assert row.isReadOnly()
    assert not row.isHidden()


def test_pixels_that_are_not_square_are_shown_so(widget, viewer):
    viewer.add_image(np.zeros((8, 8)), scale=(0.4, 0.3), units=("um", "um"))
    assert widget.pixel_size.number.text() == "0.30 µm wide, 0.4 µm high"


def test_without_an_image_there_is_no_row(widget):
    assert widget.pixel_size.number.isHidden()


def test_an_unknown_size_can_be_typed_and_holds_for_all_layers_with_these_pixels(widget, viewer, plain, qtbot):
    row = widget.pixel_size.number
    assert row.text() == "unknown"
    labels = viewer.add_labels(np.zeros((64, 64), int), translate=(4, 6))
    stack = viewer.add_image(np.zeros((3, 64, 64)))
    other = viewer.add_image(np.zeros((8, 8)), scale=(2, 2), units=("um", "um"))
    widget.images.image_box.setCurrentText("plain")
    camera = camera_of(viewer)
    camera.center, camera.zoom = (0, 20, 30), 8
    middle = plain.world_to_data((20, 30))
    row.selectAll()
    qtbot.keyClicks(row, "0.325\r")
    np.testing.assert_allclose(plain.world_to_data(camera.center[-2:]), middle)  # the view stays where it was
    assert camera.zoom * 0.325 == pytest.approx(8)
    for layer in (plain, labels, stack):
        assert layer.scale[-2:].tolist() == [0.325, 0.325]
        assert [str(unit) for unit in layer.units[-2:]] == ["micrometer", "micrometer"]
    assert (stack.scale[0], str(stack.units[0])) == (1, "pixel")
    np.testing.assert_allclose(plain.data_to_world((0, 0)), labels.data_to_world((0, 0)))
    np.testing.assert_allclose(plain.translate, (4 * 0.325, 6 * 0.325))
    assert other.scale.tolist() == [2, 2]
    assert read_source(plain).micrometres == (0.325, 0.325)
    assert widget.images.about.text() == "64 × 64 px"
    assert not widget.areas[0].unit.isHidden(), "areas can be typed in square micrometres now"


def test_a_table_of_nuclei_has_micrometres_as_soon_as_the_size_is_typed(widget, viewer, plain, qtbot):
    labels = viewer.add_labels(
        squares(), features=measure(squares()).assign(index=[1, 2, 3], mine=7, to_vessel_um=9.0, mean_dapi=5.0), translate=(4, 6)
    )
    bare = viewer.add_labels(squares(), features={"index": [1, 2, 3], "mine": 7}, translate=(4, 6))
    row = widget.pixel_size.number
    for typed, area in (("0.5", 16.0), ("0.25", 4.0)):
        row.selectAll()
        qtbot.keyClicks(row, f"{typed}\r")
        assert labels.features["area_um2"].tolist() == [area] * 3
        assert labels.features["centroid_y_um"].tolist() == pytest.approx([7.5 * float(typed)] * 3)
        assert labels.features["mine"].tolist() == [7] * 3
        assert labels.features["to_vessel_um"].tolist() == [9.0] * 3  # not made from a column in pixels: somebody measured it
        assert labels.features["mean_dapi"].tolist() == [5.0] * 3
        assert list(bare.features) == ["index", "mine"]
    row.selectAll()
    qtbot.keyClicks(row, "0\r")
    assert [name for name in labels.features if "_um" in name] == ["to_vessel_um"]
    assert labels.features["area"].tolist() == [64] * 3


def test_a_result_whose_table_follows_the_pixel_size_still_follows_the_sliders(widget, viewer, plain, run, qtbot):
    run(widget)
    result = widget.results.of(plain)
    row = widget.pixel_size.number
    row.selectAll()
    qtbot.keyClicks(row, "0.5\r")
    assert not result.edited


def test_a_slip_can_be_typed_again_and_taken_back(widget, plain, qtbot):
    row = widget.pixel_size.number
    row.selectAll()
    qtbot.keyClicks(row, "3\r")
    assert plain.scale.tolist() == [3, 3]
    assert not row.isReadOnly()
    row.setValue(0.3)
    assert plain.scale.tolist() == [0.3, 0.3]
    np.testing.assert_allclose(plain.translate, (4 * 0.3, 6 * 0.3))
    row.setValue(0)
    assert row.text() == "unknown"
    assert read_source(plain).micrometres is None
    np.testing.assert_allclose(plain.translate, (4, 6))


def test_a_run_then_measures_in_micrometres(widget, viewer, plain, run, runs):
    widget.pixel_size.number.setValue(0.5)
    run(widget)
    assert runs.requests[0].source.micrometres == (0.5, 0.5)
    assert viewer.layers["plain nuclei"].scale.tolist() == [0.5, 0.5]

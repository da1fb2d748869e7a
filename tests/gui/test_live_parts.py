"""Sliders after a run on a part of an image, and on all of its channels: what is in the part follows, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt

import napari_unet_seg as nus
from napari_unet_seg.core import map_parts
from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.gui.image_picker import EVERY
from napari_unet_seg.gui.region_picker import VIEW
from napari_unet_seg.gui.segment_widget import OTHERS_FOLLOW
from napari_unet_seg.gui.standing import ACTS, EDITED, FAR_OUT
from tests.gui.conftest import WAIT_MS
from tests.gui.test_live import assert_holds, found, held
from tests.gui.test_region_picker import choose
from tests.tiny import discs

BOX = ((30.0, 30.0), (30.0, 100.0), (120.0, 100.0), (120.0, 30.0))


def inside(table):
    return AreaOfInterest.of((BOX,)).contains(table["centroid_y"], table["centroid_x"])


@pytest.fixture
def plane(viewer):
    return viewer.add_image(discs((160, 160), count=24, seed=3)[0], name="discs", scale=(0.5, 0.5), units=("um", "um"))


@pytest.fixture
def part(tiny, viewer, plane):
    """Choose a rectangle that was drawn."""
    viewer.add_shapes([np.array(BOX)], scale=plane.scale, units=plane.units, name="part")
    choose(tiny, "Inside “part”")
    return tiny


def type_area(widget, qtbot, text):
    number = widget.form.rows["min_area"].editor.number
    number.selectAll()
    qtbot.keyClicks(number, text)


SETTINGS = [("probability", 0.8), ("splitting", 0.05), ("min_area", 250), ("max_area", 250), ("exclude_border", True)]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_a_part_alone_follows_and_comes_back(part, plane, segmented, settled, name, value):
    labels = segmented(part)
    assert part.live_hint.text() == ACTS
    before = held(labels)
    expected = found(plane.data, region=(BOX,), **{name: value})
    part.form.rows[name].set(value)
    settled(part)
    np.testing.assert_array_equal(labels.data, expected.labels)
    assert labels.features[list(expected.features)].equals(expected.features)
    assert labels.metadata["napari_unet_seg"]["settings"]["region"]
    part.form.rows[name].set(getattr(nus.SegmentSettings(), name))
    settled(part)
    assert_holds(labels, before)


def test_among_others_only_the_nuclei_of_the_part_change(tiny, viewer, plane, segmented, settled, qtbot):
    labels = segmented(tiny)
    whole, rows = labels.data.copy(), labels.features.copy()
    viewer.add_shapes([np.array(BOX)], scale=plane.scale, units=plane.units, name="part")
    choose(tiny, "Inside “part”")
    assert segmented(tiny) is labels
    before = held(labels)
    others = rows[~inside(rows)]
    qtbot.mouseClick(tiny.form.rows["min_area"].editor.unit, Qt.MouseButton.LeftButton)
    type_area(tiny, qtbot, "60")
    settled(tiny)
    least = labels.metadata["napari_unet_seg"]["settings"]["min_area"]
    assert least == 240
    inside_now = int((labels.features["label"] > rows["label"].max()).sum())
    assert tiny.status.detail.text().startswith(f"{inside_now} of them lie in a region of discs")
    stay = np.isin(whole, others["label"])
    np.testing.assert_array_equal(labels.data[stay], whole[stay])
    table = labels.features
    assert table[table["label"].isin(others["label"])].reset_index(drop=True)[list(others)].equals(others.reset_index(drop=True))
    new = table[table["label"] > rows["label"].max()]
    wanted = found(plane.data, region=(BOX,), min_area=least).features
    assert 0 < len(new) == len(wanted) < inside(rows).sum()
    np.testing.assert_allclose(new["centroid_y"], wanted["centroid_y"])
    assert others["area"].min() < least, "outside, small ones are left"
    type_area(tiny, qtbot, "5")
    settled(tiny)
    assert_holds(labels, before)
    tiny.restore_button.click()
    qtbot.waitUntil(lambda: np.array_equal(labels.data, whole), timeout=WAIT_MS)


def test_what_the_window_showed_follows_wherever_one_looks_meanwhile(tiny, viewer, segmented, settled, qtbot):
    viewer.window.show()
    image = viewer.add_image(np.tile(discs()[0], (2, 2)), name="discs")
    viewer.scene.camera.zoom, viewer.scene.camera.center = 8, (0, 128, 128)
    qtbot.waitUntil(lambda: image.corner_pixels[0, 0] > 40, timeout=WAIT_MS)
    choose(tiny, VIEW)
    labels = segmented(tiny)
    region = labels.metadata["napari_unet_seg"]["settings"]["region"]
    viewer.scene.camera.center = (0, 90, 90)
    tiny.form.rows["min_area"].set(250)
    settled(tiny)
    region = tuple(tuple(map(tuple, polygon)) for polygon in region)
    np.testing.assert_array_equal(labels.data, found(image.data, region=region, min_area=250).labels)


def test_areas_of_a_file_follow(tiny, plane, segmented, settled, qtbot, tmp_path):
    path = tmp_path / "areas.geojson"
    triangle = [[10, 10], [150, 20], [30, 150], [10, 10]]
    path.write_text(json.dumps({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [triangle]}, "properties": {}}))
    tiny.region.choose_file(path)
    qtbot.waitUntil(lambda: tiny.region.file == path, timeout=WAIT_MS)
    labels = segmented(tiny)
    region = tiny.settings(plane).region
    tiny.form.rows["probability"].set(0.8)
    settled(tiny)
    np.testing.assert_array_equal(labels.data, found(plane.data, region=region, probability=0.8).labels)


def test_a_part_that_was_edited_is_locked(part, segmented, qtbot):
    labels = segmented(part)
    labels.paint((60, 60), 99)
    after = labels.data.copy()
    assert part.live_hint.text() == EDITED.format(labels.name)
    assert not part.form.rows["probability"].editor.isEnabled()
    part.form.rows["probability"].set(0.8)
    assert not part.live.busy
    np.testing.assert_array_equal(labels.data, after)


def test_nuclei_that_come_to_hang_together_beyond_the_part_are_told_of(tiny, viewer, segmented, settled):
    """With less probability, a chain of discs reaches from the part to beyond what was computed."""
    y, x = np.mgrid[:60, :400]
    heights = [300 + 1800 * (np.hypot(y - 30, x - 12 - 19 * number) <= 9) for number in range(20)]
    viewer.add_image(np.max(heights, axis=0).astype(np.uint16), name="chain")
    viewer.add_shapes([np.array([(10, 180), (10, 220), (50, 220), (50, 180)])], name="part")
    choose(tiny, "Inside “part”")
    tiny.form.rows["diameter"].set(17.0)  # or the whole chain would be taken for one large nucleus
    tiny.form.rows["probability"].set(0.9)
    segmented(tiny)
    assert tiny.pending_hint.isHidden()
    tiny.form.rows["probability"].set(0.01)
    settled(tiny)
    assert FAR_OUT in tiny.pending_hint.text()
    labels = segmented(tiny)
    assert tiny.pending_hint.isHidden()
    region = (((10.0, 180.0), (10.0, 220.0), (50.0, 220.0), (50.0, 180.0)),)
    wanted = found(viewer.layers["chain"].data, region=region, probability=0.01, diameter=17.0).labels
    np.testing.assert_array_equal(compact(labels.data)[1], wanted)


def test_a_part_of_each_plane_of_a_stack(tiny, viewer, segmented, settled, qtbot):
    images = np.stack([discs((96, 96), count=8 + seed, seed=seed)[0] for seed in range(3)])
    viewer.add_image(images, name="stack", axis_labels=("z", "y", "x"))
    labels = segmented(tiny)
    whole = labels.data.copy()
    viewer.add_shapes([np.array([(0, 0), (0, 60), (96, 60), (96, 0)])], name="part")
    choose(tiny, "Inside “part”")
    assert segmented(tiny) is labels
    before = held(labels)
    viewer.dims.set_point(0, 1)
    with qtbot.waitSignal(tiny.live.shown, timeout=WAIT_MS):
        tiny.form.rows["min_area"].set(200)
    assert tiny.status.detail.text() == OTHERS_FOLLOW
    assert not np.array_equal(labels.data[1], before[0][1])
    np.testing.assert_array_equal(labels.data[[0, 2]], before[0][[0, 2]])
    settled(tiny)
    wanted = found(images, region=(((0, 0), (0, 60), (96, 60), (96, 0)),), min_area=200)
    added = np.where(wanted.labels > 0, wanted.labels + whole.max(), 0)
    stay = (before[0] > 0) & (before[0] <= whole.max())
    np.testing.assert_array_equal(labels.data, np.where(stay, before[0], added))
    assert labels.features["label"].is_unique
    tiny.form.rows["min_area"].set(20)
    settled(tiny)
    assert_holds(labels, before)


def test_the_results_of_all_channels_follow_together(tiny, viewer, segmented, settled, qtbot):
    planes = [discs((96, 96), seed=seed)[0] for seed in range(2)]
    viewer.add_image(np.stack(planes), name="two", axis_labels=("c", "y", "x"))
    tiny.images.channel_box.setCurrentText(EVERY.format(2))
    tiny.run_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3 and not tiny.job.running, timeout=5 * WAIT_MS)
    assert tiny.live_hint.text() == ACTS
    assert tiny.pending_hint.isHidden()
    before = [held(layer) for layer in viewer.layers[1:]]
    tiny.form.rows["min_area"].set(200)
    settled(tiny)
    expected = [found(plane, min_area=200) for plane in planes]
    for layer, wanted in zip(viewer.layers[1:], expected, strict=True):
        np.testing.assert_array_equal(layer.data, wanted.labels)
    total = sum(wanted.count for wanted in expected)
    assert tiny.status.result.text() == f"{total} nuclei in 2 channels"
    tiny.form.rows["min_area"].set(20)
    settled(tiny)
    for layer, held_before in zip(viewer.layers[1:], before, strict=True):
        assert_holds(layer, held_before)
    viewer.layers[1].paint((1, 1), 99)
    tiny.form.rows["min_area"].set(200)
    settled(tiny)
    assert viewer.layers[1].data.max() == 99
    np.testing.assert_array_equal(viewer.layers[2].data, expected[1].labels), "what was edited stays, the other follows"


def test_labels_on_coarser_pixels_than_those_of_the_image_follow(tiny, viewer, settled, qtbot, monkeypatch):
    from napari_unet_seg.core import grid

    monkeypatch.setattr(grid, "MOST_PIXELS", 100_000)
    pixels = np.kron(np.tile(discs()[0], (2, 2)), np.ones((2, 2), np.uint16))
    image = viewer.add_image([pixels, pixels[::2, ::2]], name="slide", multiscale=True)
    tiny.form.rows["diameter"].set(34.0)
    tiny.run_button.click()
    qtbot.waitUntil(lambda: not tiny.job.running and len(viewer.layers) == 2, timeout=5 * WAIT_MS)
    labels = tiny.results.of(image).labels
    assert labels.data.shape == (256, 256)
    before = held(labels)
    assert tiny.live_hint.text() == ACTS
    tiny.form.rows["min_area"].set(1000)
    settled(tiny)
    expected = found([pixels, pixels[::2, ::2]], diameter=34.0, min_area=1000)
    np.testing.assert_array_equal(labels.data, expected.labels)
    assert labels.features["area"].min() >= 250
    tiny.form.rows["min_area"].set(20)
    settled(tiny)
    assert_holds(labels, before)


def test_what_the_first_move_needs_is_done_before_it_and_goes_with_the_layer(tiny, viewer, plane, segmented, settled, qtbot, monkeypatch):
    labels = segmented(tiny)
    [live] = tiny.live.lives
    qtbot.waitUntil(lambda: not live._show_job.running, timeout=WAIT_MS)
    made, make = [], map_parts.PlaneDecoding.__init__
    monkeypatch.setattr(map_parts.PlaneDecoding, "__init__", lambda self, maps: (made.append(maps), make(self, maps))[1])
    tiny.form.rows["probability"].set(0.8)
    settled(tiny)
    assert made == []
    np.testing.assert_array_equal(labels.data, found(plane.data, probability=0.8).labels)
    viewer.layers.remove(labels)
    assert live._decoder._decoding is None

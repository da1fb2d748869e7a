"""The row "Where", and runs of a part, in a viewer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_unet_seg.core import checkpoint
from napari_unet_seg.gui.region_picker import FILE, OTHER_FILE, OWN_KEY, VIEW, WHOLE
from tests.gui.conftest import WAIT_MS, names
from tests.tiny import discs, tiny_model

BOX = [[-0.5, -0.5], [-0.5, 63.5], [127.5, 63.5], [127.5, -0.5]]


def entries(widget):
    return [widget.region.box.itemText(index) for index in range(widget.region.box.count())]


def choose(widget, text):
    widget.region.box.setCurrentIndex(entries(widget).index(text))


@pytest.fixture
def geojson(tmp_path):
    path = tmp_path / "areas.geojson"
    corners = [[0, 0], [64, 0], [64, 128], [0, 128]]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    return path


class TestTheRow:
    def test_it_offers_shapes_as_they_come_and_go(self, widget, viewer, image):
        assert entries(widget) == [WHOLE, VIEW, FILE]
        shapes = viewer.add_shapes([BOX], name="areas")
        assert entries(widget) == [WHOLE, VIEW, "Inside “areas”", FILE]
        choose(widget, "Inside “areas”")
        shapes.name = "tumour"
        assert widget.region.box.currentText() == "Inside “tumour”"
        viewer.add_shapes(metadata={OWN_KEY: True})
        assert len(entries(widget)) == 4, "the circle of the diameter is no region"
        viewer.layers.remove(shapes)
        assert widget.region.box.currentText() == WHOLE
        assert widget.region.polygons(image) == ()

    def test_the_settings_have_the_region(self, widget, viewer, image, runs, run):
        viewer.add_shapes([[[2, 3], [2, 8], [6, 8], [6, 3]]], scale=image.scale, units=image.units, name="areas")
        choose(widget, "Inside “areas”")
        run(widget)
        assert runs.requests[0].settings.region == (((2, 3), (2, 8), (6, 8), (6, 3)),)

    def test_a_file_is_asked_for_read_beside_the_window_and_kept(self, widget, image, geojson, qtbot, monkeypatch):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(geojson), ""))
        choose(widget, FILE)
        qtbot.waitUntil(lambda: widget.region.file == geojson, timeout=WAIT_MS)
        assert entries(widget) == [WHOLE, VIEW, "Inside “areas.geojson”", OTHER_FILE]
        assert widget.region.hint.text() == "1 area, in pixels of the image."
        assert widget.settings(image).region == (((-0.5, -0.5), (-0.5, 63.5), (127.5, 63.5), (127.5, -0.5)),)

    def test_no_file_and_a_bad_one_leave_the_choice(self, widget, image, geojson, qtbot, monkeypatch):
        choose(widget, VIEW)
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
        choose(widget, FILE)
        qtbot.waitUntil(lambda: widget.region.box.currentText() == VIEW, timeout=WAIT_MS)
        geojson.write_text("{")
        with qtbot.waitSignal(widget.region.failed, timeout=WAIT_MS):
            widget.region.choose_file(geojson)
        assert widget.region.box.currentText() == VIEW
        assert "areas.geojson is no GeoJSON" in widget.status.message.text.text()

    def test_what_cannot_be_a_region_is_told_and_starts_nothing(self, widget, viewer, image, runs):
        viewer.add_shapes(name="areas")
        choose(widget, "Inside “areas”")
        widget.segment()
        assert "“areas” holds no area" in widget.status.message.text.text()
        image.corner_pixels = np.zeros((2, 2), int)
        choose(widget, VIEW)
        widget.segment()
        assert "Nothing of the image is in view" in widget.status.message.text.text()
        assert not widget.status.message.isHidden()
        choose(widget, WHOLE)
        assert widget.status.message.isHidden(), "what was wrong with another region is settled"
        assert runs.requests == []

    def test_a_channel_of_another_kind_is_not_mixed_in(self, widget, viewer, runs, run):
        viewer.add_image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
        run(widget)
        viewer.add_shapes([[[2, 3], [2, 8], [6, 8], [6, 3]]], name="areas")
        choose(widget, "Inside “areas”")
        run(widget)
        assert runs.requests[1].base is not None
        widget.images.channel_box.setCurrentIndex(1)
        run(widget)
        assert (runs.requests[2].base, runs.requests[2].previous) == (None, None)
        assert names(viewer) == ["two", "two nuclei", "areas", "two nuclei [1]"]


class TestTheEngineItself:
    """From the button to the labels, with the small network and nothing replaced."""

    @pytest.fixture
    def viewer(self, make_napari_viewer_proxy):
        return make_napari_viewer_proxy(show=True)

    @pytest.fixture
    def segment(self, widget, qtbot, tmp_path, monkeypatch):
        tiny_model().save(tmp_path / "tiny")
        monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path)
        widget.engine.model_box.addItem("tiny")
        widget.engine.model_box.setCurrentText("tiny")

        def press():
            qtbot.waitUntil(lambda: not widget.engine.looking, timeout=WAIT_MS)
            with qtbot.waitSignal(widget.job.finished, timeout=5 * WAIT_MS):
                qtbot.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
            assert widget.status.message.text.text() == ""
            return viewer_labels(widget)

        return press

    def test_only_the_nuclei_inside_are_replaced(self, widget, viewer, segment):
        pixels, _ = discs()
        viewer.add_image(pixels, name="discs", scale=(0.5, 0.5), units=("um", "um"))
        labels = segment()
        whole, table = labels.data.copy(), labels.features.copy()
        viewer.add_shapes([BOX], scale=(0.5, 0.5), units=("um", "um"), name="left")
        choose(widget, "Inside “left”")
        widget.form.rows["min_area"].set(200)
        assert segment() is labels
        left = table["centroid_x"] < 63.5
        stay = table["label"][~left]
        np.testing.assert_array_equal(np.isin(labels.data, stay), np.isin(whole, stay))
        np.testing.assert_array_equal(labels.data[np.isin(whole, stay)], whole[np.isin(whole, stay)])
        new = labels.features[~labels.features["label"].isin(table["label"])]
        wanted = table[left & (table["area"] >= 200)]
        assert len(new) == len(wanted) > 0
        assert new["label"].min() > table["label"].max()
        np.testing.assert_allclose(sorted(new["area_um2"]), sorted(wanted["area_um2"]))
        assert labels.features["index"].tolist() == labels.features["label"].tolist()
        assert labels.metadata["napari_unet_seg"]["outside_region"][0]["settings"]["min_area"] == 20
        assert "The nuclei outside of the region are as they were." in widget.status.detail.text()

    def test_an_edited_result_stays_and_the_region_is_a_new_layer(self, widget, viewer, segment):
        viewer.add_image(discs()[0], name="discs")
        first = segment()
        first.paint((1, 1), 99)
        viewer.add_shapes([BOX], name="left")
        choose(widget, "Inside “left”")
        second = segment()
        assert second is not first
        assert first.data.max() == 99
        assert (second.features["centroid_x"] < 63.5).all()
        assert second.data[:, 90:].max() == 0

    def test_the_view_is_what_the_window_shows(self, widget, viewer, segment, qtbot):
        pixels = np.tile(discs()[0], (4, 4))
        viewer.add_image(pixels, name="discs")
        viewer.scene.camera.zoom = 6
        viewer.scene.camera.center = (0, 384, 384)
        qtbot.waitUntil(lambda: 250 < viewer.layers["discs"].corner_pixels[0, 0] < 384, timeout=WAIT_MS)
        choose(widget, VIEW)
        labels = segment()
        (top, left), (bottom, right) = viewer.layers["discs"].corner_pixels
        table = labels.features
        assert 0 < len(table) < 60
        assert table["centroid_y"].between(top - 1, bottom + 1).all()
        assert table["centroid_x"].between(left - 1, right + 1).all()
        assert labels.data.shape == pixels.shape

    def test_labels_of_a_huge_image_cover_the_region_alone_and_lie_over_it(self, widget, viewer, segment, monkeypatch):
        from napari_unet_seg.core import grid

        monkeypatch.setattr(grid, "MOST_PIXELS", 100_000)
        monkeypatch.setattr(grid, "MARGIN", 32)
        pixels = np.tile(discs()[0], (4, 4))
        image = viewer.add_image(pixels, name="discs", scale=(0.5, 0.25), translate=(10, 20), rotate=20, units=("um", "um"))
        shapes = [[[200, 200], [200, 300], [300, 300], [300, 200]]]
        viewer.add_shapes(shapes, name="part", scale=(0.5, 0.25), translate=(10, 20), rotate=20, units=("um", "um"))
        choose(widget, "Inside “part”")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(widget.status.message.text, "text", lambda: "")
            labels = segment()
        assert labels.data.shape == (165, 165)
        np.testing.assert_allclose(labels.data_to_world((32, 32)), image.data_to_world((200, 200)))
        row = labels.features.iloc[0]
        there = image.world_to_data(labels.data_to_world((row["centroid_y"], row["centroid_x"])))
        assert pixels[tuple(np.round(there).astype(int))] > 1000

    def test_a_region_of_a_huge_image_is_done_again_in_its_own_labels(self, widget, viewer, segment, monkeypatch):
        from napari_unet_seg.core import grid

        monkeypatch.setattr(grid, "MOST_PIXELS", 100_000)
        monkeypatch.setattr(grid, "MARGIN", 32)
        viewer.add_image(np.tile(discs()[0], (4, 4)), name="discs")
        viewer.add_shapes([[[200, 200], [200, 300], [300, 300], [300, 200]]], name="part")
        choose(widget, "Inside “part”")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(widget.status.message.text, "text", lambda: "")
            labels = segment()
            areas = labels.features["area"]
            wanted = sorted(areas[areas > areas.median()])
            widget.form.rows["min_area"].set(int(areas.median()) + 1)
            assert segment() is labels
        assert sorted(labels.features["area"]) == wanted
        assert sorted(np.unique(labels.data, return_counts=True)[1][1:]) == wanted


def viewer_labels(widget):
    return widget.results.of(widget.images.layer).labels

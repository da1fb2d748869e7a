"""The widget in a real viewer: clicks on its buttons, its table, its plots and the canvas."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.utils.progress import progress
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_unet_seg.core.intensities import without_measured
from napari_unet_seg.core.measure import measure, measure_plane
from napari_unet_seg.gui import dock, exporting, measure_widget
from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.measure_inputs import NO_NUCLEI
from napari_unet_seg.gui.measure_widget import CANCELLED, CHANGED, MIXED, OUTDATED, MeasureWidget
from napari_unet_seg.gui.nuclei_view import PLOTS
from napari_unet_seg.gui.request import Content
from napari_unet_seg.gui.results import Results
from napari_unet_seg.io.image import open_image
from napari_unet_seg.progress import Progress
from tests.gui.conftest import WAIT_MS, outcome
from tests.tiny import discs, whole_plane

PLACE = {"scale": (0.5, 0.5), "units": ("um", "um")}
SAVE = 2


@pytest.fixture
def nuclei(viewer):
    """An image of two channels, and its nuclei."""
    image, labels = discs()
    viewer.add_image(image, name="DAPI", **PLACE)
    viewer.add_image(image // 3 + 50, name="GFP", **PLACE)
    return viewer.add_labels(labels, name="nuclei", **PLACE)


@pytest.fixture
def widget(viewer):
    widget = MeasureWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Measure nuclei")
    return widget


@pytest.fixture
def measured(nuclei, widget, press):
    press(widget)
    return widget


@pytest.fixture
def press(qtbot):
    """Press Measure and wait for the end."""

    def press(widget):
        qtbot.waitUntil(widget.run_button.isEnabled, timeout=WAIT_MS)
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.run_button.click()

    return press


def row_of(widget, label):
    return int(widget.view.table.nuclei.rows_of([label - 1])[0])


def click_row(qtbot, widget, label):
    table = widget.view.table
    index = table.nuclei.index(row_of(widget, label), 1)
    table.scrollTo(index)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center())


def selected_labels(widget):
    table = widget.view.table
    return [int(table.nuclei.data(table.nuclei.index(row, 0))) for row in table.selected_rows()]


class TestMeasuring:
    def test_without_nuclei_it_says_what_to_do(self, widget):
        assert not widget.run_button.isEnabled()
        assert widget.inputs.about.text() == NO_NUCLEI
        assert widget.empty.isHidden(), "there is nothing to press Measure for"
        assert widget.run_button.toolTip() == NO_NUCLEI
        assert not widget.export.button.isEnabled()
        widget.measure()
        assert not widget.job.running

    def test_the_features_get_the_columns_and_the_table_shows_them(self, nuclei, measured):
        images = {"GFP": discs()[0] // 3 + 50, "DAPI": discs()[0]}
        expected = measure(discs()[1], images, (0.5, 0.5))
        pd.testing.assert_frame_equal(nuclei.features[list(expected)], expected, check_like=True, check_dtype=False)
        assert nuclei.features["index"].tolist() == expected["label"].tolist()
        assert measured.view.table.nuclei.rowCount() == len(expected)
        assert measured.status.result.text() == "12 nuclei"
        detail = measured.status.detail.text()
        assert f"median area {expected['area_um2'].median():.2f} µm²".lower() in detail.lower()
        assert f"{12 / (64 * 64) * 1e6:,.0f} per mm²" in detail
        assert "mean DAPI" in detail
        assert (measured.run_button.isEnabled(), measured.cancel_button.isEnabled()) == (True, False)
        assert len(progress._all_instances) == 0

    def test_only_ticked_channels_are_measured_and_rings_when_wanted(self, nuclei, widget, press):
        titles = [widget.inputs.channels.item(row).text() for row in range(2)]
        widget.inputs.channels.item(titles.index("GFP")).setCheckState(Qt.CheckState.Unchecked)
        widget.inputs.ring_box.click()
        widget.inputs.unit_box.setCurrentText("µm")
        widget.inputs.width_box.setValue(2)
        press(widget)
        expected = measure(discs()[1], {"DAPI": discs()[0]}, ring=4)
        assert np.allclose(nuclei.features["ratio_DAPI"], expected["ratio_DAPI"])
        assert "mean_GFP" not in nuclei.features
        widget.inputs.ring_box.click()
        press(widget)
        assert "ratio_DAPI" not in nuclei.features

    def test_measuring_a_result_is_no_edit_of_it(self, viewer, widget, press):
        image, labels = discs()
        layer = viewer.add_image(image, name="DAPI")
        results = Results(viewer)
        found = outcome(labels)
        content = Content(labels, measure_plane(labels))  # without micrometres: the user may tell the size of a pixel later
        made = results.deliver(layer, read_source(layer), dataclasses.replace(found, content=content, fingerprint=content.fingerprint()))
        layer.scale, made.scale, layer.units, made.units = (0.5, 0.5), (0.5, 0.5), ("um", "um"), ("um", "um")
        before = results.replaceable(layer)
        press(widget)
        assert {"mean_DAPI", "area_um2"} <= set(made.features)
        after = results.replaceable(layer)
        assert after is not None
        assert after.fingerprint() == before.fingerprint()

    def test_what_is_changed_meanwhile_is_not_mixed_with_what_was(self, nuclei, widget, qtbot):
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.run_button.click()
            nuclei.paint((5, 5), 3)
        assert "mean_DAPI" not in nuclei.features
        assert widget.status.message.text.text() == CHANGED

    @pytest.mark.parametrize(("job", "sentence"), [("measure_steps", CHANGED), ("export_steps", MIXED)])
    def test_what_fails_because_the_nuclei_changed_meanwhile_says_so(self, nuclei, widget, qtbot, monkeypatch, tmp_path, job, sentence):
        def raced(request):
            yield Progress("Measuring", 1, 3)
            raise RuntimeError("number of non-zero array elements changed during function execution.")  # NumPy's words

        monkeypatch.setattr(widget_module if job == "measure_steps" else exporting, job, raced)
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.measure() if job == "measure_steps" else widget.save({"csv": tmp_path / "nuclei.csv"})
            nuclei.paint((5, 5), 3)
        assert widget.status.message.text.text() == sentence
        assert widget.run_button.isEnabled()

    def test_a_file_of_nuclei_that_changed_meanwhile_is_told_of(self, nuclei, widget, qtbot, tmp_path):
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.save({"csv": tmp_path / "nuclei.csv"})
            nuclei.paint((5, 5), 3)
        assert widget.status.message.text.text() == MIXED

    def test_it_can_be_cancelled(self, nuclei, widget, qtbot, monkeypatch):
        def endless(request):
            while True:
                yield Progress("Measuring", 1, 3)

        monkeypatch.setattr(widget_module, "measure_steps", endless)
        widget.run_button.click()
        assert widget.cancel_button.isEnabled()
        with qtbot.waitSignal(widget.job.cancelled, timeout=WAIT_MS):
            widget.cancel_button.click()
        assert (widget.status.result.text(), widget.status.detail.text()) == ("Cancelled", CANCELLED)
        assert widget.run_button.isEnabled()
        assert not len(nuclei.features.columns)

    def test_errors_are_told_and_the_buttons_come_back(self, nuclei, widget, press, monkeypatch):
        def broken(request):
            yield Progress("Measuring", 1, 3)
            raise RuntimeError("the disk broke")

        monkeypatch.setattr(widget_module, "measure_steps", broken)
        monkeypatch.setattr(dock, "show_error", lambda text: None)
        press(widget)
        assert "the disk broke" in widget.status.message.text.text()
        assert widget.run_button.isEnabled()

    def test_labels_of_any_origin_and_features_can_be_shown(self, viewer, widget, qtbot):
        labels = discs()[1]
        table = pd.DataFrame({"size": np.arange(13.0)})  # napari takes the row for the number
        viewer.add_labels(labels, name="theirs", features=table)
        qtbot.waitUntil(lambda: len(widget.view.nuclei) > 0, timeout=WAIT_MS)
        assert widget.view.nuclei["label"].tolist() == list(range(1, 13))
        assert widget.view.nuclei["size"].tolist() == list(range(1, 13))


widget_module = measure_widget


class TestTableAndPicture:
    @pytest.fixture
    def viewer(self, make_napari_viewer_proxy):
        return make_napari_viewer_proxy(show=True)

    def test_a_click_on_a_row_goes_to_the_nucleus(self, viewer, nuclei, measured, qtbot):
        click_row(qtbot, measured, 4)
        assert nuclei.selected_label == 4
        row = nuclei.features.iloc[3]
        assert np.allclose(camera_of(viewer).center[-2:], (row["centroid_y_um"], row["centroid_x_um"]))

    def test_in_a_stack_the_right_plane_is_shown(self, viewer, widget, press, qtbot):
        labels = np.zeros((4, 2, 40, 40), np.int32)
        labels[0, 0, 5:10, 5:10], labels[3, 1, 20:30, 20:30] = 1, 2
        viewer.add_image(labels * 2.0, name="DAPI", scale=(3, 2, 0.5, 0.5))
        viewer.add_labels(labels, name="nuclei", scale=(3, 2, 0.5, 0.5))
        press(widget)
        click_row(qtbot, widget, 2)
        assert viewer.dims.current_step[:2] == (3, 1)
        click_row(qtbot, widget, 1)
        assert viewer.dims.current_step[:2] == (0, 0)

    def test_a_click_on_a_nucleus_in_the_canvas_selects_its_row(self, viewer, nuclei, measured, qtbot):
        viewer.layers.selection = {viewer.layers["DAPI"]}
        row = nuclei.features.iloc[6]
        camera = camera_of(viewer)
        camera.center, camera.zoom = (row["centroid_y_um"], row["centroid_x_um"]), 8
        canvas = canvas_of(viewer)
        qtbot.wait(50)
        centre = camera.center
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
        assert selected_labels(measured) == [7]
        assert nuclei.selected_label == 7
        assert camera.center == centre

    def test_dragging_the_picture_selects_nothing(self, viewer, nuclei, measured, qtbot):
        canvas = canvas_of(viewer)
        middle = canvas.rect().center()
        before = nuclei.selected_label
        row = nuclei.features.iloc[6]
        camera = camera_of(viewer)
        camera.center, camera.zoom = (row["centroid_y_um"], row["centroid_x_um"]), 8
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
        qtbot.mouseMove(canvas, middle + QPoint(40, 0))
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(40, 0))
        assert nuclei.selected_label == before

    def test_the_picker_of_napari_selects_the_row_too(self, nuclei, measured):
        nuclei.selected_label = 9
        assert selected_labels(measured) == [9]
        nuclei.selected_label = 500
        assert selected_labels(measured) == []

    def test_the_selected_nucleus_is_marked_in_the_plots_and_bars_select_rows(self, nuclei, measured, qtbot):
        measured.view.tabs.setCurrentIndex(PLOTS)
        nuclei.selected_label = 3
        plots = measured.view.plots
        assert plots.sizes.mark.value() == nuclei.features["area_um2"][2]
        plots.clicked.emit(np.array([0, 5]))
        assert sorted(selected_labels(measured)) == [1, 6]

    def test_the_plots_follow_the_theme(self, viewer, nuclei, measured, qtbot):
        measured.view.tabs.setCurrentIndex(PLOTS)
        dark = measured.view.plots.sizes.plot.backgroundBrush().color().name()
        viewer.theme = "light"
        qtbot.waitUntil(lambda: measured.view.plots.sizes.plot.backgroundBrush().color().name() != dark, timeout=WAIT_MS)

    def test_it_fits_into_300_pixels(self, viewer, nuclei, measured, qtbot):
        viewer.layers["DAPI"].name = "2024-03-11_experiment-07_plate03_wellB02_site4_DAPI_" + "x" * 100
        measured.inputs.refresh()
        for tab in range(3):
            measured.view.tabs.setCurrentIndex(tab)
            assert measured.minimumSizeHint().width() <= 300


def canvas_of(viewer):
    window = viewer.window.main_menu.parentWidget()
    return next(one for one in window.findChildren(QWidget) if type(one).__name__ == "CanvasBackendDesktop")


class TestFollowing:
    def test_the_table_follows_the_features(self, nuclei, measured, qtbot):
        nuclei.features = nuclei.features.iloc[:5]
        qtbot.waitUntil(lambda: measured.view.table.nuclei.rowCount() == 5, timeout=WAIT_MS)
        assert measured.status.result.text() == "5 nuclei"

    def test_nuclei_corrected_since_are_told(self, nuclei, measured, qtbot):
        table = nuclei.features.copy()
        table.loc[:1, [name for name in table if name.startswith(("mean_", "median_", "min_", "max_", "sum_", "std_"))]] = np.nan
        nuclei.features = table
        qtbot.waitUntil(lambda: measured.status.message.isVisibleTo(measured), timeout=WAIT_MS)
        assert measured.status.message.text.text().startswith("2 nuclei were changed since")

    def test_intensities_that_a_new_run_drops_are_missed(self, nuclei, measured, press, qtbot):
        known = nuclei.features
        nuclei.features = without_measured(known)
        qtbot.waitUntil(lambda: measured.status.message.text.text() == OUTDATED, timeout=WAIT_MS)
        for row in range(2):
            measured.inputs.channels.item(row).setCheckState(Qt.CheckState.Unchecked)
        press(measured)  # without a channel: nothing is missed then
        assert measured.status.message.isHidden()

    def test_another_layer_has_its_own_table(self, viewer, nuclei, measured, qtbot):
        other = viewer.add_labels(discs(seed=2)[1], name="other")
        qtbot.waitUntil(lambda: measured.inputs.nuclei_box.count() == 2, timeout=WAIT_MS)
        assert measured.inputs.layer == nuclei
        measured.inputs.nuclei_box.setCurrentText("other")
        assert measured.view.table.nuclei.rowCount() == 0
        assert measured.empty.isVisibleTo(measured)
        measured.inputs.nuclei_box.setCurrentText("nuclei")
        assert measured.view.table.nuclei.rowCount() == 12
        viewer.layers.remove(nuclei)
        qtbot.waitUntil(lambda: measured.inputs.layer == other, timeout=WAIT_MS)
        assert measured.status.result.isHidden()

    def test_colours_follow_the_column_and_come_back(self, nuclei, measured, qtbot):
        own = nuclei.colormap.colors
        colours = measured.view.colours
        colours.box.setCurrentIndex(colours.box.findData("area"))
        smallest, largest = nuclei.features["area"].idxmin() + 1, nuclei.features["area"].idxmax() + 1
        first = nuclei.get_color(smallest)
        assert not np.allclose(first, nuclei.get_color(largest))
        nuclei.features = nuclei.features.assign(area=-nuclei.features["area"])
        qtbot.waitUntil(lambda: np.allclose(nuclei.get_color(largest), first), timeout=WAIT_MS)
        colours.back.click()
        assert np.array_equal(nuclei.colormap.colors, own)
        assert colours.legend.isHidden()

    def test_colours_are_given_back_when_their_column_goes_or_by_another_widget(self, viewer, nuclei, measured, qtbot):
        own = nuclei.colormap.colors
        colours = measured.view.colours
        colours.box.setCurrentIndex(colours.box.findData("mean_GFP"))
        other = MeasureWidget(viewer)
        viewer.window.add_dock_widget(other, name="again")
        assert other.view.colours.name == "mean_GFP"
        nuclei.features = nuclei.features.drop(columns="mean_GFP")
        qtbot.waitUntil(lambda: np.array_equal(nuclei.colormap.colors, own), timeout=WAIT_MS)

    @pytest.mark.parametrize("what", ["dock", "viewer"])
    def test_closing_leaves_nothing_behind(self, viewer, nuclei, qtbot, what):
        callbacks = len(viewer.mouse_drag_callbacks)
        widget = MeasureWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Measure nuclei")
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.run_button.click()
        widget.view.tabs.setCurrentIndex(PLOTS)
        alive = weakref.ref(widget)
        if what == "dock":
            viewer.window.remove_dock_widget(widget)
            assert len(viewer.mouse_drag_callbacks) == callbacks
        else:
            viewer.close()
        del widget
        qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=WAIT_MS)
        if what == "dock":  # the viewer lives on without it
            nuclei.selected_label = 3
            nuclei.features = nuclei.features.iloc[:3]
            viewer.theme = "light"

    def test_it_can_be_opened_as_the_manifest_says(self, viewer):
        _, widget = viewer.window.add_plugin_dock_widget("napari-unet-seg", "Measure nuclei")
        assert isinstance(widget, MeasureWidget)


class TestSaving:
    @pytest.fixture
    def chosen(self, monkeypatch, tmp_path):
        """Stand for the dialogs: the folder is chosen, and questions are answered."""
        answers = {"file": "", "replace": QMessageBox.StandardButton.Yes, "questions": []}
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (answers["file"], ""))
        monkeypatch.setattr(QMessageBox, "question", lambda *a: answers["questions"].append(a[2]) or answers["replace"])
        return answers

    def save(self, widget, qtbot):
        widget.view.tabs.setCurrentIndex(SAVE)
        with qtbot.waitSignal(widget.job.finished, timeout=WAIT_MS):
            widget.export.button.click()

    def test_every_format_is_written_to_the_folder(self, nuclei, measured, chosen, qtbot, tmp_path):
        labels = discs()[1]
        maps = KeptMaps(MapCache())
        maps.describe("YX", labels.shape)
        maps.put((), whole_plane(np.stack([labels == 0, labels > 0, labels < 0, labels < 0])))
        nuclei.metadata[MAPS_KEY] = maps
        measured.export.offer(nuclei, True)
        for box in measured.export.boxes.values():
            box.setChecked(True)
        self.save(measured, qtbot)
        names = [
            "nuclei.classes.tif",
            "nuclei.labels.csv",
            "nuclei.labels.geojson",
            "nuclei.labels.tif",
            "nuclei.labels.zarr",
            "nuclei.rois.zip",
        ]
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("nuclei")) == names
        saved = open_image(tmp_path / "nuclei.labels.tif")
        assert np.array_equal(saved.data, labels)
        assert saved.scale == {"Y": 0.5, "X": 0.5}
        assert "mean_GFP" in pd.read_csv(tmp_path / "nuclei.labels.csv")
        assert len(json.loads((tmp_path / "nuclei.labels.geojson").read_text())["features"]) == 12
        assert np.array_equal(tifffile.imread(tmp_path / "nuclei.classes.tif"), labels > 0)
        told = measured.status.message.text.text()
        assert told.startswith("Saved nuclei.labels.tif, ")
        assert str(tmp_path) in told
        assert chosen["questions"] == []

    def test_what_is_there_is_replaced_only_when_agreed(self, nuclei, measured, chosen, qtbot, tmp_path):
        self.save(measured, qtbot)
        (tmp_path / "nuclei.labels.csv").write_text("mine")
        chosen["replace"] = QMessageBox.StandardButton.No
        measured.export.button.click()
        assert not measured.job.running
        assert "nuclei.labels.tif, nuclei.labels.csv" in chosen["questions"][0]
        assert (tmp_path / "nuclei.labels.csv").read_text() == "mine"
        chosen["replace"] = QMessageBox.StandardButton.Yes
        self.save(measured, qtbot)
        assert (tmp_path / "nuclei.labels.csv").read_text() != "mine"

    def test_a_single_format_goes_to_a_file(self, nuclei, measured, chosen, qtbot, tmp_path):
        measured.export.boxes["tiff"].setChecked(False)
        chosen["file"] = str(tmp_path / "my table")
        self.save(measured, qtbot)
        assert (tmp_path / "my table.labels.csv").exists()
        chosen["file"] = ""
        measured.export.button.click()
        assert not measured.job.running

    def test_a_folder_that_cannot_be_written_is_told(self, nuclei, measured, qtbot, tmp_path, monkeypatch):
        monkeypatch.setattr(dock, "show_error", lambda text: None)
        with qtbot.waitSignal(measured.job.finished, timeout=WAIT_MS):
            measured.save({"csv": tmp_path / "none" / "x.labels.csv"})
        assert "folder does not exist" in measured.status.message.text.text()
        assert measured.run_button.isEnabled()

    def test_classes_need_maps_and_nothing_ticked_saves_nothing(self, nuclei, measured):
        assert not measured.export.boxes["classes"].isEnabled()
        for box in measured.export.boxes.values():
            box.setChecked(False)
        assert not measured.export.button.isEnabled()

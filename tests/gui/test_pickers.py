from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_unet_seg.errors import ModelError
from napari_unet_seg.gui.engine_picker import LOOKING, ON_THE_CPU, EnginePicker
from napari_unet_seg.gui.image_picker import EACH_PLANE, EVERY, NO_IMAGE, UNNAMED, ImagePicker
from napari_unet_seg.settings import SegmentSettings
from tests.gui.conftest import SURROUNDINGS, WAIT_MS


@pytest.fixture
def owner(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    return owner


class TestImagePicker:
    @pytest.fixture
    def viewer(self):
        return ViewerModel()

    @pytest.fixture
    def picker(self, viewer, owner):
        return ImagePicker(viewer, owner)

    def names(self, picker):
        return [picker.image_box.itemText(i) for i in range(picker.image_box.count())]

    def channels(self, picker):
        return [picker.channel_box.itemText(i) for i in range(picker.channel_box.count())]

    def add(self, viewer, name, shape=(8, 9), labels=None, **options):
        return viewer.add_image(np.zeros(shape), name=name, axis_labels=labels, **options)

    def test_without_an_image_it_says_what_to_do(self, picker):
        assert picker.layer is None
        assert not picker.image_box.isEnabled()
        assert picker.about.text() == NO_IMAGE
        assert picker.channel is None

    def test_image_layers_are_offered_and_nothing_else(self, viewer, picker):
        self.add(viewer, "a")
        viewer.add_labels(np.zeros((8, 9), int))
        viewer.add_points()
        b = self.add(viewer, "b")
        assert self.names(picker) == ["b", "a"]
        viewer.layers.move(viewer.layers.index(b), 0)
        assert self.names(picker) == ["a", "b"]

    def test_layers_that_were_there_before_are_offered_the_active_one_first(self, viewer, owner):
        self.add(viewer, "a")
        chosen = self.add(viewer, "b")
        self.add(viewer, "c")
        viewer.layers.selection.active = chosen
        assert ImagePicker(viewer, owner).layer is chosen

    def test_the_choice_is_remembered(self, viewer, picker):
        first = self.add(viewer, "a")
        self.add(viewer, "b")
        picker.image_box.setCurrentIndex(1)
        assert picker.layer is first
        viewer.add_labels(np.zeros((8, 9), int))
        first.name = "renamed"
        assert self.names(picker) == ["b", "renamed"]
        viewer.layers.move(0, 2)
        assert picker.layer is first
        assert "renamed" in picker.image_box.toolTip()

    def test_an_image_that_is_opened_is_the_one_to_segment(self, viewer, picker, qtbot):
        """Otherwise Segment would do the old image again without a word."""
        self.add(viewer, "a")
        with qtbot.waitSignal(picker.changed):
            second = self.add(viewer, "b", (7, 8))
        assert picker.layer is second
        assert picker.about.text().startswith("8 × 7 px")

    def test_of_the_channels_of_a_file_the_nuclear_one_stays(self, viewer, picker):
        self.add(viewer, "GFP (plate)")
        nuclei = self.add(viewer, "DAPI (plate)")
        self.add(viewer, "Actin (plate)")
        assert picker.layer is nuclei

    def test_when_the_chosen_layer_is_deleted_another_takes_its_place(self, viewer, picker, qtbot):
        first, second = self.add(viewer, "a"), self.add(viewer, "b", (7, 8))
        picker.image_box.setCurrentIndex(1)
        with qtbot.waitSignal(picker.changed):
            viewer.layers.remove(first)
        assert picker.layer is second
        assert picker.about.text().startswith("8 × 7 px")
        with qtbot.waitSignal(picker.changed):
            viewer.layers.clear()
        assert picker.layer is None
        assert picker.about.text() == NO_IMAGE

    def test_two_layers_of_one_name_are_told_apart(self, viewer, picker):
        layers = [self.add(viewer, "same"), self.add(viewer, "same")]
        picker.image_box.setCurrentIndex(0)
        assert picker.layer is layers[1]

    def test_a_plain_image_has_no_channel(self, viewer, picker):
        self.add(viewer, "a")
        assert picker.channel_box.isHidden()
        assert picker.channel_label.isHidden()
        assert picker.channel is None

    def test_a_named_channel_axis_starts_where_the_slider_stands(self, viewer, owner):
        self.add(viewer, "a", (4, 3, 8, 9), ("z", "c", "y", "x"))
        viewer.dims.current_step = (0, 2, 0, 0)
        picker = ImagePicker(viewer, owner)
        assert not picker.channel_box.isHidden()
        assert self.channels(picker) == ["1 of 3", "2 of 3", "3 of 3", EVERY.format(3)]
        assert (picker.channel.axis, picker.channel.index) == (1, 2)

    def test_an_axis_without_a_name_is_a_stack_unless_one_says_otherwise(self, viewer, picker, qtbot):
        self.add(viewer, "a", (2, 8, 9))
        assert self.channels(picker) == [EACH_PLANE, "1 of 2", "2 of 2", EVERY.format(2)]
        assert picker.channel is None
        assert picker.channel_hint.text() == UNNAMED.format(2)
        assert not picker.channel_hint.isHidden()
        with qtbot.waitSignal(picker.changed):
            picker.channel_box.setCurrentIndex(2)
        assert (picker.channel.axis, picker.channel.index) == (0, 1)
        assert picker.channel_hint.isHidden()

    @pytest.mark.parametrize(
        ("shape", "labels"), [((8, 9), None), ((3, 8, 9), ("c", "y", "x")), ((20, 8, 9), None), ((3, 8, 9), ("z", "y", "x"))]
    )
    def test_what_is_clear_is_not_asked(self, viewer, picker, shape, labels):
        self.add(viewer, "a", shape, labels)
        assert picker.channel_hint.isHidden()

    def test_another_size_of_pixels_is_told(self, viewer, picker, qtbot):
        layer = self.add(viewer, "a")
        with qtbot.waitSignal(picker.changed):
            layer.scale = (0.5, 0.5)

    def test_the_chosen_channel_survives_other_layers(self, viewer, picker):
        self.add(viewer, "a", (2, 8, 9))
        picker.channel_box.setCurrentIndex(2)
        viewer.add_points()
        assert picker.channel.index == 1
        self.add(viewer, "b")
        assert picker.channel is None

    def test_changes_of_the_chosen_layer_are_followed(self, viewer, picker):
        layer = self.add(viewer, "a")
        layer.scale, layer.units = (0.5, 0.5), ("um", "um")
        assert picker.about.text() == "9 × 8 px"
        layer.data = np.zeros((3, 8, 9))
        assert self.channels(picker) == [EACH_PLANE, "1 of 3", "2 of 3", "3 of 3", EVERY.format(3)]
        picker.channel_box.setCurrentIndex(2)
        layer.scale = (1, 2, 2)
        assert picker.channel.index == 1
        layer.axis_labels = ("c", "y", "x")
        assert self.channels(picker) == ["1 of 3", "2 of 3", "3 of 3", EVERY.format(3)]
        layer.axis_labels = ("z", "y", "x")
        assert picker.channel is None
        other = self.add(viewer, "b", (7, 8))
        picker.image_box.setCurrentIndex(0)
        layer.data = np.zeros((5, 5))
        assert picker.layer is other
        assert picker.about.text().startswith("8 × 7 px")

    def test_markup_in_a_name_is_shown_as_it_is(self, viewer, picker):
        self.add(viewer, "<b>a</b>")
        assert "&lt;b&gt;a" in picker.image_box.toolTip()

    def test_a_viewer_that_lives_longer_does_no_harm(self, viewer, qtbot):
        window = QWidget()
        picker = ImagePicker(viewer, window)
        layer = self.add(viewer, "a")
        with qtbot.waitSignal(window.destroyed, timeout=WAIT_MS):
            window.deleteLater()
        self.add(viewer, "b")
        layer.data = np.zeros((3, 3))
        layer.scale = (2, 2)
        viewer.layers.clear()
        assert not picker._alive


class TestEnginePicker:
    @pytest.fixture
    def picker(self, owner, surroundings):
        return EnginePicker(owner)

    @pytest.fixture
    def look(self, qtbot):
        def finish(picker):
            picker.refresh()
            qtbot.waitUntil(lambda: not picker.looking, timeout=WAIT_MS)

        return finish

    def test_it_can_be_used_before_anything_is_known(self, picker):
        assert (picker.model, picker.device) == ("nuclei", "auto")
        assert picker.reason.text() == LOOKING
        assert not picker.looking

    def test_it_offers_what_there_is_and_says_why(self, picker, look):
        look(picker)
        assert [picker.model_box.itemText(i) for i in range(picker.model_box.count())] == ["nuclei", "mine"]
        assert picker.reason.text() == ON_THE_CPU
        assert "No GPU is used: there is none." in picker.reason.toolTip()
        assert "nuclei-v1." in picker.model_box.toolTip()
        enabled = [picker.device_box.model().item(i).isEnabled() for i in range(4)]
        assert enabled == [True, False, False, True]
        assert "There is no CUDA." in picker.device_box.itemData(1, Qt.ItemDataRole.ToolTipRole)

    def test_the_reason_is_that_of_the_chosen_device(self, picker, look, qtbot):
        look(picker)
        with qtbot.waitSignal(picker.changed):
            picker.device_box.setCurrentIndex(picker.device_box.findData("cpu"))
        assert picker.device == "cpu"
        assert picker.reason.text() == "Computes on the CPU."

    def test_another_model_brings_its_own_settings(self, picker, look, surroundings, qtbot):
        look(picker)
        mine = SegmentSettings(probability=0.42)
        surroundings[:] = [dataclasses.replace(SURROUNDINGS, model="mine", defaults=mine)]
        with qtbot.waitSignal(picker.learned, timeout=WAIT_MS) as told:
            picker.model_box.setCurrentText("mine")
        assert told.args == [mine]
        assert picker.model == "mine"

    def test_a_model_chosen_while_it_looks_is_looked_into_next(self, picker, surroundings, qtbot):
        mine = dataclasses.replace(SURROUNDINGS, model="mine", defaults=SegmentSettings(probability=0.42))
        surroundings[:] = [SURROUNDINGS, mine]
        picker.model_box.addItem("mine")
        learned = []
        picker.learned.connect(learned.append)
        picker.refresh()
        picker.model_box.setCurrentText("mine")
        qtbot.waitUntil(lambda: learned == [mine.defaults], timeout=WAIT_MS)
        qtbot.waitUntil(lambda: not picker.looking)

    def test_a_model_that_was_deleted_gives_way(self, picker, look, surroundings):
        look(picker)
        surroundings[:] = [dataclasses.replace(SURROUNDINGS, models=("mine",), model="mine")]
        look(picker)
        assert picker.model == "mine"

    def test_no_model_is_told(self, picker, surroundings, qtbot):
        surroundings[:] = [dataclasses.replace(SURROUNDINGS, models=())]
        with qtbot.waitSignal(picker.failed, timeout=WAIT_MS) as told:
            picker.refresh()
        assert isinstance(told.args[0], ModelError)
        assert picker.model == ""
        qtbot.waitUntil(lambda: not picker.looking)

    def test_a_failure_is_told_once_and_leaves_the_rows_usable(self, picker, surroundings, qtbot):
        surroundings[:] = [OSError("torch is broken")]
        failures = []
        picker.failed.connect(failures.append)
        picker.refresh()
        qtbot.waitUntil(lambda: not picker.looking, timeout=WAIT_MS)
        assert [type(error) for error in failures] == [OSError]
        assert picker.reason.text() != LOOKING
        assert (picker.model, picker.device) == ("nuclei", "auto")

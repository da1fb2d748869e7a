"""Images are opened from the menu with their channels and scale, beside the window; a file that cannot be read is told of in a sentence."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import napari.settings
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from napari.utils.progress import progress
from PIL import Image
from qtpy.QtWidgets import QFileDialog, QMainWindow

from napari_unet_seg.errors import ReadError
from napari_unet_seg.gui import open_image as module
from napari_unet_seg.gui.open_image import FILTER, Opening, open_files, open_folder, open_image_layers, open_zarr
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.tiff_writer import write_tiff
from napari_unet_seg.io.zarr_writer import write_zarr
from tests.io.annotated import kaggle

WAIT_MS = 60_000
CHANNELS = ("DAPI", "GFP", "Membrane")
PIXELS = np.random.default_rng(0).integers(0, 4096, (3, 40, 50), np.uint16)


@pytest.fixture
def settings(monkeypatch):
    """napari's settings as they are after it is installed; nothing is written to those of whoever runs the tests."""
    monkeypatch.setattr(napari.settings, "_SETTINGS", None)
    return napari.settings.get_settings(path=None).application


@pytest.fixture
def viewer(settings, make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def notices():
    """What napari tells."""
    told = []

    def note(notification):
        told.append((str(notification.severity), notification.message))

    notification_manager.notification_ready.connect(note)
    yield told
    notification_manager.notification_ready.disconnect(note)


@pytest.fixture
def three(tmp_path):
    """An OME-TIFF of three channels, 0.25 x 0.5 µm a pixel."""
    path = tmp_path / "three.ome.tif"
    metadata = {
        "axes": "CYX",
        "Channel": {"Name": list(CHANNELS), "Color": [0x0000FFFF, 0x00FF00FF, -16776961]},  # RGBA, signed
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeX": 500,
        "PhysicalSizeXUnit": "nm",
    }
    tifffile.imwrite(path, PIXELS, metadata=metadata, photometric="minisblack")
    return path


@pytest.fixture
def damaged(three):
    """The first half of it: what is left of a copy that was broken off."""
    path = three.with_name("damaged.ome.tif")
    path.write_bytes(three.read_bytes()[: three.stat().st_size // 2])
    return path


class Dialog:
    """Stands for the dialog: it chooses what a test says, and notes how it was asked."""

    def __init__(self):
        self.chosen = []
        self.asked = []

    def note(self, parent, start):
        assert isinstance(parent, QMainWindow)  # and is not kept, or the viewer would leak
        self.asked.append(start)

    def files(self, parent, caption, start, *options):
        self.note(parent, start)
        return [str(path) for path in self.chosen], ""

    def folder(self, parent, caption, start, options):
        assert QFileDialog.Option.ShowDirsOnly in options
        self.note(parent, start)
        return str(self.chosen[0]) if self.chosen else ""


@pytest.fixture
def dialog(monkeypatch):
    dialog = Dialog()
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", dialog.files)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", dialog.folder)
    return dialog


@pytest.fixture
def ended(qtbot, monkeypatch):
    """Wait until everything that was begun is open."""
    openings, done = [], []

    class Watched(Opening):
        def start(self):
            openings.append(self)
            self.finished.connect(lambda: done.append(self))
            super().start()

    monkeypatch.setattr(module, "Opening", Watched)

    def wait():
        assert openings
        qtbot.waitUntil(lambda: len(done) == len(openings), timeout=WAIT_MS)

    return wait


def names(viewer):
    return [layer.name for layer in viewer.layers]


def assert_is_three(layers):
    assert [layer.name for layer in layers] == [f"{name} (three)" for name in CHANNELS]
    assert [layer.colormap.name for layer in layers] == ["blue", "green", "red"]
    assert [layer.blending for layer in layers] == ["translucent_no_depth", "additive", "additive"]
    for layer, pixels in zip(layers, PIXELS, strict=True):
        assert layer.scale.tolist() == [0.25, 0.5]
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
        assert layer.axis_labels == ("y", "x")
        np.testing.assert_array_equal(layer.data, pixels)


class TestFromPython:
    def test_the_layers_are_in_the_viewer_and_returned(self, three):
        viewer = ViewerModel()
        layers = open_image_layers(viewer, str(three))
        assert_is_three(layers)
        assert list(viewer.layers) == layers

    def test_what_is_large_is_read_when_it_is_looked_at(self, three, monkeypatch):
        monkeypatch.setattr(image_module, "LAZY_BYTES", 0)
        (first, *_) = open_image_layers(ViewerModel(), three)
        assert type(first.data).__module__.startswith("dask")
        np.testing.assert_array_equal(np.asarray(first.data), PIXELS[0])

    def test_labels_come_as_labels(self, tmp_path):
        write_tiff(tmp_path / "a.labels.tif", np.eye(9, dtype=np.int32), LabelsInfo(scale={"Y": 2.0, "X": 2.0}))
        (layer,) = open_image_layers(ViewerModel(), tmp_path / "a.labels.tif")
        assert isinstance(layer, Labels)
        assert layer.scale.tolist() == [2.0, 2.0]

    def test_what_cannot_be_read_is_raised_and_adds_nothing(self, damaged):
        viewer = ViewerModel()
        with pytest.raises(ReadError, match=r"damaged\.ome\.tif"):
            open_image_layers(viewer, damaged)
        assert not viewer.layers

    def test_all_channels_are_added_or_none(self, monkeypatch):
        good, bad = (np.zeros((4, 4)), {}, "image"), (np.zeros((4, 4)), {"scale": (1, 2, 3)}, "image")
        monkeypatch.setattr(module, "read_layers", lambda path: [good, bad])
        viewer = ViewerModel()
        with pytest.raises(ValueError, match="broadcast"):
            open_image_layers(viewer, "a.tif")
        assert not viewer.layers


class TestFiles:
    def test_the_channels_are_layers(self, viewer, dialog, ended, three, notices):
        dialog.chosen = [three]
        open_files(viewer)
        ended()
        assert_is_three(list(viewer.layers))
        assert notices == []

    def test_several_files_come_in_the_order_of_choice(self, viewer, dialog, ended, three, tmp_path):
        others = [tmp_path / "b.tif", tmp_path / "a.png"]
        tifffile.imwrite(others[0], PIXELS[0])
        Image.fromarray(PIXELS[0].astype(np.uint8)).save(others[1])
        dialog.chosen = [others[0], three, others[1]]
        open_files(viewer)
        ended()
        assert names(viewer) == ["b", *(f"{name} (three)" for name in CHANNELS), "a"]

    def test_a_damaged_file_is_told_of_and_the_next_is_opened(self, viewer, dialog, ended, three, damaged, notices):
        dialog.chosen = [damaged, three.with_name("gone.tif"), three]
        open_files(viewer)
        ended()
        assert_is_three(list(viewer.layers))
        assert [severity for severity, _ in notices] == ["error"] * 2
        assert "damaged.ome.tif" in notices[0][1]
        assert "gone.tif does not exist" in notices[1][1]

    def test_damage_that_is_met_when_layers_are_made_is_told_of_too(self, viewer, dialog, ended, three, notices, monkeypatch):
        def fail(image):
            raise ReadError("three.ome.tif is damaged in its last block.")

        monkeypatch.setattr(module, "layers_of", fail)
        dialog.chosen = [three]
        open_files(viewer)
        ended()
        assert notices == [("error", "three.ome.tif is damaged in its last block.")]

    def test_what_nobody_foresaw_is_shown_with_its_traceback(self, viewer, dialog, ended, three, notices, monkeypatch):
        raised = [KeyError("odd"), MemoryError()]

        def fail(path):
            raise raised.pop(0)

        monkeypatch.setattr(module, "open_image", fail)
        dialog.chosen = [three, three]
        open_files(viewer)
        ended()
        assert notices[0] == ("error", "'odd'")
        assert notices[1][1].startswith("Memory ran out")

    def test_a_notice_of_the_reader_is_shown(self, viewer, dialog, ended, three, notices, monkeypatch):
        real = image_module.open_image
        monkeypatch.setattr(module, "open_image", lambda path: dataclasses.replace(real(path), notice="Two more are in it."))
        dialog.chosen = [three]
        open_files(viewer)
        ended()
        assert notices == [("info", "Two more are in it.")]
        assert len(viewer.layers) == 3

    def test_nothing_is_begun_when_nothing_is_chosen(self, viewer, dialog, settings, monkeypatch):
        monkeypatch.delattr(module, "Opening")
        before = list(settings.open_history)
        open_files(viewer)
        open_zarr(viewer)
        assert len(dialog.asked) == 2
        assert list(settings.open_history) == before

    def test_the_dialog_begins_where_napari_was_last(self, viewer, dialog, ended, three, tmp_path, settings):
        dialog.chosen = [three]
        open_files(viewer)
        ended()
        settings.open_history = [str(tmp_path / "gone"), str(tmp_path), *settings.open_history]
        open_files(viewer)
        ended()
        open_zarr(viewer)
        assert dialog.asked == [str(Path.home()), str(tmp_path), str(tmp_path)]

    def test_the_dialog_shows_images_and_lets_anything_be_chosen(self):
        images, everything = FILTER.split(";;")
        shown = set(images.removeprefix("Images (").removesuffix(")").split())
        assert shown >= {"*.tif", "*.tiff", "*.svs", "*.png", "*.jpeg"}
        assert ".zarr" not in FILTER
        assert everything == "All files (*)"


class TestZarr:
    @pytest.mark.parametrize("end", ["", "/"])
    def test_the_folder_is_opened(self, viewer, dialog, ended, tmp_path, settings, end):
        write_zarr(tmp_path / "cells.zarr", np.eye(32, dtype=np.int32), LabelsInfo(scale={"Y": 0.5, "X": 0.5}))
        dialog.chosen = [f"{tmp_path / 'cells.zarr'}{end}"]
        open_zarr(viewer)
        ended()
        (layer,) = viewer.layers
        assert isinstance(layer, Labels)
        assert layer.scale.tolist() == [0.5, 0.5]
        assert settings.open_history[0] == str(tmp_path)

    def test_any_other_folder_is_told_of(self, viewer, dialog, ended, tmp_path, notices):
        dialog.chosen = [tmp_path]
        open_zarr(viewer)
        ended()
        assert not viewer.layers
        assert len(notices) == 1
        assert "no OME-Zarr" in notices[0][1]


class TestBesideTheWindow:
    @pytest.fixture
    def slow(self, monkeypatch):
        """A file that takes until the test lets it go on."""
        slow = threading.Event()
        real = image_module.open_image
        slow.threads = []

        def read(path):
            slow.threads.append(threading.current_thread())
            assert slow.wait(60)
            return real(path)

        monkeypatch.setattr(module, "open_image", read)
        yield slow
        slow.set()

    def test_the_window_lives_while_a_file_is_read(self, viewer, dialog, ended, three, slow, qtbot):
        dialog.chosen = [three]
        open_files(viewer)
        qtbot.waitUntil(lambda: bool(slow.threads), timeout=WAIT_MS)
        assert slow.threads != [threading.main_thread()]
        assert not viewer.layers
        assert [bar.desc for bar in progress._all_instances] == ["Opening three.ome.tif"]
        slow.set()
        ended()
        assert len(viewer.layers) == 3
        assert not progress._all_instances

    def test_the_bar_counts_files(self, viewer, dialog, ended, three, slow, qtbot):
        dialog.chosen = [three, three]
        open_files(viewer)
        (bar,) = progress._all_instances
        assert (bar.n, bar.total, bar.desc) == (0, 2, "Opening 2 images")
        slow.set()
        ended()
        assert bar.n == 1
        assert len(viewer.layers) == 6

    def test_closing_the_window_ends_it(self, viewer, dialog, three, slow, qtbot):
        dialog.chosen = [three, three]
        open_files(viewer)
        qtbot.waitUntil(lambda: bool(slow.threads), timeout=WAIT_MS)
        viewer.close()
        slow.set()
        slow.threads[0].join(60)
        qtbot.waitUntil(lambda: not progress._all_instances, timeout=WAIT_MS)
        assert len(slow.threads) == 1
        assert not viewer.layers


class TestTheMenu:
    """What a person clicks, from the installed manifest on."""

    @pytest.fixture
    def menu(self, viewer):
        """The menu File > IO Utilities, each entry by its text."""
        (submenu,) = (action.menu() for action in viewer.window.file_menu.actions() if action.text() == "IO Utilities")
        return {action.text(): action for action in submenu.actions()}

    def test_both_commands_are_there(self, menu):
        assert {
            "Open image with channels and scale... (U-Net Segmentation)",
            "Open OME-Zarr with channels and scale... (U-Net Segmentation)",
        } <= set(menu)

    def test_files_are_opened_in_the_viewer_of_the_window(self, viewer, menu, dialog, ended, three):
        dialog.chosen = [three]
        menu["Open image with channels and scale... (U-Net Segmentation)"].trigger()
        ended()
        assert_is_three(list(viewer.layers))

    def test_a_zarr_is_opened_in_the_viewer_of_the_window(self, viewer, menu, dialog, ended, tmp_path):
        write_zarr(tmp_path / "cells.zarr", np.eye(32, dtype=np.int32), LabelsInfo())
        dialog.chosen = [tmp_path / "cells.zarr"]
        menu["Open OME-Zarr with channels and scale... (U-Net Segmentation)"].trigger()
        ended()
        assert len(viewer.layers) == 1


class TestFolder:
    def test_a_folder_of_images_with_labels_opens_as_both(self, viewer, dialog, ended, tmp_path):
        truths = kaggle(tmp_path / "set")
        dialog.chosen = [tmp_path / "set"]
        open_folder(viewer)
        ended()
        assert [layer.name for layer in viewer.layers] == ["set", "set labels"]
        assert np.array_equal(viewer.layers[1].data, truths)
        assert viewer.layers[1].visible

    def test_any_other_folder_is_told_of(self, viewer, dialog, ended, tmp_path, notices):
        dialog.chosen = [tmp_path]
        open_folder(viewer)
        ended()
        assert "holds no images/ with masks/" in notices[0][1]

    def test_python_opens_it_too(self, tmp_path):
        kaggle(tmp_path / "set", count=1)
        viewer = ViewerModel()
        assert [type(layer).__name__ for layer in open_image_layers(viewer, tmp_path / "set")] == ["Image", "Labels"]

"""The run on the clipboard, from the widget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_unet_seg.gui.copy_run import COPIED
from napari_unet_seg.gui.open_image import open_image_layers
from napari_unet_seg.io.region_reader import read_region


def actions(widget):
    return {action.text(): action for action in widget.copy_run.menu.actions()}


def copied(widget, what):
    actions(widget)[what].trigger()
    return QApplication.clipboard().text()


@pytest.fixture
def file(viewer, tmp_path):
    pixels = np.zeros((2, 64, 64), np.uint16)
    tifffile.imwrite(tmp_path / "x.ome.tif", pixels, metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    open_image_layers(viewer, tmp_path / "x.ome.tif")
    return tmp_path / "x.ome.tif"


def test_a_click_opens_the_menu(widget, file, qtbot):
    qtbot.mouseClick(widget.copy_run.button, Qt.MouseButton.LeftButton)
    assert list(actions(widget)) == ["Copy as command", "Copy as Python"]
    widget.copy_run.menu.close()


def test_the_channel_of_the_layer_is_that_of_the_file(widget, file):
    widget.images.image_box.setCurrentText("DAPI (x)")
    widget.form.rows["probability"].set(0.7)
    command = copied(widget, "Copy as command")
    assert widget.copy_run.button.text() == COPIED
    assert str(file) in command
    assert command.rstrip().endswith("--model nuclei --device auto --channel 1 --probability 0.7")
    assert "axes='CYX', channel=1" in copied(widget, "Copy as Python")
    widget.images.image_box.setCurrentText("GFP (x)")
    assert "--channel 0" in copied(widget, "Copy as command")


def test_a_layer_that_napari_read(widget, viewer, tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((64, 64), np.uint16))
    viewer.open(tmp_path / "plain.tif", plugin="napari")
    assert f"open_image({str(tmp_path / 'plain.tif')!r})" in copied(widget, "Copy as Python")


def test_a_layer_without_a_file(widget, image):
    assert copied(widget, "Copy as command").startswith("# “dapi” comes from no file")


def test_channels_that_only_the_person_knows(widget, viewer):
    viewer.add_image(np.zeros((2, 64, 64)), name="two")
    widget.images.channel_box.setCurrentIndex(2)
    assert copied(widget, "Copy as command").splitlines()[1].startswith("# The file does not say")
    assert "axes='CYX', channel=1" in copied(widget, "Copy as Python")


def test_a_region_is_kept_in_a_file_for_the_command(widget, viewer, image, tmp_path, monkeypatch):
    viewer.add_shapes([[[2, 3], [2, 8], [6, 8], [6, 3]]], scale=image.scale, units=image.units, name="areas")
    widget.region.box.setCurrentIndex(2)
    assert "region=(((2.0, 3.0), (2.0, 8.0), (6.0, 8.0), (6.0, 3.0)),)," in copied(widget, "Copy as Python")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    before = QApplication.clipboard().text()
    assert copied(widget, "Copy as command") == before, "without a file there is no command"
    path = tmp_path / "r.geojson"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    assert f"--region {path}" in copied(widget, "Copy as command")
    assert read_region(path) == (((2, 3), (2, 8), (6, 8), (6, 3)),)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "none" / "r.geojson"), ""))
    copied(widget, "Copy as command")
    assert "r.geojson" in widget.status.message.text.text()


def test_a_region_from_a_file_is_that_file(widget, image, tmp_path, qtbot):
    path = tmp_path / "areas.geojson"
    path.write_text('{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9]]]}')
    widget.region.choose_file(path)
    qtbot.waitUntil(lambda: widget.region.file == path, timeout=60_000)
    assert f"--region {path}" in copied(widget, "Copy as command")


def test_without_an_image_nothing_is_copied(widget):
    before = QApplication.clipboard().text()
    assert not widget.copy_run.button.isEnabled()
    assert copied(widget, "Copy as Python") == before
    assert Path(before or ".").name is not None

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_unet_seg.gui.export import ExportPanel


@pytest.fixture
def panel(qtbot):
    panel = ExportPanel()
    qtbot.addWidget(panel)
    panel.offer(Labels(np.ones((4, 4), np.int32), name="my nuclei"), True)
    return panel


@pytest.fixture
def wanted(panel):
    told = []
    panel.wanted.connect(told.append)
    return told


def tick(panel, *keys):
    for key, box in panel.boxes.items():
        box.setChecked(key in keys)


def test_without_a_layer_or_while_something_goes_on_nothing_can_be_saved(panel):
    assert panel.button.isEnabled()
    panel.offer(Labels(np.ones((4, 4), np.int32)), False)
    assert not panel.button.isEnabled()
    panel.offer(None, True)
    assert not panel.button.isEnabled()


def test_a_ticked_format_that_is_not_there_does_not_count(panel):
    tick(panel, "classes")
    assert panel.ticked == []
    assert not panel.button.isEnabled()
    assert "Tick at least one" in panel.button.toolTip()
    assert "what the network saw" in panel.boxes["classes"].toolTip()


TYPED = [
    ("csv", "mine", "mine.labels.csv"),
    ("csv", "mine.csv", "mine.csv"),
    ("tiff", "mine.TIFF", "mine.TIFF"),
    ("tiff", "2024.03.11", "2024.03.11.labels.tif"),
    ("rois", "mine.zip", "mine.zip"),
]


@pytest.mark.parametrize("names", TYPED)
def test_a_name_gets_the_ending_of_its_format(panel, wanted, monkeypatch, tmp_path, names):
    key, typed, saved = names
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: asked.append(a[2]) or (str(tmp_path / typed), ""))
    tick(panel, key)
    panel.button.click()
    assert wanted == [{key: tmp_path / saved}]
    assert Path(asked[0]).name.startswith("my nuclei.")


def test_a_cancelled_dialog_saves_nothing(panel, wanted, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: "")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: ("", ""))
    panel.button.click()
    tick(panel, "csv")
    panel.button.click()
    assert wanted == []


def test_files_that_would_be_replaced_are_named_once(panel, wanted, monkeypatch, tmp_path):
    questions = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path))
    monkeypatch.setattr(QMessageBox, "question", lambda *a: questions.append(a[2]) or QMessageBox.StandardButton.No)
    for key, box in panel.boxes.items():
        box.setChecked(key != "classes")
    for ending in (".labels.tif", ".labels.csv", ".rois.zip", ".labels.geojson", ".labels.zarr"):
        (tmp_path / f"my nuclei{ending}").mkdir()
    panel.button.click()
    assert wanted == []
    (question,) = questions
    assert "and 1 more" in question
    assert str(tmp_path) in question


def test_formats_stand_in_two_columns_without_a_hole(panel):
    def places():
        shown = [box for box in panel.boxes.values() if not box.isHidden()]
        return {panel._grid.getItemPosition(panel._grid.indexOf(box))[:2] for box in shown}

    assert places() == {(row, column) for row in range(3) for column in range(2)}
    tracks = pd.DataFrame({"index": [1], "label": [1], "track": [1], "parent": [0], "plane_t": [0]})
    panel.offer(Labels(np.ones((4, 4), np.int32), features=tracks), True)
    assert len(places()) == 7
    assert max(places()) == (3, 0)

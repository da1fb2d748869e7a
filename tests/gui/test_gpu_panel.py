"""The window "Why no GPU?": its reason, its advice and its command."""

from __future__ import annotations

import dataclasses

import pytest
from qtpy.QtWidgets import QApplication

from napari_unet_seg.core.gpu import Diagnosis
from napari_unet_seg.gui import gpu_panel
from napari_unet_seg.gui.engine_picker import EnginePicker
from napari_unet_seg.gui.gpu_panel import LOOKING, GpuPanel, diagnosing
from napari_unet_seg.gui.surroundings import DeviceNote
from napari_unet_seg.progress import Progress, drain
from tests.gui.conftest import SURROUNDINGS, WAIT_MS

FOUND = Diagnosis("No GPU is used: a CPU-only build.", "Install this:", "python -m pip install torch --index-url https://x")


@pytest.fixture
def finds(monkeypatch):
    """What the panel is going to find."""
    found = [FOUND]

    def steps():
        yield Progress(LOOKING, 0, 0)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    monkeypatch.setattr(gpu_panel, "iter_apart", lambda function: steps())
    monkeypatch.setattr(gpu_panel, "torch_trouble", lambda: "")
    return found


@pytest.fixture
def show(owner, finds, qtbot):
    def open_panel():
        panel = GpuPanel(owner)
        assert panel.reason.text() == LOOKING
        panel.show()
        with qtbot.waitSignal(panel.job.finished, timeout=WAIT_MS):
            pass
        return panel

    return open_panel


def test_reason_advice_and_command_are_shown(show):
    panel = show()
    assert panel.reason.text() == FOUND.reason
    assert panel.advice.text() == FOUND.advice
    assert panel.command.toPlainText() == FOUND.command
    assert panel.command.isVisible()
    assert not panel.note.isVisible()


def test_the_command_is_copied(show):
    panel = show()
    QApplication.clipboard().clear()
    panel.copy_button.click()
    assert QApplication.clipboard().text() == FOUND.command
    assert panel.copy_button.text() == "Copied"


def test_without_a_command_there_is_nothing_to_copy(show, finds):
    finds[0] = Diagnosis("No GPU is used.", "Update macOS.")
    panel = show()
    assert panel.advice.isVisible()
    assert not panel.command.isVisible()
    assert not panel.copy_button.isVisible()


def test_a_torch_in_a_process_of_its_own_is_told(show, monkeypatch):
    monkeypatch.setattr(gpu_panel, "torch_trouble", lambda: "WinError 1114")
    panel = show()
    assert panel.note.isVisible()
    assert "WinError 1114" in panel.note.text()


def test_an_error_is_told(show, finds):
    finds[0] = ImportError("No module named 'torch'")
    assert "PyTorch" in show().reason.text()


def test_the_real_diagnosis_is_one():
    assert drain(diagnosing()).reason


@pytest.fixture
def picker(owner, surroundings, qtbot):
    picker = EnginePicker(owner)
    with qtbot.waitSignal(picker._job.finished, timeout=WAIT_MS):
        picker.refresh()
    return picker


@pytest.mark.usefixtures("finds")
def test_the_device_row_leads_there(picker, owner, qtbot):
    assert not picker.why_button.isHidden()
    picker.why_button.click()
    [panel] = owner.findChildren(GpuPanel)
    with qtbot.waitSignal(panel.job.finished, timeout=WAIT_MS):
        pass
    panel.close_button.click()
    qtbot.waitUntil(lambda: not owner.findChildren(GpuPanel), timeout=WAIT_MS)


def test_nothing_is_to_be_asked_where_a_gpu_computes(owner, surroundings, qtbot):
    devices = {**SURROUNDINGS.devices, "cuda": DeviceNote(True, "Computes on NVIDIA X.")}
    surroundings[0] = dataclasses.replace(SURROUNDINGS, devices=devices)
    picker = EnginePicker(owner)
    with qtbot.waitSignal(picker._job.finished, timeout=WAIT_MS):
        picker.refresh()
    assert picker.why_button.isHidden()

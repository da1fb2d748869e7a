"""What this machine has, in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_unet_seg import __version__
from napari_unet_seg.core import environment
from napari_unet_seg.core.device import Device
from napari_unet_seg.core.environment import describe_environment
from napari_unet_seg.core.gpu import Diagnosis

if TYPE_CHECKING:
    import pytest


def test_versions_are_those_installed():
    versions = describe_environment().versions
    assert versions["napari-unet-seg"] == __version__
    assert versions["numpy"] == np.__version__
    assert versions["torch"] == torch.__version__
    assert {"python", "system", "napari", "scikit-image", "tifffile", "zarr"} <= versions.keys()


def test_a_missing_package_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert describe_environment().versions["no-such-package"] == "not installed"


def test_a_cpu_has_a_reason_and_the_advice_of_the_diagnosis(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cpu", "CPU", "There is no GPU."))
    monkeypatch.setattr(environment, "diagnose", lambda: Diagnosis("Why.", "Do this:", "pip install torch"))
    found = describe_environment()
    assert found.device == f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} threads"
    assert found.reason == "There is no GPU."
    assert found.advice == ("Do this:", "    pip install torch")


def test_a_gpu_needs_no_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cuda", "NVIDIA X", "Fast."))
    found = describe_environment()
    assert (found.device, found.reason, found.advice) == ("NVIDIA X", "Fast.", ())


def test_a_torch_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "torch_trouble", lambda: "DLL load failed")
    found = describe_environment()
    assert found.device == ""
    assert "DLL load failed" in found.reason
    assert any("pip install" in line for line in found.advice)

"""What this machine has, in words."""

from __future__ import annotations

import builtins
import os
from typing import Any

import numpy as np
import pytest
import torch

from napari_unet_seg import __version__
from napari_unet_seg.core import environment
from napari_unet_seg.core.device import Device
from napari_unet_seg.core.environment import advise, describe_environment


def on(monkeypatch: pytest.MonkeyPatch, system: str, cuda: str | None = None, driver: bool = False) -> str:
    monkeypatch.setattr(environment.platform, "system", lambda: system)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(environment.shutil, "which", lambda name: name if driver else None)
    return "\n".join(advise())


def test_versions_are_those_installed():
    versions = describe_environment().versions
    assert versions["napari-unet-seg"] == __version__
    assert versions["numpy"] == np.__version__
    assert versions["torch"] == torch.__version__
    assert {"python", "system", "napari", "scikit-image", "tifffile", "zarr"} <= versions.keys()


def test_a_missing_package_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert describe_environment().versions["no-such-package"] == "not installed"


def test_a_cpu_has_a_reason_and_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cpu", "CPU", "There is no GPU."))
    found = describe_environment()
    assert found.device == f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} threads"
    assert found.reason == "There is no GPU."
    assert found.advice


def test_a_gpu_needs_no_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cuda", "NVIDIA X", "Fast."))
    found = describe_environment()
    assert (found.device, found.reason, found.advice) == ("NVIDIA X", "Fast.", ())


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_a_build_without_cuda_is_replaced_by_one_command(monkeypatch: pytest.MonkeyPatch, system: str):
    assert f"pip install --force-reinstall torch --index-url {environment.CUDA_INDEX}" in on(monkeypatch, system)
    assert on(monkeypatch, system).startswith("If this machine has")
    assert on(monkeypatch, system, driver=True).startswith("This machine has an NVIDIA driver")


def test_a_build_with_cuda_needs_a_driver(monkeypatch: pytest.MonkeyPatch):
    advice = on(monkeypatch, "Linux", cuda="13.0")
    assert "driver" in advice
    assert "pip" not in advice


def test_a_mac_needs_nothing_installed(monkeypatch: pytest.MonkeyPatch):
    assert "Apple silicon" in on(monkeypatch, "Darwin")


@pytest.mark.parametrize("error", [ImportError("No module named 'torch'"), OSError("DLL load failed"), OSError()])
def test_a_torch_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception):
    real = builtins.__import__

    def fails(name: str, *rest: Any) -> Any:
        if name.endswith("core.device"):
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fails)
    monkeypatch.setattr(environment.platform, "system", lambda: "Windows")
    found = describe_environment()
    assert found.device == ""
    assert (str(error) or "OSError") in found.reason
    assert any("vc_redist" in line for line in found.advice)

"""Why no GPU computes: each reason has its own advice, and the command suits the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_unet_seg.core import gpu
from napari_unet_seg.core.device import Device
from napari_unet_seg.core.gpu import CUDA_INDEX, OLDER_CUDA_INDEX, Gpu, diagnose, find_gpu, install_command, parse_gpu

NEW = Gpu("NVIDIA GeForce RTX 4070", 581, 12282, 8.9)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    """Put `diagnose` on some machine on which the CPU computes."""

    def put(system="Linux", machine="x86_64", cuda=None, found=None, card: bool | None = None):
        monkeypatch.setattr(gpu, "torch_trouble", lambda: "")
        monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cpu", "CPU", "There is none."))
        monkeypatch.setattr(gpu.platform, "system", lambda: system)
        monkeypatch.setattr(gpu.platform, "machine", lambda: machine)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(gpu, "find_gpu", lambda: found)
        monkeypatch.setattr(gpu, "_has_card", lambda: card)
        return diagnose()

    return put


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_a_build_for_the_cpu_is_replaced_by_one_command(on, system: str):
    found = on(system, found=NEW)
    assert NEW.name in found.advice
    assert found.command == install_command(CUDA_INDEX)
    assert found.lines == (found.advice, f"    {found.command}")
    assert "CPU-only" in found.reason


@pytest.mark.parametrize("older", [Gpu("A", 535, 8192, 8.6), Gpu("NVIDIA TITAN V", 581, 12288, 7.0)])
def test_an_older_driver_or_gpu_gets_the_older_build(on, older: Gpu):
    assert on(found=older).command.endswith(OLDER_CUDA_INDEX)


def test_a_driver_that_is_too_old_is_to_be_updated(on):
    found = on(found=Gpu("GeForce GTX 780", 470, 3072, 3.5))
    assert "version 470" in found.advice
    assert "https://www.nvidia.com/drivers" in found.advice
    assert not found.command


def test_a_newer_build_on_an_older_gpu_is_replaced(on):
    assert on(cuda="13.0", found=Gpu("NVIDIA TITAN V", 581, 12288, 7.0)).command.endswith(OLDER_CUDA_INDEX)


def test_a_build_that_suits_is_not_blamed_first(on):
    assert "close other programs" in on(cuda="13.0", found=NEW).advice


def test_a_gpu_of_too_little_memory_is_told(on):
    found = on(found=Gpu("NVIDIA GeForce GT 710", 581, 980, 3.5))
    assert "980 MB" in found.advice
    assert not found.command


@pytest.mark.parametrize(
    ("card", "words"), [(True, "has an NVIDIA GPU, but its driver is missing"), (None, "If this computer has an NVIDIA GPU")]
)
def test_without_a_driver_it_is_the_driver(on, card: bool | None, words: str):
    found = on(card=card)
    assert words in found.advice
    assert found.command.endswith(CUDA_INDEX)
    assert not on(card=card, cuda="13.0").command  # the driver alone is missing


def test_without_a_card_nothing_is_to_be_installed(on):
    found = on(card=False)
    assert found.advice == gpu.NO_CARD
    assert found.command == ""


def test_macs(on):
    assert "macOS 14" in on("Darwin", "arm64").advice
    assert "Apple silicon" in on("Darwin", "x86_64").advice


def test_a_gpu_that_computes_needs_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.device.choose_device", lambda: Device("cuda", "NVIDIA X", "Fast."))
    assert diagnose() == gpu.Diagnosis("NVIDIA X computes.")


def test_a_torch_that_does_not_start_is_repaired(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu, "torch_trouble", lambda: "[WinError 1114] ...")
    monkeypatch.setattr(gpu.platform, "system", lambda: "Windows")
    found = diagnose()
    assert "WinError 1114" in found.reason
    assert gpu.REDISTRIBUTABLE in found.advice
    assert found.command == install_command()


def test_the_command_is_for_this_environment_and_its_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", r"C:\Program Files\Python\python.exe")
    monkeypatch.setattr(gpu.platform, "system", lambda: "Windows")
    assert install_command(CUDA_INDEX) == (
        rf'"C:\Program Files\Python\python.exe" -m pip install --force-reinstall torch --index-url {CUDA_INDEX}'
    )
    monkeypatch.setattr(sys, "executable", "/home/a b/bin/python")
    monkeypatch.setattr(gpu.platform, "system", lambda: "Linux")
    assert install_command() == "'/home/a b/bin/python' -m pip install --force-reinstall torch"


class TestFindGpu:
    def answer(self, monkeypatch: pytest.MonkeyPatch, output: str | Exception):
        def run(command, **options):
            if isinstance(output, Exception):
                raise output
            return subprocess.CompletedProcess(command, 0, output)

        monkeypatch.setattr(gpu.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(gpu.subprocess, "run", run)
        return find_gpu()

    def test_the_first_of_several_is_read(self, monkeypatch):
        text = "NVIDIA H200, 570.86.15, 143771, 9.0\nNVIDIA T4, 570.86.15, 15360, 7.5\n"
        assert self.answer(monkeypatch, text) == Gpu("NVIDIA H200", 570, 143771, 9.0)

    def test_what_the_driver_does_not_know_is_0(self):
        assert parse_gpu("NVIDIA GB10, 580.95.05, [N/A], 12.1") == Gpu("NVIDIA GB10", 580, 0, 12.1)
        assert parse_gpu("\n") is None

    @pytest.mark.parametrize(
        "failure", [subprocess.CalledProcessError(9, "nvidia-smi"), subprocess.TimeoutExpired("x", 1), PermissionError()]
    )
    def test_a_driver_that_does_not_answer_counts_as_none(self, monkeypatch, failure):
        assert self.answer(monkeypatch, failure) is None
        assert self.answer(monkeypatch, "Failed to initialize NVML: Driver/library version mismatch") is None

    def test_no_program_no_driver(self, monkeypatch):
        monkeypatch.setattr(gpu.shutil, "which", lambda name: None)
        assert find_gpu() is None


def test_cards_are_seen_where_the_system_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "_PCI", tmp_path / "none")
    assert gpu._has_card() is None
    for place, vendor in (("0", "0x8086"), ("1", "0x10de")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "vendor").write_text(vendor + "\n")
        monkeypatch.setattr(gpu, "_PCI", tmp_path)
        assert gpu._has_card() is (vendor == "0x10de")

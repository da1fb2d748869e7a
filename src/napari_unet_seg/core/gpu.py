"""Why no GPU computes, and the exact command that changes it: for the panel in napari and for ``napari-unet-seg info``.

NVIDIA's drivers tell what is there through their own program, ``nvidia-smi``, which works whatever torch is installed. Which driver a
build of torch needs: CUDA 13 at least 580, CUDA 12 at least 525 (NVIDIA, "Minor Version Compatibility"); builds with CUDA 13 have no code
for GPUs older than Turing, compute capability 7.5 (pytorch issue 190385).
"""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from napari_unet_seg.core.apart import torch_trouble

CUDA_INDEX = "https://download.pytorch.org/whl/cu130"
"""Where builds of torch for NVIDIA GPUs are: for Windows, whose ordinary build is for the CPU alone."""
OLDER_CUDA_INDEX = "https://download.pytorch.org/whl/cu126"
"""The same for older drivers and GPUs."""
DRIVERS = "https://www.nvidia.com/drivers"
REDISTRIBUTABLE = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
NEWEST_DRIVER, OLDEST_DRIVER = 580, 525
TURING = 7.5
SMALLEST_MEMORY = 2000
"""MB: with less, the GPU runs out of memory at the smallest tile as soon as it also has a screen to draw."""

_INTEL_MAC = (
    "Only the GPUs of Macs with Apple silicon are used. If this is such a Mac, its Python is one for Intel: install one for Apple silicon."
)
NO_CARD = "This computer shows no NVIDIA GPU, and this torch uses no other; the CPU finds the same nuclei, only more slowly."
_Number = TypeVar("_Number", int, float)
_NVIDIA = "0x10de"
_PCI = Path("/sys/bus/pci/devices")
_WAIT = 10


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver describes it.

    Parameters
    ----------
    name : str
        Such as "NVIDIA GeForce RTX 4070".
    driver : int
        Version of the driver, its first number.
    memory : int
        In MB; 0 when it is not told.
    capability : float
        Compute capability, such as 8.9; 0 when it is not told.
    """

    name: str
    driver: int
    memory: int = 0
    capability: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """Why no GPU computes.

    Parameters
    ----------
    reason : str
        One sentence.
    advice : str
        What to do, one or two sentences; empty when there is nothing to do.
    command : str
        To run in a terminal; empty when none helps.
    """

    reason: str
    advice: str = ""
    command: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """What to do, to be shown below one another."""
        return tuple(filter(None, (self.advice, f"    {self.command}" if self.command else "")))


def diagnose() -> Diagnosis:
    """Find out why no GPU computes; loads torch.

    Returns
    -------
    Diagnosis
        With an empty advice when a GPU does compute.
    """
    trouble = torch_trouble()
    if trouble:
        return broken_torch(trouble)
    from napari_unet_seg.core.device import choose_device, no_gpu_reason

    chosen = choose_device()
    if chosen.name != "cpu":
        return Diagnosis(f"{chosen.title} computes.")
    if platform.system() == "Darwin":
        return _of_a_mac(no_gpu_reason())
    return _of_a_pc(no_gpu_reason(), find_gpu())


def broken_torch(trouble: str) -> Diagnosis:
    """Say what to do about a torch that does not start.

    Parameters
    ----------
    trouble : str
        The first line of its error.

    Returns
    -------
    Diagnosis
    """
    advice = "Install it again:"
    if platform.system() == "Windows":
        advice = f"Install the Visual C++ redistributable ({REDISTRIBUTABLE}); if that changes nothing, install torch again:"
    return Diagnosis(f"torch does not start ({trouble}).", advice, install_command())


def find_gpu() -> Gpu | None:
    """Ask NVIDIA's driver for the first GPU.

    Returns
    -------
    Gpu or None
        None when there is no driver, or it does not answer.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = "--query-gpu=name,driver_version,memory.total,compute_cap"
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    command = [program, query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT, check=True, creationflags=flags)
        return parse_gpu(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def parse_gpu(text: str) -> Gpu | None:
    """Read what ``nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap`` says of the first GPU.

    Parameters
    ----------
    text : str
        Its output, comma-separated, without units.

    Returns
    -------
    Gpu or None
        None when there is no line.

    Examples
    --------
    >>> parse_gpu("NVIDIA GeForce GTX 1080, 470.82.01, 8192, 6.1")
    Gpu(name='NVIDIA GeForce GTX 1080', driver=470, memory=8192, capability=6.1)
    """
    lines = text.strip().splitlines()
    if not lines:
        return None
    name, driver, memory, capability = (part.strip() for part in lines[0].rsplit(",", 3))
    return Gpu(name, int(driver.partition(".")[0]), _number(memory, int), _number(capability, float))


def install_command(index: str = "") -> str:
    """Return the command that installs torch anew in this very environment, quoted for this system's terminal.

    Parameters
    ----------
    index : str
        Address of the builds; that of pip when empty.

    Returns
    -------
    str
    """
    words = [sys.executable or "python", "-m", "pip", "install", "--force-reinstall", "torch"]
    words += ["--index-url", index] if index else []
    return subprocess.list2cmdline(words) if platform.system() == "Windows" else shlex.join(words)


def _of_a_mac(reason: str) -> Diagnosis:
    if platform.machine() != "x86_64":
        return Diagnosis(reason, "The GPU of a Mac with Apple silicon is used from macOS 14 on: update macOS.")
    return Diagnosis(reason, _INTEL_MAC)


def _of_a_pc(reason: str, gpu: Gpu | None) -> Diagnosis:
    import torch

    if gpu is None:
        return _without_driver(reason, gpu_build=_is_gpu_build())
    if gpu.driver < OLDEST_DRIVER:
        driver = f"The driver of the {gpu.name} is version {gpu.driver}, and torch needs {OLDEST_DRIVER} or later"
        return Diagnosis(reason, f"{driver}: update it ({DRIVERS}), start the computer again, and look here once more.")
    if 0 < gpu.memory < SMALLEST_MEMORY:
        return Diagnosis(reason, f"The {gpu.name} has {gpu.memory:,} MB of memory, which is too little; the CPU does it instead.")
    older = gpu.driver < NEWEST_DRIVER or 0 < gpu.capability < TURING
    index = OLDER_CUDA_INDEX if older else CUDA_INDEX
    if _is_gpu_build() and str(torch.version.cuda).startswith("12" if older else "13"):
        advice = f"This torch suits the {gpu.name}: close other programs that use it, or start the computer again; else install anew:"
    else:
        advice = f"This computer has a GPU, {gpu.name}. Install the build of torch that uses it, then restart napari:"
    return Diagnosis(reason, advice, install_command(index))


def _without_driver(reason: str, gpu_build: bool) -> Diagnosis:
    if _has_card() is False:
        return Diagnosis(reason, NO_CARD)
    seen = "This computer has an NVIDIA GPU" if _has_card() else "If this computer has an NVIDIA GPU"
    advice = f"{seen}, {'but' if _has_card() else 'then'} its driver is missing: install it ({DRIVERS}) and restart"
    if gpu_build:
        return Diagnosis(reason, f"{advice} the computer.")
    return Diagnosis(reason, f"{advice}. Then install the build of torch that uses it:", install_command(CUDA_INDEX))


def _is_gpu_build() -> bool:
    import torch

    return torch.version.cuda is not None or torch.version.hip is not None


def _has_card() -> bool | None:
    """Whether a card of NVIDIA is plugged in; None where the system does not tell."""
    if not _PCI.is_dir():
        return None
    vendors = (device / "vendor" for device in _PCI.iterdir())
    return any(vendor.is_file() and vendor.read_text().strip() == _NVIDIA for vendor in vendors)


def _number(text: str, kind: type[_Number]) -> _Number:
    """Read a number; 0 for what a driver says when it does not know, such as "[N/A]"."""
    try:
        return kind(text)
    except ValueError:
        return kind(0)

"""What this machine has, in words: versions, the device, why it is not a GPU, and what to install for one."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass

from napari_unet_seg import __version__

PACKAGES = ("torch", "napari", "numpy", "scikit-image", "tifffile", "zarr", "dask")
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"
"""Where builds of torch for NVIDIA GPUs are: for Windows, whose ordinary build is for the CPU alone."""
OLDER_CUDA_INDEX = "https://download.pytorch.org/whl/cu126"
"""The same for drivers older than version 580."""


@dataclass(frozen=True)
class Environment:
    """What this machine computes with.

    Parameters
    ----------
    versions : dict of str to str
        Of this program, Python, the system and the packages it stands on; "not installed" for a package that is missing.
    device : str
        What computes, such as "NVIDIA H200" or "CPU, 8 threads"; empty when torch does not start.
    reason : str
        Why this device, one sentence.
    advice : tuple of str
        What to do for a GPU, one sentence or command a line; empty when there is one.
    """

    versions: dict[str, str]
    device: str
    reason: str
    advice: tuple[str, ...]


def describe_environment() -> Environment:
    """Find out what this machine computes with.

    Returns
    -------
    Environment
        Also when torch is damaged or missing: the reason then says so.
    """
    try:
        from napari_unet_seg.core.device import choose_device
    except (ImportError, OSError) as error:
        reason = f"torch does not start ({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        return Environment(_versions(), "", reason, _repair())
    chosen = choose_device()
    title = f"CPU, {_threads()} threads" if chosen.name == "cpu" else chosen.title
    return Environment(_versions(), title, chosen.reason, advise() if chosen.name == "cpu" else ())


def advise() -> tuple[str, ...]:
    """Say what to install so that this machine's GPU is used.

    Returns
    -------
    tuple of str
        Lines to show below one another.
    """
    import torch

    if platform.system() == "Darwin":
        return ("The GPU of a Mac is used from macOS 14 on, if the Mac has Apple silicon.",)
    if torch.version.cuda is not None or torch.version.hip is not None:
        return ("Update the driver of the GPU, start the computer again, and see whether `nvidia-smi` lists the GPU.",)
    seen = "This machine has an NVIDIA driver, so" if shutil.which("nvidia-smi") else "If this machine has an NVIDIA GPU,"
    return (
        f"{seen} install a build of torch that uses it:",
        f"    pip install --force-reinstall torch --index-url {CUDA_INDEX}",
        f"With a driver older than 580 take {OLDER_CUDA_INDEX} instead.",
    )


def _repair() -> tuple[str, ...]:
    lines = ("Install it again:", "    pip install --force-reinstall torch")
    if platform.system() == "Windows":
        return (*lines, "If that changes nothing, install the Visual C++ redistributable: https://aka.ms/vs/17/release/vc_redist.x64.exe")
    return lines


def _versions() -> dict[str, str]:
    found = {"napari-unet-seg": __version__, "python": platform.python_version(), "system": platform.platform(terse=True)}
    return found | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _threads() -> int:
    """Return the number of processors that this process may use, which a cluster may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

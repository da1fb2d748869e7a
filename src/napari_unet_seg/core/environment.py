"""What this machine has, in words: versions, the device, why it is not a GPU, and what to install for one."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass

from napari_unet_seg import __version__
from napari_unet_seg.core.apart import torch_trouble
from napari_unet_seg.core.gpu import broken_torch, diagnose

PACKAGES = ("torch", "openvino", "napari", "numpy", "scikit-image", "tifffile", "zarr", "dask")


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
    trouble = torch_trouble()
    if trouble:
        broken = broken_torch(trouble)
        return Environment(_versions(), "", broken.reason, broken.lines)
    from napari_unet_seg.core.device import choose_device

    chosen = choose_device()
    if chosen.name != "cpu":
        return Environment(_versions(), chosen.title, chosen.reason, ())
    return Environment(_versions(), f"CPU, {_threads()} threads", chosen.reason, diagnose().lines)


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

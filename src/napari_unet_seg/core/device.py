"""Which device computes, in which number format, and which of torch's errors are about memory."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from napari_unet_seg.errors import ComputeError, DeviceError, OutOfMemoryError
from napari_unet_seg.settings import DEVICES

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


@dataclass(frozen=True)
class Device:
    """A device that computes.

    Parameters
    ----------
    name : {"cuda", "mps", "cpu"}
        As torch calls it.
    title : str
        As a person calls it, such as "NVIDIA H200" or "CPU".
    reason : str
        Why it was chosen, one sentence.
    """

    name: str
    title: str
    reason: str


def choose_device(name: str = "auto") -> Device:
    """Choose where to compute.

    Parameters
    ----------
    name : {"auto", "cuda", "mps", "cpu"}
        "auto" takes the first that works of CUDA, MPS and CPU.

    Returns
    -------
    Device
        With the reason for the choice.

    Raises
    ------
    DeviceError
        If the device asked for is not there.
    """
    if name not in DEVICES:
        raise DeviceError(f"The device is {name!r}; it must be one of {', '.join(DEVICES)}.")
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if _available(device))
        return Device(name, _title(name), no_gpu_reason() if name == "cpu" else f"The fastest device here is {_title(name)}.")
    if not _available(name):
        raise DeviceError(f"The device {name!r} was asked for, but is not available: {no_gpu_reason()} Use 'cpu' or 'auto'.")
    return Device(name, _title(name), "Asked for.")


def no_gpu_reason() -> str:
    """Say in one sentence why no GPU is used on this machine.

    Returns
    -------
    str
        The reason, also when there is a GPU.
    """
    if _available("cuda") or _available("mps"):
        return "A GPU is available."
    if torch.version.cuda is None and torch.version.hip is None:
        if platform.system() == "Darwin":
            return "No GPU is used: this Mac has no Metal device that torch can use."
        return f"No GPU is used: the installed torch {torch.__version__} is a CPU-only build."
    return "No GPU is used: torch supports CUDA here, but finds no device or no working driver."


def choose_dtype(device: str, precision: str = "auto") -> torch.dtype:
    """Choose the number format of the network.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}
        Where the network runs.
    precision : {"auto", "float32", "bfloat16", "float16"}
        "auto" is float16 on CUDA, bfloat16 on CPUs with instructions for it, and float32 elsewhere.

    Returns
    -------
    torch.dtype
        The format for autocast.
    """
    if precision != "auto":
        dtype: torch.dtype = getattr(torch, precision)
        return dtype
    if device == "cuda":
        return torch.float16
    return torch.bfloat16 if device == "cpu" and cpu_has_bfloat16() else torch.float32


def cpu_has_bfloat16() -> bool:
    """Say whether this CPU multiplies bfloat16 in hardware; without that it is slower than float32.

    Returns
    -------
    bool
        True with AVX-512 BF16 or AMX.
    """
    # torch has no public name for this; an unknown name means no.
    probes = (getattr(torch.cpu, f"_is_{feature}_supported", None) for feature in ("avx512_bf16", "amx_tile"))
    return any(probe is not None and bool(probe()) for probe in probes)


@contextmanager
def compute_errors(what: str) -> Iterator[None]:
    """Turn torch's RuntimeErrors into errors of this package.

    A napari worker swallows RuntimeError (its signals never fire), so none may leave a generator.

    Parameters
    ----------
    what : str
        What was being done, for the message: "Segmenting".

    Raises
    ------
    OutOfMemoryError
        If memory ran out, on any device.
    ComputeError
        For every other RuntimeError.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_memory_error(error):
            raise OutOfMemoryError(f"{what} ran out of memory; use a smaller tile or batch, or close other programs.") from error
        raise ComputeError(f"{what} failed: {_first_line(error)}") from error


def is_memory_error(error: BaseException) -> bool:
    """Say whether an error means that memory ran out.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    bool
        True for Python's and torch's out-of-memory errors alone.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)


def _available(name: str) -> bool:
    if name == "cuda":
        return torch.cuda.is_available()
    return name == "cpu" or torch.backends.mps.is_available()


def _title(name: str) -> str:
    return {"cuda": torch.cuda.get_device_name, "mps": lambda: "Apple GPU (MPS)", "cpu": lambda: "CPU"}[name]()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

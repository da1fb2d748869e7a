"""Which device computes, in which number format, and which of torch's errors are about memory."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from napari_unet_seg.errors import ComputeError, DeviceError, OutOfMemoryError
from napari_unet_seg.settings import DEVICES

_MEMORY_WORDS = (
    "out of memory",  # CUDA, MPS
    "can't alloc",  # OpenVINO, and with a few letters more the CPU allocator of torch on Linux and macOS
    "cannot allocate memory",
    "not enough memory",  # the CPU allocator on Windows
    "failed to allocate",  # OpenVINO, too
    "bad_alloc",  # C++ libraries
    "bad allocation",
    "alloc_failed",  # cuBLAS and cuDNN
    "allocation_failed",
    "invalid buffer size",  # MPS, a tensor larger than one buffer may be
)


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
        name = next(device for device in ("cuda", "mps", "cpu") if not _obstacle(device))
        return Device(name, _title(name), no_gpu_reason() if name == "cpu" else f"The fastest device here is {_title(name)}.")
    obstacle = _obstacle(name)
    if obstacle:
        raise DeviceError(f"The device {name!r} was asked for, but {obstacle}. Use 'cpu' or 'auto'.")
    return Device(name, _title(name), "Asked for.")


def no_gpu_reason() -> str:
    """Say in one sentence why no GPU is used on this machine.

    Returns
    -------
    str
        The reason, or that there is a GPU.
    """
    obstacle = _obstacle("mps" if platform.system() == "Darwin" else "cuda")
    return f"No GPU is used: {obstacle}." if obstacle else "A GPU is available."


def number_formats(device: str, precision: str = "auto") -> tuple[torch.dtype, ...]:
    """List the formats in which a network may predict, the best first.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}
        Where the network runs.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        "auto" is int8 on processors, for models that can be run in it, and else as of `choose_dtype`.

    Returns
    -------
    tuple of dtype
        More than one where the first may be missing.
    """
    usual = choose_dtype(device, precision)
    return (torch.int8, usual) if device == "cpu" and precision == "auto" else (usual,)


def choose_dtype(device: str, precision: str = "auto") -> torch.dtype:
    """Choose the number format of torch for a network.

    Parameters
    ----------
    device : {"cuda", "mps", "cpu"}
        Where the network runs.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        "auto" is bfloat16 on CUDA devices and CPUs with instructions for it, so that both give the same labels but for the order of
        their sums (``benchmarks/agreement.py``); float16 on older CUDA devices, and float32 elsewhere.

    Returns
    -------
    torch.dtype
        The format for autocast.
    """
    if precision != "auto":
        dtype: torch.dtype = getattr(torch, precision)
        return dtype
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
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


def cpu_has_int8() -> bool:
    """Say whether this CPU multiplies numbers of 8 bits faster than others, and adds the products up without overflow.

    Returns
    -------
    bool
        True with AVX-512 VNNI.
    """
    probe = getattr(torch.cpu, "_is_vnni_supported", None)
    return probe is not None and bool(probe())


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


def exact_float32() -> Any:
    """Return a context that keeps TF32 out of cuDNN: with it, "float32" would give other labels on a GPU than on the CPU."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def fetched(result: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Begin to fetch a result from its device.

    Parameters
    ----------
    result : Tensor
        On any device; it may still be computed.

    Returns
    -------
    callable
        Waits until it is here, and returns it.
    """
    if result.device.type != "cuda":
        return result.cpu
    here = torch.empty(result.shape, dtype=result.dtype, pin_memory=True).copy_(result, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]
    done.record()

    def _wait() -> torch.Tensor:
        done.synchronize()
        return here

    return _wait


def _obstacle(name: str) -> str:
    """Say why a device cannot be used, without a point at the end; empty if it can."""
    if name == "cpu":
        return ""
    missing = _missing_cuda() if name == "cuda" else _missing_mps()
    if missing:
        return missing
    try:  # a driver or a build that does not know this GPU shows only now
        torch.ones(1, device=name).add_(1).cpu()
    except RuntimeError as error:
        if is_memory_error(error):
            return "all memory of the GPU is in use; close what else runs on it"
        return f"torch cannot use the GPU that is there ({_first_line(error)})"
    return ""


def _missing_cuda() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return f"the installed torch {torch.__version__} is a CPU-only build"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return ""
    why = f" ({_first_line(told[0].message)})" if told else ""  # such as a driver that is too old
    return f"torch supports CUDA here, but finds no device or no working driver{why}"


def _missing_mps() -> str:
    if torch.backends.mps.is_available():
        return ""
    return "torch finds no Metal device (MPS), which only Macs have"


def _title(name: str) -> str:
    if name == "cuda":
        return str(torch.cuda.get_device_name())
    return {"mps": "Apple GPU (MPS)", "cpu": "CPU"}[name]


def _first_line(error: BaseException | str) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return next((line for line in lines if not line.startswith("Exception from ")), lines[0])  # OpenVINO first says where

"""The device that is chosen, why, and which errors are about memory."""

from __future__ import annotations

import platform
import warnings

import numpy as np
import pytest
import torch

from napari_unet_seg.core import device as module
from napari_unet_seg.core.device import (
    Device,
    choose_device,
    choose_dtype,
    compute_errors,
    cpu_has_bfloat16,
    cpu_has_int8,
    is_memory_error,
    no_gpu_reason,
    number_formats,
)
from napari_unet_seg.errors import ComputeError, DeviceError, InputError, OutOfMemoryError


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be on a machine: which builds, drivers and GPUs it has."""

    def pretend(system="Linux", cuda="13.0", gpu=False, mps=False, broken=""):
        real_ones = torch.ones

        def ones(*size, device="cpu"):
            if broken:
                raise RuntimeError(broken)
            return real_ones(*size)

        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(torch.cuda, "is_available", gpu if callable(gpu) else lambda: gpu)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch, "ones", ones)

    return pretend


# -- choosing --------------------------------------------------------------------------------------------------------------------------


def test_a_gpu_is_taken_first(machine):
    machine(gpu=True)
    assert choose_device() == Device("cuda", "NVIDIA H200", "The fastest device here is NVIDIA H200.")
    assert choose_device("cuda") == Device("cuda", "NVIDIA H200", "Asked for.")
    assert choose_device("cpu") == Device("cpu", "CPU", "Asked for.")
    assert no_gpu_reason() == "A GPU is available."


def test_a_mac(machine):
    machine("Darwin", cuda=None, mps=True)
    assert choose_device() == Device("mps", "Apple GPU (MPS)", "The fastest device here is Apple GPU (MPS).")
    assert no_gpu_reason() == "A GPU is available."


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"cuda": None}, f"No GPU is used: the installed torch {torch.__version__} is a CPU-only build."),
        ({}, "No GPU is used: torch supports CUDA here, but finds no device or no working driver."),
        ({"system": "Darwin", "cuda": None}, "No GPU is used: torch finds no Metal device (MPS), which only Macs have."),
        (
            {"gpu": True, "broken": "CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA_DSA"},
            "No GPU is used: torch cannot use the GPU that is there (CUDA error: no kernel image is available).",
        ),
        (
            {"system": "Darwin", "cuda": None, "mps": True, "broken": "MPS backend out of memory"},
            "No GPU is used: all memory of the GPU is in use; close what else runs on it.",
        ),
    ],
)
def test_without_a_gpu_that_works_the_cpu_is_taken_and_the_reason_told(machine, kind, reason):
    machine(**kind)
    assert choose_device() == Device("cpu", "CPU", reason)
    assert no_gpu_reason() == reason


def test_what_torch_says_of_the_driver_is_passed_on(machine):
    def too_old():
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).\nUpdate it.", stacklevel=2)
        return False

    machine(gpu=too_old)
    assert "(CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).)" in choose_device().reason


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("cuda", {"cuda": None}, "the installed torch .* is a CPU-only build"),
        ("cuda", {}, "torch supports CUDA here, but finds no device"),
        ("cuda", {"gpu": True, "broken": "CUDA error: busy"}, r"torch cannot use the GPU that is there \(CUDA error: busy\)"),
        ("mps", {"gpu": True}, "torch finds no Metal device"),  # a GPU is there, but of another kind
    ],
)
def test_a_device_that_is_not_there(machine, name, kind, words):
    machine(**kind)
    with pytest.raises(DeviceError, match=rf"^The device '{name}' was asked for, but {words}.*\. Use 'cpu' or 'auto'\.$"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "CUDA", "cuda:0", None, 0])
def test_names_that_are_no_device(name):
    with pytest.raises(DeviceError) as error:
        choose_device(name)
    assert str(error.value) == f"The device is {name!r}; it must be one of auto, cuda, mps, cpu."


def test_this_machine():
    device = choose_device()
    assert torch.ones(2, device=device.name).sum().item() == 2
    assert device.title
    assert device.reason.endswith(".")


# -- number formats --------------------------------------------------------------------------------------------------------------------


def test_number_formats(monkeypatch):
    for has, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has and not including_emulation)
        assert choose_dtype("cuda") == dtype
    assert choose_dtype("mps") == torch.float32
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(module, "cpu_has_bfloat16", lambda has=has: has)
        assert choose_dtype("cpu") == dtype
    for name in ("float32", "bfloat16", "float16"):
        assert choose_dtype("cpu", name) == choose_dtype("cuda", name) == getattr(torch, name)


def test_a_processor_predicts_in_8_bits_where_it_can(monkeypatch):
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: True)
    assert number_formats("cpu") == (torch.int8, torch.bfloat16)
    assert number_formats("cpu", "float32") == (torch.float32,)
    assert number_formats("cpu", "int8") == (torch.int8,)
    assert number_formats("mps") == (torch.float32,)


@pytest.mark.parametrize("has", [True, False])
def test_instructions_for_8_bits_are_asked_of_torch(has, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: has)
    assert cpu_has_int8() is has
    monkeypatch.delattr(torch.cpu, "_is_vnni_supported")
    assert not cpu_has_int8()


def test_bfloat16_is_asked_of_torch(monkeypatch):
    for answers in ((True, False), (False, True), (False, False)):
        for feature, answer in zip(("avx512_bf16", "amx_tile"), answers, strict=True):
            monkeypatch.setattr(torch.cpu, f"_is_{feature}_supported", lambda answer=answer: answer, raising=False)
        assert cpu_has_bfloat16() is any(answers)
    for feature in ("avx512_bf16", "amx_tile"):
        monkeypatch.delattr(torch.cpu, f"_is_{feature}_supported")
    assert cpu_has_bfloat16() is False


# -- errors ----------------------------------------------------------------------------------------------------------------------------

MEMORY = [
    MemoryError(),
    MemoryError("Unable to allocate 3.5 TiB for an array"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
    RuntimeError("Invalid buffer size: 36.00 GiB"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
    ),
    RuntimeError("[enforce fail at alloc_cpu.cpp:75] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
    RuntimeError("std::bad_alloc"),
]
OTHERS = [
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
    RuntimeError("Pin memory thread exited unexpectedly"),
    RuntimeError(),
    NotImplementedError("The operator 'aten::foo' is not currently implemented for the MPS device"),
    RecursionError("maximum recursion depth exceeded"),
]
FOREIGN = [
    ValueError("out of memory"),
    OSError("cannot allocate memory"),
    KeyError("a"),
    InputError("The image is empty."),
    ComputeError("Training failed."),
    KeyboardInterrupt(),
    GeneratorExit(),
]


@pytest.mark.parametrize("error", MEMORY, ids=repr)
def test_memory(error):
    assert is_memory_error(error)
    with (
        pytest.raises(OutOfMemoryError, match=r"^Segmenting ran out of memory; use a smaller tile") as raised,
        compute_errors("Segmenting"),
    ):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_other_errors_are_not_called_memory(error):
    assert not is_memory_error(error)
    with pytest.raises(ComputeError, match=r"^Training failed: ") as raised, compute_errors("Training"):
        raise error
    assert raised.value.__cause__ is error
    assert str(error) in str(raised.value)


@pytest.mark.parametrize("error", FOREIGN, ids=repr)
def test_errors_of_others_pass_unchanged(error):
    assert not is_memory_error(error)
    with pytest.raises(type(error)) as raised, compute_errors("Segmenting"):
        raise error
    assert raised.value is error


def test_only_the_first_line_is_shown():
    with pytest.raises(ComputeError) as raised, compute_errors("Training"):
        raise RuntimeError("\n a kernel failed\nCUDA kernel errors might be asynchronously reported\n")
    assert str(raised.value) == "Training failed: a kernel failed"


def test_real_errors_of_torch():
    with pytest.raises(ComputeError), compute_errors("Segmenting"):
        torch.ones(2, 3) @ torch.ones(2, 3)
    with pytest.raises(OutOfMemoryError), compute_errors("Segmenting"):
        torch.empty(2**55)
    with pytest.raises(OutOfMemoryError), compute_errors("Segmenting"):
        np.empty(2**55)


def test_inside_a_generator():
    """Errors thrown at the yield are turned, closing is not, and values come through."""

    def work():
        with compute_errors("Working"):
            yield 1
            yield 2

    assert list(work()) == [1, 2]
    steps = work()
    next(steps)
    steps.close()
    steps = work()
    next(steps)
    with pytest.raises(ComputeError, match="Working failed: no"):
        steps.throw(RuntimeError("no"))


def test_nested():
    """The inner words are kept: an error of ours is no RuntimeError."""
    with pytest.raises(OutOfMemoryError, match=r"^Loading ran out of memory"), compute_errors("Segmenting"), compute_errors("Loading"):
        raise MemoryError


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_real_gpu_out_of_memory():
    with pytest.raises(OutOfMemoryError), compute_errors("Segmenting"):
        torch.empty(2**50, device="cuda", dtype=torch.uint8)

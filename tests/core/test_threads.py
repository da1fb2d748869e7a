"""The number of threads of torch, on which the weights of a training depend: whoever else sets it, a training keeps its own."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.run_state import load_state
from napari_unet_seg.core.threads import compute_with, usual_threads
from napari_unet_seg.core.trainer import Trainer
from tests.core.test_run_state import steps, stopped


@pytest.fixture
def openmp():
    """Sets the number of threads of OpenMP for this thread alone, as Numba does in the thread that draws labels."""
    found = [path for path in (Path(torch.__file__).parent / "lib").glob("libgomp*")]
    if not found:
        pytest.skip("torch has no OpenMP library of its own here")
    before = torch.get_num_threads()
    yield ctypes.CDLL(str(found[0])).omp_set_num_threads
    torch.set_num_threads(before)


def counted(work, monkeypatch):
    """Finish a training; the number of threads in each of its steps."""
    used, step = [], Trainer._step
    monkeypatch.setattr(Trainer, "_step", lambda self, rate: (used.append(torch.get_num_threads()), step(self, rate))[1])
    model = nus.drain(work)
    return model, used


def test_what_another_library_sets_is_not_what_torch_would_take(openmp):
    usual = usual_threads()
    openmp(usual + 1)
    assert torch.get_num_threads() == usual + 1
    assert usual_threads() == usual
    compute_with(usual)
    assert torch.get_num_threads() == usual
    assert usual_threads() == usual


def test_what_somebody_asks_torch_for_is_kept():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 2)
        assert usual_threads() == before + 2
    finally:
        torch.set_num_threads(before)


def test_a_training_after_a_viewer_drew_labels_gives_the_same_weights(openmp, monkeypatch):
    usual = usual_threads()
    first, _ = counted(steps(), monkeypatch)
    work = steps()
    openmp(usual + 1)
    again, used = counted(work, monkeypatch)
    assert set(used) == {usual}
    assert again.sha256 == first.sha256


def test_a_training_goes_on_with_the_threads_that_it_began_with(tmp_path, monkeypatch):
    usual = usual_threads()
    stopped(tmp_path, 2)
    assert load_state(tmp_path)[0].threads == usual
    torch.set_num_threads(usual + 1)
    try:
        _, used = counted(steps(tmp_path), monkeypatch)
        assert set(used) == {usual}
        assert torch.get_num_threads() == usual + 1, "afterwards it is as it was"
    finally:
        torch.set_num_threads(usual)

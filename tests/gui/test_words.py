from __future__ import annotations

import pytest

from napari_unet_seg.errors import ComputeError, InputError, OutOfMemoryError
from napari_unet_seg.gui.words import count_words, explain, time_words


@pytest.mark.parametrize(
    ("count", "sizes", "words"),
    [
        (0, None, "No nuclei found"),
        (0, {"T": 1}, "No nuclei found"),
        (1, {}, "1 nucleus"),
        (312, {}, "312 nuclei"),
        (12345, {}, "12,345 nuclei"),
        (0, {"Z": 5}, "0 outlines in 5 planes"),
        (1, {"Z": 2}, "1 outline in 2 planes"),
        (4312, {"Z": 60}, "4,312 outlines in 60 planes"),
        (480, {"T": 12}, "480 outlines at 12 times"),
    ],
)
def test_counts(count, sizes, words):
    assert count_words(count, sizes) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (0.31, "0.3 s"), (9.97, "10 s"), (47.2, "47 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s")]
)
def test_times(seconds, words):
    assert time_words(seconds) == words


@pytest.mark.parametrize("kind", [InputError, OutOfMemoryError, ComputeError])
def test_our_own_errors_are_sentences_already(kind):
    assert explain(kind("The image has shape (0, 3); use another.")) == "The image has shape (0, 3); use another."


def test_other_errors_are_put_into_one_sentence():
    words = explain(RuntimeError("zarr: chunk 3 is broken\nwith many\nmore lines"))
    assert words == "Something unexpected went wrong (RuntimeError: zarr: chunk 3 is broken); copy the details to report it."
    assert explain(ValueError()) == "Something unexpected went wrong (ValueError: ValueError); copy the details to report it."
    assert "close other programs" in explain(MemoryError())


@pytest.mark.parametrize(
    "error",
    [
        OSError(r"[WinError 1114] A DLL routine failed. Error loading C:\torch\lib\c10.dll or one of its dependencies."),
        ModuleNotFoundError("No module named 'torch'"),
    ],
)
def test_a_torch_that_cannot_be_loaded_says_what_to_install(error):
    words = explain(error)
    assert "PyTorch" in words
    assert "install" in words
    assert "\n" not in words


def test_an_oserror_of_a_file_is_not_taken_for_torch():
    assert "PyTorch" not in explain(OSError("disk read error"))

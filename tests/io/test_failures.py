"""Errors as sentences."""

from __future__ import annotations

import pytest

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.failures import explain, noted


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ReadError("x.tif is empty."), "x.tif is empty."),
        (OSError(28, "No space left on device"), "It failed unexpectedly (OSError: [Errno 28] No space left on device)."),
        (ValueError("one\ntwo"), "It failed unexpectedly (ValueError: one)."),
        (MemoryError(), "It failed unexpectedly (MemoryError: no reason given)."),
    ],
)
def test_an_error_becomes_one_sentence_and_the_work_goes_on(error: Exception, sentence: str):
    sentences: list[str] = []
    with noted("The picture is missing", sentences):
        raise error
    assert explain(error) == sentence
    assert sentences == [f"The picture is missing: {sentence}"]


def test_a_user_who_interrupts_is_obeyed():
    sentences: list[str] = []
    with pytest.raises(KeyboardInterrupt), noted("Anything", sentences):
        raise KeyboardInterrupt
    assert sentences == []

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image

from napari_unet_seg.gui.found import HOW_TO_SAVE, NOTHING_FOUND, OTHERS_FOLLOW, Round, all_words, found_words, live_words, part_of
from napari_unet_seg.gui.layers import layer_channels, read_source
from tests.gui.conftest import outcome, squares

PLAIN = read_source(Image(np.zeros((64, 64)), name="dapi"))
STACK = Image(np.zeros((5, 64, 64)), axis_labels=("z", "y", "x"), name="stack")
REGION = {"settings": {"region": [[[0, 0], [0, 9], [9, 9]]]}}


@pytest.mark.parametrize(
    ("source", "provenance", "headline", "where"),
    [
        (PLAIN, {}, "3 nuclei", "dapi"),
        (PLAIN, REGION, "3 nuclei", "a region of dapi"),
        (read_source(STACK), {}, "3 outlines in 5 planes", "stack"),
        (read_source(STACK, stack="maximum"), {}, "3 nuclei", "the maximum projection of 5 slices of stack"),
        (read_source(STACK, stack="maximum"), REGION, "3 nuclei", "a region of the maximum projection of 5 slices of stack"),
        (replace(PLAIN, part="channel 2"), {}, "3 nuclei", "dapi, channel 2"),
    ],
)
def test_what_was_counted_and_in_what(source, provenance, headline, where):
    assert found_words(outcome(squares(), **provenance), source) == (headline, f"Found in {where} in 0.5 s. {HOW_TO_SAVE}")


def test_nothing_found_and_nuclei_beside_the_region():
    assert found_words(outcome(squares(count=0)), PLAIN) == ("No nuclei found", NOTHING_FOUND)
    assert "The nuclei outside of the region are as they were." in found_words(outcome(squares(), outside_region=[{}]), PLAIN)[1]


def test_several_runs_are_summed_up():
    layer = Image(np.zeros((2, 64, 64)), axis_labels=("c", "y", "x"), name="two")
    channels = layer_channels(layer)
    alone, both = Round([(layer, channels[0])]), Round([(layer, channel) for channel in channels])
    assert (alone.several, alone.part(channels[1])) == (False, "")
    assert (both.several, both.part(channels[1]), both.part(None)) == (True, "channel 2", "")
    assert part_of(None) == ""
    for count, channel in zip((3, 1), channels, strict=True):
        both.add(outcome(squares(count=count)), read_source(layer, channel, part=both.part(channel)))
    assert all_words(both.counts) == ("4 nuclei in 2 channels", f"channel 1: 3; channel 2: 1. {HOW_TO_SAVE}")


def test_what_a_slider_leaves_is_said_without_a_text_that_jumps():
    made = outcome(squares())
    assert live_words(2, [(made, PLAIN)]) == ("2 nuclei", found_words(made, PLAIN)[1])
    assert live_words(0, [(made, PLAIN)]) == ("No nuclei found", NOTHING_FOUND)
    assert live_words(2, [(outcome(squares(count=0)), PLAIN)]) == ("2 nuclei", HOW_TO_SAVE)
    assert live_words(2, [(made, read_source(STACK))]) == ("2 nuclei", OTHERS_FOLLOW)
    assert live_words(5, [(made, PLAIN), (made, PLAIN)]) == ("5 nuclei in 2 channels", HOW_TO_SAVE)

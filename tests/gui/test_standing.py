from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_unet_seg.core.segmentation import CUT_KEY
from napari_unet_seg.gui.layers import Channel
from napari_unet_seg.gui.standing import ACTS, AGAIN, FAR_OUT, NEW_LAYER, SEGMENT, Wish, stand
from napari_unet_seg.settings import SegmentSettings


def result(**changes):
    """Stands for a result that a run of tiny on the CPU made with the defaults."""
    made = SimpleNamespace(engine=("tiny", "cpu"), settings=SegmentSettings(), provenance={"settings": {}})
    source = SimpleNamespace(axes="CYX", channel=1)
    known = {"outcome": made, "source": source, "labels": SimpleNamespace(name="mine"), "live": True}
    return SimpleNamespace(**(known | {"edited": False, "locked": False, "outdated": False} | changes))


def wish(settings=None, engine=("tiny", "cpu"), index=1):
    return Wish(settings or SegmentSettings(), engine, Channel(0, index, ""))


def test_without_a_result_there_is_something_to_press():
    standing = stand(None, wish())
    assert (standing.button, standing.urgent, standing.hint, standing.locked) == (SEGMENT, True, "", False)


def test_a_result_that_is_as_wished_is_calm():
    standing = stand(result(), wish())
    assert (standing.button, standing.urgent, standing.hint, standing.pending) == (AGAIN, False, ACTS, "")


@pytest.mark.parametrize(
    ("wished", "words"),
    [
        (wish(SegmentSettings(low=1, high=2)), "intensity limits"),
        (wish(SegmentSettings(diameter=3, precision="float32")), "diameter, precision"),
        (wish(engine=("other", "auto")), "model, device"),
        (wish(index=0), "channel"),
        (Wish(SegmentSettings(), ("tiny", "cpu"), None), "channel"),
    ],
)
def test_what_only_a_run_applies_is_named_once(wished, words):
    standing = stand(result(), wished)
    assert standing.pending == f"Press “{AGAIN}” to apply: {words}."
    assert standing.urgent


def test_what_is_being_applied_is_not_named():
    moved = wish(SegmentSettings(probability=0.9))
    assert stand(result(), moved, following=True).pending == ""
    assert "probability" in stand(result(), moved).pending


def test_after_a_run_on_a_part_the_sliders_act_and_say_where_they_could_not():
    settings = SegmentSettings(region=(((0, 0), (0, 9), (9, 9)),))
    part = SimpleNamespace(engine=("tiny", "cpu"), settings=settings, provenance={"settings": {}})
    assert stand(result(outcome=part), wish(settings)) == stand(result(), wish())
    part.provenance[CUT_KEY] = True
    standing = stand(result(outcome=part), wish(settings))
    assert standing.hint == ACTS
    assert standing.pending == f"Press “{AGAIN}” to apply: {FAR_OUT}."
    assert stand(result(live=False), wish()).hint == ""


def test_settings_that_contradict_each_other_say_nothing():
    assert stand(result(), Wish(None, ("tiny", "cpu"), Channel(0, 1, ""))).pending == ""


@pytest.mark.parametrize(("edited", "words"), [(True, "edited by hand"), (False, "locked in the layer list")])
def test_a_layer_of_the_user_is_left_alone(edited, words):
    standing = stand(result(locked=True, edited=edited), wish(SegmentSettings(diameter=3)))
    assert standing.locked
    assert standing.button == NEW_LAYER
    assert words in standing.hint
    assert "“mine”" in standing.hint
